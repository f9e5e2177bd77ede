//! The fewest register writes from one view to another.
//!
//! A slot that already holds a wanted region costs nothing. One whose range is right costs the word in which the rights
//! differ, one whose PRBAR is right costs its PRLAR; any other costs both, for a range changes only while its slot is
//! off. Regions can go into any of the slots a view may use, so the choice matters.

use crate::regs::RegionWords;

/// Slots that a switch can be planned over.
pub const MAX_SLOTS: usize = crate::MAX_REGIONS;

/// What a switch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Writes of PRBAR and PRLAR that bring the new view in.
    pub words: usize,
    /// Slots to be turned off first: those that are on and get another range or none. Below 32 one write of PRENR does it
    /// for all, above a PRLAR each.
    pub off: usize,
}

/// More regions wanted than there are slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} regions do not fit {slots} slots")]
pub struct NoRoom {
    /// Regions wanted.
    pub wanted: usize,
    /// Slots lent.
    pub slots: usize,
}

/// Whether a slot can go from `held` to `wanted` while it is on: the range stays, so whichever of the two is in force in
/// between, no other region is overlapped and nothing is uncovered.
#[must_use]
pub fn in_place(held: RegionWords, wanted: RegionWords) -> bool {
    held.enabled() && wanted.enabled() && held.base() == wanted.base() && held.limit() == wanted.limit()
}

/// Whether PRBAR and PRLAR have to be written for a slot to go from `held` to `wanted`. Turning a slot off clears its EN,
/// so that PRLAR follows whenever the slot was off or has to be.
#[must_use]
pub fn writes(held: RegionWords, wanted: RegionWords) -> (bool, bool) {
    let off = held != wanted && !in_place(held, wanted);
    (held.prbar != wanted.prbar, off || held.prlar != wanted.prlar)
}

fn count(held: RegionWords, wanted: RegionWords) -> usize {
    let (prbar, prlar) = writes(held, wanted);
    usize::from(prbar) + usize::from(prlar)
}

/// Chooses a slot for each region of `wanted`, so that the fewest words change, and rewrites `slots` from what they hold to
/// what they are to hold; those left over are turned off and keep their words.
///
/// The choice is exact. A region goes where its words stand already: anywhere else it costs one at least, and so does
/// another in its place, while the other way round the two cost two at most. What is left is a matching of regions to
/// slots that cost one word, and it is made as large as it can be.
///
/// # Errors
///
/// [`NoRoom`], and `slots` is as before.
pub fn place(slots: &mut [RegionWords], wanted: &[RegionWords]) -> Result<Cost, NoRoom> {
    if wanted.len() > slots.len() || slots.len() > MAX_SLOTS {
        return Err(NoRoom { wanted: wanted.len(), slots: slots.len().min(MAX_SLOTS) });
    }
    let mut matching = Matching { slots, wanted, of_slot: [None; MAX_SLOTS] };
    for cost in [0, 1] {
        for region in 0..wanted.len() {
            if !matching.placed(region) {
                matching.augment(region, cost, &mut [false; MAX_SLOTS]);
            }
        }
    }
    for region in 0..wanted.len() {
        if !matching.placed(region) {
            matching.anywhere(region);
        }
    }
    let chosen = matching.of_slot;
    Ok(apply(slots, wanted, &chosen))
}

fn apply(slots: &mut [RegionWords], wanted: &[RegionWords], chosen: &[Option<u8>; MAX_SLOTS]) -> Cost {
    let mut cost = Cost::default();
    for (slot, region) in slots.iter_mut().zip(chosen) {
        let next = region.and_then(|region| wanted.get(usize::from(region)).copied()).unwrap_or(slot.disabled());
        if region.is_some() {
            cost.words += count(*slot, next);
        }
        cost.off += usize::from(slot.enabled() && *slot != next && !in_place(*slot, next));
        *slot = next;
    }
    cost
}

