//! The report of a run.

use super::{Counts, Distribution, HazardReport, HypercallId, Outcome, PhaseUse, RegionNeeds, Trap, ViewId};
use crate::layout::Position;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// What became of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventTotals {
    /// Sends that reached a port.
    pub sent: u64,
    /// Of these, the ones a guest's handler found.
    pub delivered: u64,
    /// Of these, the ones that found the port pending already.
    pub coalesced: u64,
    /// Of these, the ones on an unmasked port that no handler found by the end of the run, and those for a vCPU without a
    /// FIFO control block, which nothing keeps.
    pub lost: u64,
    /// Of these, the ones on a port that was masked or had no event word yet, and that no handler found. With this, what
    /// was sent is accounted for: `sent` is the sum of `delivered`, `coalesced`, `lost` and `held`.
    pub held: u64,
    /// Events nobody sent: the one a bind raises, VIRQs.
    pub raised: u64,
    /// Of these, the ones a guest's handler found.
    pub raised_delivered: u64,
}

/// What became of the events of one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortEvents {
    /// Position of the receiving domain.
    pub domain: Position,
    /// Its port.
    pub port: u32,
    /// What became of its events.
    pub totals: EventTotals,
    /// Cycles from the trap of a send to the handler that found the event.
    pub latency: Distribution,
}

/// What traps of one kind cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrapCost {
    /// How many there were.
    pub calls: u64,
    /// Of hypercalls: how many returned which errno.
    pub errors: BTreeMap<i64, u64>,
    /// What they did.
    pub counts: Counts,
    /// Cycles from the trapping instruction to the return.
    pub cycles: Distribution,
    /// Cycles from the exception to the return, in which the PE takes no interrupt: waiting for the hypervisor lock is in
    /// it, the trapping instruction is not.
    pub masked: Distribution,
}

/// Use of one view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewUse {
    /// Which view.
    pub view: ViewId,
    /// Slots of fixed regions.
    pub fixed: usize,
    /// Slots of windows.
    pub windows: usize,
    /// Slots kept for what the strategy has ready in every view.
    pub kept: usize,
    /// Slots of its own.
    pub own: usize,
    /// Bytes that belong to guests and can be reached at EL2 in it.
    pub guest_bytes: u64,
}

impl ViewUse {
    /// All slots of the view.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.fixed + self.windows + self.kept + self.own
    }
}

/// Use of regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionUse {
    /// What the system needs under this strategy, and what there is.
    pub needs: RegionNeeds,
    /// Fixed regions.
    pub fixed: usize,
    /// The most that were enabled at once on any PE, boot included.
    pub peak: usize,
    /// The most bytes of other domains that EL2 could reach at once while it worked for a domain.
    pub exposed: u64,
    /// What each phase of boot takes on the first PE.
    pub boot: Vec<PhaseUse>,
    /// Per view.
    pub views: Vec<ViewUse>,
}

impl Trap {
    /// Whether it is `EVTCHNOP_send`.
    #[must_use]
    pub fn is_send(&self) -> bool {
        let send = HypercallId { nr: crate::convention::nr::EVENT_CHANNEL_OP, cmd: Some(evtchn::op::command::SEND) };
        *self == Self::Hypercall(send)
    }
}

impl Report {
    /// Cycles from the trap of a send to the handler that found the event, over all ports.
    #[must_use]
    pub fn send_to_upcall(&self) -> Distribution {
        let mut all = Distribution::default();
        self.ports.iter().for_each(|port| all.merge(&port.latency));
        all
    }

    /// Cycles from the exception to the return, over all entries to EL2.
    #[must_use]
    pub fn masked(&self) -> Distribution {
        let mut all = Distribution::default();
        self.traps.values().for_each(|cost| all.merge(&cost.masked));
        all
    }

    /// The entry to EL2 that kept interrupts masked the longest, and its cycles.
    #[must_use]
    pub fn longest_masked(&self) -> Option<(Trap, u64)> {
        let longest = self.traps.iter().filter_map(|(trap, cost)| Some((*trap, cost.masked.max()?)));
        // Of equals the first, whatever order they are in.
        longest.reduce(|most, other| if other.1 > most.1 { other } else { most })
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Uses of the MPU that hardware may answer either way, the first of them.
    pub hazards: Vec<HazardReport>,
    /// Events, all ports together.
    pub events: EventTotals,
    /// Events per port.
    pub ports: Vec<PortEvents>,
    /// Cost per kind of trap.
    pub traps: BTreeMap<Trap, TrapCost>,
    /// Regions.
    pub regions: RegionUse,
    /// All that was done since the first guest ran.
    pub counts: Counts,
    /// All that was done before.
    pub boot_counts: Counts,
    /// The latest clock of all PEs.
    pub cycles: u64,
    /// Cycles PEs waited for the hypervisor lock.
    pub lock_wait: u64,
    /// Actions taken.
    pub steps: u64,
    /// What was written to the console.
    pub console: String,
}
