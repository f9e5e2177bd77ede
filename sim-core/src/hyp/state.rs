//! What the hypervisor keeps beside the event-channel tables.

use super::domain::Domains;
use super::emulate::Devices;
use super::plan::Plan;
use super::sched::{RunQueue, Scheduler};
use super::view::PeView;
use crate::layout::Layout;
use alloc::vec::Vec;
use boards::{PeId, PerPe};
use evtchn::DomIdx;
use mpu_model::Slots;

/// What the hypervisor keeps for one PE.
#[derive(Clone, Debug)]
pub struct PeState {
    /// The EL2 MPU's view.
    pub(super) view: PeView,
    /// The EL1 MPU's slots.
    pub(super) el1_slots: Slots,
    /// Who runs and who waits.
    pub(super) queue: RunQueue,
    /// The current vCPU had interrupts open when it trapped.
    pub(super) interrupts_open: bool,
    /// The current vCPU asked to give way.
    pub(super) gives_way: bool,
    /// The current vCPU is in a hypercall that let the hypervisor lock go.
    pub(super) half_way: bool,
    /// The timer as programmed.
    pub(super) deadline: Option<u64>,
    /// Phases of boot that are done.
    pub(super) booted: usize,
}

impl PeState {
    /// Who runs and who waits.
    #[must_use]
    pub const fn queue(&self) -> &RunQueue {
        &self.queue
    }

    /// Whether the PE stands like that too, but for the time: the same vCPU runs, the same wait in the same order, the MPUs hold
    /// the same.
    #[must_use]
    pub fn stands_like(&self, other: &Self) -> bool {
        self.queue.same_turns(&other.queue) && self.view == other.view && self.el1_slots == other.el1_slots
    }
}

/// The hypervisor without the event-channel tables.
#[derive(Debug)]
pub(super) struct Core<S> {
    /// The system.
    pub(super) layout: Layout,
    /// Its regions.
    pub(super) plan: Plan,
    /// How often the plan changed.
    pub(super) plans: u64,
    /// The rule by which memory is reached.
    pub(super) strategy: S,
    /// The rule by which vCPUs take turns.
    pub(super) scheduler: Scheduler,
    /// Domains and vCPUs.
    pub(super) domains: Domains,
    /// Per PE.
    pub(super) pes: PerPe<PeState>,
    /// Of each domain: its index in the event-channel tables.
    pub(super) indices: Vec<Option<DomIdx>>,
    /// Of each domain: whether its `shared_info` has the page it stays in.
    pub(super) shared_info_mapped: Vec<bool>,
    /// What emulated devices hold.
    pub(super) devices: Devices,
    /// Guests may run.
    pub(super) guests_unpaused: bool,
    /// How many entries of lists and chunks of text have been done since EL2 was entered.
    pub(super) at_once: u32,
}

impl<S> Core<S> {
    /// The entries of lists and chunks of text that are done in one trap: PEs that wait for the hypervisor lock show in no
    /// interrupt here. Xen, which has no such lock, stops for interrupts and softirqs alone; so do reset and a domain's end
    /// here, which no guest can make longer than its ports are many.
    pub(super) const AT_ONCE: u32 = 64;

    /// Position of the domain whose registers are on a PE.
    pub(super) fn current_domain(&self, pe: PeId) -> Option<usize> {
        self.pes[pe].queue.current.map(|id| self.domains.vcpu(id).domain)
    }

    /// Whether what a PE has loaded follows the plan: after a domain came or went, it does from its next entry on.
    #[must_use]
    pub(super) fn follows_plan(&self, pe: PeId) -> bool {
        self.pes[pe].view.plan() == self.plans
    }

    /// The index in the event-channel tables of the domain at that position.
    #[must_use]
    pub(super) fn index(&self, position: usize) -> Option<DomIdx> {
        self.indices.get(position).copied().flatten()
    }
}
