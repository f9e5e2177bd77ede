//! The registers by name, and the words of one region.

use core::fmt;

use arbitrary_int::{u3, u46};

use crate::attrs::Attrs;
pub use crate::fields::{Hcr, Prbar, Prlar, Sctlr, Vsctlr, Vtcr};

/// Bits 51 to 6: BASE in `PRBAR`, LIMIT in `PRLAR`.
const ADDRESS_BITS: u64 = crate::PA_LIMIT & !(crate::GRANULE - 1);
/// Bits of `PRBAR` that hold anything.
pub(crate) const PRBAR_BITS: u64 = ADDRESS_BITS | 0x3f;
/// Bits of `PRLAR` that hold anything: bit 5 is RES0.
pub(crate) const PRLAR_BITS: u64 = ADDRESS_BITS | 0x1f;
/// `PRLAR.EN`.
pub(crate) const PRLAR_EN: u64 = 1;

/// The two words of one region. Any values at all: this is what a register holds, not what software meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RegionWords {
    /// The raw `PRBAR`.
    pub prbar: u64,
    /// The raw `PRLAR`.
    pub prlar: u64,
}

impl RegionWords {
    /// The words for a range and its attributes; bits of the addresses outside the fields are dropped.
    pub(crate) const fn encode(base: u64, limit: u64, attrs: Attrs, enabled: bool) -> Self {
        let prbar =
            Prbar::DEFAULT.with_xn(attrs.xn).with_ap(attrs.ap).with_sh(attrs.sh).with_base(u46::extract_u64(base, 6));
        let prlar = Prlar::DEFAULT
            .with_en(enabled)
            .with_attr_index(u3::extract_u8(attrs.attr_index, 0))
            .with_ns(attrs.ns)
            .with_limit(u46::extract_u64(limit, 6));
        Self { prbar: prbar.raw_value(), prlar: prlar.raw_value() }
    }

    /// Whether `PRLAR.EN` is set.
    #[must_use]
    pub const fn enabled(&self) -> bool {
        self.prlar & PRLAR_EN != 0
    }

    /// The first byte of the region.
    #[must_use]
    pub const fn base(&self) -> u64 {
        self.prbar & ADDRESS_BITS
    }

    /// The last byte of the region: the low six bits are ones. A limit below [`RegionWords::base`] matches no address.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.prlar & ADDRESS_BITS | (crate::GRANULE - 1)
    }

    /// The attributes.
    #[must_use]
    pub const fn attrs(&self) -> Attrs {
        let prbar = Prbar::new_with_raw_value(self.prbar);
        let prlar = Prlar::new_with_raw_value(self.prlar);
        Attrs { ap: prbar.ap(), xn: prbar.xn(), sh: prbar.sh(), attr_index: prlar.attr_index().value(), ns: prlar.ns() }
    }

    /// The same words with EN clear and the limit kept: one register write takes the region away or brings it back.
    #[must_use]
    pub const fn disabled(&self) -> Self {
        Self { prbar: self.prbar, prlar: self.prlar & !PRLAR_EN }
    }
}

/// A register of an MPU. Which level it belongs to is the [`crate::Mpu`]'s affair, so names go without `_EL1`, `_EL2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MpuReg {
    /// Number of regions. Writes are ignored.
    Mpuir,
    /// Enable bits of regions 0 to 31, aliases of their `PRLAR.EN`.
    Prenr,
    /// Selects the region, or the bank of sixteen, that the others reach.
    Prselr,
    /// Base of the region that the whole of `PRSELR.REGION` selects.
    Prbar,
    /// Limit of the region that the whole of `PRSELR.REGION` selects.
    Prlar,
    /// Base of region `PRSELR.REGION[7:4]:n`, n in 1 to 15; in PMSAv8-32 of region n, n in 0 to 31. Other n name no
    /// register: written in vain, read as 0.
    PrbarN(u8),
    /// Limit of the same region.
    PrlarN(u8),
    /// System control, see [`Sctlr`].
    Sctlr,
    /// What the eight attribute indices stand for; `MAIR0`, the lower four of them, in PMSAv8-32.
    Mair,
    /// `MAIR1` of PMSAv8-32: the upper four.
    Mair1,
}

impl fmt::Display for MpuReg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mpuir => f.pad("MPUIR"),
            Self::Prenr => f.pad("PRENR"),
            Self::Prselr => f.pad("PRSELR"),
            Self::Prbar => f.pad("PRBAR"),
            Self::Prlar => f.pad("PRLAR"),
            Self::PrbarN(n) => write!(f, "PRBAR{n}"),
            Self::PrlarN(n) => write!(f, "PRLAR{n}"),
            Self::Sctlr => f.pad("SCTLR"),
            Self::Mair => f.pad("MAIR"),
            Self::Mair1 => f.pad("MAIR1"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;
    use crate::attrs::{Ap, Shareability, Xn};

    /// Fields at the bits that section G1 gives them, spelled out by hand.
    #[test]
    fn fields_sit_where_the_manual_has_them() {
        let attrs = Attrs { ap: Ap::RoAll, xn: Xn::Never, sh: Shareability::Outer, attr_index: 0b110, ns: true };
        let words = RegionWords::encode(0x000f_0000_4000_0040, 0x000f_0000_4000_10bf, attrs, true);
        assert_eq!(words.prbar, 0x000f_0000_4000_0040 | 0b10 << 4 | 0b11 << 2 | 0b10);
        assert_eq!(words.prlar, 0x000f_0000_4000_1080 | 1 << 4 | 0b110 << 1 | 1);
        assert_eq!(words.base(), 0x000f_0000_4000_0040);
        assert_eq!(words.limit(), 0x000f_0000_4000_10bf);
        assert_eq!(words.attrs(), attrs);
    }

    #[test]
    fn disabling_keeps_all_but_the_enable_bit() {
        let words = RegionWords { prbar: 0x1000, prlar: 0x1fc0 | 0b1011 };
        assert!(words.enabled());
        assert_eq!(words.disabled(), RegionWords { prbar: 0x1000, prlar: 0x1fc0 | 0b1010 });
        assert!(!words.disabled().enabled());
        assert_eq!(words.disabled().limit(), 0x1fff);
    }

    #[test]
    fn sctlr_fields() {
        let bits = |sctlr: Sctlr| sctlr.raw_value();
        assert_eq!(bits(Sctlr::ZERO.with_m(true)), 1);
        assert_eq!(bits(Sctlr::ZERO.with_c(true)), 1 << 2);
        assert_eq!(bits(Sctlr::ZERO.with_i(true)), 1 << 12);
        assert_eq!(bits(Sctlr::ZERO.with_br(true)), 1 << 17);
        assert_eq!(bits(Sctlr::ZERO.with_wxn(true)), 1 << 19);
    }

    #[test]
    fn names_are_architectural() {
        assert_eq!(MpuReg::PrbarN(3).to_string(), "PRBAR3");
        assert_eq!(MpuReg::PrlarN(15).to_string(), "PRLAR15");
        let plain = [MpuReg::Mpuir, MpuReg::Prenr, MpuReg::Prselr, MpuReg::Prbar, MpuReg::Prlar];
        assert_eq!(plain.map(|reg| reg.to_string()), ["MPUIR", "PRENR", "PRSELR", "PRBAR", "PRLAR"]);
        let control = [MpuReg::Sctlr, MpuReg::Mair, MpuReg::Mair1];
        assert_eq!(control.map(|reg| reg.to_string()), ["SCTLR", "MAIR", "MAIR1"]);
    }
}
