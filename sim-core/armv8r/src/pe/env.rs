//! A PE as instructions see it.

use super::maintenance::read_instruction;
use super::{Core, Power, Pstate, hcr, number, sctlr};
use crate::a64::{Access, Atomic, Barrier, Env, Hint, PointerKey, Regs, SysEncoding};
use crate::exception::Exit;
use crate::observe::{Event, Observer};
use crate::sysreg::{ELR_EL1, ELR_EL2, VDISR_EL2, VSESR_EL2};
use mpu_model::El;

impl<O: Observer> Env for Core<'_, O> {
    #[inline]
    fn read(&mut self, access: Access) -> Result<u128, Exit> {
        self.read_data(&access)
    }

    #[inline]
    fn write(&mut self, access: Access, value: u128) -> Result<(), Exit> {
        self.write_data(&access, value)
    }

    fn atomic(&mut self, access: Access, operation: Atomic, operand: u128) -> Result<u128, Exit> {
        self.change_data(&access, |there| operation.result(there, operand, access.bytes))
    }

    fn read_exclusive(&mut self, access: Access) -> Result<u128, Exit> {
        let value = self.read_data(&access)?;
        self.bus.set_monitor(self.pe.id, access.address, access.bytes);
        Ok(value)
    }

    fn write_exclusive(&mut self, access: Access, value: u128) -> Result<bool, Exit> {
        // Whether it is denied or misaligned does not hang on the monitor.
        self.check_write(&access)?;
        let marked = self.bus.take_monitor(self.pe.id, access.address, access.bytes);
        if marked {
            self.write_data(&access, value)?;
        }
        Ok(marked)
    }

    fn clear_exclusive(&mut self) {
        self.bus.clear_monitor(self.pe.id);
    }

    fn read_register(&mut self, regs: &Regs, register: SysEncoding) -> Result<u64, Exit> {
        if register.op0() == 1 { read_instruction(register) } else { self.read_system(regs, register) }
    }

    fn write_register(&mut self, regs: &mut Regs, register: SysEncoding, value: u64) -> Result<(), Exit> {
        self.write_system(regs, register, value)
    }

    fn write_pstate(&mut self, regs: &mut Regs, op1: u8, op2: u8, immediate: u8) -> Result<(), Exit> {
        let pstate = self.pe.pstate;
        let privileged = pstate.el != El::El0;
        let on = immediate & 1 == 1;
        let changed = match (op1, op2) {
            (0, 3) if privileged => Pstate { uao: on, ..pstate },
            (0, 4) if privileged => Pstate { pan: on, ..pstate },
            (0, 5) if privileged => Pstate { own_sp: on, ..pstate },
            (3, 1) => Pstate { ssbs: on, ..pstate },
            (3, 2) => Pstate { dit: on, ..pstate },
            (3, 6 | 7) => {
                if let Some(target) = self.pe.by_el1(sctlr::UMA) {
                    let encoding = SysEncoding::new(0, op1, 4, immediate, op2);
                    return self.trap_to(target, encoding, false);
                }
                let daif = if op2 == 6 { pstate.daif | immediate } else { pstate.daif & !immediate };
                self.bus.look_at_interrupts();
                Pstate { daif: daif & 0xf, ..pstate }
            }
            _ => return Err(Exit::Undefined),
        };
        self.pe.set_pstate(regs, changed);
        Ok(())
    }

    fn system(&mut self, _: &Regs, operation: SysEncoding, value: u64) -> Result<(), Exit> {
        self.maintain(operation, value)
    }

    fn barrier(&mut self, barrier: Barrier) -> Result<(), Exit> {
        match barrier {
            Barrier::Dsb => self.pe.dsb(),
            Barrier::Isb => self.pe.context_sync(),
            Barrier::Dmb | Barrier::Sb => {}
        }
        self.tell(|| Event::Barrier(barrier));
        Ok(())
    }

    fn hint(&mut self, hint: Hint) -> Result<(), Exit> {
        let signals = self.bus.signals(self.pe.id);
        match hint {
            Hint::Yield => {}
            Hint::Wfi => {
                if !self.pe.wakes(signals) {
                    self.check_wait(hint)?;
                    self.pe.power = Power::WaitsForInterrupt;
                }
            }
            Hint::Wfe => {
                let event = self.bus.take_event(self.pe.id);
                if !event && self.pe.interrupt(signals, 0).is_none() {
                    self.check_wait(hint)?;
                    self.pe.power = Power::WaitsForEvent;
                }
            }
            Hint::Sev => self.bus.set_every_event(),
            Hint::Sevl => self.bus.set_event(self.pe.id),
            Hint::Esb => self.synchronise_errors(),
        }
        Ok(())
    }

    fn exception_return(&mut self, regs: &mut Regs, link: Option<u64>) -> Result<(), Exit> {
        if self.pe.pstate.el == El::El0 {
            return Err(Exit::Undefined);
        }
        let to = link.unwrap_or_else(|| self.link());
        self.return_from_exception(regs, to);
        Ok(())
    }

    fn fp_access(&mut self) -> Result<(), Exit> {
        self.check_fp()
    }

    fn link(&self) -> u64 {
        self.pe.get(if self.pe.pstate.el == El::El2 { ELR_EL2 } else { ELR_EL1 })
    }

    fn checks_sp(&self) -> bool {
        let bit = if number(self.pe.pstate.el) == 0 { sctlr::SA0 } else { sctlr::SA };
        self.pe.sctlr(self.pe.pstate.el) & bit != 0
    }

    fn pointer_key(&mut self, key: PointerKey) -> Result<Option<u128>, Exit> {
        self.key(key)
    }
}

impl<O: Observer> Core<'_, O> {
    /// ESB at EL0 and EL1: a virtual `SError` that is pending and masked is deferred to `VDISR_EL2` (`AArch64.vESBOperation`).
    fn synchronise_errors(&mut self) {
        const DEFERRED: u64 = 1 << 31;
        let pe = &mut *self.pe;
        let routed = pe.pstate.el != El::El2 && pe.hcr() & (hcr::AMO | hcr::TGE) == hcr::AMO;
        if routed && pe.hcr_has(hcr::VSE) && pe.pstate.daif & super::pstate::MASK_A != 0 {
            let told = pe.get(VSESR_EL2);
            pe.system.set(VDISR_EL2, DEFERRED | told);
            let hcr = pe.hcr() & !hcr::VSE;
            pe.system.set(crate::sysreg::HCR_EL2, hcr);
        }
        self.bus.look_at_interrupts();
    }
}
