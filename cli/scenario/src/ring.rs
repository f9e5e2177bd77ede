//! `[ring]`: a system of any size from a few numbers, so that one file can be asked about many sizes.
//!
//! The table becomes ordinary domains, channels and programs before anything is checked, as if they stood in the file;
//! all of them point at the table. Domains count from 1, and each sends to the next, the last to the first. vCPU 0 hands a
//! token on, `rounds` times. Every further vCPU sends to the next domain `rounds` times without waiting for anybody, and
//! says at the end that it is done. All events go to vCPU 0 of the receiver.
//!
//! Further vCPUs must not begin before the next domain has placed its `shared_info`. So the token goes round twice
//! first: when it comes the second time it has been everywhere. vCPU 0 then opens a gate, a masked port of its own domain
//! that the others poll: masked, it stays pending, and whoever polls late finds it.

use super::error::Problem;
use super::number::{Number, given, optional};
use super::range::RawRange;
use super::raw::{RawChannel, RawDomain, RawEnd, RawScenario, RawVcpu};
use super::raw_poll::RawPoll;
use super::raw_ring::{RawAbi, RawRing};
use super::raw_step::{NumberOrName, Plain, PortOp, RawExpandArray, RawInitControl, RawPortStep, RawRepeat, RawStep};
use super::table::Table;
use evtchn::op::Op as EventOp;
use std::ops::{Range, RangeInclusive};
use toml::Spanned;

/// Domains of a ring: one cannot wait for itself, and there is no part with room for more.
pub(super) const DOMAINS: RangeInclusive<u64> = 2..=256;
/// vCPUs of each domain.
pub(super) const VCPUS: RangeInclusive<u64> = 1..=16;
/// Rounds: more than a run's limit of steps could take.
pub(super) const ROUNDS: RangeInclusive<u64> = 1..=1_000_000;

/// The step that sends on a port.
const SEND: PortOp = PortOp::Event(EventOp::Send { port: 0 });

/// Laps of the token before further vCPUs begin.
const LAPS: u64 = 2;

/// The table, checked.
struct Ring {
    /// Where the table stands.
    at: Range<usize>,
    domains: u64,
    vcpus: u64,
    pes: u64,
    rounds: u64,
    fifo: bool,
    base: u64,
    size: u64,
    /// Bytes from one bank to the next.
    stride: u64,
    compute: u64,
}

/// Puts what the table stands for behind what the file has.
pub(super) fn expand(raw: &mut RawScenario) -> Result<(), Problem> {
    let Some(found) = raw.ring.take() else {
        return Ok(());
    };
    let ring = Ring::new(&found, given(raw.pes.as_ref(), Number(1)).0)?;
    for domain in 0..ring.domains {
        raw.domain.push(ring.domain(domain));
        raw.channel.extend(ring.channels(domain));
    }
    Ok(())
}

impl Ring {
    fn new(found: &Spanned<Table<RawRing>>, pes: u64) -> Result<Self, Problem> {
        let raw = &found.get_ref().0;
        let size = optional(raw.ram_size.as_ref(), "ram_size", 64..=u64::MAX, 0x10_0000)?;
        let gap = optional(raw.gap.as_ref(), "gap", 0..=u64::MAX, 0x10_0000)?;
        let base = given(raw.base.as_ref(), Number(0x1000_0000)).0;
        let domains = optional(raw.domains.as_ref(), "domains", DOMAINS, 2)?;
        let end = size.checked_add(gap).and_then(|stride| stride.checked_mul(domains)?.checked_add(base));
        if end.is_none() {
            let problem = Problem::new("the RAM of the ring's domains runs past the end of the address space");
            return Err(problem.at(found.span(), format!("{domains} banks of {size:#x} bytes, {gap:#x} apart")));
        }
        Ok(Self {
            at: found.span(),
            domains,
            vcpus: optional(raw.vcpus.as_ref(), "vcpus", VCPUS, 1)?,
            // What is wrong with the number of PEs is found where the board is made.
            pes: pes.max(1),
            rounds: optional(raw.rounds.as_ref(), "rounds", ROUNDS, 100)?,
            fifo: given(raw.abi.as_ref(), RawAbi::TwoLevel) == RawAbi::Fifo,
            base,
            size,
            stride: size + gap,
            compute: given(raw.compute.as_ref(), Number(1000)).0,
        })
    }

    fn here<T>(&self, value: T) -> Spanned<T> {
        Spanned::new(self.at.clone(), value)
    }

