//! What traps an access to a system register, a hint or a key: Arm ARM (DDI 0487) sections D1.3.1, D24.2 (`HCR_EL2`, `CPTR_EL2`,
//! `CNTHCTL_EL2`, `CNTKCTL_EL1`, `CPACR_EL1`, `SCTLR_EL1`, `MDCR_EL2`) and the accessibility of each register.

use super::{Core, Pe, hcr, sctlr};
use crate::a64::{Hint, PointerKey, SysEncoding};
use crate::exception::{Exception, Exit};
use crate::observe::Observer;
use crate::sysreg::{
    APDAKEYHI_EL1, APDAKEYLO_EL1, APDBKEYHI_EL1, APDBKEYLO_EL1, APGAKEYHI_EL1, APGAKEYLO_EL1, APIAKEYHI_EL1,
    APIAKEYLO_EL1, APIBKEYHI_EL1, APIBKEYLO_EL1, CNTHCTL_EL2, CNTKCTL_EL1, CPACR_EL1, CPTR_EL2, Counting, MDCR_EL2,
    PMUSERENR_EL0, Trap,
};
use mpu_model::El;

/// Exception classes.
const WFX: u8 = 0x01;
const FP: u8 = 0x07;
const POINTER: u8 = 0x09;
const SYSTEM: u8 = 0x18;
/// The condition of an instruction of A64 in a syndrome: valid, always.
const ALWAYS: u32 = 1 << 24 | 0xe << 20;

/// `MDCR_EL2` bits.
const TPMCR: u64 = 1 << 5;
const TPM: u64 = 1 << 6;
const TDE: u64 = 1 << 8;
const TDA: u64 = 1 << 9;
const TDOSA: u64 = 1 << 10;
/// `CPTR_EL2` bits.
const TFP: u64 = 1 << 10;
const TCPAC: u64 = 1 << 31;

impl<O: Observer> Core<'_, O> {
    /// Traps an access to a system register, or a system instruction.
    pub(super) fn trap_to<T>(&mut self, target: El, encoding: SysEncoding, read: bool) -> Result<T, Exit> {
        let field = |value: u8, place: u32| u32::from(value) << place;
        let register = self.bus.word(self.pc) as u8 & 31;
        let iss = field(encoding.op0(), 20)
            | field(encoding.op2(), 17)
            | field(encoding.op1(), 14)
            | field(encoding.crn(), 10)
            | field(register, 5)
            | field(encoding.crm(), 1)
            | u32::from(read);
        self.raise(Exception::synchronous(target, SYSTEM, iss, self.pc))
    }

    /// Traps what a row of the table says is trapped here.
    pub(super) fn trap(&mut self, trap: Trap, encoding: SysEncoding, read: bool) -> Result<(), Exit> {
        if trap == Trap::Nothing {
            return Ok(());
        }
        if trap == Trap::Fp {
            return self.check_fp();
        }
        match self.pe.trapped(trap, read) {
            Some(target) => self.trap_to(target, encoding, read),
            None => Ok(()),
        }
    }

    /// Traps instructions of floating point and Advanced SIMD, and their registers.
    pub(super) fn check_fp(&mut self) -> Result<(), Exit> {
        if !self.pe.identity.features.fp_simd {
            return Err(Exit::Undefined);
        }
        let el = self.pe.pstate.el;
        let enabled = self.pe.get(CPACR_EL1) >> 20 & 0b11;
        // With TGE, EL0 is not under CPACR_EL1.
        let by_el1 = match el {
            El::El0 => enabled != 0b11 && !self.pe.hcr_has(hcr::TGE),
            El::El1 => enabled & 1 == 0,
            El::El2 => false,
        };
        let target = if by_el1 { El::El1 } else { El::El2 };
        if by_el1 || self.pe.get(CPTR_EL2) & TFP != 0 {
            return self.raise(Exception::synchronous(target, FP, ALWAYS, self.pc));
        }
        Ok(())
    }

    /// Traps WFI and WFE that would wait.
    pub(super) fn check_wait(&mut self, hint: Hint) -> Result<(), Exit> {
        let (open, to_el2, which) = match hint {
            Hint::Wfi => (sctlr::N_TWI, hcr::TWI, 0),
            _ => (sctlr::N_TWE, hcr::TWE, 1),
        };
        let el = self.pe.pstate.el;
        let by_el1 = el == El::El0 && !self.pe.hcr_has(hcr::TGE) && self.pe.sctlr(El::El1) & open == 0;
        let target = match el {
            _ if by_el1 => El::El1,
            El::El0 | El::El1 if self.pe.hcr_has(to_el2) => El::El2,
            _ => return Ok(()),
        };
        self.raise(Exception::synchronous(target, WFX, ALWAYS | which, self.pc))
    }

    /// The key of a pointer authentication instruction, if it is enabled.
    pub(super) fn key(&mut self, key: PointerKey) -> Result<Option<u128>, Exit> {
        let (enable, low, high) = match key {
            PointerKey::InstructionA => (sctlr::EN_IA, APIAKEYLO_EL1, APIAKEYHI_EL1),
            PointerKey::InstructionB => (sctlr::EN_IB, APIBKEYLO_EL1, APIBKEYHI_EL1),
            PointerKey::DataA => (sctlr::EN_DA, APDAKEYLO_EL1, APDAKEYHI_EL1),
            PointerKey::DataB => (sctlr::EN_DB, APDBKEYLO_EL1, APDBKEYHI_EL1),
            PointerKey::Generic => (0, APGAKEYLO_EL1, APGAKEYHI_EL1),
        };
        let el = self.pe.pstate.el;
        if enable != 0 && self.pe.sctlr(el) & enable == 0 {
            return Ok(None);
        }
        // At EL0 with TGE nothing is trapped.
        let trapped = match el {
            El::El0 => !self.pe.hcr_has(hcr::TGE),
            El::El1 => true,
            El::El2 => false,
        };
        if trapped && !self.pe.hcr_has(hcr::API) {
            return self.raise(Exception::synchronous(El::El2, POINTER, 0, self.pc));
        }
        Ok(Some(u128::from(self.pe.get(high)) << 64 | u128::from(self.pe.get(low))))
    }
}

