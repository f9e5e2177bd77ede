//! Exception entry and return: Arm ARM (DDI 0487) sections D1.3 and D1.4, `AArch64.TakeException` and `AArch64.ExceptionReturn`.

use super::pstate::{SPSR_DIT, SPSR_IL, SPSR_PAN, SPSR_SSBS, SPSR_UAO};
use super::{Core, Pe, Pstate, hcr, sctlr};
use crate::a64::Regs;
use crate::exception::{Exception, ExceptionKind};
use crate::observe::{Event, Observer};
use crate::sysreg::{
    ELR_EL1, ELR_EL2, ESR_EL1, ESR_EL2, FAR_EL1, FAR_EL2, HPFAR_EL2, Place, SPSR_EL1, SPSR_EL2, VBAR_EL1, VBAR_EL2,
};
use mpu_model::El;

/// The registers of one level that an exception writes: SPSR, ELR, ESR, FAR, VBAR.
const fn places(target: El) -> [Place; 5] {
    match target {
        El::El2 => [SPSR_EL2, ELR_EL2, ESR_EL2, FAR_EL2, VBAR_EL2],
        El::El0 | El::El1 => [SPSR_EL1, ELR_EL1, ESR_EL1, FAR_EL1, VBAR_EL1],
    }
}

impl<O: Observer> Core<'_, O> {
    /// Takes an exception. It is a context synchronisation event.
    pub(crate) fn take(&mut self, regs: &mut Regs, exception: Exception) {
        self.tell(|| Event::Exception(exception));
        let from = self.pe.pstate;
        let [spsr, elr, esr, far, vbar] = places(exception.target);
        self.pe.system.set(spsr, from.spsr(regs.nzcv));
        self.pe.system.set(elr, exception.return_to);
        if matches!(exception.kind, ExceptionKind::Synchronous | ExceptionKind::SError) {
            self.pe.system.set(esr, exception.esr());
        }
        if let Some(address) = exception.far {
            self.pe.system.set(far, address);
        }
        if let Some(hpfar) = exception.hpfar {
            self.pe.system.set(HPFAR_EL2, hpfar);
        }
        let from_below = from.el < exception.target;
        let table = match (from_below, from.own_sp) {
            (true, _) => 0x400,
            (false, true) => 0x200,
            (false, false) => 0,
        };
        let vector = match exception.kind {
            ExceptionKind::Synchronous => 0,
            ExceptionKind::Irq => 0x80,
            ExceptionKind::Fiq => 0x100,
            ExceptionKind::SError => 0x180,
        };
        let control = self.pe.sctlr(exception.target);
        let sets_pan = exception.target == El::El1 && control & sctlr::SPAN == 0;
        let pstate = Pstate {
            el: exception.target,
            own_sp: true,
            daif: 0xf,
            il: false,
            pan: from.pan || sets_pan,
            uao: false,
            dit: from.dit,
            ssbs: control & sctlr::DSSBS != 0,
        };
        self.pe.set_pstate(regs, pstate);
        regs.pc = self.pe.get(vbar).wrapping_add(table + vector);
        self.pe.context_sync();
        self.bus.look_at_interrupts();
    }

    /// ERET to `to`. It is a context synchronisation event, clears the exclusive monitor and sets the event register.
    pub(crate) fn return_from_exception(&mut self, regs: &mut Regs, to: u64) {
        let from = self.pe.pstate;
        let spsr = self.pe.get(if from.el == El::El2 { SPSR_EL2 } else { SPSR_EL1 });
        let legal = self.pe.legal_target(spsr);
        let bit = |bit: u64| spsr & bit != 0;
        let (el, own_sp) = legal.unwrap_or((from.el, from.own_sp));
        let pstate = Pstate {
            el,
            own_sp,
            daif: (spsr >> 6) as u8 & 0xf,
            il: legal.is_none() || bit(SPSR_IL),
            pan: bit(SPSR_PAN),
            uao: bit(SPSR_UAO),
            dit: bit(SPSR_DIT),
            ssbs: if legal.is_some() { bit(SPSR_SSBS) } else { from.ssbs },
        };
        regs.nzcv = spsr as u32 & 0xf000_0000;
        self.pe.set_pstate(regs, pstate);
        regs.pc = to;
        self.pe.context_sync();
        self.bus.clear_monitor(self.pe.id);
        self.bus.set_event(self.pe.id);
        self.bus.look_at_interrupts();
        self.tell(|| Event::Return { from: from.el, to: el, address: to, illegal: legal.is_none() });
    }
}

impl Pe {
    /// Where an SPSR goes to from this level; `None`: an illegal return.
    fn legal_target(&self, spsr: u64) -> Option<(El, bool)> {
        let (el, own_sp) = Pstate::target(spsr)?;
        let up = el > self.pstate.el;
        let hidden = el == El::El1 && self.hcr_has(hcr::TGE);
        (!up && !hidden).then_some((el, own_sp))
    }
}
