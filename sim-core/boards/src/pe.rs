//! PEs by number, and what there is one of for each PE.

use alloc::vec::Vec;
use core::fmt;
use core::ops::{Index, IndexMut};

/// The number of a PE, from 0.
///
/// What is read from a file or planned may name a PE that the board does not have. [`Board::check`](crate::Board::check) and the
/// checks of layouts and schedules refuse it, by [`Board::has_pe`](crate::Board::has_pe).
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeId(u32);

impl PeId {
    /// PE 0: the one that boots first, and the only one of many boards.
    pub const PRIMARY: Self = Self(0);

    /// The PE of that number, on whatever board has so many.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for PeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for PeId {
    /// The bare number, as [`fmt::Display`] prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The first `pes` PEs, by number.
pub(crate) fn ids(pes: usize) -> impl Iterator<Item = PeId> + Clone {
    (0..).take(pes).map(PeId)
}

/// A value for each PE of a board, at least one.
///
/// It is indexed by [`PeId`]. The number has to be one of the board that it was made for, as [`PerPe::ids`] gives them: another
/// panics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerPe<T>(Vec<T>);

impl<T> PerPe<T> {
    /// What `make` gives for each of `pes` PEs. A board has one PE at least: 0 is taken for 1.
    pub fn new(pes: usize, make: impl FnMut(PeId) -> T) -> Self {
        Self(ids(pes.max(1)).map(make).collect())
    }

    /// The PEs, by number.
    pub fn ids(&self) -> impl Iterator<Item = PeId> + Clone + use<T> {
        ids(self.0.len())
    }

    /// Each PE and its value, by number.
    pub fn iter(&self) -> impl Iterator<Item = (PeId, &T)> {
        self.ids().zip(&self.0)
    }

    /// Each PE and its value, by number.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (PeId, &mut T)> {
        self.ids().zip(&mut self.0)
    }

    /// The values, by number of their PE.
    pub fn values(&self) -> impl Iterator<Item = &T> + Clone {
        self.0.iter()
    }

    /// The values, by number of their PE.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut()
    }

    /// What `make` gives for each of the same PEs.
    pub fn others<U>(&self, make: impl FnMut(PeId) -> U) -> PerPe<U> {
        PerPe(self.ids().map(make).collect())
    }

    /// The values alone, by number of their PE.
    #[must_use]
    pub fn into_values(self) -> Vec<T> {
        self.0
    }
}

#[expect(clippy::indexing_slicing, reason = "a PE of another board is a mistake of the caller's, as documented")]
impl<T> Index<PeId> for PerPe<T> {
    type Output = T;

    fn index(&self, pe: PeId) -> &T {
        &self.0[pe.get()]
    }
}

#[expect(clippy::indexing_slicing, reason = "a PE of another board is a mistake of the caller's, as documented")]
impl<T> IndexMut<PeId> for PerPe<T> {
    fn index_mut(&mut self, pe: PeId) -> &mut T {
        &mut self.0[pe.get()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_prints_bare() {
        let pe = PeId::new(1);
        assert_eq!((std::format!("{pe} {pe:?}").as_str(), pe.get(), PeId::PRIMARY.get()), ("1 1", 1, 0));
    }

    #[test]
    fn each_pe_has_a_value_of_its_own() {
        let mut values = PerPe::new(3, PeId::get);
        values[PeId::new(1)] = 7;
        values.iter_mut().for_each(|(pe, value)| *value += pe.get());
        assert_eq!(values.iter().map(|(pe, value)| (pe.get(), *value)).collect::<Vec<_>>(), [(0, 0), (1, 8), (2, 4)]);
        values.values_mut().for_each(|value| *value += 1);
        assert_eq!((values[PeId::PRIMARY], values.into_values()), (1, Vec::from([1, 9, 5])));
        assert_eq!(PerPe::new(2, |_| ()).others(PeId::get).into_values(), [0, 1]);
        assert_eq!(PerPe::new(0, |_| ()).ids().count(), 1, "a board has a PE");
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn a_pe_of_another_board_is_refused() {
        let values = PerPe::new(2, PeId::get);
        let _ = values[PeId::new(2)];
    }
}
