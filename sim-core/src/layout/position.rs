//! Domains by their position in the layout.

use core::fmt;

/// The position of a domain in the layout, from 0: domains stand in creation order, and one that is gone leaves its position to
/// the next that comes.
///
/// What is read from a file or planned may name a position at which no domain is: then [`Layout::domain`](super::Layout::domain)
/// gives none.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "export", serde(transparent))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(usize);

impl Position {
    /// The position of that number, whether or not a domain is there.
    #[must_use]
    pub const fn new(number: usize) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }

    /// All positions from 0 on, to go with what there is one of for each domain.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        (0..).map(Self)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Position {
    /// The bare number, as [`fmt::Display`] prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn a_number_prints_bare() {
        let position = Position::new(1);
        assert_eq!((std::format!("{position} {position:?} {position:>3}").as_str(), position.get()), ("1 1   1", 1));
    }

    #[test]
    fn positions_count_from_0() {
        let named: Vec<_> = Position::all().zip(["a", "b"]).map(|(at, name)| (at.get(), name)).collect();
        assert_eq!(named, [(0, "a"), (1, "b")]);
    }

    #[cfg(feature = "export")]
    #[test]
    fn it_is_written_as_its_number() {
        assert_eq!(postcard::to_allocvec(&Position::new(300)), postcard::to_allocvec(&300_usize));
        assert_eq!(postcard::from_bytes(&[0xac, 0x02]), Ok(Position::new(300)));
    }
}
