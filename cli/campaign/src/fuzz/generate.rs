//! Cases from choices.

use super::case::{Case, Kind, Num, Planned};
use super::recipe;
use super::recipe::Recipe;
use super::source::Source;
use conformance::format::{Actor, BadArg, DomainHeader};
use evtchn::abi;
use evtchn::abi::{DOMID_SELF, control_block, virq};
use evtchn::op::{Kind as Argument, Returns, Shape, command};
use mpu_model::{Pmsa, SyncRule};
use sim_core::hyp::strategy::Strategy;
use sim_core::layout::Placement;
use std::collections::VecDeque;

/// A port that a step may have made.
#[derive(Clone, Copy, Default)]
struct Port {
    step: u32,
    domain: u16,
    /// Whom it waits for, if it is unbound.
    remote: u16,
    unbound: bool,
}

struct Maker<'a, S> {
    source: &'a mut S,
    domains: Vec<DomainHeader>,
    ports: Vec<Port>,
    pages: u16,
    steps: Vec<Planned>,
    /// Who was made the handler of VIRQ 3 last.
    handler: Option<u16>,
    /// What is to come of which domain, and from which step on.
    agenda: VecDeque<(u32, Kind, u16)>,
}

/// Ports that boot code asks for: near the limits of buckets, of domains and of both ABIs.
const STATIC: [u64; 20] =
    [0, 1, 2, 5, 63, 64, 65, 70, 100, 101, 127, 128, 130, 192, 200, 1023, 1024, 4095, 4096, 131_072];

/// A case.
pub(crate) fn case(source: &mut impl Source, recipe: &Recipe) -> Case {
    let (strategy, mut setting) = recipe.pick(source);
    setting.pes = source.pick(&[1, 1, 2, 3]);
    if source.chance(15) {
        setting.sync = SyncRule::ContextSyncOnly;
    }
    if setting.strategy.placement().is_none() && source.chance(25) {
        setting.placement = if source.chance(50) { Placement::Heap } else { Placement::Pool };
    }
    let mut maker = Maker {
        domains: recipe::domains(source),
        source,
        ports: Vec::new(),
        pages: 0,
        steps: Vec::new(),
        handler: None,
        agenda: VecDeque::new(),
    };
    (0..recipe.steps).for_each(|id| maker.step(u32::try_from(id).unwrap_or(u32::MAX)));
    let Maker { domains, steps, .. } = maker;
    if !source.chance(75) {
        setting.pmsa = Pmsa::V32;
    }
    Case { setting, strategy, domains, steps }
}

