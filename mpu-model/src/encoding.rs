//! How instructions name the registers, in both register widths, and which register an encoding names.
//!
//! Sources: Arm DDI 0600 chapter G1 (`AArch64`; HCR, ESR, FAR and HPFAR as in DDI 0487), DDI 0568 chapter D
//! (`AArch32`). Software that agrees with them on the registers of the MPUs: Xen's
//! `arch/arm/include/asm/mpu/cpregs.h` and `asm/arm64/mpu.h`, Fiasco's `arm/64/mpu-arm-64.cpp` and
//! `arm/32/mpu-arm-32.cpp`, Bao's `armv8-r/aarch64/inc/arch/sysregs.h`.
//!
//! Two of the encodings have been read wrongly by others:
//!
//! * `PRBAR<n>_ELx` has three bits of n in `CRm` and the lowest in `op2`. The fourth does not exist: which sixteen regions
//!   are meant is up to `PRSELR.REGION[7:4]`.
//! * `HPRBAR<n>` has the same, and bit 4 of n in the lowest bit of `opc1`. A decoder that looks for it elsewhere makes
//!   regions 16 to 31 aliases of 0 to 15, as QEMU 10.0 does; a driver that does not know of it pays a selection and an ISB
//!   for each of them.

use core::fmt;

use crate::level::Level;
use crate::pmsa::Pmsa;
use crate::regs::MpuReg;

/// The numbers by which an instruction names a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// MRS and MSR of `AArch64`.
    A64 {
        /// `op0`, 2 or 3.
        op0: u8,
        /// `op1`: 0 for registers of EL1, 4 for those of EL2.
        op1: u8,
        /// `CRn`.
        crn: u8,
        /// `CRm`.
        crm: u8,
        /// `op2`.
        op2: u8,
    },
    /// MRC and MCR of `AArch32`, coprocessor 15.
    Cp15 {
        /// `opc1`: 0 for registers of EL1, 4 for those of EL2, one more where bit 4 of a region number is set.
        opc1: u8,
        /// `CRn`.
        crn: u8,
        /// `CRm`.
        crm: u8,
        /// `opc2`.
        opc2: u8,
    },
}

/// A register that decides over accesses to memory or tells of one that was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SysReg {
    /// A register of one MPU, its system control and its memory attributes.
    Mpu(Level, MpuReg),
    /// `HCR_EL2`, `HCR`: see [`crate::Hcr`].
    Hcr,
    /// `VSCTLR_EL2`, `VSCTLR`: see [`crate::Vsctlr`].
    Vsctlr,
    /// `VTCR_EL2`: see [`crate::Vtcr`]. `AArch32` has none: there EL1 has an MPU, always.
    Vtcr,
    /// `ESR_EL1`, `ESR_EL2`, `HSR`: see [`crate::Syndrome::esr`].
    Esr(Level),
    /// `FAR_EL1`, `FAR_EL2`.
    Far(Level),
    /// `DFSR` of an `AArch32` EL1: see [`crate::Syndrome::fsr`].
    Dfsr,
    /// `IFSR` of an `AArch32` EL1.
    Ifsr,
    /// `DFAR`, `HDFAR`: `AArch32` has one for data and one for fetches.
    Dfar(Level),
    /// `IFAR`, `HIFAR`.
    Ifar(Level),
    /// `HPFAR_EL2`, `HPFAR`: see [`crate::Syndrome::hpfar`].
    Hpfar,
}

