//! A range of physical addresses.

use core::fmt;

/// A non-empty range of addresses with an inclusive limit, as PRBAR and PRLAR have it.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    base: u64,
    limit: u64,
}

impl Span {
    /// The range from `base` to `limit`, both inside; `None` if `limit < base`.
    #[must_use]
    pub const fn new(base: u64, limit: u64) -> Option<Self> {
        if limit < base { None } else { Some(Self { base, limit }) }
    }

    /// `size` bytes from `base`; `None` if `size` is 0 or the range runs past the top of the address space.
    #[must_use]
    pub const fn with_size(base: u64, size: u64) -> Option<Self> {
        let Some(last) = size.checked_sub(1) else {
            return None;
        };
        match base.checked_add(last) {
            Some(limit) => Some(Self { base, limit }),
            None => None,
        }
    }

    /// First address.
    #[must_use]
    pub const fn base(&self) -> u64 {
        self.base
    }

    /// Last address, inside the range.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes in the range; a range over the whole 64-bit space saturates.
    #[must_use]
    pub const fn size(&self) -> u64 {
        (self.limit - self.base).saturating_add(1)
    }

    /// Whether `address` is inside.
    #[must_use]
    pub const fn contains(&self, address: u64) -> bool {
        self.base <= address && address <= self.limit
    }

    /// Whether all of `other` is inside.
    #[must_use]
    pub const fn covers(&self, other: &Self) -> bool {
        self.base <= other.base && other.limit <= self.limit
    }

    /// Whether any address is in both.
    #[must_use]
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.base <= other.limit && other.base <= self.limit
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        Self::new(self.base.max(other.base), self.limit.min(other.limit))
    }

    /// Whether `other` starts right behind this range.
    #[must_use]
    pub const fn touches(&self, other: &Self) -> bool {
        match self.limit.checked_add(1) {
            Some(next) => next == other.base,
            None => false,
        }
    }

    /// This range widened to whole 4 KiB pages.
    #[must_use]
    pub const fn page_rounded(&self) -> Self {
        const PAGE: u64 = 4096;
        Self { base: self.base & !(PAGE - 1), limit: self.limit | (PAGE - 1) }
    }

    /// What is left of this range without `hole`: the part below and the part above.
    #[must_use]
    pub fn without(&self, hole: &Self) -> (Option<Self>, Option<Self>) {
        if !self.overlaps(hole) {
            return (Some(*self), None);
        }
        let below = hole.base.checked_sub(1).and_then(|limit| Self::new(self.base, limit));
        let above = hole.limit.checked_add(1).and_then(|base| Self::new(base, self.limit));
        (below, above)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}-{:#010x}", self.base, self.limit)
    }
}
