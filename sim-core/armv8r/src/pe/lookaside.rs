//! What is remembered of the MPUs' answers: for a granule of 64 bytes, who may do what there, and which page of memory it is.
//!
//! An answer holds for the whole granule, since regions begin and end at granules (DDI 0600 section C1.3). It is no part of the
//! state of a PE: without it, the MPUs are asked again and say the same.

use super::pstate::number;
use crate::cached::Fresh;
use crate::memory::PageIndex;
use alloc::vec;
use alloc::vec::Vec;
use mpu_model::El;

/// Rights, as bits.
pub(crate) const READ: u8 = 0b001;
pub(crate) const WRITE: u8 = 0b010;
pub(crate) const FETCH: u8 = 0b100;

/// What kind of memory an access meets, as far as alignment hangs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Normal, write-back in both caches.
    WriteBack,
    /// Other Normal memory.
    Normal,
    /// A device.
    Device,
}

/// What is known of one granule for one who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    granule: u64,
    stamp: u32,
    /// What is allowed for certain.
    pub(crate) rights: u8,
    pub(crate) kind: Kind,
    /// The page that answers, if it is memory that has been written.
    pub(crate) page: Option<PageIndex>,
}

const NOTHING: Known = Known { granule: u64::MAX, stamp: 0, rights: 0, kind: Kind::Device, page: None };

/// How many granules are remembered. A power of two.
const GRANULES: usize = 4096;
const SHIFT: u32 = 6;
/// Epochs that can be told apart.
const EPOCHS: u32 = 1 << 28;

/// Who asks, in the low bits of a stamp.
pub(crate) const fn asker(el: El, pan: bool) -> u32 {
    (number(el) as u32) | if pan { 4 } else { 0 }
}

/// The table.
#[derive(Debug)]
pub(crate) struct Lookaside {
    /// Empty until something is known.
    known: Vec<Known>,
    epoch: u32,
    stamp: u32,
}

impl Fresh for Lookaside {
    /// Nothing remembered, and asked by the same.
    fn fresh(&self) -> Self {
        let new = Self::new();
        Self { stamp: new.epoch << 3 | self.stamp & 7, ..new }
    }
}

impl Lookaside {
    pub(crate) fn new() -> Self {
        Self { known: Vec::new(), epoch: 1, stamp: 1 << 3 }
    }

    /// From here on it is `el` that asks.
    #[inline]
    pub(crate) fn asker(&mut self, el: El, pan: bool) {
        self.stamp = self.epoch << 3 | asker(el, pan);
    }

    /// What changes whenever an answer may be another: who asks, or what the MPUs say.
    #[inline]
    pub(crate) const fn stamp(&self) -> u32 {
        self.stamp
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        self.epoch += 1;
        if self.epoch >= EPOCHS {
            self.known.fill(NOTHING);
            self.epoch = 1;
        }
        self.stamp = self.epoch << 3 | self.stamp & 7;
    }

    /// What is known of the granule of `address` for who asks.
    #[inline]
    pub(crate) fn find(&self, address: u64) -> Option<&Known> {
        self.find_for(address, self.stamp)
    }

    /// The same for EL0, whoever asks.
    pub(crate) fn find_unprivileged(&self, address: u64) -> Option<&Known> {
        self.find_for(address, self.epoch << 3)
    }

    #[inline]
    fn find_for(&self, address: u64, stamp: u32) -> Option<&Known> {
        let granule = address >> SHIFT;
        let known = self.known.get(granule as usize & (GRANULES - 1))?;
        (known.granule == granule && known.stamp == stamp).then_some(known)
    }

    /// Remembers a right to the granule of `address`, beside those known already.
    pub(crate) fn learn(&mut self, address: u64, unprivileged: bool, right: u8, kind: Kind, page: Option<PageIndex>) {
        if self.known.is_empty() {
            self.known = vec![NOTHING; GRANULES];
        }
        let stamp = if unprivileged { self.epoch << 3 } else { self.stamp };
        let granule = address >> SHIFT;
        if let Some(known) = self.known.get_mut(granule as usize & (GRANULES - 1)) {
            let before = if known.granule == granule && known.stamp == stamp { known.rights } else { 0 };
            *known = Known { granule, stamp, rights: before | right, kind, page };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cached::Cached;

    #[test]
    fn it_tells_askers_and_times_apart() {
        let mut known = Lookaside::new();
        known.asker(El::El1, false);
        let rights = |known: &Lookaside, address| known.find(address).map(|known| known.rights);
        known.learn(0x1000, false, READ, Kind::Normal, None);
        known.learn(0x1010, false, WRITE, Kind::Normal, None);
        assert_eq!((rights(&known, 0x103f), rights(&known, 0x1040)), (Some(READ | WRITE), None));
        known.asker(El::El1, true);
        assert_eq!(rights(&known, 0x1000), None);
        known.asker(El::El1, false);
        assert!(rights(&known, 0x1000).is_some() && known.find_unprivileged(0x1000).is_none());
        assert_eq!(rights(&known, 0x1000 + (1 << 18)), None, "the same place");
        known.forget();
        assert_eq!(rights(&known, 0x1000), None);
    }

    #[test]
    fn what_is_cached_makes_no_difference() {
        let mut known = Cached(Lookaside::new());
        known.0.asker(El::El2, false);
        known.0.learn(0, false, READ, Kind::Normal, None);
        let copy = known.clone();
        assert!(known.0.find(0).is_some() && copy.0.find(0).is_none());
        assert_eq!(copy.0.stamp & 7, 2, "EL2 asks it too");
    }
}
