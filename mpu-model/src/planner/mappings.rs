//! The table behind map and unmap at run time.
//!
//! The rules are those of Xen's MPU table (`xen/arch/arm/mpu/mm.c`), whose callers rely on them: mapping what is mapped
//! with the same attributes counts a reference, a partial overlap is an error, a part of a region cannot be taken out of it,
//! nothing is writable and executable. A new region takes the first free slot.
//!
//! In one point they are stricter: mappings of the whole region and of parts of it are counted apart, and the whole cannot be
//! unmapped while a part is mapped. With one count for both, unmapping the whole first would leave it mapped, and unmapping
//! the part then be refused as the removal of a part.
//!
//! The table decides and remembers; each change comes back as an [`Update`] for whoever writes the registers. An error
//! has changed nothing.

use crate::attrs::Attrs;
use crate::planner::map_error::{MapError, UnmapError};
use crate::planner::update::Update;
use crate::region::Region;
use crate::slot::Slot;

/// Regions mapped in an MPU of at most `N` slots, by slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mappings<const N: usize> {
    slots: [Option<Entry>; N],
    regions: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    region: Region,
    /// Mappings of all of it, 1 or more.
    whole: u16,
    /// Mappings of parts of it.
    parts: u16,
    fixed: bool,
}

/// The most references one region can have, beside the mapping that made it: Xen counts them in 8 bits.
const MORE_REFERENCES: u16 = 255;

/// An end of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its first byte.
    Base(u64),
    /// Its last byte.
    Limit(u64),
}

impl Entry {
    const fn references(&self) -> u16 {
        self.whole + self.parts
    }

    fn is(&self, base: u64, limit: u64) -> bool {
        (self.region.base(), self.region.limit()) == (base, limit)
    }
}

impl<const N: usize> Mappings<N> {
    /// An empty table for an MPU of `regions` regions; of those only the first `N` are used.
    #[must_use]
    pub fn new(regions: u8) -> Self {
        Self { slots: [None; N], regions: regions.min(u8::try_from(N).unwrap_or(u8::MAX)) }
    }

    /// Regions there are.
    #[must_use]
    pub const fn regions(&self) -> u8 {
        self.regions
    }

