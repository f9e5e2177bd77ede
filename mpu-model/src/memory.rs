//! What kind of memory an access meets: `MAIR` bytes, and how the attributes of two stages combine.
//!
//! Sources: Arm DDI 0487 `MAIR_ELx` and section "Combining stage 1 and stage 2 attributes", which PMSA takes over; QEMU
//! combines the same way (`combine_cacheattrs`).

use core::fmt;

use crate::attrs::Shareability;
use crate::rules::{DEVICE_HALF, DefaultMap};

/// The four device types, from the strictest to the least strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeviceType {
    /// No gathering, no reordering, no early write acknowledgement.
    NGnRnE,
    /// Early write acknowledgement.
    NGnRE,
    /// And reordering.
    NGre,
    /// And gathering.
    Gre,
}

/// How Normal memory is cached at one level of cache, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cacheability {
    /// Not cached.
    NonCacheable,
    /// Written through.
    WriteThrough,
    /// Written back.
    WriteBack,
}

/// What one byte of `MAIR` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemoryType {
    /// A device.
    Device(DeviceType),
    /// Normal memory. Allocation hints and the transient forms are left out: no verdict hangs on them.
    Normal {
        /// Inner caches.
        inner: Cacheability,
        /// Outer caches.
        outer: Cacheability,
    },
}

impl MemoryType {
    /// What a byte of `MAIR` stands for; reserved encodings are taken as the strictest device.
    #[must_use]
    pub const fn of_mair(byte: u8) -> Self {
        match (byte >> 4, byte & 0xf) {
            (0, 0b0100) => Self::Device(DeviceType::NGnRE),
            (0, 0b1000) => Self::Device(DeviceType::NGre),
            (0, 0b1100) => Self::Device(DeviceType::Gre),
            (0, _) | (_, 0) => Self::Device(DeviceType::NGnRnE),
            (outer, inner) => Self::Normal { inner: cacheability(inner), outer: cacheability(outer) },
        }
    }

    /// What an access meets that passes both stages: a device if either says so, the stricter of two, and of caching
    /// the lesser.
    #[must_use]
    pub fn combine(self, stage2: Self) -> Self {
        match (self, stage2) {
            (Self::Device(one), Self::Device(two)) => Self::Device(one.min(two)),
            (Self::Device(device), Self::Normal { .. }) | (Self::Normal { .. }, Self::Device(device)) => {
                Self::Device(device)
            }
            (Self::Normal { inner, outer }, Self::Normal { inner: inner2, outer: outer2 }) => {
                Self::Normal { inner: inner.min(inner2), outer: outer.min(outer2) }
            }
        }
    }
}

/// The cacheability that four bits of `MAIR` encode: 0b0100 is non-cacheable, 0b00xx and 0b10xx write-through.
const fn cacheability(bits: u8) -> Cacheability {
    match bits {
        0b0100 => Cacheability::NonCacheable,
        0b0000..=0b0011 | 0b1000..=0b1011 => Cacheability::WriteThrough,
        _ => Cacheability::WriteBack,
    }
}

/// Type and shareability together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Memory {
    /// The type.
    pub ty: MemoryType,
    /// Who shares it. Devices and memory that no cache holds are outer shareable whatever a region says.
    pub sh: Shareability,
}

impl Memory {
    /// What a region's type and shareability come to.
    #[must_use]
    pub fn new(ty: MemoryType, sh: Shareability) -> Self {
        const UNCACHED: Cacheability = Cacheability::NonCacheable;
        let everywhere = matches!(ty, MemoryType::Device(_) | MemoryType::Normal { inner: UNCACHED, outer: UNCACHED });
        Self { ty, sh: if everywhere { Shareability::Outer } else { sh } }
    }

    /// What the default map makes of an address, if that is known: the two kinds of Device memory in the upper half of the
    /// map that PMSAv8-32 fixes. How its Normal memory is cached hangs on `SCTLR.C` and `SCTLR.I`, which is left out here.
    #[must_use]
    pub const fn of_default_map(map: DefaultMap, addr: u64) -> Option<Self> {
        let ty = match (map, addr) {
            (DefaultMap::Pmsav8_32, DEVICE_HALF..=0xbfff_ffff) => DeviceType::NGnRE,
            (DefaultMap::Pmsav8_32, 0xc000_0000..=0xffff_ffff) => DeviceType::NGnRnE,
            _ => return None,
        };
        Some(Self { ty: MemoryType::Device(ty), sh: Shareability::Outer })
    }

