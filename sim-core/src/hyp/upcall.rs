//! The event upcall's way to a vCPU: marked in the books here, put into a list register by whoever runs the vCPU next.

use super::Core;
use super::domain::{RunState, VcpuId};
use crate::platform::{Platform, SysReg, list_register};
use boards::PeId;
use evtchn::{Caller, DomIdx, Vcpu};

impl<S> Core<S> {
    /// Who runs on a PE, as a caller of hypercalls.
    #[must_use]
    pub(super) fn caller(&self, pe: PeId) -> Option<Caller> {
        let vcpu = self.domains.vcpu(self.pes[pe].queue.current?);
        Some(Caller { dom: self.index(vcpu.domain)?, vcpu: Vcpu(vcpu.index) })
    }

    /// Raises the event interrupt for a vCPU: wakes it if it is blocked, kicks its PE if it runs elsewhere. A vCPU that is
    /// off loses it.
    pub(super) fn inject_event<P: Platform>(&mut self, p: &mut P, dom: DomIdx, vcpu: Vcpu) {
        let Some(id) = self.domains.id(dom.get(), vcpu.0) else {
            return;
        };
        let state = self.domains.vcpu_mut(id);
        match state.run {
            RunState::Offline => {}
            RunState::Blocked => {
                state.event_pending = true;
                self.wake(p, id);
            }
            RunState::Runnable => {
                state.event_pending = true;
                let pe = state.pe;
                if self.pes[pe].queue.current == Some(id) && pe != p.pe() {
                    p.kick(pe);
                }
            }
        }
    }

    /// Makes a blocked vCPU runnable; its PE, if another, is told.
    pub(super) fn wake<P: Platform>(&mut self, p: &mut P, id: VcpuId) {
        let state = self.domains.vcpu_mut(id);
        if state.run != RunState::Blocked {
            return;
        }
        state.run = RunState::Runnable;
        state.poll_until = None;
        let (pe, paused) = (state.pe, state.paused());
        let there = &mut self.pes[pe];
        // One that was not switched out yet just goes on; one that is paused takes its turn when that is over.
        if there.queue.current != Some(id) && !paused {
            there.queue.push(id);
        }
        if pe != p.pe() {
            p.kick(pe);
        }
    }

    /// Blocks the current vCPU unless an interrupt is on its way to it or it is off by now.
    pub(super) fn block_current<P: Platform>(&mut self, p: &mut P) {
        let pending = p.read(SysReg::IchLr0) & list_register::PENDING != 0;
        if let Some(vcpu) = self.pes[p.pe()].queue.current.map(|id| self.domains.vcpu_mut(id))
            && vcpu.run == RunState::Runnable
            && !vcpu.event_pending
            && !pending
        {
            vcpu.run = RunState::Blocked;
        }
    }

    /// Blocks the current vCPU in a poll; `timeout` is the time at which it is over at the latest, 0 for never. An interrupt
    /// that is masked at the PE does not keep it awake. One that is off stays so.
    pub(super) fn block_in_poll(&mut self, pe: PeId, timeout: u64) {
        let pe = &mut self.pes[pe];
        let Some(id) = pe.queue.current else { return };
        let vcpu = self.domains.vcpu_mut(id);
        if vcpu.run != RunState::Runnable {
            return;
        }
        vcpu.run = RunState::Blocked;
        vcpu.poll_until = (timeout != 0).then_some(timeout);
        if timeout != 0 {
            pe.queue.arm_poll(timeout, id);
        }
    }

    /// Whether the vCPU that the PE works for goes on after this: it neither sleeps nor is it off or paused.
    pub(super) fn goes_on(&self, pe: PeId) -> bool {
        self.pes[pe].queue.current.is_some_and(|id| self.domains.vcpu(id).can_run())
    }

    /// The current vCPU lets others run first.
    pub(super) fn give_way(&mut self, pe: PeId) {
        self.pes[pe].gives_way = true;
    }
}