/// Registers that carry no number, with what follows `op0` 3 and `op1` of their level.
const A64: [(SysReg, [u8; 3]); 22] = {
    use Level::{El1, El2};
    use SysReg::{Esr, Far, Hcr, Hpfar, Mpu, Vsctlr, Vtcr};
    [
        (Mpu(El1, MpuReg::Mpuir), [0, 0, 4]),
        (Mpu(El1, MpuReg::Sctlr), [1, 0, 0]),
        (Esr(El1), [5, 2, 0]),
        (Far(El1), [6, 0, 0]),
        (Mpu(El1, MpuReg::Prenr), [6, 1, 1]),
        (Mpu(El1, MpuReg::Prselr), [6, 2, 1]),
        (Mpu(El1, MpuReg::Prbar), [6, 8, 0]),
        (Mpu(El1, MpuReg::Prlar), [6, 8, 1]),
        (Mpu(El1, MpuReg::Mair), [10, 2, 0]),
        (Mpu(El2, MpuReg::Mpuir), [0, 0, 4]),
        (Mpu(El2, MpuReg::Sctlr), [1, 0, 0]),
        (Hcr, [1, 1, 0]),
        (Vsctlr, [2, 0, 0]),
        (Vtcr, [2, 1, 2]),
        (Esr(El2), [5, 2, 0]),
        (Far(El2), [6, 0, 0]),
        (Hpfar, [6, 0, 4]),
        (Mpu(El2, MpuReg::Prenr), [6, 1, 1]),
        (Mpu(El2, MpuReg::Prselr), [6, 2, 1]),
        (Mpu(El2, MpuReg::Prbar), [6, 8, 0]),
        (Mpu(El2, MpuReg::Prlar), [6, 8, 1]),
        (Mpu(El2, MpuReg::Mair), [10, 2, 0]),
    ]
};

/// The same of `AArch32`, with what follows `opc1` of their level.
const CP15: [(SysReg, [u8; 3]); 25] = {
    use Level::{El1, El2};
    use SysReg::{Dfar, Dfsr, Esr, Hcr, Hpfar, Ifar, Ifsr, Mpu, Vsctlr};
    [
        (Mpu(El1, MpuReg::Mpuir), [0, 0, 4]),
        (Mpu(El1, MpuReg::Sctlr), [1, 0, 0]),
        (Dfsr, [5, 0, 0]),
        (Ifsr, [5, 0, 1]),
        (Dfar(El1), [6, 0, 0]),
        (Ifar(El1), [6, 0, 2]),
        (Mpu(El1, MpuReg::Prselr), [6, 2, 1]),
        (Mpu(El1, MpuReg::Prbar), [6, 3, 0]),
        (Mpu(El1, MpuReg::Prlar), [6, 3, 1]),
        (Mpu(El1, MpuReg::Mair), [10, 2, 0]),
        (Mpu(El1, MpuReg::Mair1), [10, 2, 1]),
        (Mpu(El2, MpuReg::Mpuir), [0, 0, 4]),
        (Mpu(El2, MpuReg::Sctlr), [1, 0, 0]),
        (Hcr, [1, 1, 0]),
        (Vsctlr, [2, 0, 0]),
        (Esr(El2), [5, 2, 0]),
        (Dfar(El2), [6, 0, 0]),
        (Ifar(El2), [6, 0, 2]),
        (Hpfar, [6, 0, 4]),
        (Mpu(El2, MpuReg::Prenr), [6, 1, 1]),
        (Mpu(El2, MpuReg::Prselr), [6, 2, 1]),
        (Mpu(El2, MpuReg::Prbar), [6, 3, 0]),
        (Mpu(El2, MpuReg::Prlar), [6, 3, 1]),
        (Mpu(El2, MpuReg::Mair), [10, 2, 0]),
        (Mpu(El2, MpuReg::Mair1), [10, 2, 1]),
    ]
};

impl SysReg {
    /// Whose register it is.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::Mpu(level, _) | Self::Esr(level) | Self::Far(level) | Self::Dfar(level) | Self::Ifar(level) => level,
            Self::Hcr | Self::Vsctlr | Self::Vtcr | Self::Hpfar => Level::El2,
            Self::Dfsr | Self::Ifsr => Level::El1,
        }
    }

    /// How instructions of that width name it; `None` if it has no such register.
    #[must_use]
    pub fn encoding(self, pmsa: Pmsa) -> Option<Encoding> {
        let op1 = op1(self.level());
        if let Self::Mpu(_, reg @ (MpuReg::PrbarN(n) | MpuReg::PrlarN(n))) = self {
            // For a number that names no register there is no slot, whatever the selection.
            pmsa.slot(reg, 0)?;
            let (crm, op2) = (8 + (n >> 1 & 0b111), (n & 1) << 2 | u8::from(matches!(reg, MpuReg::PrlarN(_))));
            return Some(match pmsa {
                Pmsa::V64 => Encoding::A64 { op0: 3, op1, crn: 6, crm, op2 },
                Pmsa::V32 => Encoding::Cp15 { opc1: op1 | n >> 4, crn: 6, crm, opc2: op2 },
            });
        }
        let (_, [crn, crm, op2]) = *table(pmsa).iter().find(|(reg, _)| *reg == self)?;
        Some(match pmsa {
            Pmsa::V64 => Encoding::A64 { op0: 3, op1, crn, crm, op2 },
            Pmsa::V32 => Encoding::Cp15 { opc1: op1, crn, crm, opc2: op2 },
        })
    }
}