impl<S: Source> Maker<'_, S> {
    fn step(&mut self, id: u32) {
        let due = self.agenda.pop_front_if(|(from, ..)| *from <= id);
        let (kind, domain) = match due {
            Some((_, kind, domain)) => (kind, domain),
            None => (recipe::kind(self.source), self.domain()),
        };
        let vcpu = u32::try_from(self.vcpus(domain)).unwrap_or(1);
        let guest = Actor::Guest { domain, vcpu: self.source.below(vcpu) };
        let (by, args) = match kind {
            Kind::BeginKill | Kind::Kill | Kind::Create => {
                // The hardware domain lives as long as the machine.
                let others = u32::try_from(self.domains.len()).unwrap_or(2) - 1;
                let other = fixed(if due.is_some() { u32::from(domain) } else { 1 + self.source.below(others) });
                (Actor::Hypervisor, [other, Num::default(), Num::default(), Num::default()])
            }
            Kind::Preempt => {
                self.plan_preemption(id, domain);
                let none = Num::default();
                (Actor::Hypervisor, [fixed(self.source.pick(&[1u32, 1, 2, 3])), none, none, none])
            }
            // Some on behalf of a guest, whose rights count.
            Kind::XenAlloc if self.source.chance(30) => {
                let other = self.domain();
                (guest, self.control(kind, other))
            }
            Kind::RaiseVirq
            | Kind::SetVirqHandler
            | Kind::Pause
            | Kind::Unpause
            | Kind::PollTimeout
            | Kind::XenAlloc
            | Kind::XenFree
            | Kind::XenNotify
            | Kind::StaticAlloc
            | Kind::StaticBind
            | Kind::VirqEnabled
            | Kind::DomExcHandler => (Actor::Hypervisor, self.control(kind, domain)),
            _ => (guest, self.guest(kind, domain, id)),
        };
        let bad = self.source.chance(3).then(|| if self.source.chance(50) { BadArg::In } else { BadArg::Out });
        self.steps.push(Planned { id, by, kind, args, bad });
    }

    /// What makes a preemption likely, and goes on after it: a port above the first bucket, a reset or an end, and once more.
    fn plan_preemption(&mut self, id: u32, domain: u16) {
        let (first, again) = match self.source.below(4) {
            0 => return,
            1 if domain > 0 => (Kind::Kill, Kind::Kill),
            _ => (Kind::Event(command::RESET), Kind::Event(command::RESET_CONT)),
        };
        let later = id + 3 + self.source.below(4);
        self.agenda.extend([(id + 1, Kind::StaticAlloc, domain), (id + 2, first, domain), (later, again, domain)]);
    }

    fn domain(&mut self) -> u16 {
        let count = u32::try_from(self.domains.len()).unwrap_or(1);
        self.source.below(count) as u16
    }

    fn vcpus(&self, domain: u16) -> u64 {
        self.domains.get(usize::from(domain)).map_or(1, |domain| domain.vcpus)
    }

    /// A domain's number, seldom nobody's.
    fn any_domain(&mut self) -> Num {
        match self.source.below(20) {
            0 => fixed(self.source.pick(&[9u16, 0x7ff4, 0xffff])),
            1..=4 => fixed(DOMID_SELF),
            _ => fixed(self.domain()),
        }
    }

    /// A vCPU of the domain, seldom one that is not there.
    fn vcpu(&mut self, domain: u16) -> Num {
        let count = u32::try_from(self.vcpus(domain)).unwrap_or(1);
        if self.source.chance(4) {
            fixed(self.source.pick(&[count, 64, u32::MAX]))
        } else {
            fixed(self.source.below(count))
        }
    }

    /// A port of the domain: mostly one that a step made.
    fn port(&mut self, domain: u16) -> Num {
        let own: Vec<u32> = self.ports.iter().filter(|port| port.domain == domain).map(|port| port.step).collect();
        if own.is_empty() || self.source.chance(8) {
            return fixed(self.source.pick(&[0, 1, 2, 3, 63, 64, 65, 1023, 4095, 4096, 131_071, 131_072, u32::MAX]));
        }
        Num::Made(self.source.pick(&own))
    }

    /// A frame to hand over: mostly one that nobody has.
    fn page(&mut self) -> Num {
        if self.source.chance(6) {
            return Num::Fixed(self.source.pick(&[0, 0x3_ffff, 0x4_0000, 0x4_1000, 0x4_2001, 1 << 52, u64::MAX]));
        }
        if self.source.chance(8) {
            return Num::Page(self.source.below(u32::from(self.pages) + 1) as u16);
        }
        self.pages += 1;
        Num::Page(self.pages)
    }

    fn control(&mut self, kind: Kind, domain: u16) -> [Num; 4] {
        let none = Num::default();
        let virq = self.virq();
        match kind {
            Kind::RaiseVirq => [virq, fixed(domain), fixed(self.source.below(3)), none],
            Kind::SetVirqHandler => {
                if self.source.chance(60) {
                    self.handler = Some(domain);
                    return [fixed(domain), fixed(virq::DOM_EXC), none, none];
                }
                [fixed(domain), virq, none, none]
            }
            Kind::VirqEnabled => [fixed(domain), virq, self.vcpu(domain), none],
            Kind::DomExcHandler => [none; 4],
            Kind::StaticAlloc => {
                let port = Port { step: self.steps.len() as u32, domain, remote: self.domain(), unbound: true };
                self.ports.push(port);
                [fixed(domain), fixed(port.remote), fixed(self.source.pick(&STATIC)), none]
            }
            Kind::StaticBind => {
                let [remote, port] = self.far_port(domain);
                let remote = if remote == fixed(DOMID_SELF) { fixed(domain) } else { remote };
                self.ports.push(Port { step: self.steps.len() as u32, domain, remote: 0, unbound: false });
                [fixed(domain), remote, port, fixed(self.source.pick(&STATIC))]
            }
            Kind::PollTimeout => [fixed(domain), self.vcpu(domain), none, none],
            Kind::XenAlloc => {
                let port = Port { step: self.steps.len() as u32, domain, remote: self.domain(), unbound: true };
                self.ports.push(port);
                [fixed(domain), self.vcpu(domain), fixed(port.remote), none]
            }
            Kind::XenFree | Kind::XenNotify => [fixed(domain), self.port(domain), none, none],
            _ => [self.any_domain(), none, none, none],
        }
    }

    fn virq(&mut self) -> Num {
        fixed(self.source.pick(&[0u32, 1, 2, 3, 7, 8, 10, 11, 13, 16, 23, 24, u32::MAX]))
    }

    fn guest(&mut self, kind: Kind, domain: u16, id: u32) -> [Num; 4] {
        let none = Num::default();
        let made = |remote, unbound| Port { step: id, domain, remote, unbound };
        match kind {
            Kind::Event(command::ALLOC_UNBOUND) => {
                let (dom, remote) =
                    (if self.source.chance(75) { fixed(DOMID_SELF) } else { self.any_domain() }, self.domain());
                let at = match dom {
                    Num::Fixed(other) if other != u64::from(DOMID_SELF) => other as u16,
                    _ => domain,
                };
                self.ports.push(Port { step: id, domain: at, remote, unbound: true });
                [dom, if self.source.chance(5) { fixed(DOMID_SELF) } else { fixed(remote) }, none, none]
            }
            Kind::Event(command::BIND_INTERDOMAIN) => {
                let [dom, port] = self.far_port(domain);
                self.ports.push(made(0, false));
                [dom, port, none, none]
            }
            Kind::Event(command::BIND_VIRQ) => {
                self.ports.push(made(0, false));
                if self.handler == Some(domain) && self.source.chance(50) {
                    return [fixed(virq::DOM_EXC), fixed(0u32), none, none];
                }
                let vcpu = if self.source.chance(50) { fixed(0u32) } else { self.vcpu(domain) };
                [self.virq(), vcpu, none, none]
            }
            Kind::Event(command::STATUS) => {
                let other = if self.source.chance(60) { domain } else { self.domain() };
                let dom = if self.source.chance(10) { self.any_domain() } else { fixed(other) };
                [dom, self.port(other), none, none]
            }
            Kind::FlipWord => {
                // Which of the queues' tails is decided when it is known where they are.
                [fixed(self.source.below(4)), fixed(self.source.pick(&[1u32, 2, 4, 5, 6, 9])), none, none]
            }
            Kind::AddToPhysmap => {
                let dom = if self.source.chance(80) { fixed(DOMID_SELF) } else { self.any_domain() };
                let space = if self.source.chance(95) { 0u32 } else { self.source.pick(&[1, 4, 5]) };
                [dom, fixed(space), fixed(u32::from(self.source.chance(4))), self.page()]
            }
            Kind::RemoveFromPhysmap => {
                let dom = if self.source.chance(80) { fixed(DOMID_SELF) } else { self.any_domain() };
                [dom, if self.source.chance(80) { Num::Shared } else { self.page() }, none, none]
            }
            Kind::Event(command::RESET | command::RESET_CONT) => {
                let dom = if self.source.chance(70) { fixed(DOMID_SELF) } else { self.any_domain() };
                [dom, none, none, none]
            }
            Kind::Event(command::BIND_PIRQ) | Kind::RawOp | Kind::CompatOp | Kind::FifoConsume => {
                [fixed(self.source.below(64)), none, none, none]
            }
            Kind::Event(command) => Shape::of_command(command).map_or([none; 4], |shape| {
                let mut numbers = [none; 4];
                for (number, argument) in numbers.iter_mut().zip(shape.arguments) {
                    *number = self.argument(argument.kind, domain);
                }
                if let Returns::Port { .. } = shape.returns {
                    self.ports.push(made(0, false));
                }
                numbers
            }),
            Kind::Register => [self.vcpu(domain), self.page(), self.offset(4048), none],
            Kind::VcpuOp => [fixed(self.source.below(16)), self.vcpu(domain), none, none],
            Kind::Poll => {
                let count = self.source.pick(&[0u32, 1, 1, 1, 2, 2, 3, 129]);
                [fixed(count), self.port(domain), self.port(domain), self.port(domain)]
            }
            Kind::SetWord => {
                let value = (self.source.below(16) << 28) | self.source.below(70);
                [self.port(domain), fixed(value), none, none]
            }
            _ => [self.port(domain), none, none, none],
        }
    }

    /// An argument of an operation of `event_channel_op` that has no rule of its own.
    fn argument(&mut self, kind: Argument, domain: u16) -> Num {
        match kind {
            Argument::Port | Argument::RemotePort => self.port(domain),
            Argument::Domain => self.any_domain(),
            Argument::Vcpu => self.vcpu(domain),
            Argument::Virq => self.virq(),
            Argument::Frame => self.page(),
            Argument::Offset => self.offset(abi::PAGE_SIZE - control_block::SIZE),
            Argument::Priority => fixed(self.source.pick(&[0u32, 1, 7, 7, 15, 16, u32::MAX])),
            Argument::Number => fixed(self.source.below(64)),
        }
    }

    /// A port that waits for the domain, with whose it is; seldom another.
    fn far_port(&mut self, domain: u16) -> [Num; 2] {
        let waiting: Vec<Port> =
            self.ports.iter().filter(|port| port.unbound && port.remote == domain).copied().collect();
        let far = self.source.pick(&waiting);
        if waiting.is_empty() || self.source.chance(7) {
            let other = self.domain();
            return [self.any_domain(), self.port(other)];
        }
        [fixed(far.domain), Num::Made(far.step)]
    }

    /// An offset in a page up to `last`, seldom a bad one.
    fn offset(&mut self, last: u32) -> Num {
        if self.source.chance(8) {
            return fixed(self.source.pick(&[4, 12, 7, last + 8, 4095, 4096, u32::MAX]));
        }
        fixed(self.source.pick(&[0, 64, 128, 1024, last]))
    }
}

fn fixed(number: impl Into<u64>) -> Num {
    Num::Fixed(number.into())
}
