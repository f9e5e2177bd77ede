//! What others ask of the hypervisor, and do at EL2 in its name.

use super::domain::{VcpuId, VcpuState};
use super::guest_mem::Cx;
use super::plan::Plan;
use super::strategy::Strategy;
use super::view::PeView;
use super::{Hypervisor, PeState};
use crate::layout::Layout;
use crate::outcome::{Area, ViewId};
use crate::platform::Platform;
use boards::PeId;
use evtchn::{Caller, DomIdx, EventChannels};

impl<S> Hypervisor<S> {
    /// The system, with the domains that are there now.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.core.layout
    }

    /// The plan of its regions.
    #[must_use]
    pub const fn region_plan(&self) -> &Plan {
        &self.core.plan
    }

    /// The rule by which memory is reached.
    #[must_use]
    pub const fn strategy(&self) -> &S {
        &self.core.strategy
    }

    /// The index in the event-channel tables of the domain at that position.
    #[must_use]
    pub fn index(&self, position: usize) -> Option<DomIdx> {
        self.core.index(position)
    }

    /// Where the `shared_info` of the domain at that position is.
    #[must_use]
    pub fn shared_info(&self, position: usize) -> Option<Area> {
        self.channels.shared_info(self.core.index(position)?)
    }

    /// What the hypervisor keeps for a PE.
    #[must_use]
    pub fn state_of(&self, pe: PeId) -> &PeState {
        &self.core.pes[pe]
    }

    /// The view that a PE has loaded.
    #[must_use]
    pub fn view_on(&self, pe: PeId) -> &PeView {
        &self.core.pes[pe].view
    }

    /// Whether what a PE has loaded follows the plan: after a domain came or went, it does from its next entry on.
    #[must_use]
    pub fn follows_plan(&self, pe: PeId) -> bool {
        self.core.follows_plan(pe)
    }

    /// The most regions that were enabled at once on any PE.
    #[must_use]
    pub fn most_regions(&self) -> usize {
        self.core.pes.values().map(|pe| pe.view.peak()).max().unwrap_or(0)
    }

    /// The most bytes of other domains that EL2 could reach at once on any PE while it worked for a domain.
    #[must_use]
    pub fn most_exposed(&self) -> u64 {
        self.core.pes.values().map(|pe| pe.view.exposed()).max().unwrap_or(0)
    }

    /// The vCPU whose registers are on a PE; it may be blocked by now.
    #[must_use]
    pub fn current(&self, pe: PeId) -> Option<VcpuId> {
        self.core.pes[pe].queue.current
    }

    /// Who runs on a PE, as a caller of hypercalls.
    #[must_use]
    pub fn caller(&self, pe: PeId) -> Option<Caller> {
        self.core.caller(pe)
    }

    /// A vCPU by the position of its domain and its number.
    #[must_use]
    pub fn vcpu_id(&self, domain: usize, vcpu: u32) -> Option<VcpuId> {
        self.core.domains.id(domain, vcpu)
    }

    /// The state of a vCPU.
    #[must_use]
    pub fn vcpu(&self, id: VcpuId) -> &VcpuState {
        self.core.domains.vcpu(id)
    }

    /// All vCPUs.
    pub fn vcpus(&self) -> impl Iterator<Item = (VcpuId, &VcpuState)> {
        self.core.domains.iter()
    }

    /// How many vCPUs are not off.
    #[must_use]
    pub fn online(&self) -> usize {
        self.core.domains.online()
    }

    /// Whether a timer is armed on any PE.
    #[must_use]
    pub fn has_timers(&self) -> bool {
        self.core.pes.values().any(|pe| pe.queue.has_timers())
    }

    /// Makes a vCPU that has not run yet start at `entry`, for guests that are images.
    pub fn start_at(&mut self, id: VcpuId, entry: u64) {
        self.core.domains.vcpu_mut(id).start_at(entry);
    }

    /// Turns a vCPU off.
    pub fn offline(&mut self, id: VcpuId) {
        self.core.offline(id);
    }
}

impl<S: Strategy> Hypervisor<S> {
    /// Begins work at EL2 that no guest asked for.
    pub fn enter_unasked<P: Platform>(&mut self, p: &mut P) -> Result<(), P::Fault> {
        self.core.enter_unasked(p)
    }

    /// Ends work at EL2: `view` is in force when it is left.
    pub fn leave_to<P: Platform>(&mut self, p: &mut P, view: ViewId) -> Result<(), P::Fault> {
        self.core.leave_to(p, view)
    }

    /// The event-channel tables, and what they reach memory and vCPUs by on the PE that `p` is.
    pub const fn tables<'a, P: Platform>(&'a mut self, p: &'a mut P) -> (&'a mut EventChannels<Area>, Cx<'a, P, S>) {
        (&mut self.channels, Cx { core: &mut self.core, p })
    }

    /// Memory of guests as the hypervisor reaches it on the PE that `p` is.
    pub const fn memory<'a, P: Platform>(&'a mut self, p: &'a mut P) -> Cx<'a, P, S> {
        Cx { core: &mut self.core, p }
    }
}