    fn number(&self, value: u64) -> Spanned<Number> {
        self.here(Number(value))
    }

    fn domain(&self, domain: u64) -> Spanned<Table<RawDomain>> {
        let bank = RawRange { base: self.number(self.base + domain * self.stride), size: self.number(self.size) };
        let vcpu = |vcpu| {
            let pe = (domain * self.vcpus + vcpu) % self.pes;
            let program = if vcpu == 0 { self.token(domain == 0) } else { self.chatter(vcpu) };
            let vcpu =
                RawVcpu { pe: Some(self.number(pe)), vcpu_info: None, el1_mpu: Vec::new(), program: Some(program) };
            self.here(Table(vcpu))
        };
        self.here(Table(RawDomain {
            id: self.number(domain + 1),
            name: Some(self.here(format!("node{}", domain + 1))),
            ram: vec![self.here(Table(bank))],
            privileged: false,
            max_evtchn_port: None,
            shared_info: None,
            vcpu: (0..self.vcpus).map(vcpu).collect(),
        }))
    }

    /// The program of vCPU 0: hands the token on, then waits until the other vCPUs of its neighbour are done.
    fn token(&self, first: bool) -> Vec<Spanned<RawStep>> {
        let mut steps = self.setup();
        // Binding raised this one.
        steps.push(self.port(PortOp::Wait, Port::Token.binder()));
        if self.vcpus > 1 {
            steps.push(self.port(PortOp::Mask, Port::Gate.listener()));
            steps.push(self.repeat(LAPS, self.lap(first)));
            steps.push(self.port(SEND, Port::Gate.binder()));
        }
        steps.push(self.repeat(self.rounds, self.lap(first)));
        steps.extend((1..self.vcpus).map(|vcpu| self.port(PortOp::Wait, Port::Done(vcpu).listener())));
        steps
    }

    /// The token once round.
    fn lap(&self, first: bool) -> Vec<Spanned<RawStep>> {
        let send = [self.compute(), self.port(SEND, Port::Token.binder())];
        let wait = [self.port(PortOp::Wait, Port::Token.listener())];
        if first { send.into_iter().chain(wait).collect() } else { wait.into_iter().chain(send).collect() }
    }

    /// The program of any other vCPU. It takes no interrupts: registering a `vcpu_info` marks every port as one to look at,
    /// and its handler would take events that vCPU 0 waits for.
    fn chatter(&self, vcpu: u64) -> Vec<Spanned<RawStep>> {
        let gate = self.here(NumberOrName::Number(Number(Port::Gate.listener())));
        vec![
            self.here(RawStep::Plain(Plain::RegisterVcpuInfo, None)),
            self.here(RawStep::Poll(RawPoll { ports: vec![gate], timeout: None, expect: None })),
            self.repeat(self.rounds, vec![self.compute(), self.port(SEND, Port::Chatter(vcpu).binder())]),
            self.port(SEND, Port::Done(vcpu).binder()),
        ]
    }

    fn setup(&self) -> Vec<Spanned<RawStep>> {
        let fifo = [
            RawStep::InitControl(RawInitControl { at: None, expect: None }),
            RawStep::ExpandArray(RawExpandArray { at: None, expect: None }),
        ];
        let setup = std::iter::once(RawStep::Plain(Plain::Setup, None));
        setup.chain(fifo.into_iter().filter(|_| self.fifo)).map(|step| self.here(step)).collect()
    }

    fn port(&self, op: PortOp, port: u64) -> Spanned<RawStep> {
        let port = self.here(NumberOrName::Number(Number(port)));
        self.here(RawStep::Port(op, RawPortStep { port, expect: None }))
    }

    fn compute(&self) -> Spanned<RawStep> {
        self.here(RawStep::Compute(Number(self.compute)))
    }

    fn repeat(&self, times: u64, steps: Vec<Spanned<RawStep>>) -> Spanned<RawStep> {
        self.here(RawStep::Repeat(RawRepeat { times: Number(times), steps }))
    }

