//! Mappings drawn over each other, and the fewest regions that map exactly what is seen.

use crate::region::Region;

/// A range that somebody wants mapped with some attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mapping<O> {
    /// The range and its attributes.
    pub region: Region,
    /// Who wants it; means something to the caller only.
    pub owner: O,
}

/// The slice lent to a [`Cover`] has no room for another mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("room for {room} strips is not enough: lend Cover::room(n) of them for n mappings")]
pub struct Full {
    /// Strips that the slice holds.
    pub room: usize,
}

/// What a set of mappings looks like from above: where two overlap, the one drawn later is seen and cut out of the other.
///
/// Held as strips in address order, disjoint, each with one owner.
#[derive(Debug)]
pub struct Cover<'a, O> {
    strips: &'a mut [Mapping<O>],
    len: usize,
}

/// Neighbouring strips with equal attributes: one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run<'a, O> {
    /// The region that maps them all.
    pub region: Region,
    /// The strips, lowest first.
    pub strips: &'a [Mapping<O>],
}

impl<'a, O: Copy> Cover<'a, O> {
    /// Strips enough for `mappings` of them, however they overlap: each cuts at most one other in two.
    #[must_use]
    pub const fn room(mappings: usize) -> usize {
        mappings.saturating_mul(2)
    }

    /// An empty cover that works in `strips`; what they hold is not looked at.
    #[must_use]
    pub const fn new(strips: &'a mut [Mapping<O>]) -> Self {
        Self { strips, len: 0 }
    }

    /// Draws `mapping` on top of what is there.
    ///
    /// # Errors
    ///
    /// [`Full`], and nothing is drawn.
    pub fn draw(&mut self, mapping: Mapping<O>) -> Result<(), Full> {
        let (base, limit) = (mapping.region.base(), mapping.region.limit());
        let first = self.strips().partition_point(|strip| strip.region.limit() < base);
        let behind = self.strips().partition_point(|strip| strip.region.base() <= limit).max(first);
        let touched = self.strips().get(first..behind).unwrap_or_default();
        let below = touched.first().and_then(|strip| below(strip, base));
        let above = touched.last().and_then(|strip| above(strip, limit));
        let comes = 1 + usize::from(below.is_some()) + usize::from(above.is_some());
        let len = self.len - (behind - first) + comes;
        if len > self.strips.len() {
            return Err(Full { room: self.strips.len() });
        }
        self.strips.copy_within(behind..self.len, first + comes);
        let new = below.into_iter().chain([mapping]).chain(above);
        for (strip, new) in self.strips.iter_mut().skip(first).zip(new) {
            *strip = new;
        }
        self.len = len;
        Ok(())
    }

    /// Draws one after the other.
    ///
    /// # Errors
    ///
    /// [`Full`] at the first that has no room; those before it are drawn.
    pub fn draw_all(&mut self, mappings: impl IntoIterator<Item = Mapping<O>>) -> Result<(), Full> {
        mappings.into_iter().try_for_each(|mapping| self.draw(mapping))
    }

    /// What is seen, in address order.
    #[must_use]
    pub fn strips(&self) -> &[Mapping<O>] {
        self.strips.get(..self.len).unwrap_or_default()
    }

    /// The strip that holds `addr`.
    #[must_use]
    pub fn at(&self, addr: u64) -> Option<&Mapping<O>> {
        let first = self.strips().partition_point(|strip| strip.region.limit() < addr);
        self.strips().get(first).filter(|strip| strip.region.contains(addr))
    }

    /// The first strip that has a byte between `base` and `limit`, both included.
    #[must_use]
    pub fn touching(&self, base: u64, limit: u64) -> Option<&Mapping<O>> {
        let first = self.strips().partition_point(|strip| strip.region.limit() < base);
        self.strips().get(first).filter(|strip| strip.region.base() <= limit)
    }

    /// The regions that map this cover, each byte as drawn and none beside it, in address order.
    ///
    /// There are no fewer: regions that are enabled together cannot overlap, so each byte is in exactly one, and two bytes
    /// can share one only if all between them are mapped with the same attributes.
    pub fn runs(&self) -> impl Iterator<Item = Run<'_, O>> {
        self.strips().chunk_by(|low, high| joins(&low.region, &high.region)).filter_map(|strips| {
            let region = strips.first()?.region.part(strips.first()?.region.base(), strips.last()?.region.limit())?;
            Some(Run { region, strips })
        })
    }
}

/// Whether the two are neighbours with equal attributes.
fn joins(low: &Region, high: &Region) -> bool {
    low.attrs() == high.attrs() && low.limit() + 1 == high.base()
}

/// What of `strip` lies below `base`.
fn below<O: Copy>(strip: &Mapping<O>, base: u64) -> Option<Mapping<O>> {
    let limit = base.checked_sub(1)?;
    Some(Mapping {
        region: strip.region.part(strip.region.base(), limit.min(strip.region.limit()))?,
        owner: strip.owner,
    })
}

