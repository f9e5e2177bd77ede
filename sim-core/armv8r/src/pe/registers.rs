//! MRS and MSR: Arm ARM (DDI 0487) section D24, DDI 0600 chapter G1.

use super::pstate::number;
use super::{Core, Pe, Pstate, hcr, sctlr};
use crate::a64::{Regs, SysEncoding};
use crate::devices::gic::{Refused, Register, Requester};
use crate::devices::timer::Timer;
use crate::exception::Exit;
use crate::features::{IdRegister, Identity};
use crate::observe::{Event, Observer};
use crate::sysreg::{self, CSSELR_EL1, DISR_EL1, NO, Own, Place, Role, Row, VDISR_EL2, VMPIDR_EL2, VPIDR_EL2};
use mpu_model::{El, Level};

/// `DCZID_EL0.DZP`.
const DZP: u64 = 1 << 4;
/// `OSLSR_EL1.OSLK`.
const OS_LOCKED: u64 = 1 << 1;

impl<O: Observer> Core<'_, O> {
    /// MRS.
    pub(super) fn read_system(&mut self, regs: &Regs, encoding: SysEncoding) -> Result<u64, Exit> {
        if let Some(register) = Register::at(encoding) {
            self.only_from(number(self.pe.pstate.el), 1, encoding)?;
            let by = self.requester();
            let value = self.bus.gic.read_register(self.pe.id, register, by);
            self.bus.look_at_interrupts();
            return value.or_else(|refused| self.refused(refused, encoding, true));
        }
        let Some((place, row)) = self.register(encoding, true)? else {
            return Ok(self.bus.implementation_defined(encoding).unwrap_or_default());
        };
        self.only_from(number(self.pe.pstate.el), row.read, encoding)?;
        self.trap(row.trap, encoding, true)?;
        Ok(match row.role {
            Role::Id(register) => self.pe.identity.value(register),
            Role::Constant(value) => value,
            Role::Storage { .. } => self.pe.get(place),
            Role::Mpu(level, reg) => self.pe.mpu(level).read(reg),
            Role::Own(own) => self.read_own(own, regs),
            Role::Device => self.read_timer(encoding),
            Role::NotBuilt => return Err(Exit::NotBuilt(row.name)),
        })
    }

    /// MSR.
    pub(super) fn write_system(&mut self, regs: &mut Regs, encoding: SysEncoding, value: u64) -> Result<(), Exit> {
        if let Some(register) = Register::at(encoding) {
            self.only_from(number(self.pe.pstate.el), 1, encoding)?;
            let by = self.requester();
            let written = self.bus.gic.write_register(self.pe.id, register, by, value);
            self.bus.look_at_interrupts();
            if let Err(refused) = written {
                return self.refused(refused, encoding, false);
            }
            self.tell(|| Event::Write { register: encoding, value });
            return Ok(());
        }
        let Some((place, row)) = self.register(encoding, false)? else {
            return Ok(());
        };
        self.only_from(number(self.pe.pstate.el), row.write, encoding)?;
        self.trap(row.trap, encoding, false)?;
        match row.role {
            Role::NotBuilt => return Err(Exit::NotBuilt(row.name)),
            Role::Storage { mask, fixed, .. } => {
                self.pe.system.set(place, value & mask | fixed);
                self.written_storage(encoding);
            }
            Role::Mpu(level, reg) => {
                if let Some(hazard) = self.pe.write_mpu(level, reg, value, self.pc) {
                    self.hazard(hazard);
                }
            }
            Role::Own(own) => self.write_own(own, regs, value),
            Role::Device => self.write_timer(encoding, value),
            Role::Id(_) | Role::Constant(_) => {}
        }
        self.tell(|| Event::Write { register: encoding, value });
        Ok(())
    }

    /// The row of a register; `None`: IMPLEMENTATION DEFINED space of which the machine's options give a value.
    fn register(&mut self, encoding: SysEncoding, read: bool) -> Result<Option<(Place, &'static Row)>, Exit> {
        if let Some(found) = sysreg::find(encoding) {
            return Ok(Some(found));
        }
        if !encoding.is_implementation_defined() {
            self.bus.unknown_register(encoding);
            return Err(Exit::Undefined);
        }
        if self.pe.pstate.el < El::El2 && self.pe.hcr_has(hcr::TIDCP) {
            return self.trap_to(El::El2, encoding, read);
        }
        if self.bus.implementation_defined(encoding).is_some() {
            return Ok(None);
        }
        Err(Exit::NotBuilt("IMPLEMENTATION DEFINED register"))
    }

    /// UNDEFINED below the level that may access a register; reads of the ID space at EL0 tell which (`FEAT_IDST`).
    fn only_from(&mut self, el: u8, lowest: u8, encoding: SysEncoding) -> Result<(), Exit> {
        if lowest != NO && el >= lowest {
            return Ok(());
        }
        if el == 0 && lowest == 1 && encoding.is_identification() {
            return self.trap_to(self.pe.own_target(), encoding, true);
        }
        Err(Exit::Undefined)
    }

    fn refused<T>(&mut self, refused: Refused, encoding: SysEncoding, read: bool) -> Result<T, Exit> {
        match refused {
            Refused::Undefined => Err(Exit::Undefined),
            Refused::TrapToEl2 => self.trap_to(El::El2, encoding, read),
        }
    }

    /// Who accesses a register of the GIC.
    fn requester(&self) -> Requester {
        let pe = &self.pe;
        Requester { el: number(pe.pstate.el), imo: pe.hcr_has(hcr::IMO), fmo: pe.hcr_has(hcr::FMO) }
    }

    fn read_own(&self, own: Own, regs: &Regs) -> u64 {
        let pe = &self.pe;
        let virtual_ = pe.pstate.el != El::El2;
        match own {
            Own::Midr if virtual_ => pe.get(VPIDR_EL2),
            Own::Midr => pe.identity.value(IdRegister::Midr),
            Own::Mpidr if virtual_ => pe.get(VMPIDR_EL2),
            Own::Mpidr => pe.identity.value(IdRegister::Mpidr),
            Own::Ccsidr => Identity::ccsidr(pe.get(CSSELR_EL1)).unwrap_or_default(),
            Own::Dczid => {
                let prohibited = pe.zeroing_target().is_some();
                pe.identity.value(IdRegister::Dczid) | if prohibited { DZP } else { 0 }
            }
            Own::Sctlr(Level::El1) => pe.sctlr(El::El1),
            Own::Sctlr(Level::El2) => pe.sctlr(El::El2),
            Own::SpEl0 if pe.pstate.bank() == 0 => regs.sp(),
            Own::SpEl0 => pe.bank(0),
            Own::SpEl1 if pe.pstate.bank() == 1 => regs.sp(),
            Own::SpEl1 => pe.bank(1),
            Own::SpSel => pe.pstate.own_sp.into(),
            Own::CurrentEl => u64::from(number(pe.pstate.el)) << 2,
            Own::Pan => u64::from(pe.pstate.pan) << 22,
            Own::Uao => u64::from(pe.pstate.uao) << 23,
            Own::Dit => u64::from(pe.pstate.dit) << 24,
            Own::Ssbs => u64::from(pe.pstate.ssbs) << 12,
            Own::Nzcv => u64::from(regs.nzcv & 0xf000_0000),
            Own::Daif => u64::from(pe.pstate.daif) << 6,
            Own::Fpcr => regs.fpcr.into(),
            Own::Fpsr => regs.fpsr.into(),
            Own::Isr => pe.isr(self.bus.signals(pe.id)),
            Own::Disr if virtual_ && pe.hcr_has(hcr::AMO) => pe.get(VDISR_EL2),
            Own::Disr => pe.get(DISR_EL1),
            Own::OsLockAccess => 0,
        }
    }

    fn write_own(&mut self, own: Own, regs: &mut Regs, value: u64) {
        let pstate = self.pe.pstate;
        let bit = |place: u32| value >> place & 1 == 1;
        match own {
            Own::Sctlr(level) => self.write_sctlr(level, value),
            Own::SpEl0 if pstate.bank() == 0 => regs.set_sp(value),
            Own::SpEl0 => self.pe.set_bank(0, value),
            Own::SpEl1 if pstate.bank() == 1 => regs.set_sp(value),
            Own::SpEl1 => self.pe.set_bank(1, value),
            Own::SpSel => self.pe.set_pstate(regs, Pstate { own_sp: bit(0), ..pstate }),
            Own::Pan => self.pe.set_pstate(regs, Pstate { pan: bit(22), ..pstate }),
            Own::Uao => self.pe.set_pstate(regs, Pstate { uao: bit(23), ..pstate }),
            Own::Dit => self.pe.set_pstate(regs, Pstate { dit: bit(24), ..pstate }),
            Own::Ssbs => self.pe.set_pstate(regs, Pstate { ssbs: bit(12), ..pstate }),
            Own::Nzcv => regs.nzcv = value as u32 & 0xf000_0000,
            Own::Daif => {
                self.pe.set_pstate(regs, Pstate { daif: (value >> 6) as u8 & 0xf, ..pstate });
                self.bus.look_at_interrupts();
            }
            // FZ, RMode, DN, AHP without half precision: bits 26:22.
            Own::Fpcr => regs.fpcr = value as u32 & 0x07c0_0000,
            Own::Fpsr => regs.fpsr = value as u32 & 0x0800_009f,
            Own::Disr if pstate.el == El::El1 && self.pe.hcr_has(hcr::AMO) => {
                self.pe.system.set(VDISR_EL2, value & 0x81ff_ffff);
            }
            Own::Disr => self.pe.system.set(DISR_EL1, value & 0x81ff_ffff),
            Own::OsLockAccess => self.pe.lock_os(value & 1 == 1),
            Own::Midr | Own::Mpidr | Own::Ccsidr | Own::Dczid | Own::CurrentEl | Own::Isr => {}
        }
    }

    fn write_sctlr(&mut self, level: Level, value: u64) {
        let [bits1, bits2] = sctlr::BITS;
        let [res1, res2] = sctlr::RES1;
        let [el1, el2] = &mut self.pe.sctlr;
        let (register, bits, fixed) = if level == Level::El1 { (el1, bits1, res1) } else { (el2, bits2, res2) };
        *register = value & bits | fixed;
        let value = *register;
        if let Some(hazard) = self.pe.write_mpu(level, mpu_model::MpuReg::Sctlr, value, self.pc) {
            self.hazard(hazard);
        }
    }

    /// What hangs on a register that was written.
    fn written_storage(&mut self, encoding: SysEncoding) {
        const HCR: SysEncoding = SysEncoding::new(3, 4, 1, 1, 0);
        if encoding == HCR {
            self.pe.state_changed();
            self.bus.look_at_interrupts();
        }
    }

    fn read_timer(&self, encoding: SysEncoding) -> u64 {
        let count = self.bus.count();
        let Some(timers) = self.bus.timers(self.pe.id) else {
            return 0;
        };
        match Counted::of(encoding) {
            Counted::Physical => count,
            Counted::Virtual => timers.virtual_count(count),
            Counted::Offset => timers.virtual_offset,
            Counted::Control(timer) => timers.control(timer, count),
            Counted::Compare(timer) => timers.compare(timer),
            Counted::Value(timer) => timers.value(timer, count),
        }
    }

    fn write_timer(&mut self, encoding: SysEncoding, value: u64) {
        let count = self.bus.count();
        let Some(timers) = self.bus.timers_mut(self.pe.id) else {
            return;
        };
        match Counted::of(encoding) {
            Counted::Physical | Counted::Virtual => {}
            Counted::Offset => timers.virtual_offset = value,
            Counted::Control(timer) => timers.set_control(timer, value),
            Counted::Compare(timer) => timers.set_compare(timer, value),
            Counted::Value(timer) => timers.set_value(timer, count, value),
        }
        self.bus.timers_changed();
    }
}

/// Which register of the timers an encoding names.
enum Counted {
    Physical,
    Virtual,
    Offset,
    Control(Timer),
    Compare(Timer),
    Value(Timer),
}

impl Counted {
    /// Of an encoding that is in the table.
    const fn of(encoding: SysEncoding) -> Self {
        let timer = match (encoding.op1(), encoding.crm()) {
            (3, 0) if encoding.op2() == 1 => return Self::Physical,
            (3, 0) => return Self::Virtual,
            (4, 0) => return Self::Offset,
            (3, 2) => Timer::Physical,
            (3, _) => Timer::Virtual,
            (_, 2) => Timer::Hyp,
            _ => Timer::SecureHyp,
        };
        match encoding.op2() {
            0 => Self::Value(timer),
            1 => Self::Control(timer),
            _ => Self::Compare(timer),
        }
    }
}

impl Pe {
    /// Locks or unlocks the OS lock, which `OSLSR_EL1` shows.
    fn lock_os(&mut self, lock: bool) {
        let shown = self.get(sysreg::OSLSR_EL1) & !OS_LOCKED | if lock { OS_LOCKED } else { 0 };
        self.system.set(sysreg::OSLSR_EL1, shown);
    }
}
