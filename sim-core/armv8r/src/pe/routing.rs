//! Which level takes what: Arm ARM (DDI 0487) sections D1.3.1 (synchronous exceptions) and D1.3.6 (interrupts), `HCR_EL2`.

use super::pstate::{MASK_A, MASK_F, MASK_I};
use super::{Pe, SmcAtEl1, hcr};
use crate::bus::Signals;
use crate::exception::{Exception, ExceptionKind, Exit};
use crate::sysreg::{HCR_EL2, VSESR_EL2};
use mpu_model::El;

/// Exception classes.
mod ec {
    pub(super) const UNKNOWN: u8 = 0x00;
    pub(super) const ILLEGAL_STATE: u8 = 0x0e;
    pub(super) const SVC: u8 = 0x15;
    pub(super) const HVC: u8 = 0x16;
    pub(super) const SMC: u8 = 0x17;
    pub(super) const PC_ALIGNMENT: u8 = 0x22;
    pub(super) const SP_ALIGNMENT: u8 = 0x26;
    pub(super) const SERROR: u8 = 0x2f;
    pub(super) const BRK: u8 = 0x3c;
}

impl Pe {
    /// The level that takes what this level raises and nothing routes elsewhere.
    pub(super) fn own_target(&self) -> El {
        match self.pstate.el {
            El::El2 => El::El2,
            El::El0 if self.hcr_has(hcr::TGE) => El::El2,
            El::El0 | El::El1 => El::El1,
        }
    }

    /// An exception to the level that takes what this level raises.
    fn own(&self, ec: u8, iss: u32, pc: u64) -> Exception {
        Exception::synchronous(self.own_target(), ec, iss, pc)
    }

    /// The instruction at `pc` is UNDEFINED.
    pub(crate) fn undefined(&self, pc: u64) -> Exception {
        self.own(ec::UNKNOWN, 0, pc)
    }

    /// The instruction at `pc` is executed with PSTATE.IL set.
    pub(crate) fn illegal_state(&self, pc: u64) -> Exception {
        self.own(ec::ILLEGAL_STATE, 0, pc)
    }

    /// The PC is not a multiple of 4.
    pub(crate) fn pc_alignment(&self, pc: u64) -> Exception {
        self.own(ec::PC_ALIGNMENT, 0, pc).at(pc)
    }

    /// The exception that ends the instruction at `pc`; `None`: it is not one.
    pub(crate) fn of_exit(&self, exit: Exit, pc: u64) -> Option<Exception> {
        let el = self.pstate.el;
        let next = pc.wrapping_add(4);
        Some(match exit {
            Exit::Undefined | Exit::Hlt(_) => self.undefined(pc),
            Exit::Svc(immediate) => self.own(ec::SVC, immediate.into(), next),
            Exit::Hvc(_) if el == El::El0 || self.hcr_has(hcr::HCD) => self.undefined(pc),
            Exit::Hvc(immediate) => Exception::synchronous(El::El2, ec::HVC, immediate.into(), next),
            Exit::Smc(immediate) => {
                let traps = el == El::El1 && self.hcr_has(hcr::TSC) && self.smc_at_el1 == SmcAtEl1::Trap;
                if !traps {
                    return Some(self.undefined(pc));
                }
                Exception::synchronous(El::El2, ec::SMC, immediate.into(), pc)
            }
            Exit::Brk(immediate) => {
                let to_el2 = el != El::El2 && self.debug_goes_to_el2();
                let target = if to_el2 { El::El2 } else { self.own_target() };
                Exception::synchronous(target, ec::BRK, immediate.into(), pc)
            }
            Exit::SpAlignment => self.own(ec::SP_ALIGNMENT, 0, pc),
            Exit::Taken | Exit::NotBuilt(_) => return None,
        })
    }

    /// The interrupt that is taken before the instruction at `pc`, if one is: FIQ, IRQ, then the virtual ones.
    pub(crate) fn interrupt(&self, signals: Signals, pc: u64) -> Option<Exception> {
        let el = self.pstate.el;
        let masked = |bit: u8| self.pstate.daif & bit != 0;
        let physical = |kind, signalled: bool, routed: u64, mask: u8| {
            let to_el2 = self.hcr() & (routed | hcr::TGE) != 0;
            // To a level above it is taken whatever the mask, to a level below never.
            let taken = match (el, to_el2) {
                (El::El2, false) => false,
                (El::El0 | El::El1, true) => true,
                _ => !masked(mask),
            };
            let target = if to_el2 { El::El2 } else { El::El1 };
            (signalled && taken).then(|| Exception::interrupt(kind, target, pc))
        };
        let virtual_ = |kind, signalled: bool, routed: u64, mask: u8| {
            let enabled = self.hcr() & (routed | hcr::TGE) == routed && el != El::El2;
            (signalled && enabled && !masked(mask)).then(|| Exception::interrupt(kind, El::El1, pc))
        };
        let pending = |bit: u64| self.hcr() & bit != 0;
        physical(ExceptionKind::Fiq, signals.fiq, hcr::FMO, MASK_F)
            .or_else(|| physical(ExceptionKind::Irq, signals.irq, hcr::IMO, MASK_I))
            .or_else(|| virtual_(ExceptionKind::Fiq, signals.virtual_fiq || pending(hcr::VF), hcr::FMO, MASK_F))
            .or_else(|| virtual_(ExceptionKind::Irq, signals.virtual_irq || pending(hcr::VI), hcr::IMO, MASK_I))
            .or_else(|| {
                let told = self.get(VSESR_EL2) as u32;
                let error = virtual_(ExceptionKind::SError, pending(hcr::VSE), hcr::AMO, MASK_A)?;
                Some(Exception { ec: ec::SERROR, iss: told, ..error })
            })
    }

    /// A virtual `SError` that is taken is pending no longer.
    pub(crate) fn clear_virtual_error(&mut self, taken: &Exception) {
        if taken.kind == ExceptionKind::SError {
            let hcr = self.hcr() & !hcr::VSE;
            self.system.set(HCR_EL2, hcr);
        }
    }

    /// Whether WFI ends: an interrupt is pending that could be taken if no mask of PSTATE were set.
    pub(crate) fn wakes(&self, signals: Signals) -> bool {
        let virtual_ = |signalled: bool, bit: u64, routed: u64| {
            (signalled || self.hcr() & bit != 0)
                && self.hcr() & (routed | hcr::TGE) == routed
                && self.pstate.el != El::El2
        };
        signals.irq
            || signals.fiq
            || virtual_(signals.virtual_irq, hcr::VI, hcr::IMO)
            || virtual_(signals.virtual_fiq, hcr::VF, hcr::FMO)
            || virtual_(false, hcr::VSE, hcr::AMO)
    }

    /// `ISR_EL1`: what is pending, as this level sees it.
    pub(super) fn isr(&self, signals: Signals) -> u64 {
        let virtual_for = |routed: u64| self.pstate.el == El::El1 && self.hcr() & routed != 0;
        let pending = |bit: u64| self.hcr() & bit != 0;
        let irq = if virtual_for(hcr::IMO) { signals.virtual_irq || pending(hcr::VI) } else { signals.irq };
        let fiq = if virtual_for(hcr::FMO) { signals.virtual_fiq || pending(hcr::VF) } else { signals.fiq };
        let error = virtual_for(hcr::AMO) && pending(hcr::VSE);
        u64::from(irq) << 7 | u64::from(fiq) << 6 | u64::from(error) << 8
    }
}
