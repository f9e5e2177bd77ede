//! The accounting of events: who sent, what arrived, how long it took.

use super::observer::{Fate, Origin, RunEvent};
use crate::guest::Mark;
use crate::layout::Position;
use crate::outcome::{Distribution, EventTotals, PortEvents, StepFailure, VcpuRef};
use crate::platform::Event;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use evtchn::{Object, Withheld, abi};

/// An event that set a pending bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Raised {
    origin: Origin,
    /// Whether the port was unmasked then.
    unmasked: bool,
}

#[derive(Debug, Default)]
struct Port {
    totals: EventTotals,
    latency: Distribution,
    /// The event that the pending bit stands for.
    outstanding: Option<Raised>,
    /// Events whose bit a handler cleared and which it did not tell of yet, with the vCPU: another may be outstanding by now.
    taken: Vec<(u32, Raised)>,
}

impl Port {
    /// An event that no handler finds any more.
    fn unfound(&mut self, event: Raised) {
        match event {
            Raised { origin: Origin::Hypervisor, .. } => {}
            Raised { unmasked: true, .. } => self.totals.lost += 1,
            Raised { unmasked: false, .. } => self.totals.held += 1,
        }
    }
}

/// The accounting.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    ports: BTreeMap<(Position, u32), Port>,
    failures: Vec<StepFailure>,
}

/// Failed steps kept; the first tell most.
const MAX_FAILURES: usize = 64;

impl Tracker {
    /// A pending bit as the hypervisor set it. `sent` is the time of the trap, if that was a send; `unmasked` tells of a
    /// two-level port of a domain whether its mask bit is clear. `tell` takes what there is to tell of it.
    pub(super) fn event(
        &mut self,
        event: Event,
        sent: Option<u64>,
        unmasked: impl Fn(Position, u32) -> bool,
        tell: impl FnOnce(RunEvent),
    ) {
        let origin = sent.map_or(Origin::Hypervisor, Origin::Sent);
        let (domain, object, offset, bits, old) = match event {
            Event::EventWord { domain, object, offset, bits, old } => (domain, object, offset, bits, old),
            Event::Withheld { domain, port, why } => {
                let fate = self.withheld((domain, port), why, origin);
                return tell(RunEvent::Raised { domain, port, origin, fate });
            }
            _ => return,
        };
        let Some(number) = port_of(object, offset, bits) else {
            return;
        };
        let unmasked = match object {
            Object::EventArray(_) => old & abi::fifo::MASKED == 0,
            _ => unmasked(domain, number),
        };
        let port = self.ports.entry((domain, number)).or_default();
        let coalesced = old & bits != 0;
        // Pending in two-level days, raised again with its page of event words: still the one event.
        let carried = sent.is_none() && !coalesced && matches!(object, Object::EventArray(_));
        if let (true, Some(outstanding)) = (carried, &mut port.outstanding) {
            outstanding.unmasked = unmasked;
            return;
        }
        match sent {
            Some(_) => {
                port.totals.sent += 1;
                port.totals.coalesced += u64::from(coalesced);
            }
            None => port.totals.raised += 1,
        }
        if !coalesced {
            // The one before had its bit cleared, and by no handler: the port was closed since.
            if let Some(gone) = port.outstanding.replace(Raised { origin, unmasked }) {
                port.unfound(gone);
            }
        }
        let fate = if coalesced { Fate::Coalesced } else { Fate::Pending };
        tell(RunEvent::Raised { domain, port: number, origin, fate });
    }

    /// An event that set no bit. One that waits for its port's page of event words is raised with it; then it is found in
    /// the account as outstanding.
    fn withheld(&mut self, port: (Position, u32), why: Withheld, origin: Origin) -> Fate {
        let Port { totals, outstanding, .. } = self.ports.entry(port).or_default();
        let by_guest = u64::from(origin != Origin::Hypervisor);
        totals.sent += by_guest;
        totals.raised += 1 - by_guest;
        match why {
            Withheld::NoControlBlock => {
                totals.lost += by_guest;
                Fate::Lost
            }
            Withheld::NoEventWord if outstanding.is_some() => {
                totals.coalesced += by_guest;
                Fate::Coalesced
            }
            Withheld::NoEventWord => {
                *outstanding = Some(Raised { origin, unmasked: false });
                Fate::Waits
            }
        }
    }

    /// What a guest told at `now`. `tell` takes what there is to tell of it.
    pub(super) fn mark(&mut self, vcpu: VcpuRef, mark: Mark, now: u64, tell: impl FnOnce(RunEvent)) {
        match mark {
            Mark::Takes { port } => {
                let port = self.ports.entry((vcpu.domain, port)).or_default();
                port.taken.extend(port.outstanding.take().map(|event| (vcpu.vcpu, event)));
            }
            Mark::Handled { port: number } => {
                let port = self.ports.entry((vcpu.domain, number)).or_default();
                let taken = port.taken.iter().position(|(by, _)| *by == vcpu.vcpu);
                let origin = taken.map(|at| port.taken.remove(at).1.origin);
                match origin {
                    Some(Origin::Sent(at)) => {
                        port.totals.delivered += 1;
                        port.latency.add(now.saturating_sub(at));
                    }
                    Some(Origin::Hypervisor) => port.totals.raised_delivered += 1,
                    None => {}
                }
                tell(RunEvent::Handled(vcpu, number, origin));
            }
            Mark::Unexpected { step, expected, got } => {
                if self.failures.len() < MAX_FAILURES {
                    let failure = StepFailure { vcpu, step, expected, got };
                    self.failures.push(failure.clone());
                    tell(RunEvent::Unexpected(failure));
                }
            }
        }
    }

