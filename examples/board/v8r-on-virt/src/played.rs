//! Registers that are played: those of PMSA, and those of EL2 that this image and the one it runs would both want.

use mpu_model::{Encoding, Level, MpuReg, SysReg};

/// A register that is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Played {
    /// Of an MPU.
    Mpu(Level, MpuReg),
    /// Holds what was written: a place in [`Kept`].
    Kept(Kept),
    /// `ID_AA64MMFR0_EL1`.
    Mmfr0,
}

/// A register that holds what was written to it, or what an exception left in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Vsctlr,
    Vtcr,
    Vstcr,
    Spsr,
    Elr,
    Esr,
    Far,
    Hpfar,
    Vbar,
}

/// How many [`Kept`] there are.
pub(crate) const KEPT: usize = Kept::Vbar as usize + 1;

/// An MRS or an MSR: the register, the general-purpose one, and whether it reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) register: Encoding,
    pub(crate) general: usize,
    pub(crate) reads: bool,
}

impl Move {
    /// The instruction, if it is one (DDI 0487, C6: MRS and MSR (register)).
    pub(crate) fn of(word: u32) -> Option<Self> {
        let field = |low: u32, bits: u32| (word >> low & ((1 << bits) - 1)) as u8;
        (word & 0xffd0_0000 == 0xd510_0000).then(|| Self {
            register: Encoding::A64 {
                op0: 2 | field(19, 1),
                op1: field(16, 3),
                crn: field(12, 4),
                crm: field(8, 4),
                op2: field(5, 3),
            },
            general: field(0, 5).into(),
            reads: word & 1 << 21 != 0,
        })
    }
}

impl Played {
    /// The register that an instruction moves, if it is one of these.
    pub(crate) fn of(word: u32) -> Option<Self> {
        Self::named(Move::of(word)?.register)
    }

    pub(crate) fn named(encoding: Encoding) -> Option<Self> {
        match encoding.register() {
            // A register of its own on both.
            Some(SysReg::Mpu(Level::El1, MpuReg::Mair)) => return None,
            Some(SysReg::Mpu(level, reg)) => return Some(Self::Mpu(level, reg)),
            Some(SysReg::Vsctlr) => return Some(Self::Kept(Kept::Vsctlr)),
            Some(SysReg::Vtcr) => return Some(Self::Kept(Kept::Vtcr)),
            Some(SysReg::Esr(Level::El2)) => return Some(Self::Kept(Kept::Esr)),
            Some(SysReg::Far(Level::El2)) => return Some(Self::Kept(Kept::Far)),
            Some(SysReg::Hpfar) => return Some(Self::Kept(Kept::Hpfar)),
            _ => {}
        }
        let Encoding::A64 { op0: 3, op1, crn, crm, op2 } = encoding else { return None };
        match (op1, crn, crm, op2) {
            (0, 0, 7, 0) => Some(Self::Mmfr0),
            (4, 2, 6, 2) => Some(Self::Kept(Kept::Vstcr)),
            (4, 4, 0, 0) => Some(Self::Kept(Kept::Spsr)),
            (4, 4, 0, 1) => Some(Self::Kept(Kept::Elr)),
            (4, 12, 0, 0) => Some(Self::Kept(Kept::Vbar)),
            _ => None,
        }
    }

    /// Whether the PE that is there has a register in that place, so that nothing would trap. The region registers are in nobody's.
    pub(crate) fn is_silent(self) -> bool {
        match self {
            Self::Mpu(_, reg) => matches!(reg, MpuReg::Sctlr | MpuReg::Mair | MpuReg::Mpuir),
            Self::Kept(kept) => kept != Kept::Vstcr,
            Self::Mmfr0 => true,
        }
    }
}