    /// What an access meets that passes both stages; of shareability the wider.
    #[must_use]
    pub fn combine(self, stage2: Self) -> Self {
        let sh = match (self.sh, stage2.sh) {
            (Shareability::Outer, _) | (_, Shareability::Outer) => Shareability::Outer,
            (Shareability::Inner, _) | (_, Shareability::Inner) => Shareability::Inner,
            _ => Shareability::Non,
        };
        Self::new(self.ty.combine(stage2.ty), sh)
    }
}

impl fmt::Display for MemoryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cached = |how: &Cacheability| match how {
            Cacheability::NonCacheable => "non-cacheable",
            Cacheability::WriteThrough => "write-through",
            Cacheability::WriteBack => "write-back",
        };
        match self {
            Self::Device(DeviceType::NGnRnE) => f.pad("Device-nGnRnE"),
            Self::Device(DeviceType::NGnRE) => f.pad("Device-nGnRE"),
            Self::Device(DeviceType::NGre) => f.pad("Device-nGRE"),
            Self::Device(DeviceType::Gre) => f.pad("Device-GRE"),
            Self::Normal { inner, outer } if inner == outer => write!(f, "Normal {}", cached(inner)),
            Self::Normal { inner, outer } => write!(f, "Normal, inner {}, outer {}", cached(inner), cached(outer)),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sh = match self.sh {
            Shareability::Non => "non-shareable",
            Shareability::Reserved => "reserved shareability",
            Shareability::Outer => "outer shareable",
            Shareability::Inner => "inner shareable",
        };
        write!(f, "{}, {sh}", self.ty)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    const WB: MemoryType = MemoryType::of_mair(0xff);
    const NC: MemoryType = MemoryType::of_mair(0x44);
    const DEVICE: MemoryType = MemoryType::of_mair(0x04);

    #[test]
    fn bytes_of_mair() {
        let names: std::vec::Vec<_> = [0x00, 0x04, 0x08, 0x0c, 0x44, 0xbb, 0xff, 0x4f, 0x40, 0x01]
            .map(|byte| MemoryType::of_mair(byte).to_string())
            .into();
        assert_eq!(
            names,
            [
                "Device-nGnRnE",
                "Device-nGnRE",
                "Device-nGRE",
                "Device-GRE",
                "Normal non-cacheable",
                "Normal write-through",
                "Normal write-back",
                "Normal, inner write-back, outer non-cacheable",
                "Device-nGnRnE",
                "Device-nGnRnE"
            ]
        );
    }

    #[test]
    fn the_stricter_stage_wins() {
        assert_eq!(WB.combine(NC), NC);
        assert_eq!(NC.combine(DEVICE), DEVICE);
        assert_eq!(DEVICE.combine(MemoryType::of_mair(0)), MemoryType::Device(DeviceType::NGnRnE));
        assert_eq!(WB.combine(WB), WB);
    }

    #[test]
    fn the_wider_shareability_wins_and_what_is_not_cached_is_shared_by_all() {
        let memory = Memory::new;
        let both = |one, two| memory(WB, one).combine(memory(WB, two)).sh;
        assert_eq!(both(Shareability::Non, Shareability::Inner), Shareability::Inner);
        assert_eq!(both(Shareability::Outer, Shareability::Inner), Shareability::Outer);
        assert_eq!(both(Shareability::Non, Shareability::Non), Shareability::Non);
        assert_eq!(memory(WB, Shareability::Non).combine(memory(NC, Shareability::Non)).sh, Shareability::Outer);
        assert_eq!(memory(DEVICE, Shareability::Inner).sh, Shareability::Outer);
        let said = [Shareability::Non, Shareability::Reserved, Shareability::Outer, Shareability::Inner]
            .map(|sh| memory(WB, sh).to_string());
        assert_eq!(
            said,
            ["non-shareable", "reserved shareability", "outer shareable", "inner shareable"]
                .map(|sh| std::format!("Normal write-back, {sh}"))
        );
    }
}
