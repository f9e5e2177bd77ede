//! The slots of one array, and the search for those that a range of addresses touches.

use crate::regs::{PRBAR_BITS, PRLAR_BITS, PRLAR_EN, RegionWords};
use crate::slot::Slot;
use crate::slot_set::SlotSet;

/// One more than [`crate::MAX_REGIONS`], so that every `u8` names a place.
const SLOTS: usize = 256;
/// Slots compared at a time. The loop over them has a fixed length and no branch, so that it becomes vector code.
const LANES: usize = 8;
/// Groups of lanes that make up one word of a [`SlotSet`].
const GROUPS: usize = 64 / LANES;

/// The words of 64 slots.
type Block = [[u64; LANES]; GROUPS];

/// The slots of one MPU, in any state that registers can be put into, overlaps included.
#[derive(Clone, PartialEq)]
pub(crate) struct Table {
    /// `PRBAR` by slot, RES0 bits clear.
    prbar: [Block; SLOTS / 64],
    /// `PRLAR` by slot, RES0 bits and EN clear.
    prlar: [Block; SLOTS / 64],
    /// `PRLAR.EN` by slot. Apart from the words, so that a `PRENR` write is one store.
    enabled: SlotSet,
    regions: u8,
}

impl Table {
    pub(crate) const fn new(regions: u8) -> Self {
        let zero = [[[0; LANES]; GROUPS]; SLOTS / 64];
        Self { prbar: zero, prlar: zero, enabled: SlotSet::EMPTY, regions }
    }

    /// Becomes what [`Table::new`] gives. No slot beyond those that there are was ever written.
    pub(crate) fn reset(&mut self, regions: u8) {
        for words in [&mut self.prbar, &mut self.prlar] {
            words.as_flattened_mut().as_flattened_mut().iter_mut().take(self.regions.into()).for_each(|word| *word = 0);
        }
        self.enabled = SlotSet::default();
        self.regions = regions;
    }

    pub(crate) const fn regions(&self) -> u8 {
        self.regions
    }

    pub(crate) const fn enabled(&self) -> &SlotSet {
        &self.enabled
    }

    /// The words of `slot`, whatever its EN, without that bit.
    fn raw(&self, slot: Slot) -> RegionWords {
        let of = |blocks: &[Block]| blocks.as_flattened().as_flattened().get(slot.index()).copied();
        RegionWords { prbar: of(&self.prbar).unwrap_or_default(), prlar: of(&self.prlar).unwrap_or_default() }
    }

    /// The words of `slot`; zeros where there is none.
    pub(crate) fn words(&self, slot: Slot) -> RegionWords {
        let RegionWords { prbar, prlar } = self.raw(slot);
        RegionWords { prbar, prlar: prlar | if self.enabled.contains(slot) { PRLAR_EN } else { 0 } }
    }

    /// Writes `PRBAR` of `slot`, which the caller found to exist.
    pub(crate) fn set_prbar(&mut self, slot: Slot, value: u64) {
        let words = self.prbar.as_flattened_mut().as_flattened_mut();
        if let Some(word) = words.get_mut(slot.index()) {
            *word = value & PRBAR_BITS;
        }
    }

    /// Writes `PRLAR` of `slot`, which the caller found to exist.
    pub(crate) fn set_prlar(&mut self, slot: Slot, value: u64) {
        let words = self.prlar.as_flattened_mut().as_flattened_mut();
        if let Some(word) = words.get_mut(slot.index()) {
            *word = value & PRLAR_BITS & !PRLAR_EN;
            self.enabled.put(slot, value & PRLAR_EN != 0);
        }
    }

    /// Writes `PRENR`: bits of slots that do not exist are RES0.
    pub(crate) fn set_prenr(&mut self, value: u64) {
        let mask = u32::MAX.checked_shr(32_u32.saturating_sub(self.regions.into())).unwrap_or(0);
        self.enabled.set_prenr(mask, value as u32);
    }