/// What of `strip` lies above `limit`.
fn above<O: Copy>(strip: &Mapping<O>, limit: u64) -> Option<Mapping<O>> {
    let base = (limit + 1).max(strip.region.base());
    Some(Mapping { region: strip.region.part(base, strip.region.limit())?, owner: strip.owner })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    extern crate std;
    use super::*;
    use crate::attrs::{Ap, Attrs, Shareability, Xn};
    use std::vec::Vec;

    const A: Attrs = Attrs { ap: Ap::RwPrivileged, xn: Xn::Never, sh: Shareability::Inner, attr_index: 0, ns: false };
    const B: Attrs = Attrs { ap: Ap::RwAll, ..A };

    fn mapping(base: u64, size: u64, attrs: Attrs, owner: char) -> Mapping<char> {
        Mapping { region: Region::with_size(base, size, attrs).unwrap(), owner }
    }

    type Strips = Vec<(u64, u64, char)>;
    type Runs = Vec<(u64, u64)>;

    fn drawn(mappings: &[Mapping<char>]) -> (Strips, Runs) {
        let mut room = mappings.repeat(Cover::<char>::room(1));
        let mut cover = Cover::new(&mut room);
        cover.draw_all(mappings.iter().copied()).unwrap();
        let strips = cover.strips().iter().map(|s| (s.region.base(), s.region.limit(), s.owner)).collect();
        (strips, cover.runs().map(|run| (run.region.base(), run.region.limit())).collect())
    }

    #[test]
    fn a_page_is_carved_out_of_the_range_it_lies_in() {
        let (strips, runs) = drawn(&[mapping(0x1000, 0x3000, A, 'h'), mapping(0x2000, 0x1000, B, 'd')]);
        assert_eq!(strips, [(0x1000, 0x1fff, 'h'), (0x2000, 0x2fff, 'd'), (0x3000, 0x3fff, 'h')]);
        assert_eq!(runs.len(), 3);
    }

    #[test]
    fn neighbours_of_equal_rights_are_one_region_and_keep_their_owners() {
        let (strips, runs) = drawn(&[mapping(0x2000, 0x1000, A, 'b'), mapping(0x1000, 0x1000, A, 'a')]);
        assert_eq!(strips, [(0x1000, 0x1fff, 'a'), (0x2000, 0x2fff, 'b')]);
        assert_eq!(runs, [(0x1000, 0x2fff)]);
    }

    #[test]
    fn one_drawn_over_several_takes_their_place() {
        let (strips, _) = drawn(&[
            mapping(0x1000, 0x1000, A, 'a'),
            mapping(0x3000, 0x1000, A, 'b'),
            mapping(0x5000, 0x1000, A, 'c'),
            mapping(0x1800, 0x4000, B, 'x'),
        ]);
        assert_eq!(strips, [(0x1000, 0x17ff, 'a'), (0x1800, 0x57ff, 'x'), (0x5800, 0x5fff, 'c')]);
    }

    #[test]
    fn a_full_slice_is_an_error_and_changes_nothing() {
        let whole = mapping(0, 0x10000, A, 'w');
        let mut room = [whole; 2];
        let mut cover = Cover::new(&mut room);
        cover.draw(whole).unwrap();
        assert_eq!(cover.draw(mapping(0x1000, 0x40, B, 'p')), Err(Full { room: 2 }));
        assert_eq!(cover.strips(), [whole]);
    }

    #[test]
    fn the_ends_of_the_address_space() {
        let top = crate::PA_LIMIT + 1 - 0x40;
        let (strips, _) = drawn(&[mapping(0, 1 << 52, A, 'w'), mapping(0, 0x40, B, 'l'), mapping(top, 0x40, B, 'h')]);
        assert_eq!(strips, [(0, 0x3f, 'l'), (0x40, top - 1, 'w'), (top, crate::PA_LIMIT, 'h')]);
    }

    #[test]
    fn who_is_where() {
        let mut room = [mapping(0, 0x40, A, '-'); 4];
        let mut cover = Cover::new(&mut room);
        cover.draw(mapping(0x1000, 0x1000, A, 'a')).unwrap();
        cover.draw(mapping(0x3000, 0x1000, A, 'b')).unwrap();
        assert_eq!(cover.at(0x1fff).map(|s| s.owner), Some('a'));
        assert_eq!(cover.at(0x2000), None);
        assert_eq!(cover.touching(0x2000, 0x3000).map(|s| s.owner), Some('b'));
        assert_eq!(cover.touching(0x2000, 0x2fff), None);
        assert_eq!(cover.touching(0x1fff, 0x2fff).map(|s| s.owner), Some('a'), "its last byte");
    }

    #[test]
    fn the_last_place_is_used() {
        let mut room = [mapping(0, 0x40, A, '-'); 1];
        let mut cover = Cover::new(&mut room);
        assert_eq!(cover.draw(mapping(0x1000, 0x1000, A, 'a')), Ok(()));
        assert_eq!(cover.draw(mapping(0x2000, 0x1000, A, 'b')), Err(Full { room: 1 }));
    }
}