    /// Regions in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.iter().count()
    }

    /// Slots in use, with what they hold and how many mappings stand behind it, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, Region, u16)> + '_ {
        self.entries().map(|(slot, entry)| (slot, entry.region, entry.references()))
    }

    fn entries(&self) -> impl Iterator<Item = (Slot, &Entry)> {
        Slot::all(self.regions).zip(&self.slots).filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)))
    }

    /// Puts a region into a given free slot for good: what runs at EL2. It is not unmapped any more; it may still be resized,
    /// and moved to another slot.
    ///
    /// # Errors
    ///
    /// `WritableAndExecutable`, `Overlap` (also where it is inside a region), `Taken`.
    pub fn fix(&mut self, slot: Slot, region: Region) -> Result<Update, MapError> {
        if let Some((slot, held)) = self.meeting(region.base(), region.limit()) {
            return Err(MapError::Overlap { region, slot, held: held.region });
        }
        self.put(slot, region, true)
    }

    /// Maps a region: into the first free slot, or as another reference to a region that maps it already.
    ///
    /// # Errors
    ///
    /// `WritableAndExecutable`, `Overlap`, `Clash`, `References`, `Exhausted`.
    pub fn map(&mut self, region: Region) -> Result<Update, MapError> {
        let Some((slot, held)) = self.meeting(region.base(), region.limit()) else {
            let free = Slot::all(self.regions).zip(&self.slots).find(|(_, entry)| entry.is_none());
            let (slot, _) = free.ok_or(MapError::Exhausted { regions: self.regions })?;
            return self.put(slot, region, false);
        };
        let held = *held;
        if !(held.region.contains(region.base()) && held.region.contains(region.limit())) {
            return Err(MapError::Overlap { region, slot, held: held.region });
        }
        if held.region.attrs() != region.attrs() {
            return Err(MapError::Clash { region, slot, held: held.region });
        }
        if held.references() > MORE_REFERENCES {
            return Err(MapError::References { slot });
        }
        let more = if held.is(region.base(), region.limit()) {
            Entry { whole: held.whole + 1, ..held }
        } else {
            Entry { parts: held.parts + 1, ..held }
        };
        self.set(slot, Some(more));
        Ok(Update::Nothing { slot })
    }

    /// Gives the region from `base` to `limit` other permissions; what kind of memory it is stays.
    ///
    /// # Errors
    ///
    /// `NotWhole`, `WritableAndExecutable`, and `Clash` for another attribute index, shareability or NS.
    pub fn protect(&mut self, base: u64, limit: u64, attrs: Attrs) -> Result<Update, MapError> {
        let not_whole = MapError::NotWhole { base, limit };
        let (slot, held) = self.whole(base, limit)?;
        let region = Region::new(base, limit, attrs).map_err(|_| not_whole)?;
        let same_memory = Attrs { ap: attrs.ap, xn: attrs.xn, ..held.region.attrs() };
        if region.attrs() != same_memory {
            return Err(MapError::Clash { region, slot, held: held.region });
        }
        refuse_wx(region)?;
        self.set(slot, Some(Entry { region, ..held }));
        Ok(Update::Replace { slot, words: region.words() })
    }

    /// Takes one mapping of the range back; the last one turns the region off.
    ///
    /// # Errors
    ///
    /// [`UnmapError`], each of them.
    pub fn unmap(&mut self, base: u64, limit: u64) -> Result<Update, UnmapError> {
        let inside = |(_, held): &(Slot, &Entry)| held.region.contains(base) && held.region.contains(limit);
        let found = self.meeting(base, limit).filter(inside);
        let (slot, held) = found.ok_or(UnmapError::NotMapped { base, limit })?;
        let held = *held;
        let left = match (held.is(base, limit), held.whole, held.parts) {
            (false, _, 0) => return Err(UnmapError::Part { base, limit, slot }),
            (false, ..) => Entry { parts: held.parts - 1, ..held },
            (true, 1, 0) if held.fixed => return Err(UnmapError::Fixed { slot }),
            (true, 1, 0) => {
                self.set(slot, None);
                return Ok(Update::Disable { slot });
            }
            (true, 1, _) => return Err(UnmapError::InUse { slot }),
            (true, ..) => Entry { whole: held.whole - 1, ..held },
        };
        self.set(slot, Some(left));
        Ok(Update::Nothing { slot })
    }

    /// Moves one end of the region from `base` to `limit`, which stays mapped meanwhile: one register of its slot changes.
    /// Where a neighbour gives way to another, the one that shrinks goes first, or the two overlap.
    ///
    /// # Errors
    ///
    /// `NotWhole`, also for an end that no region can have; `Overlap`.
    pub fn resize(&mut self, base: u64, limit: u64, end: End) -> Result<Update, MapError> {
        let (slot, held) = self.whole(base, limit)?;
        let (new_base, new_limit) = match end {
            End::Base(base) => (base, limit),
            End::Limit(limit) => (base, limit),
        };
        let region =
            Region::new(new_base, new_limit, held.region.attrs()).map_err(|_| MapError::NotWhole { base, limit })?;
        let meets = |(_, entry): &(Slot, &Entry)| entry.region.base() <= new_limit && new_base <= entry.region.limit();
        if let Some((slot, other)) = self.entries().filter(|(at, _)| *at != slot).find(meets) {
            return Err(MapError::Overlap { region, slot, held: other.region });
        }
        self.set(slot, Some(Entry { region, ..held }));
        let words = region.words();
        Ok(match end {
            _ if region == held.region => Update::Nothing { slot },
            End::Base(_) => Update::Base { slot, words },
            End::Limit(_) => Update::Limit { slot, words },
        })
    }

    /// Moves the region from `base` to `limit` into the slot `to`, which is free.
    ///
    /// # Errors
    ///
    /// `NotWhole`, `Taken`.
    pub fn move_to(&mut self, base: u64, limit: u64, to: Slot) -> Result<Update, MapError> {
        let (from, held) = self.whole(base, limit)?;
        if from == to {
            return Ok(Update::Nothing { slot: to });
        }
        if !self.is_free(to) {
            return Err(MapError::Taken { slot: to });
        }
        self.set(from, None);
        self.set(to, Some(held));
        Ok(Update::TakeOver { from, to, words: held.region.words() })
    }

    /// The slot that holds exactly this range, for one mapping.
    fn whole(&self, base: u64, limit: u64) -> Result<(Slot, Entry), MapError> {
        let found = self.meeting(base, limit).filter(|(_, held)| held.is(base, limit) && held.references() == 1);
        found.map(|(slot, held)| (slot, *held)).ok_or(MapError::NotWhole { base, limit })
    }

    fn is_free(&self, slot: Slot) -> bool {
        slot.is_within(self.regions) && self.slots.get(slot.index()).is_some_and(Option::is_none)
    }

    /// The first slot whose region shares a byte with the range.
    fn meeting(&self, base: u64, limit: u64) -> Option<(Slot, &Entry)> {
        self.entries().find(|(_, entry)| entry.region.base() <= limit && base <= entry.region.limit())
    }

    fn put(&mut self, slot: Slot, region: Region, fixed: bool) -> Result<Update, MapError> {
        refuse_wx(region)?;
        if !self.is_free(slot) {
            return Err(MapError::Taken { slot });
        }
        self.set(slot, Some(Entry { region, whole: 1, parts: 0, fixed }));
        Ok(Update::Write { slot, words: region.words() })
    }

    fn set(&mut self, slot: Slot, entry: Option<Entry>) {
        if let Some(place) = self.slots.get_mut(slot.index()) {
            *place = entry;
        }
    }
}