impl Encoding {
    /// The register that it names; `None` for all that have nothing to do with an MPU.
    #[must_use]
    pub fn register(self) -> Option<SysReg> {
        let (pmsa, op1_and_bit_4, names @ [crn, crm, op2]) = match self {
            Self::A64 { op0: 3, op1, crn, crm, op2 } => (Pmsa::V64, op1, [crn, crm, op2]),
            Self::A64 { .. } => return None,
            Self::Cp15 { opc1, crn, crm, opc2 } => (Pmsa::V32, opc1, [crn, crm, opc2]),
        };
        let plain = |(reg, of): &&(SysReg, _)| *of == names && op1(reg.level()) == op1_and_bit_4;
        if let Some((reg, _)) = table(pmsa).iter().find(plain) {
            return Some(*reg);
        }
        let level = match (op1_and_bit_4, pmsa) {
            (0, _) | (1, Pmsa::V32) => Level::El1,
            (4, _) | (5, Pmsa::V32) => Level::El2,
            _ => return None,
        };
        if crn != 6 || !(8..16).contains(&crm) || !matches!(op2, 0 | 1 | 4 | 5) {
            return None;
        }
        let n = (op1_and_bit_4 & 1) << 4 | (crm - 8) << 1 | op2 >> 2;
        Some(SysReg::Mpu(level, if op2 & 1 == 0 { MpuReg::PrbarN(n) } else { MpuReg::PrlarN(n) }))
    }

    /// What the syndrome of a trapped instruction names: classes 0x18 (MRS, MSR) and 0x03 (MRC, MCR), whose ISS have these
    /// fields at the same bits but for `op0` (DDI 0487, `ESR_ELx`). Bit 0 of `iss` is set for a read.
    #[must_use]
    pub fn of_trap(ec: u8, iss: u32) -> Option<Self> {
        let field = |low: u32, bits: u32| (iss >> low & ((1 << bits) - 1)) as u8;
        let (op2, op1, crn, crm) = (field(17, 3), field(14, 3), field(10, 4), field(1, 4));
        match ec {
            0x18 => Some(Self::A64 { op0: field(20, 2), op1, crn, crm, op2 }),
            0x03 => Some(Self::Cp15 { opc1: op1, crn, crm, opc2: op2 }),
            _ => None,
        }
    }
}

impl fmt::Display for Encoding {
    /// As assemblers take it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A64 { op0, op1, crn, crm, op2 } => write!(f, "S{op0}_{op1}_C{crn}_C{crm}_{op2}"),
            Self::Cp15 { opc1, crn, crm, opc2 } => write!(f, "p15, {opc1}, c{crn}, c{crm}, {opc2}"),
        }
    }
}

const fn op1(level: Level) -> u8 {
    match level {
        Level::El1 => 0,
        Level::El2 => 4,
    }
}

