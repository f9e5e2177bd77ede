//! The two register widths: PMSAv8-64 (`AArch64`) and PMSAv8-32 (`AArch32`).
//!
//! The rules are one book. What differs is how registers are named, selected and laid out, and where the address space
//! ends. Regions are kept in the 64-bit layout; a 32-bit word is converted where it is written or read.
//!
//! | | PMSAv8-64 | PMSAv8-32 |
//! |---|---|---|
//! | PRBAR | XN 1:0, AP 3:2, SH 5:4, BASE 51:6 | XN 0, AP 2:1, SH 4:3, BASE 31:6 |
//! | PRLAR | EN 0, `AttrIndx` 3:1, NS 4, LIMIT 51:6 | EN 0, `AttrIndx` 3:1, LIMIT 31:6 |
//! | numbered registers | 1 to 15, within the bank that `PRSELR[7:4]` selects | 0 to 31, whatever PRSELR holds |
//! | PRENR | EL1 and EL2 | EL2 only |
//! | regions in `MPUIR` | bits 7:0 | bits 15:8 at EL1, 7:0 at EL2 |
//!
//! Sources: DDI 0600 chapter G1; DDI 0568 chapter D; Xen's `arch/arm/include/asm/arm64/mpu.h` and `arm32/mpu.h`.

use crate::fields::{Vsctlr, Vtcr};
use crate::level::Level;
use crate::regs::MpuReg;
use crate::slot::Slot;

/// Which of the two an MPU is.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pmsa {
    /// PMSAv8-64.
    #[default]
    V64,
    /// PMSAv8-32.
    V32,
}

/// Bits of a 32-bit PRBAR that hold anything: bit 5 is RES0.
const PRBAR32_BITS: u64 = 0xffff_ffdf;
/// Bits of a 32-bit PRLAR that hold anything: bits 5:4 are RES0.
const PRLAR32_BITS: u64 = 0xffff_ffcf;
/// The address bits of both.
const ADDRESS32: u64 = 0xffff_ffc0;

impl Pmsa {
    /// The highest address that a region can hold, and that there is.
    #[must_use]
    pub const fn address_limit(self) -> u64 {
        match self {
            Self::V64 => crate::PA_LIMIT,
            Self::V32 => 0xffff_ffff,
        }
    }

    /// The slot that a region register reaches under the selection `prselr`; `None` for a name that is no register.
    #[must_use]
    pub fn slot(self, reg: MpuReg, prselr: u8) -> Option<Slot> {
        match (self, reg) {
            (_, MpuReg::Prbar | MpuReg::Prlar) => Some(Slot::new(prselr)),
            (Self::V64, MpuReg::PrbarN(n) | MpuReg::PrlarN(n)) => {
                (1..=15).contains(&n).then_some(Slot::new(prselr & 0xf0 | n))
            }
            (Self::V32, MpuReg::PrbarN(n) | MpuReg::PrlarN(n)) => (n <= 31).then_some(Slot::new(n)),
            _ => None,
        }
    }

    /// Whether the register exists at that level.
    #[must_use]
    pub const fn has(self, level: Level, reg: MpuReg) -> bool {
        !matches!((self, level, reg), (Self::V32, Level::El1, MpuReg::Prenr) | (Self::V64, _, MpuReg::Mair1))
    }

    /// What `MPUIR` or `HMPUIR` reads with `regions` regions.
    #[must_use]
    pub const fn mpuir(self, level: Level, regions: u8) -> u64 {
        match (self, level) {
            (Self::V32, Level::El1) => (regions as u64) << 8,
            _ => regions as u64,
        }
    }

    /// The virtual machine that a `VSCTLR_EL2` or `VSCTLR` names: bits 63:48, of which the upper eight are RES0 unless
    /// `VTCR_EL2.VS` is set, or bits 23:16.
    #[must_use]
    pub fn vmid(self, vsctlr: u64, vtcr: Vtcr) -> u16 {
        match self {
            Self::V64 if vtcr.vs() => Vsctlr::new_with_raw_value(vsctlr).vmid(),
            Self::V64 => Vsctlr::new_with_raw_value(vsctlr).vmid() & 0xff,
            Self::V32 => (vsctlr >> 16) as u16 & 0xff,
        }
    }

    /// Where `VSCTLR_EL2` or `VSCTLR` has the VMID.
    #[must_use]
    pub const fn vmid_shift(self) -> u32 {
        match self {
            Self::V64 => 48,
            Self::V32 => 16,
        }
    }

