//! The number of a region's slot.

use core::fmt;

/// The number of a region in the array of one MPU, 0 for the first. Whether the MPU has a region of that number is another
/// matter: see [`Slot::is_within`].
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u8);

impl Slot {
    /// The slot of that number.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// Its number, as `PRSELR` has it.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its place in a list of all slots, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Whether an MPU of `regions` regions has it.
    #[must_use]
    pub const fn is_within(self, regions: u8) -> bool {
        self.0 < regions
    }

    /// The slots of an MPU of `regions` regions, lowest first.
    pub fn all(regions: u8) -> impl Iterator<Item = Self> {
        Self(0).and_above(regions)
    }

    /// This slot and those above it, of an MPU of `regions` regions, lowest first.
    pub fn and_above(self, regions: u8) -> impl Iterator<Item = Self> {
        (self.0..regions).map(Self)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Slot {
    /// The number alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn the_slots_of_an_mpu_are_counted_from_0() {
        assert!(Slot::all(3).map(Slot::number).eq([0, 1, 2]));
        assert_eq!(Slot::all(0).next(), None);
        assert!(Slot::new(32).and_above(34).map(Slot::index).eq([32, 33]));
        assert_eq!(Slot::new(32).and_above(16).next(), None);
        assert_eq!(Slot::all(255).last(), Some(Slot::new(254)));
        assert_eq!([15, 16, 17].map(|number| Slot::new(number).is_within(16)), [true, false, false]);
    }

    #[test]
    fn a_slot_is_printed_as_its_number() {
        let slot = Slot::new(7);
        assert_eq!(std::format!("{slot} {slot:2} {slot:?} {:?}", Some(slot)), "7  7 7 Some(7)");
    }
}