const fn table(pmsa: Pmsa) -> &'static [(SysReg, [u8; 3])] {
    match pmsa {
        Pmsa::V64 => &A64,
        Pmsa::V32 => &CP15,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    const EL1: Level = Level::El1;
    const EL2: Level = Level::El2;

    /// Both ways. Each row is written out by hand from the manuals' lists, not computed.
    #[track_caller]
    fn is(pmsa: Pmsa, reg: SysReg, text: &str) {
        let encoding = reg.encoding(pmsa);
        assert_eq!(encoding.map(|encoding| encoding.to_string()).as_deref(), Some(text));
        assert_eq!(encoding.and_then(Encoding::register), Some(reg));
    }

    #[test]
    fn registers_of_aarch64() {
        let mpu = |level, reg, text| is(Pmsa::V64, SysReg::Mpu(level, reg), text);
        mpu(EL1, MpuReg::Mpuir, "S3_0_C0_C0_4");
        mpu(EL2, MpuReg::Mpuir, "S3_4_C0_C0_4");
        mpu(EL1, MpuReg::Prenr, "S3_0_C6_C1_1");
        mpu(EL2, MpuReg::Prenr, "S3_4_C6_C1_1");
        mpu(EL1, MpuReg::Prselr, "S3_0_C6_C2_1");
        mpu(EL2, MpuReg::Prselr, "S3_4_C6_C2_1");
        mpu(EL1, MpuReg::Prbar, "S3_0_C6_C8_0");
        mpu(EL2, MpuReg::Prbar, "S3_4_C6_C8_0");
        mpu(EL1, MpuReg::Prlar, "S3_0_C6_C8_1");
        mpu(EL2, MpuReg::Prlar, "S3_4_C6_C8_1");
        mpu(EL2, MpuReg::PrbarN(1), "S3_4_C6_C8_4");
        mpu(EL2, MpuReg::PrlarN(1), "S3_4_C6_C8_5");
        mpu(EL1, MpuReg::PrbarN(2), "S3_0_C6_C9_0");
        mpu(EL1, MpuReg::PrlarN(7), "S3_0_C6_C11_5");
        mpu(EL2, MpuReg::PrbarN(14), "S3_4_C6_C15_0");
        mpu(EL2, MpuReg::PrbarN(15), "S3_4_C6_C15_4");
        mpu(EL2, MpuReg::PrlarN(15), "S3_4_C6_C15_5");
        mpu(EL1, MpuReg::Sctlr, "S3_0_C1_C0_0");
        mpu(EL2, MpuReg::Sctlr, "S3_4_C1_C0_0");
        mpu(EL1, MpuReg::Mair, "S3_0_C10_C2_0");
        mpu(EL2, MpuReg::Mair, "S3_4_C10_C2_0");
        let other = |reg, text| is(Pmsa::V64, reg, text);
        other(SysReg::Hcr, "S3_4_C1_C1_0");
        other(SysReg::Vsctlr, "S3_4_C2_C0_0");
        other(SysReg::Vtcr, "S3_4_C2_C1_2");
        other(SysReg::Esr(EL1), "S3_0_C5_C2_0");
        other(SysReg::Esr(EL2), "S3_4_C5_C2_0");
        other(SysReg::Far(EL1), "S3_0_C6_C0_0");
        other(SysReg::Far(EL2), "S3_4_C6_C0_0");
        other(SysReg::Hpfar, "S3_4_C6_C0_4");
    }

    #[test]
    fn registers_of_aarch32() {
        let mpu = |level, reg, text| is(Pmsa::V32, SysReg::Mpu(level, reg), text);
        mpu(EL1, MpuReg::Mpuir, "p15, 0, c0, c0, 4");
        mpu(EL2, MpuReg::Mpuir, "p15, 4, c0, c0, 4");
        mpu(EL2, MpuReg::Prenr, "p15, 4, c6, c1, 1");
        mpu(EL1, MpuReg::Prselr, "p15, 0, c6, c2, 1");
        mpu(EL2, MpuReg::Prselr, "p15, 4, c6, c2, 1");
        mpu(EL1, MpuReg::Prbar, "p15, 0, c6, c3, 0");
        mpu(EL2, MpuReg::Prbar, "p15, 4, c6, c3, 0");
        mpu(EL1, MpuReg::Prlar, "p15, 0, c6, c3, 1");
        mpu(EL2, MpuReg::Prlar, "p15, 4, c6, c3, 1");
        mpu(EL1, MpuReg::PrbarN(0), "p15, 0, c6, c8, 0");
        mpu(EL1, MpuReg::PrlarN(0), "p15, 0, c6, c8, 1");
        mpu(EL1, MpuReg::PrbarN(15), "p15, 0, c6, c15, 4");
        mpu(EL1, MpuReg::PrbarN(16), "p15, 1, c6, c8, 0");
        mpu(EL2, MpuReg::PrbarN(15), "p15, 4, c6, c15, 4");
        mpu(EL2, MpuReg::PrbarN(16), "p15, 5, c6, c8, 0");
        mpu(EL2, MpuReg::PrlarN(16), "p15, 5, c6, c8, 1");
        mpu(EL2, MpuReg::PrbarN(23), "p15, 5, c6, c11, 4");
        mpu(EL2, MpuReg::PrlarN(31), "p15, 5, c6, c15, 5");
        mpu(EL1, MpuReg::Sctlr, "p15, 0, c1, c0, 0");
        mpu(EL2, MpuReg::Sctlr, "p15, 4, c1, c0, 0");
        mpu(EL1, MpuReg::Mair, "p15, 0, c10, c2, 0");
        mpu(EL1, MpuReg::Mair1, "p15, 0, c10, c2, 1");
        mpu(EL2, MpuReg::Mair, "p15, 4, c10, c2, 0");
        mpu(EL2, MpuReg::Mair1, "p15, 4, c10, c2, 1");
        let other = |reg, text| is(Pmsa::V32, reg, text);
        other(SysReg::Hcr, "p15, 4, c1, c1, 0");
        other(SysReg::Vsctlr, "p15, 4, c2, c0, 0");
        other(SysReg::Esr(EL2), "p15, 4, c5, c2, 0");
        other(SysReg::Dfsr, "p15, 0, c5, c0, 0");
        other(SysReg::Ifsr, "p15, 0, c5, c0, 1");
        other(SysReg::Dfar(EL1), "p15, 0, c6, c0, 0");
        other(SysReg::Ifar(EL1), "p15, 0, c6, c0, 2");
        other(SysReg::Dfar(EL2), "p15, 4, c6, c0, 0");
        other(SysReg::Ifar(EL2), "p15, 4, c6, c0, 2");
        other(SysReg::Hpfar, "p15, 4, c6, c0, 4");
    }

    #[test]
    fn what_a_width_does_not_have() {
        let none = |pmsa, reg: SysReg| assert_eq!(reg.encoding(pmsa), None, "{reg:?}");
        none(Pmsa::V64, SysReg::Mpu(EL2, MpuReg::Mair1));
        for n in [0, 16, 31] {
            none(Pmsa::V64, SysReg::Mpu(EL2, MpuReg::PrbarN(n)));
        }
        none(Pmsa::V32, SysReg::Mpu(EL2, MpuReg::PrlarN(32)));
        none(Pmsa::V32, SysReg::Mpu(EL1, MpuReg::Prenr));
        for reg in [SysReg::Vtcr, SysReg::Esr(EL1), SysReg::Far(EL2)] {
            none(Pmsa::V32, reg);
        }
        none(Pmsa::V64, SysReg::Dfsr);
        none(Pmsa::V64, SysReg::Ifar(EL2));
    }

    /// Every encoding there is: what names a register is how that register is named, and none is named twice.
    #[test]
    fn all_encodings() {
        let mut found = [0, 0];
        for bits in 0..1_u32 << 16 {
            let field = |low: u32, width: u32| (bits >> low & ((1 << width) - 1)) as u8;
            let (op0, op1, crn, crm, op2) = (field(14, 2), field(11, 3), field(7, 4), field(3, 4), field(0, 3));
            let wide = Encoding::A64 { op0, op1, crn, crm, op2 };
            let narrow = Encoding::Cp15 { opc1: op1, crn, crm, opc2: op2 };
            for (index, (pmsa, encoding)) in [(Pmsa::V64, wide), (Pmsa::V32, narrow)].into_iter().enumerate() {
                if let Some(reg) = encoding.register() {
                    assert_eq!(reg.encoding(pmsa), Some(encoding));
                    if let Some(found) = found.get_mut(index) {
                        *found += 1;
                    }
                }
            }
        }
        // 22 and 25 without a number. 15 of base and limit per level; 32 per level, each seen with all four of op0.
        assert_eq!(found, [22 + 60, 4 * (25 + 128)]);
    }

    /// Words as an exception handler finds them: `MSR PRBAR15_EL2, X3`, and an `MCR` to `HPRBAR16` from `R2`.
    #[test]
    fn a_trapped_instruction_names_its_register() {
        let msr = 0b11 << 20 | 4 << 17 | 4 << 14 | 6 << 10 | 3 << 5 | 15 << 1;
        let reg = Encoding::of_trap(0x18, msr).and_then(Encoding::register);
        assert_eq!(reg, Some(SysReg::Mpu(EL2, MpuReg::PrbarN(15))));
        let mcr = 1 << 24 | 0xe << 20 | 5 << 14 | 6 << 10 | 2 << 5 | 8 << 1;
        let reg = Encoding::of_trap(0x03, mcr).and_then(Encoding::register);
        assert_eq!(reg, Some(SysReg::Mpu(EL2, MpuReg::PrbarN(16))));
        assert_eq!(Encoding::of_trap(0x24, msr), None);
    }
}