/// Regions on their way to slots.
struct Matching<'a> {
    slots: &'a [RegionWords],
    wanted: &'a [RegionWords],
    /// The region that each slot is to hold.
    of_slot: [Option<u8>; MAX_SLOTS],
}

impl Matching<'_> {
    fn placed(&self, region: usize) -> bool {
        self.of_slot.iter().flatten().any(|of| usize::from(*of) == region)
    }

    fn put(&mut self, slot: usize, region: usize) {
        if let Some(place) = self.of_slot.get_mut(slot) {
            *place = u8::try_from(region).ok();
        }
    }

    fn cost(&self, slot: usize, region: usize) -> usize {
        let pair = self.slots.get(slot).zip(self.wanted.get(region));
        pair.map_or(usize::MAX, |(held, wanted)| count(*held, *wanted))
    }

    /// Puts `region` into the first slot that is left.
    fn anywhere(&mut self, region: usize) {
        if let Some(slot) = self.of_slot.iter().take(self.slots.len()).position(Option::is_none) {
            self.put(slot, region);
        }
    }

    /// Finds a slot at `cost` for `region`, moving regions placed at the same cost to others of theirs if need be.
    fn augment(&mut self, region: usize, cost: usize, tried: &mut [bool; MAX_SLOTS]) -> bool {
        for slot in 0..self.slots.len() {
            // Only a slot that this region could have counts as tried: another region on the way may have others.
            if self.cost(slot, region) != cost
                || tried.get_mut(slot).is_none_or(|tried| core::mem::replace(tried, true))
            {
                continue;
            }
            let free = match self.of_slot.get(slot).copied().flatten() {
                None => true,
                // One that stands cheaper where it is stays.
                Some(holder) => self.cost(slot, holder.into()) == cost && self.augment(holder.into(), cost, tried),
            };
            if free {
                self.put(slot, region);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;
    use crate::attrs::{Ap, Attrs, Shareability, Xn};
    use crate::region::Region;

    const A: Attrs = Attrs { ap: Ap::RwPrivileged, xn: Xn::Never, sh: Shareability::Inner, attr_index: 0, ns: false };

    fn words(base: u64, size: u64, ap: Ap) -> RegionWords {
        Region::with_size(base, size, Attrs { ap, ..A }).unwrap().words()
    }

    #[test]
    fn what_stands_already_costs_nothing() {
        let (one, two) = (words(0x1000, 0x1000, Ap::RwAll), words(0x4000, 0x1000, Ap::RwAll));
        let mut slots = [one, two, RegionWords::default()];
        assert_eq!(place(&mut slots, &[two, one]), Ok(Cost::default()));
        assert_eq!(slots, [one, two, RegionWords::default()]);
    }

    #[test]
    fn other_rights_on_the_same_range_are_one_word_and_need_no_turning_off() {
        let (own, all) = (words(0x1000, 0x1000, Ap::RwAll), words(0x1000, 0x1000, Ap::RwPrivileged));
        let other = words(0x4000, 0x1000, Ap::RwPrivileged);
        let mut slots = [RegionWords::default(), own, RegionWords::default()];
        assert_eq!(place(&mut slots, &[other, all]), Ok(Cost { words: 3, off: 0 }));
        assert_eq!(slots, [other, all, RegionWords::default()]);
    }

    #[test]
    fn what_is_left_over_is_turned_off_and_keeps_its_words() {
        let (one, two) = (words(0x1000, 0x1000, Ap::RwAll), words(0x4000, 0x1000, Ap::RwAll));
        let mut slots = [one, two];
        assert_eq!(place(&mut slots, &[two]), Ok(Cost { words: 0, off: 1 }));
        assert_eq!(slots, [one.disabled(), two]);
        // Back again: the limit word brings EN with it.
        assert_eq!(place(&mut slots, &[one, two]), Ok(Cost { words: 1, off: 0 }));
    }

    #[test]
    fn a_region_gives_way_where_it_is_as_cheap_elsewhere() {
        // The first costs one word in either slot, the second in slot 0 only.
        let mut slots = [words(0x1000, 0x1000, Ap::RwAll).disabled(), words(0x1000, 0x3000, Ap::RoAll)];
        let first = words(0x1000, 0x3000, Ap::RwAll);
        let second = words(0x1000, 0x2000, Ap::RwAll);
        assert_eq!(place(&mut slots, &[first]), Ok(Cost { words: 1, off: 1 }));
        assert_eq!(slots, [first, words(0x1000, 0x3000, Ap::RoAll).disabled()]);
        let mut slots = [words(0x1000, 0x1000, Ap::RwAll).disabled(), words(0x1000, 0x3000, Ap::RoAll)];
        assert_eq!(place(&mut slots, &[first, second]), Ok(Cost { words: 2, off: 0 }));
        assert_eq!(slots, [second, first]);
    }

    #[test]
    fn who_can_go_nowhere_as_cheaply_stays() {
        let mut slots = [words(0x1000, 0x1000, Ap::RwAll).disabled(), RegionWords::default()];
        let (first, second) = (words(0x1000, 0x3000, Ap::RwAll), words(0x1000, 0x2000, Ap::RwAll));
        assert_eq!(place(&mut slots, &[first, second]), Ok(Cost { words: 3, off: 0 }));
        assert_eq!(slots, [first, second]);
        // Nor does one that costs nothing where it is make room for one that would cost one word there.
        let mut slots = [first, RegionWords::default()];
        assert_eq!(place(&mut slots, &[first, second]), Ok(Cost { words: 2, off: 0 }));
        assert_eq!(slots, [first, second]);
    }

    #[test]
    fn too_many_regions_are_refused_and_nothing_moves() {
        let one = words(0x1000, 0x1000, Ap::RwAll);
        let mut slots = [one];
        assert_eq!(place(&mut slots, &[one, words(0x4000, 0x40, Ap::RwAll)]), Err(NoRoom { wanted: 2, slots: 1 }));
        assert_eq!(slots, [one]);
    }

    #[test]
    fn which_of_the_two_words_are_written() {
        let page = words(0x1000, 0x1000, Ap::RwAll);
        assert_eq!(writes(page, page), (false, false));
        assert_eq!(writes(page.disabled(), page.disabled()), (false, false));
        assert_eq!(writes(page.disabled(), page), (false, true));
        assert_eq!(writes(page, words(0x1000, 0x1000, Ap::RoAll)), (true, false), "the range stays, so it stays on");
        // The same limit, but the slot is turned off for the base, which takes EN out of PRLAR.
        assert_eq!(writes(page, words(0x1800, 0x800, Ap::RwAll)), (true, true));
    }

    /// The first region is moved out of the second's way to where it is as cheap, which is not the first slot that is free.
    #[test]
    fn who_gives_way_goes_where_it_is_cheap() {
        let limits = words(0x1000, 0x3000, Ap::RoAll);
        let mut slots = [words(0x1000, 0x1000, Ap::RwAll).disabled(), words(0x8000, 0x1000, Ap::RoAll), limits];
        let (first, second) = (words(0x1000, 0x3000, Ap::RwAll), words(0x1000, 0x2000, Ap::RwAll));
        assert_eq!(place(&mut slots, &[first, second]), Ok(Cost { words: 2, off: 1 }));
        assert_eq!((slots[0], slots[1].enabled(), slots[2]), (second, false, first));
    }

    #[test]
    fn an_mpu_of_255_regions_can_be_filled_and_none_is_larger() {
        let all = core::array::from_fn::<_, MAX_SLOTS, _>(|slot| words(slot as u64 * 0x1000, 0x1000, Ap::RwAll));
        let mut slots = [RegionWords::default(); MAX_SLOTS];
        assert_eq!(place(&mut slots, &all), Ok(Cost { words: 510, off: 0 }));
        assert_eq!(slots, all);
        let mut more = [RegionWords::default(); MAX_SLOTS + 1];
        assert_eq!(place(&mut more, &all), Err(NoRoom { wanted: 255, slots: 255 }));
    }
}