    /// Steps that gave something else than expected.
    pub(super) fn failures(&self) -> &[StepFailure] {
        &self.failures
    }

    /// Sends to a port that found it pending.
    pub(super) fn coalesced(&self, domain: Position, port: u32) -> u64 {
        self.ports.get(&(domain, port)).map_or(0, |port| port.totals.coalesced)
    }

    /// Whether an event of a port was raised that no handler took.
    pub(super) fn outstanding(&self, domain: Position, port: u32) -> bool {
        self.ports.get(&(domain, port)).is_some_and(|port| port.outstanding.is_some())
    }

    /// The account closed: what no handler told of is lost, or held if the port was masked.
    pub(super) fn close(self) -> (EventTotals, Vec<PortEvents>) {
        let mut all = EventTotals::default();
        let mut ports = Vec::with_capacity(self.ports.len());
        for ((domain, number), mut port) in self.ports {
            for event in core::mem::take(&mut port.taken).into_iter().map(|(_, event)| event).chain(port.outstanding) {
                port.unfound(event);
            }
            let totals = port.totals;
            all.sent += totals.sent;
            all.delivered += totals.delivered;
            all.coalesced += totals.coalesced;
            all.lost += totals.lost;
            all.held += totals.held;
            all.raised += totals.raised;
            all.raised_delivered += totals.raised_delivered;
            ports.push(PortEvents { domain, port: number, totals, latency: port.latency });
        }
        (all, ports)
    }
}

/// The port whose pending bit is set when `bits` are set in that word; `None`: no pending bit is.
fn port_of(object: Object, offset: u32, bits: u32) -> Option<u32> {
    let two_level = abi::shared_info::PENDING..abi::shared_info::MASK;
    match object {
        Object::SharedInfo if two_level.contains(&offset) => {
            Some((offset - abi::shared_info::PENDING) * 8 + bits.trailing_zeros())
        }
        // Setting LINKED or BUSY is no event.
        Object::EventArray(page) if bits & abi::fifo::PENDING != 0 => {
            Some(page * abi::fifo::WORDS_PER_PAGE + offset / 4)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const VCPU: VcpuRef = VcpuRef { domain: Position::new(0), vcpu: 0 };

    /// Port 3 of domain 0, whose pending bit is `old`.
    fn event(old: u32) -> Event {
        Event::EventWord {
            domain: Position::new(0),
            object: Object::SharedInfo,
            offset: abi::shared_info::PENDING,
            bits: 8,
            old: old << 3,
        }
    }

    /// The account after sends at those times to port 3, each finding the bit clear, with what was told in between.
    fn account(sends: &[(u64, bool)], told: &[&[(u32, Mark, u64)]]) -> (EventTotals, Distribution) {
        let mut tracker = Tracker::default();
        for (number, (at, unmasked)) in sends.iter().enumerate() {
            tracker.event(event(0), Some(*at), |_, _| *unmasked, drop);
            for (vcpu, mark, now) in told.get(number).copied().unwrap_or_default() {
                tracker.mark(VcpuRef { vcpu: *vcpu, ..VCPU }, *mark, *now, drop);
            }
        }
        let (all, ports) = tracker.close();
        assert_eq!(all.sent, all.delivered + all.coalesced + all.lost + all.held);
        (all, ports.first().map(|port| port.latency.clone()).unwrap_or_default())
    }

    const TAKES: Mark = Mark::Takes { port: 3 };
    const HANDLED: Mark = Mark::Handled { port: 3 };

    #[test]
    fn a_send_between_taking_and_telling_is_another_event() {
        let (all, latency) = account(
            &[(10, true), (20, true)],
            &[&[(0, TAKES, 15)], &[(0, HANDLED, 21), (0, TAKES, 30), (0, HANDLED, 32)]],
        );
        assert_eq!((all.sent, all.delivered, all.lost), (2, 2, 0));
        assert_eq!((latency.min(), latency.max()), (Some(11), Some(12)));
    }

    #[test]
    fn each_vcpu_tells_of_what_it_took() {
        let (all, latency) = account(
            &[(10, true), (20, true)],
            &[&[(0, TAKES, 15)], &[(1, TAKES, 22), (1, HANDLED, 23), (0, HANDLED, 50)]],
        );
        assert_eq!((all.delivered, latency.min(), latency.max()), (2, Some(3), Some(40)));
    }

    #[test]
    fn an_event_whose_bit_was_cleared_by_no_handler_is_lost_or_held() {
        let (all, _) = account(&[(10, true), (20, true), (30, false), (40, false)], &[]);
        assert_eq!((all.sent, all.lost, all.held), (4, 2, 2));
    }

    #[test]
    fn taken_and_never_told_of_is_lost_and_told_of_twice_is_one_delivery() {
        let (all, _) = account(&[(10, true)], &[&[(0, TAKES, 15)]]);
        assert_eq!((all.delivered, all.lost), (0, 1));
        let (all, _) = account(&[(10, true)], &[&[(0, TAKES, 15), (1, TAKES, 15), (0, HANDLED, 16), (1, HANDLED, 16)]]);
        assert_eq!((all.delivered, all.lost), (1, 0));
    }

    #[test]
    fn a_pending_port_coalesces() {
        let mut tracker = Tracker::default();
        for (old, at) in [(0, 10), (1, 20), (1, 30)] {
            tracker.event(event(old), Some(at), |_, _| true, drop);
        }
        let (all, ports) = tracker.close();
        assert_eq!((all.sent, all.coalesced, all.lost), (3, 2, 1));
        assert_eq!(ports.iter().map(|port| port.port).collect::<Vec<_>>(), vec![3]);
    }
}