    /// Whether `slot`, enabled or not, has a byte between the granules of `first` and `last`. Beyond
    /// [`crate::PA_LIMIT`], where no region is, the answer may be yes in vain.
    pub(crate) fn slot_touches(&self, slot: Slot, first: u64, last: u64) -> bool {
        let RegionWords { prbar, prlar } = self.raw(slot);
        misses(prbar, prlar, first & !0x3f, last | 0x3f) == 0
    }

    /// The enabled slots that have a byte between `first` and `last`, both at most [`crate::PA_LIMIT`].
    pub(crate) fn touching(&self, first: u64, last: u64) -> SlotSet {
        let (first, last) = (first & !0x3f, last | 0x3f);
        let mut set = SlotSet::default();
        let blocks = self.prbar.iter().zip(&self.prlar).zip(self.enabled.0);
        for (word, ((bars, lars), enabled)) in set.0.iter_mut().zip(blocks).filter(|(_, (_, enabled))| *enabled != 0) {
            // Groups behind the last enabled slot need no look: most arrays are much larger than what is in them.
            let groups = (u64::BITS - enabled.leading_zeros()).div_ceil(LANES as u32) as usize;
            *word = scan(bars, lars, groups, first, last) & enabled;
        }
        set
    }
}

/// Which slots of the first `groups` groups, at least one, touch the range; other bits mean nothing.
fn scan(bars: &Block, lars: &Block, groups: usize, first: u64, last: u64) -> u64 {
    // One bit per group and lane, in the lane's own accumulator: all lanes do the same, none waits for another.
    let mut missed = [0; LANES];
    for (bars, lars) in bars.iter().zip(lars).take(groups) {
        for ((lane, &prbar), &prlar) in missed.iter_mut().zip(bars).zip(lars) {
            *lane = *lane >> LANES | misses(prbar, prlar, first, last);
        }
    }
    // The bits of one lane are as many places apart as there are lanes: lane after lane goes in between.
    let missed = missed.iter().fold(0, |bits, lane| bits >> 1 | lane);
    !(missed >> (64 - LANES * groups))
}

/// Bit 63 clear if a region starts at or before `last`, whose low six bits are set, and ends at or after `first`,
/// whose are clear; else set, and no other bit. With those bits so, the attributes in the words' low bits cannot
/// sway the comparison.
///
/// A region whose limit is below its base may miss nothing of a range that spans both; it holds no byte all the same,
/// and whoever asks goes on to look at bytes.
const fn misses(prbar: u64, prlar: u64, first: u64, last: u64) -> u64 {
    // No word has a bit above 51, so that a difference below zero shows in bit 63.
    (last.wrapping_sub(prbar) | prlar.wrapping_sub(first)) & 1 << 63
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each slot has a granule of its own, and the order of the granules is not that of the slots. No two are neighbours.
    fn granule(slot: Slot) -> u64 {
        2 + 2 * (u64::from(slot.number()) * 7 % 256)
    }

    /// A search that finds too much would cost time and no answer, since every byte is looked at after it.
    #[test]
    fn the_search_finds_the_slots_that_are_touched_and_no_others() {
        for regions in [1, 8, 9, 64, 65, 255] {
            let mut table = Table::new(regions);
            for slot in Slot::all(regions) {
                table.set_prbar(slot, granule(slot) << 6 | 0x3f);
                table.set_prlar(slot, granule(slot) << 6 | 0x1e | u64::from(slot.number() % 5 != 0));
            }
            for (first, granules) in (0..520).flat_map(|first| [1, 100].map(|granules| (first, granules))) {
                let inside = |slot: &Slot| (first..first + granules).contains(&granule(*slot));
                let touched = Slot::all(regions).filter(inside).filter(|slot| slot.number() % 5 != 0);
                let (low, high) = (first << 6 | 0x25, (first + granules) << 6);
                assert!(table.touching(low, high - 1).iter().eq(touched), "{regions} regions, {first} {granules}");
            }
        }
    }
}
