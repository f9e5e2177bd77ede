//! Sets of slots.

use crate::slot::Slot;

/// Words of a set: one bit for every `u8`.
const WORDS: usize = 4;

/// A set of slots, one bit each, slot 0 in bit 0 of the first word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotSet(pub(crate) [u64; WORDS]);

/// The first slot that `PRENR` has no bit for.
pub(crate) const BEYOND_PRENR: Slot = Slot::new(32);

impl SlotSet {
    pub(crate) const EMPTY: Self = Self([0; WORDS]);

    /// Adds a slot.
    pub fn insert(&mut self, slot: Slot) {
        self.put(slot, true);
    }

    /// Takes a slot out.
    pub fn remove(&mut self, slot: Slot) {
        self.put(slot, false);
    }

    /// Adds a slot or takes it out.
    pub(crate) fn put(&mut self, slot: Slot, present: bool) {
        if let Some(word) = self.0.get_mut(slot.index() / 64) {
            let bit = 1 << (slot.index() % 64);
            *word = if present { *word | bit } else { *word & !bit };
        }
    }

    /// Whether a slot is in.
    #[must_use]
    pub fn contains(&self, slot: Slot) -> bool {
        self.0.get(slot.index() / 64).is_some_and(|word| word >> (slot.index() % 64) & 1 != 0)
    }

    /// How many slots are in.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no slot is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// The slots of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.with(other, |word, more| word | more)
    }

    /// The slots that are not in `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.with(other, |word, off| word & !off)
    }

    /// The slots of both sets.
    pub(crate) fn and(&self, other: &Self) -> Self {
        self.with(other, |word, other| word & other)
    }

    /// The slots that are in one of the two and not in the other.
    pub(crate) fn differing(&self, other: &Self) -> Self {
        self.with(other, |word, other| word ^ other)
    }

    fn with(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let mut both = *self;
        both.0.iter_mut().zip(other.0).for_each(|(word, other)| *word = combine(*word, other));
        both
    }

    /// The slots, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + use<> {
        Lowest(*self)
    }

    /// The slot, if there is exactly one.
    pub(crate) fn only(&self) -> Option<Slot> {
        let mut found = None;
        for (index, word) in (0..).zip(self.0).filter(|(_, word)| *word != 0) {
            if found.is_some() || !word.is_power_of_two() {
                return None;
            }
            found = Some(Slot::new(index * 64 + word.trailing_zeros() as u8));
        }
        found
    }

    /// The two lowest slots.
    pub(crate) fn lowest_two(&self) -> (Option<Slot>, Option<Slot>) {
        let mut slots = self.iter();
        (slots.next(), slots.next())
    }

    /// Slots 0 to 31, as `PRENR` has them.
    pub(crate) const fn prenr(&self) -> u32 {
        self.0[0] as u32
    }

    /// Those of slots 0 to 31 that are in `mask` become what `bits` has.
    pub(crate) fn set_prenr(&mut self, mask: u32, bits: u32) {
        self.0[0] = self.0[0] & !u64::from(mask) | u64::from(bits & mask);
    }
}

impl Extend<Slot> for SlotSet {
    fn extend<I: IntoIterator<Item = Slot>>(&mut self, slots: I) {
        slots.into_iter().for_each(|slot| self.insert(slot));
    }
}

/// The slots of a [`SlotSet`] that are left, lowest first.
struct Lowest(SlotSet);

impl Iterator for Lowest {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        let (index, word) = self.0.0.iter_mut().enumerate().find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        Some(Slot::new((index as u32 * 64 + bit) as u8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: &[u8]) -> SlotSet {
        let mut set = SlotSet::default();
        set.extend(numbers.iter().copied().map(Slot::new));
        set
    }

    #[test]
    fn sets_of_slots() {
        let (some, more) = (set(&[0, 31, 64, 255]), set(&[31, 32, 64]));
        assert_eq!((set(&[]).len(), set(&[]).is_empty()), (0, true));
        assert_eq!((some.len(), some.is_empty()), (4, false));
        assert_eq!(some.union(&more), set(&[0, 31, 32, 64, 255]));
        assert_eq!(some.minus(&more), set(&[0, 255]));
        assert_eq!(some.and(&more), set(&[31, 64]));
        assert_eq!(some.differing(&more), set(&[0, 32, 255]));
        assert!(some.iter().map(Slot::number).eq([0, 31, 64, 255]));
        let mut left = some;
        left.remove(Slot::new(64));
        assert_eq!(left, set(&[0, 31, 255]));
    }

    #[test]
    fn one_slot_or_the_two_lowest() {
        for (slots, only, two) in [
            (&[][..], None, (None, None)),
            (&[200], Some(200), (Some(200), None)),
            (&[63, 64], None, (Some(63), Some(64))),
            (&[5, 6, 7], None, (Some(5), Some(6))),
        ] {
            let (first, second) = set(slots).lowest_two();
            let number = |slot: Option<Slot>| slot.map(Slot::number);
            assert_eq!((number(set(slots).only()), (number(first), number(second))), (only, two), "{slots:?}");
        }
    }

    #[test]
    fn prenr_has_the_slots_below_32() {
        let mut some = set(&[0, 31, 32]);
        assert_eq!(some.prenr(), 0x8000_0001);
        some.set_prenr(0xff, 0x302);
        assert_eq!(some, set(&[1, 31, 32]));
    }
}
