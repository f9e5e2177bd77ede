//! The books on events: who sent, what arrived, how long it took.

use crate::guest::Mark;
use crate::outcome::{Distribution, EventTotals, PortEvents, StepFailure, VcpuRef};
use crate::platform::Event;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use evtchn::{Object, Withheld, abi};

/// Where an event came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A send whose trap began at this time.
    Sent(u64),
    /// The hypervisor itself: a bind, a VIRQ.
    Raised,
}

#[derive(Debug, Default)]
struct Port {
    totals: EventTotals,
    latency: Distribution,
    /// The event that set the pending bit and was not found yet, and whether the port was unmasked then.
    outstanding: Option<(Origin, bool)>,
}

/// The books.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    ports: BTreeMap<(usize, u32), Port>,
    failures: Vec<StepFailure>,
}

/// Failed steps kept; the first tell most.
const MAX_FAILURES: usize = 64;

impl Tracker {
    /// A pending bit as the hypervisor set it. `sent` is the time of the trap, if that was a send; `unmasked` tells of a
    /// two-level port of a domain whether its mask bit is clear.
    pub(super) fn event(&mut self, event: Event, sent: Option<u64>, unmasked: impl Fn(usize, u32) -> bool) {
        let (domain, object, offset, bits, old) = match event {
            Event::EventWord { domain, object, offset, bits, old } => (domain, object, offset, bits, old),
            Event::Withheld { domain, port, why } => {
                self.withheld((domain, port), why, sent);
                return;
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
        if let (true, Some((_, was_unmasked))) = (carried, &mut port.outstanding) {
            *was_unmasked = unmasked;
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
            port.outstanding = Some((sent.map_or(Origin::Raised, Origin::Sent), unmasked));
        }
    }

    /// An event that set no bit. One that waits for its port's page of event words is raised with it; then it is found in
    /// the books as outstanding.
    fn withheld(&mut self, port: (usize, u32), why: Withheld, sent: Option<u64>) {
        let Port { totals, outstanding, .. } = self.ports.entry(port).or_default();
        let by_guest = u64::from(sent.is_some());
        totals.sent += by_guest;
        totals.raised += 1 - by_guest;
        match why {
            Withheld::NoControlBlock => totals.lost += by_guest,
            Withheld::NoEventWord if outstanding.is_some() => totals.coalesced += by_guest,
            Withheld::NoEventWord => *outstanding = Some((sent.map_or(Origin::Raised, Origin::Sent), false)),
        }
    }

    /// What a guest told at `now`.
    pub(super) fn mark(&mut self, vcpu: VcpuRef, mark: Mark, now: u64) {
        match mark {
            Mark::Handled { port } => {
                let port = self.ports.entry((vcpu.domain, port)).or_default();
                match port.outstanding.take() {
                    Some((Origin::Sent(at), _)) => {
                        port.totals.delivered += 1;
                        port.latency.add(now.saturating_sub(at));
                    }
                    Some((Origin::Raised, _)) => port.totals.raised_delivered += 1,
                    None => {}
                }
            }
            Mark::Unexpected { step, expected, got } => {
                if self.failures.len() < MAX_FAILURES {
                    self.failures.push(StepFailure { vcpu, step, expected, got });
                }
            }
        }
    }

    /// Steps that gave something else than expected.
    pub(super) fn failures(&self) -> &[StepFailure] {
        &self.failures
    }

    /// The books closed: what is outstanding on an unmasked port is lost.
    pub(super) fn close(self) -> (EventTotals, Vec<PortEvents>) {
        let mut all = EventTotals::default();
        let mut ports = Vec::with_capacity(self.ports.len());
        for ((domain, number), port) in self.ports {
            let mut totals = port.totals;
            totals.lost += u64::from(matches!(port.outstanding, Some((Origin::Sent(_), true))));
            all.sent += totals.sent;
            all.delivered += totals.delivered;
            all.coalesced += totals.coalesced;
            all.lost += totals.lost;
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