fn refuse_wx(region: Region) -> Result<(), MapError> {
    let Attrs { ap, xn, .. } = region.attrs();
    if ap.writable() && !xn.bit1() { Err(MapError::WritableAndExecutable { region }) } else { Ok(()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;
    use crate::attrs::{Ap, Shareability, Xn};

    const RW: Attrs = Attrs { ap: Ap::RwPrivileged, xn: Xn::Never, sh: Shareability::Inner, attr_index: 0, ns: false };
    const RO: Attrs = Attrs { ap: Ap::RoPrivileged, ..RW };

    fn page(number: u64, attrs: Attrs) -> Region {
        Region::with_size(number << 12, 0x1000, attrs).unwrap()
    }

    #[test]
    fn a_second_mapping_is_a_reference_and_the_last_one_turns_the_region_off() {
        let mut table = Mappings::<4>::new(4);
        assert_eq!(table.map(page(1, RW)), Ok(Update::Write { slot: Slot::new(0), words: page(1, RW).words() }));
        assert_eq!(table.map(page(1, RW)), Ok(Update::Nothing { slot: Slot::new(0) }));
        assert_eq!(table.unmap(0x1000, 0x1fff), Ok(Update::Nothing { slot: Slot::new(0) }));
        assert_eq!(table.unmap(0x1000, 0x1fff), Ok(Update::Disable { slot: Slot::new(0) }));
        assert_eq!(table.unmap(0x1000, 0x1fff), Err(UnmapError::NotMapped { base: 0x1000, limit: 0x1fff }));
        assert_eq!(table, Mappings::new(4));
    }

    #[test]
    fn exhaustion_and_clashes_change_nothing() {
        let mut table = Mappings::<2>::new(9);
        table.map(page(1, RW)).unwrap();
        table.map(page(3, RW)).unwrap();
        let before = table.clone();
        assert_eq!(table.map(page(5, RW)), Err(MapError::Exhausted { regions: 2 }));
        let clash = MapError::Clash { region: page(1, RO), slot: Slot::new(0), held: page(1, RW) };
        assert_eq!(table.map(page(1, RO)), Err(clash));
        let wide = Region::with_size(0x1000, 0x2000, RW).unwrap();
        assert_eq!(table.map(wide), Err(MapError::Overlap { region: wide, slot: Slot::new(0), held: page(1, RW) }));
        let wx = page(7, Attrs { xn: Xn::Exec, ..RW });
        let mut empty = Mappings::<2>::new(2);
        assert_eq!(empty.map(wx), Err(MapError::WritableAndExecutable { region: wx }));
        assert_eq!((table, empty), (before, Mappings::new(2)));
    }

    #[test]
    fn what_runs_is_put_beside_what_is_mapped() {
        let mut table = Mappings::<4>::new(4);
        table.map(page(1, RW)).unwrap();
        assert_eq!(
            table.fix(Slot::new(2), page(1, RW)),
            Err(MapError::Overlap { region: page(1, RW), slot: Slot::new(0), held: page(1, RW) })
        );
        assert_eq!(
            table.fix(Slot::new(2), page(2, RW)),
            Ok(Update::Write { slot: Slot::new(2), words: page(2, RW).words() })
        );
    }

    #[test]
    fn a_range_that_sticks_out_of_a_region_is_not_mapped() {
        let mut table = Mappings::<2>::new(2);
        table.map(page(2, RW)).unwrap();
        for (base, limit) in [(0x1000, 0x2fff), (0x2000, 0x3fff)] {
            assert_eq!(table.unmap(base, limit), Err(UnmapError::NotMapped { base, limit }));
        }
        assert_eq!(table.unmap(0x2000, 0x2fff), Ok(Update::Disable { slot: Slot::new(0) }));
    }

    #[test]
    fn references_are_counted_in_eight_bits() {
        let mut table = Mappings::<1>::new(1);
        for _ in 0..256 {
            table.map(page(1, RW)).unwrap();
        }
        assert_eq!(table.map(page(1, RW)), Err(MapError::References { slot: Slot::new(0) }));
    }

    #[test]
    fn a_part_can_be_mapped_and_given_back_but_not_taken_out() {
        let mut table = Mappings::<2>::new(2);
        table.map(Region::with_size(0x1000, 0x3000, RW).unwrap()).unwrap();
        assert_eq!(
            table.unmap(0x2000, 0x2fff),
            Err(UnmapError::Part { base: 0x2000, limit: 0x2fff, slot: Slot::new(0) })
        );
        table.map(page(2, RW)).unwrap();
        // Found by the property test: one count for both would let the whole go here and keep it mapped.
        assert_eq!(table.unmap(0x1000, 0x3fff), Err(UnmapError::InUse { slot: Slot::new(0) }));
        table.map(page(3, RW)).unwrap();
        for _ in 0..2 {
            assert_eq!(table.unmap(0x2000, 0x2fff), Ok(Update::Nothing { slot: Slot::new(0) }));
        }
        assert_eq!(
            table.unmap(0x2000, 0x2fff),
            Err(UnmapError::Part { base: 0x2000, limit: 0x2fff, slot: Slot::new(0) })
        );
        assert_eq!(table.unmap(0x3000, 0x4fff), Err(UnmapError::NotMapped { base: 0x3000, limit: 0x4fff }));
    }

    #[test]
    fn rights_change_on_a_whole_region_with_one_mapping() {
        let mut table = Mappings::<2>::new(2);
        let text = Attrs { ap: Ap::RoPrivileged, xn: Xn::Exec, ..RW };
        table.map(page(1, text)).unwrap();
        let words = page(1, RW).words();
        assert_eq!(table.protect(0x1000, 0x1fff, RW), Ok(Update::Replace { slot: Slot::new(0), words }));
        assert_eq!(table.protect(0x1000, 0x17ff, RO), Err(MapError::NotWhole { base: 0x1000, limit: 0x17ff }));
        let device = Attrs { attr_index: 1, ..RW };
        let clash = MapError::Clash { region: page(1, device), slot: Slot::new(0), held: page(1, RW) };
        assert_eq!(table.protect(0x1000, 0x1fff, device), Err(clash));
        table.map(page(1, RW)).unwrap();
        assert_eq!(table.protect(0x1000, 0x1fff, RO), Err(MapError::NotWhole { base: 0x1000, limit: 0x1fff }));
    }

    #[test]
    fn an_end_moves_unless_somebody_is_in_the_way() {
        let mut table = Mappings::<4>::new(4);
        let rodata = Region::with_size(0x1000, 0x1000, RO).unwrap();
        let data = Region::with_size(0x2000, 0x3000, RW).unwrap();
        table.map(rodata).unwrap();
        table.map(data).unwrap();
        let grow = End::Limit(0x2fff);
        let grown = Region::with_size(0x1000, 0x2000, RO).unwrap();
        let before = table.clone();
        let overlap = MapError::Overlap { region: grown, slot: Slot::new(1), held: data };
        assert_eq!(table.resize(0x1000, 0x1fff, grow), Err(overlap));
        for end in [End::Base(0x2001), End::Base(0x5000), End::Limit(0x1fff)] {
            let not_whole = MapError::NotWhole { base: 0x2000, limit: 0x4fff };
            assert_eq!(table.resize(0x2000, 0x4fff, end), Err(not_whole), "{end:?}");
        }
        assert_eq!(table, before);
        let shrunk = Region::with_size(0x3000, 0x2000, RW).unwrap().words();
        assert_eq!(
            table.resize(0x2000, 0x4fff, End::Base(0x3000)),
            Ok(Update::Base { slot: Slot::new(1), words: shrunk })
        );
        assert_eq!(table.resize(0x1000, 0x1fff, grow), Ok(Update::Limit { slot: Slot::new(0), words: grown.words() }));
        assert_eq!(table.resize(0x1000, 0x2fff, grow), Ok(Update::Nothing { slot: Slot::new(0) }));
    }

    #[test]
    fn a_region_moves_to_a_slot_that_is_free() {
        let mut table = Mappings::<4>::new(3);
        table.map(page(1, RW)).unwrap();
        table.map(page(3, RW)).unwrap();
        for taken in [1, 3].map(Slot::new) {
            assert_eq!(table.move_to(0x1000, 0x1fff, taken), Err(MapError::Taken { slot: taken }));
        }
        let words = page(1, RW).words();
        assert_eq!(
            table.move_to(0x1000, 0x1fff, Slot::new(2)),
            Ok(Update::TakeOver { from: Slot::new(0), to: Slot::new(2), words })
        );
        assert_eq!(table.move_to(0x1000, 0x1fff, Slot::new(2)), Ok(Update::Nothing { slot: Slot::new(2) }));
        assert_eq!(
            table.move_to(0x5000, 0x5fff, Slot::new(0)),
            Err(MapError::NotWhole { base: 0x5000, limit: 0x5fff })
        );
    }

    #[test]
    fn fixed_regions_stay_and_keep_their_slot() {
        let mut table = Mappings::<4>::new(4);
        assert_eq!(
            table.fix(Slot::new(2), page(9, RO)),
            Ok(Update::Write { slot: Slot::new(2), words: page(9, RO).words() })
        );
        assert_eq!(table.unmap(0x9000, 0x9fff), Err(UnmapError::Fixed { slot: Slot::new(2) }));
        assert_eq!(table.fix(Slot::new(2), page(1, RO)), Err(MapError::Taken { slot: Slot::new(2) }));
        assert_eq!(table.fix(Slot::new(4), page(1, RO)), Err(MapError::Taken { slot: Slot::new(4) }));
        for number in [1, 3, 5] {
            table.map(page(number, RW)).unwrap();
        }
        let slots = table.iter().map(|(slot, region, _)| (slot.number(), region.base() >> 12));
        assert!(slots.eq([(0, 1), (1, 3), (2, 9), (3, 5)]));
    }

    #[test]
    fn how_many_there_are_and_how_many_are_used() {
        let mut table = Mappings::<4>::new(3);
        assert_eq!((table.regions(), table.used()), (3, 0));
        for (used, number) in (1..).zip([1, 3, 5]) {
            table.map(page(number, RW)).unwrap();
            assert_eq!(table.used(), used);
        }
        assert_eq!(Mappings::<4>::new(9).regions(), 4, "no more than there is room for");
    }
}