impl Pe {
    /// Whether debug exceptions go to EL2.
    pub(super) fn debug_goes_to_el2(&self) -> bool {
        self.get(MDCR_EL2) & TDE != 0 || self.hcr_has(hcr::TGE)
    }

    /// The level that DC ZVA traps to here.
    pub(super) fn zeroing_target(&self) -> Option<El> {
        self.by_el1(sctlr::DZE).or_else(|| self.by_hcr(hcr::TDZ))
    }

    /// EL1, or what stands for it, if this bit of `SCTLR_EL1` is clear at EL0.
    pub(super) fn by_el1(&self, open: u64) -> Option<El> {
        let closed = self.pstate.el == El::El0 && self.sctlr(El::El1) & open == 0;
        closed.then(|| self.own_target())
    }

    /// EL2, if one of these bits of `HCR_EL2` is set below it.
    pub(super) fn by_hcr(&self, bits: u64) -> Option<El> {
        (self.pstate.el != El::El2 && self.hcr() & bits != 0).then_some(El::El2)
    }

    /// The level that an access to a register with this trap is trapped to.
    fn trapped(&self, trap: Trap, read: bool) -> Option<El> {
        let el = self.pstate.el;
        if el == El::El2 {
            return None;
        }
        let monitor = |bits: u64| (self.get(MDCR_EL2) & bits != 0).then_some(El::El2);
        match trap {
            Trap::Nothing | Trap::Fp => None,
            Trap::Tid1 => self.by_hcr(hcr::TID1),
            Trap::Tid2 => self.by_el1(sctlr::UCT).or_else(|| self.by_hcr(hcr::TID2)),
            Trap::Tid3 => self.by_hcr(hcr::TID3),
            Trap::Tvm => self.by_hcr(if read { hcr::TRVM } else { hcr::TVM }),
            Trap::Tacr => self.by_hcr(hcr::TACR),
            Trap::Tcpac => (self.get(CPTR_EL2) & TCPAC != 0).then_some(El::El2),
            Trap::Apk => (!self.hcr_has(hcr::APK)).then_some(El::El2),
            Trap::Terr => self.by_hcr(hcr::TERR),
            Trap::Uma => self.by_el1(sctlr::UMA),
            Trap::Tda => monitor(TDA | TDE),
            Trap::Tdosa => monitor(TDOSA | TDE),
            Trap::Pmu { control } => {
                let closed = el == El::El0 && self.get(PMUSERENR_EL0) & 1 == 0;
                let closed = closed.then(|| self.own_target());
                closed.or_else(|| monitor(if control { TPM | TPMCR } else { TPM }))
            }
            Trap::Counter(counting) => self.counter_trapped(counting),
        }
    }

    fn counter_trapped(&self, counting: Counting) -> Option<El> {
        /// `CNTKCTL_EL1` bits.
        const EL0_PCTEN: u64 = 1;
        const EL0_VCTEN: u64 = 1 << 1;
        const EL0_VTEN: u64 = 1 << 8;
        const EL0_PTEN: u64 = 1 << 9;
        /// `CNTHCTL_EL2` bits.
        const EL1_PCTEN: u64 = 1;
        const EL1_PCEN: u64 = 1 << 1;
        let (by_el1, by_el2) = match counting {
            Counting::Frequency => (EL0_PCTEN | EL0_VCTEN, 0),
            Counting::Physical => (EL0_PCTEN, EL1_PCTEN),
            Counting::Virtual => (EL0_VCTEN, 0),
            Counting::PhysicalTimer => (EL0_PTEN, EL1_PCEN),
            Counting::VirtualTimer => (EL0_VTEN, 0),
        };
        if self.pstate.el == El::El0 && self.get(CNTKCTL_EL1) & by_el1 == 0 {
            return Some(self.own_target());
        }
        (by_el2 != 0 && self.get(CNTHCTL_EL2) & by_el2 == 0).then_some(El::El2)
    }
}