    /// The channels from a domain to the next one, and its gate.
    fn channels(&self, domain: u64) -> impl Iterator<Item = Spanned<Table<RawChannel>>> + '_ {
        let (from, to) = (domain + 1, (domain + 1) % self.domains + 1);
        let more = (1..self.vcpus).flat_map(|vcpu| [Port::Chatter(vcpu), Port::Done(vcpu)]);
        let gate = (self.vcpus > 1).then_some(Port::Gate);
        std::iter::once(Port::Token).chain(gate).chain(more).map(move |port| {
            let to = if matches!(port, Port::Gate) { from } else { to };
            let end = |domain, port| Table(RawEnd { domain: self.number(domain), port: self.number(port) });
            self.here(Table(RawChannel {
                name: self.here(port.name(from)),
                listener: end(to, port.listener()),
                binder: end(from, port.binder()),
            }))
        })
    }
}

/// What a channel is for.
#[derive(Clone, Copy)]
enum Port {
    Token,
    /// From vCPU 0 to the others of its own domain.
    Gate,
    /// Of a vCPU behind the first: its events.
    Chatter(u64),
    /// Of a vCPU behind the first: its last one.
    Done(u64),
}

impl Port {
    /// The sender's port; the receiver's is the next one.
    fn binder(self) -> u64 {
        match self {
            Self::Token => 1,
            Self::Gate => 3,
            Self::Chatter(vcpu) => 1 + 4 * vcpu,
            Self::Done(vcpu) => 3 + 4 * vcpu,
        }
    }

    fn listener(self) -> u64 {
        self.binder() + 1
    }

    fn name(self, from: u64) -> String {
        match self {
            Self::Token => format!("ring{from}"),
            Self::Gate => format!("ring{from}-gate"),
            Self::Chatter(vcpu) => format!("ring{from}-{vcpu}"),
            Self::Done(vcpu) => format!("ring{from}-{vcpu}-done"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use crate::{Scenario, strategy};
    use sim_core::outcome::{Outcome, Report};
    use std::path::Path;

    const TEXT: &str = include_str!("../../../examples/scenarios/ring.toml");

    fn load(sets: &[&str]) -> Result<Scenario, String> {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        Scenario::from_text(Path::new("ring.toml"), TEXT, &sets).map_err(|error| error.render(false))
    }

    fn run(scenario: &Scenario, name: &str) -> Report {
        let strategy = strategy::parse(name, scenario.settings).unwrap();
        scenario.under(&strategy).unwrap().world(strategy, 0).unwrap().run()
    }

    #[test]
    fn rings_of_any_shape_complete_and_lose_nothing() {
        for (domains, vcpus, pes) in [(2, 1, 1), (2, 3, 2), (3, 2, 4), (5, 4, 2)] {
            for abi in ["2l", "fifo"] {
                for placement in ["guest-ram", "heap", "pool"] {
                    let shape = [
                        format!("ring.domains={domains}"),
                        format!("ring.vcpus={vcpus}"),
                        format!("pes={pes}"),
                        format!("ring.abi={abi}"),
                        format!("placement={placement}"),
                        "ring.rounds=3".to_owned(),
                    ];
                    let shape: Vec<&str> = shape.iter().map(String::as_str).collect();
                    let report = run(&load(&shape).unwrap(), "map-page");
                    assert_eq!(report.outcome, Outcome::Completed, "{shape:?}");
                    let laps = if vcpus > 1 { 3 + super::LAPS } else { 3 };
                    // The token, the gate, and of each further vCPU its rounds and its last word.
                    let sent = domains * (laps + u64::from(vcpus > 1) + (vcpus - 1) * 4);
                    assert_eq!(report.events.sent, sent, "{shape:?}");
                    // The gate stays masked and is polled.
                    let events = report.events;
                    let polled = if vcpus > 1 { domains } else { 0 };
                    assert_eq!(events.delivered + events.coalesced + polled, sent, "{shape:?}: {events:?}");
                    assert_eq!(events.lost, 0, "{shape:?}");
                }
            }
        }
    }

    #[test]
    fn errors_point_at_the_table_or_the_key() {
        let cases = [
            ("ring.domains=1", "domains is 1, which is out of range"),
            ("ring.vcpus=17", "expected 1 to 16"),
            ("ring.abi=three", "known words: 2l, fifo"),
            ("ring.ram_size=0xffffffffffffffff", "runs past the end of the address space"),
            ("scheduler=null", "PE 0 has two vCPUs"),
        ];
        for (set, said) in cases {
            let error = load(&[set]).unwrap_err();
            assert!(error.contains(said), "{set}: {error}");
        }
        // The system that does not fit is blamed on the table.
        let error = load(&["ring.gap=0x60000000"]).unwrap_err();
        assert!(error.contains("[ring]") && error.contains("ring.toml:"), "{error}");
    }
}
