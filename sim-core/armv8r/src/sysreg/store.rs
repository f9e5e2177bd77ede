//! What registers hold that are plain storage.

use super::row::Role;
use super::table::{COUNT, Place, ROWS};
use alloc::boxed::Box;

/// A word for each row of the table.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Store(Box<[u64; COUNT]>);

impl Store {
    /// All registers out of reset.
    pub(crate) fn new() -> Self {
        let mut words = Box::new([0; COUNT]);
        for (word, row) in words.iter_mut().zip(&ROWS) {
            if let Role::Storage { reset, fixed, .. } = row.role {
                *word = reset | fixed;
            }
        }
        Self(words)
    }

    /// What a register holds.
    #[inline]
    pub(crate) fn get(&self, place: Place) -> u64 {
        self.0.get(place.0).copied().unwrap_or_default()
    }

    /// Changes what a register holds, whatever software may change.
    #[inline]
    pub(crate) fn set(&mut self, place: Place, value: u64) {
        if let Some(word) = self.0.get_mut(place.0) {
            *word = value;
        }
    }
}

impl core::fmt::Debug for Store {
    /// What is not zero, by name.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let held = ROWS.iter().zip(self.0.iter()).filter(|(_, word)| **word != 0);
        f.debug_map().entries(held.map(|(row, word)| (row.name, word))).finish()
    }
}
