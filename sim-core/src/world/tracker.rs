//! The books on events: who sent, what arrived, how long it took.

use super::watch::{Fate, Origin, Told};
use crate::guest::Mark;
use crate::outcome::{Distribution, EventTotals, PortEvents, StepFailure, VcpuRef};
use crate::platform::Event;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use evtchn::{Object, Withheld, abi};

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
    /// two-level port of a domain whether its mask bit is clear. `tell` takes what there is to tell of it.
    pub(super) fn event(
        &mut self,
        event: Event,
        sent: Option<u64>,
        unmasked: impl Fn(usize, u32) -> bool,
        tell: impl FnOnce(Told),
    ) {
        let origin = sent.map_or(Origin::Hypervisor, Origin::Sent);
        let (domain, object, offset, bits, old) = match event {
            Event::EventWord { domain, object, offset, bits, old } => (domain, object, offset, bits, old),
            Event::Withheld { domain, port, why } => {
                let fate = self.withheld((domain, port), why, origin);
                return tell(Told::Raised { domain, port, origin, fate });
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
            port.outstanding = Some((origin, unmasked));
        }
        let fate = if coalesced { Fate::Coalesced } else { Fate::Pending };
        tell(Told::Raised { domain, port: number, origin, fate });
    }

    /// An event that set no bit. One that waits for its port's page of event words is raised with it; then it is found in
    /// the books as outstanding.
    fn withheld(&mut self, port: (usize, u32), why: Withheld, origin: Origin) -> Fate {
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
                *outstanding = Some((origin, false));
                Fate::Waits
            }
        }
    }

    /// What a guest told at `now`. `tell` takes what there is to tell of it.
    pub(super) fn mark(&mut self, vcpu: VcpuRef, mark: Mark, now: u64, tell: impl FnOnce(Told)) {
        match mark {
            Mark::Handled { port: number } => {
                let port = self.ports.entry((vcpu.domain, number)).or_default();
                let origin = port.outstanding.take().map(|(origin, _)| origin);
                match origin {
                    Some(Origin::Sent(at)) => {
                        port.totals.delivered += 1;
                        port.latency.add(now.saturating_sub(at));
                    }
                    Some(Origin::Hypervisor) => port.totals.raised_delivered += 1,
                    None => {}
                }
                tell(Told::Handled(vcpu, number, origin));
            }
            Mark::Unexpected { step, expected, got } => {
                if self.failures.len() < MAX_FAILURES {
                    let failure = StepFailure { vcpu, step, expected, got };
                    self.failures.push(failure.clone());
                    tell(Told::Unexpected(failure));
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
