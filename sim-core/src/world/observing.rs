//! What a world tells whoever observes it. All of it is asked for only where somebody does.

use super::World;
use super::observer::{Observed, Observer, RunEvent, Standing};
use crate::convention::{Arch, Cause};
use crate::hyp::Hypervisor;
use crate::hyp::domain::{RunState, VcpuId, vcpu_of};
use crate::hyp::entry::{Entry, Exception};
use crate::hyp::strategy::Strategy;
use crate::machine::Cpu;
use crate::machine::pe::Running;
use crate::outcome::VcpuRef;
use crate::platform::Event;
use crate::trace::TraceEvent;
use alloc::vec::Vec;
use boards::PeId;

/// The vCPU that runs on a PE, and whether it is in its interrupt handler.
pub(super) type Handling = Option<(VcpuRef, bool)>;

impl<S: Strategy, W: Observer> World<S, W> {
    /// The hypervisor, and a PE as it sees it.
    pub(super) fn cpu(&mut self, pe: PeId) -> (&mut Hypervisor<S>, Observed<'_, W>) {
        (
            &mut self.hyp,
            Observed { cpu: Cpu { machine: &mut self.machine, pe }, observer: &mut self.observer, told: true },
        )
    }

    /// Tells what happens now on a PE.
    fn tell(&mut self, pe: PeId, what: RunEvent) {
        let now = self.machine.now(pe);
        self.observer.tell(now, pe, what);
    }

    /// Tells what each PE went through before time began, and what it has enabled now.
    pub(super) fn tell_boot(&mut self) {
        for pe in self.machine.pes().ids() {
            for phase in self.hyp.region_plan().boot().phases(pe) {
                self.observer.tell(0, pe, RunEvent::Booted(phase.used));
            }
            let view = self.hyp.view_on(pe);
            let now = Event::Regions { view: view.current(), enabled: view.enabled().len() };
            self.observer.tell(0, pe, RunEvent::Hypervisor(now));
        }
    }

    /// Tells where every vCPU stands before the first of them runs.
    pub(super) fn tell_vcpus(&mut self) {
        let vcpus: Vec<_> = self.hyp.vcpus().map(|(id, state)| (state.pe, id)).collect();
        for (pe, id) in vcpus {
            self.tell_standing(pe, id);
        }
    }

    fn tell_standing(&mut self, pe: PeId, id: VcpuId) {
        let state = self.hyp.vcpu(id);
        let standing = match state.run {
            RunState::Offline => Standing::Off,
            RunState::Blocked => Standing::Blocked,
            RunState::Runnable if state.paused() => Standing::Paused,
            RunState::Runnable => Standing::Ready,
        };
        let vcpu = VcpuRef { domain: state.domain, vcpu: state.index };
        self.tell(pe, RunEvent::Stands(vcpu, standing));
    }

    /// Who runs on a PE, before it acts and after.
    pub(super) fn handling(&self, pe: PeId) -> Handling {
        let Running::Guest(guest) = self.machine.pe(pe).running else { return None };
        let slot = self.machine.guests().get(guest)?;
        Some((vcpu_of(slot.key())?, slot.in_handler()))
    }

    /// Tells what a PE began when it acted at `start`: its interrupt handler, an entry to EL2.
    pub(super) fn tell_begun(&mut self, pe: PeId, start: u64, before: Handling, trapped: bool) {
        if let (Some((_, false)), Some((vcpu, true))) = (before, self.handling(pe)) {
            self.observer.tell(start, pe, RunEvent::Handler(vcpu, true));
        }
        if trapped {
            self.observer.tell(start, pe, RunEvent::Entered(self.accounting.on_behalf()));
        }
    }

    /// Tells what a PE ended when it acted without a trap.
    pub(super) fn tell_acted(&mut self, pe: PeId, before: Handling) {
        self.tell_hazards();
        if let (Some((_, true)), Some((vcpu, false))) = (before, self.handling(pe)) {
            self.tell(pe, RunEvent::Handler(vcpu, false));
        }
    }

    /// Shows who entered EL2 with which registers.
    pub(super) fn show_entry(&mut self, pe: PeId, entry: Entry, vcpu: Option<VcpuRef>) {
        let state = self.machine.pe(pe);
        let cause = if entry.exception == Exception::Interrupt { Cause::Irq } else { Cause::Sync };
        let (esr, far, frame) = (state.esr(), state.far(), &state.frame);
        let number = state.pmsa().number(frame);
        self.observer.trace(pe, TraceEvent::Entered { cause, esr, far, vcpu, frame, number });
    }

    /// Tells that EL2 was left, and where `before` stands, who ran until then, if somebody else does now.
    pub(super) fn tell_left(&mut self, pe: PeId, before: Option<VcpuRef>) {
        let runs = self.handling(pe).map(|(vcpu, _)| vcpu);
        if let Some(before) = before.filter(|before| Some(*before) != runs)
            && let Some(id) = self.hyp.vcpu_id(before.domain, before.vcpu)
        {
            self.tell_standing(pe, id);
        }
        self.observer.trace(pe, TraceEvent::Left(runs, &self.machine.pe(pe).frame));
        self.tell(pe, RunEvent::Left(runs));
    }

    /// Tells of hazards that were not told yet.
    pub(super) fn tell_hazards(&mut self) {
        while let Some(hazard) = self.machine.hazards().get(self.hazards_told).copied() {
            self.hazards_told += 1;
            self.tell(hazard.pe, RunEvent::Hazard(hazard.kind));
        }
    }

    /// Tells why the machine stopped.
    pub(super) fn tell_fault(&mut self) {
        self.tell_hazards();
        if let Some(fault) = self.machine.faults().0 {
            self.observer.trace(fault.pe, TraceEvent::Fault { esr: fault.syndrome.esr(), far: fault.syndrome.far });
            self.tell(fault.pe, RunEvent::Fault(fault));
        }
    }
}