    /// A PRBAR as written, in the 64-bit layout.
    #[must_use]
    pub const fn widen_prbar(self, value: u64) -> u64 {
        match self {
            Self::V64 => value,
            // One bit of XN becomes the upper of two; AP and SH move up.
            Self::V32 => {
                let value = value & PRBAR32_BITS;
                value & ADDRESS32 | (value & 0x1f) << 1
            }
        }
    }

    /// A PRBAR in the 64-bit layout, as it reads.
    #[must_use]
    pub const fn narrow_prbar(self, value: u64) -> u64 {
        match self {
            Self::V64 => value,
            Self::V32 => value & ADDRESS32 | (value & 0x3f) >> 1,
        }
    }

    /// A PRLAR as written, in the 64-bit layout.
    #[must_use]
    pub const fn widen_prlar(self, value: u64) -> u64 {
        match self {
            Self::V64 => value,
            Self::V32 => value & PRLAR32_BITS,
        }
    }

    /// A PRLAR in the 64-bit layout, as it reads.
    #[must_use]
    pub const fn narrow_prlar(self, value: u64) -> u64 {
        self.widen_prlar(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attrs::{Ap, Shareability, Xn};
    use crate::regs::RegionWords;

    /// Bits by hand: base at 2.25 GiB and 64, SH outer (10), AP read-only for all (11), XN.
    #[test]
    fn a_32_bit_word_says_the_same_in_the_other_layout() {
        let prbar = Pmsa::V32.widen_prbar(0x9000_0040 | 0b10 << 3 | 0b11 << 1 | 1);
        let prlar = Pmsa::V32.widen_prlar(0x9000_1f80 | 1 << 4 | 0b101 << 1 | 1);
        let words = RegionWords { prbar, prlar };
        assert_eq!((words.base(), words.limit(), words.enabled()), (0x9000_0040, 0x9000_1fbf, true));
        let attrs = words.attrs();
        assert_eq!((attrs.ap, attrs.xn, attrs.sh), (Ap::RoAll, Xn::Never, Shareability::Outer));
        assert_eq!((attrs.attr_index, attrs.ns), (5, false), "bit 4 is RES0 here");
    }

    #[test]
    fn every_word_reads_back_as_written_but_for_res0() {
        for value in [0, 0xffff_ffff, 0x1234_5678, 0x8000_0021, 0xdead_bedf] {
            assert_eq!(Pmsa::V32.narrow_prbar(Pmsa::V32.widen_prbar(value)), value & PRBAR32_BITS);
            assert_eq!(Pmsa::V32.narrow_prlar(Pmsa::V32.widen_prlar(value)), value & PRLAR32_BITS);
        }
    }

    #[test]
    fn numbered_registers_follow_the_selector_in_64_and_not_in_32() {
        assert_eq!(Pmsa::V64.slot(MpuReg::PrbarN(3), 0x12), Some(Slot::new(0x13)));
        assert_eq!(Pmsa::V64.slot(MpuReg::PrbarN(16), 0), None);
        assert_eq!(Pmsa::V32.slot(MpuReg::PrbarN(3), 0x12), Some(Slot::new(3)));
        assert_eq!(Pmsa::V32.slot(MpuReg::PrlarN(31), 0), Some(Slot::new(31)));
        assert_eq!(Pmsa::V32.slot(MpuReg::PrlarN(32), 0), None);
        assert_eq!(Pmsa::V32.slot(MpuReg::Prbar, 200), Some(Slot::new(200)));
    }

    #[test]
    fn the_vmid_is_where_the_width_has_it() {
        assert_eq!(Pmsa::V64.vmid(0x1234_0000_0000_0000, Vtcr::ZERO.with_vs(true)), 0x1234);
        assert_eq!(Pmsa::V64.vmid(0x1234_ffff_ffff_ffff, Vtcr::ZERO), 0x34);
        assert_eq!(Pmsa::V32.vmid(0xff56_ffff, Vtcr::ZERO), 0x56);
    }

    #[test]
    fn counts_and_names() {
        assert_eq!(Pmsa::V32.mpuir(Level::El1, 24), 24 << 8);
        assert_eq!(Pmsa::V32.mpuir(Level::El2, 24), 24);
        assert_eq!(Pmsa::V64.mpuir(Level::El1, 24), 24);
        assert!(!Pmsa::V32.has(Level::El1, MpuReg::Prenr) && Pmsa::V32.has(Level::El2, MpuReg::Prenr));
        assert!(Pmsa::V64.has(Level::El1, MpuReg::Prenr));
    }
}
