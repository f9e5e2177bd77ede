//! A region as software means it: base, inclusive limit, attributes. Always valid.

use core::fmt;

use crate::attrs::Attrs;
use crate::regs::RegionWords;
use crate::{GRANULE, PA_LIMIT};

/// A range of whole granules with its attributes. Whoever holds one need not check it again.
///
/// The range is never empty, never reversed and never leaves the 52-bit address space.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region {
    base: u64,
    limit: u64,
    attrs: Attrs,
}

/// Why a [`Region`] cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RegionError {
    /// The base does not start a granule.
    #[error("region base {base:#x} is not 64-byte aligned: round it down to a multiple of 0x40")]
    UnalignedBase {
        /// The base asked for.
        base: u64,
    },
    /// The limit is not the last byte of a granule.
    #[error(
        "region limit {limit:#x} does not end a 64-byte granule: limits are inclusive, so their low six bits are ones"
    )]
    UnalignedLimit {
        /// The limit asked for, or computed from base and size.
        limit: u64,
    },
    /// A size of 0.
    #[error("region size is 0: the smallest region is one granule of 64 bytes")]
    Empty,
    /// The limit lies below the base.
    #[error("region limit {limit:#x} lies below its base {base:#x}: swap the two, or leave the slot disabled")]
    Reversed {
        /// The base asked for.
        base: u64,
        /// The limit asked for.
        limit: u64,
    },
    /// The limit needs more bits than the LIMIT field has, or base plus size passes the top of a 64-bit address.
    #[error("region limit {limit:#x} is beyond the 52-bit address space: the highest limit is 0xfffffffffffff")]
    BeyondAddressSpace {
        /// The limit asked for; all ones where base plus size does not fit 64 bits.
        limit: u64,
    },
}

impl Region {
    /// The region from `base` to `limit`, both included, in bytes.
    ///
    /// # Errors
    ///
    /// Each of [`RegionError`] but `Empty`, looked for in the order in which they are declared there.
    pub const fn new(base: u64, limit: u64, attrs: Attrs) -> Result<Self, RegionError> {
        if !base.is_multiple_of(GRANULE) {
            Err(RegionError::UnalignedBase { base })
        } else if limit % GRANULE != GRANULE - 1 {
            Err(RegionError::UnalignedLimit { limit })
        } else if limit < base {
            Err(RegionError::Reversed { base, limit })
        } else if limit > PA_LIMIT {
            Err(RegionError::BeyondAddressSpace { limit })
        } else {
            Ok(Self { base, limit, attrs: attrs.canonical() })
        }
    }

    /// The region of `size` bytes from `base` on.
    ///
    /// # Errors
    ///
    /// `Empty` for size 0, `BeyondAddressSpace` where base plus size wraps, and all of [`Region::new`].
    pub const fn with_size(base: u64, size: u64, attrs: Attrs) -> Result<Self, RegionError> {
        if size == 0 {
            return Err(RegionError::Empty);
        }
        match base.checked_add(size - 1) {
            Some(limit) => Self::new(base, limit, attrs),
            None => Err(RegionError::BeyondAddressSpace { limit: u64::MAX }),
        }
    }

    /// The granules from `base` to `limit` with the same attributes; `None` if that is not a range of granules.
    pub(crate) const fn part(&self, base: u64, limit: u64) -> Option<Self> {
        match Self::new(base, limit, self.attrs) {
            Ok(part) => Some(part),
            Err(_) => None,
        }
    }

    /// The first byte.
    #[must_use]
    pub const fn base(&self) -> u64 {
        self.base
    }

    /// The last byte: inclusive, low six bits all ones.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes, a multiple of 64.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.limit - self.base + 1
    }

    /// The attributes; `attr_index` is in 0 to 7.
    #[must_use]
    pub const fn attrs(&self) -> Attrs {
        self.attrs
    }

    /// Whether the byte at `addr` lies inside.
    #[must_use]
    pub const fn contains(&self, addr: u64) -> bool {
        self.base <= addr && addr <= self.limit
    }

    /// Whether the two share a byte. Enabled regions of one MPU must not.
    #[must_use]
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.base <= other.limit && other.base <= self.limit
    }

    /// The register words that program this region, enabled.
    #[must_use]
    pub const fn words(&self) -> RegionWords {
        RegionWords::encode(self.base, self.limit, self.attrs, true)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}..={:#x} {}", self.base, self.limit, self.attrs)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;
    use crate::attrs::{Ap, Shareability, Xn};

    const ATTRS: Attrs = Attrs { ap: Ap::RoAll, xn: Xn::Exec, sh: Shareability::Outer, attr_index: 5, ns: false };

    #[test]
    fn every_error_is_reached() {
        let new = |base, limit| Region::new(base, limit, ATTRS);
        assert_eq!(new(0x20, 0x3f), Err(RegionError::UnalignedBase { base: 0x20 }));
        assert_eq!(new(0x40, 0x80), Err(RegionError::UnalignedLimit { limit: 0x80 }));
        assert_eq!(new(0x80, 0x7f), Err(RegionError::Reversed { base: 0x80, limit: 0x7f }));
        let limit = PA_LIMIT + GRANULE;
        assert_eq!(new(0, limit), Err(RegionError::BeyondAddressSpace { limit }));
        assert_eq!(Region::with_size(0, 0, ATTRS), Err(RegionError::Empty));
        assert_eq!(
            Region::with_size(u64::MAX - 63, 65, ATTRS),
            Err(RegionError::BeyondAddressSpace { limit: u64::MAX })
        );
        assert_eq!(Region::with_size(0, 65, ATTRS), Err(RegionError::UnalignedLimit { limit: 64 }));
    }

    #[test]
    fn smallest_and_largest() {
        let smallest = Region::new(0x40, 0x7f, ATTRS).unwrap();
        assert_eq!(smallest.size(), GRANULE);
        let largest = Region::new(0, PA_LIMIT, ATTRS).unwrap();
        assert_eq!((largest.size(), largest.limit()), (1 << 52, PA_LIMIT));
        assert_eq!(largest.words().limit(), PA_LIMIT);
    }

    #[test]
    fn attribute_index_keeps_three_bits() {
        let region = Region::with_size(0, 64, Attrs { attr_index: 0xfd, ..ATTRS }).unwrap();
        assert_eq!(region.attrs(), ATTRS);
        assert_eq!(region.words().attrs(), ATTRS);
    }

    #[test]
    fn neighbours_do_not_overlap_and_one_shared_granule_does() {
        let region = |base, size| Region::with_size(base, size, ATTRS).unwrap();
        let (low, high) = (region(0x1000, 0x1000), region(0x2000, 0x1000));
        assert!(!low.overlaps(&high) && !high.overlaps(&low));
        assert!(low.overlaps(&region(0x1fc0, 0x80)));
        assert!(region(0, 0x10000).overlaps(&low) && low.overlaps(&region(0, 0x10000)));
        assert!(low.contains(0x1000) && low.contains(0x1fff));
        assert!(!low.contains(0xfff) && !low.contains(0x2000));
    }

    #[test]
    fn messages_name_the_value_and_the_remedy() {
        let error = Region::new(0x1020, 0x1fff, ATTRS).unwrap_err().to_string();
        assert_eq!(error, "region base 0x1020 is not 64-byte aligned: round it down to a multiple of 0x40");
        let region = Region::with_size(0x1000, 0x1000, ATTRS).unwrap();
        assert_eq!(region.to_string(), "0x1000..=0x1fff ro EL2, EL1 and EL0, executable");
    }
}
