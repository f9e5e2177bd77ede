//! A row of the table of system registers.

use crate::a64::SysEncoding;
use crate::features::IdRegister;
use mpu_model::{Level, MpuReg};

/// The lowest level that may access a register; `NO`: none may.
pub(crate) const E0: u8 = 0;
pub(crate) const E1: u8 = 1;
pub(crate) const E2: u8 = 2;
pub(crate) const NO: u8 = 3;

/// What an access does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Reads an ID register.
    Id(IdRegister),
    /// Reads this, and is written in vain.
    Constant(u64),
    /// Holds what is written, of the bits in `mask`; those in `fixed` read as one.
    Storage { reset: u64, mask: u64, fixed: u64 },
    /// A register of an MPU.
    Mpu(Level, MpuReg),
    /// Of the PE itself: PSTATE, stack pointers, and what is computed.
    Own(Own),
    /// Of the generic timers.
    Device,
    /// Allocated, and not built.
    NotBuilt,
}

/// Registers that the PE itself answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    Midr,
    Mpidr,
    Ccsidr,
    Dczid,
    Sctlr(Level),
    SpEl0,
    SpEl1,
    SpSel,
    CurrentEl,
    Pan,
    Uao,
    Dit,
    Ssbs,
    Nzcv,
    Daif,
    Fpcr,
    Fpsr,
    Isr,
    Disr,
    OsLockAccess,
}

/// What may trap an access from below EL2, or from EL0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// Nothing.
    Nothing,
    /// `HCR_EL2.TID1`.
    Tid1,
    /// `HCR_EL2.TID2`; at EL0 `SCTLR_EL1.UCT`.
    Tid2,
    /// `HCR_EL2.TID3`.
    Tid3,
    /// Writes by `HCR_EL2.TVM`, reads by TRVM.
    Tvm,
    /// `HCR_EL2.TACR`.
    Tacr,
    /// `CPTR_EL2.TCPAC`.
    Tcpac,
    /// `HCR_EL2.APK`.
    Apk,
    /// `HCR_EL2.TERR`.
    Terr,
    /// `CPACR_EL1.FPEN`, `CPTR_EL2.TFP`.
    Fp,
    /// At EL0 `SCTLR_EL1.UMA`.
    Uma,
    /// `MDCR_EL2.TDA`.
    Tda,
    /// `MDCR_EL2.TDOSA`.
    Tdosa,
    /// `MDCR_EL2.TPM` and, of `PMCR_EL0`, TPMCR; at EL0 `PMUSERENR_EL0.EN`.
    Pmu { control: bool },
    /// Counters of the generic timer.
    Counter(Counting),
}

/// Which of the generic timer's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// `CNTFRQ_EL0`.
    Frequency,
    /// `CNTPCT_EL0`.
    Physical,
    /// `CNTVCT_EL0`.
    Virtual,
    /// `CNTP_*_EL0`.
    PhysicalTimer,
    /// `CNTV_*_EL0`.
    VirtualTimer,
}

/// A system register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) encoding: SysEncoding,
    /// The lowest level that reads it.
    pub(crate) read: u8,
    /// The lowest level that writes it.
    pub(crate) write: u8,
    pub(crate) trap: Trap,
    pub(crate) role: Role,
}

/// The numbers of an encoding: op0, op1, `CRn`, `CRm`, op2.
pub(super) type Numbers = [u8; 5];

pub(super) const fn row(name: &'static str, numbers: Numbers, read: u8, write: u8, trap: Trap, role: Role) -> Row {
    let [op0, op1, crn, crm, op2] = numbers;
    Row { name, encoding: SysEncoding::new(op0, op1, crn, crm, op2), read, write, trap, role }
}

/// A register that holds what is written, out of reset 0.
pub(super) const fn plain() -> Role {
    bits(u64::MAX)
}

/// A register that holds these bits of what is written, out of reset 0.
pub(super) const fn bits(mask: u64) -> Role {
    Role::Storage { reset: 0, mask, fixed: 0 }
}
