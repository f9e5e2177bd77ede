//! Whether an MPU has room for what a system wants, and what would help if not.

use super::cover::{Cover, Mapping};

/// What a system wants of one MPU.
///
/// Fixed regions take the lowest slots and stay there in every view, windows the next, and the regions of the view in
/// force the rest. Fixed regions first is the order that Xen's MPU series arrived at as well: what runs is never moved.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a, O> {
    /// Regions the MPU has.
    pub available: u8,
    /// Mapped in every view, at slots of their own.
    pub fixed: &'a Cover<'a, O>,
    /// Slots kept for temporary mappings.
    pub windows: usize,
    /// The views, of which one at a time is enabled beside the fixed regions.
    pub views: &'a [Cover<'a, O>],
    /// Memory and devices that somebody has, mapped or not: no gap that is proposed to be closed touches them.
    pub claimed: &'a Cover<'a, O>,
}

/// Why a system cannot be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal<O> {
    /// A view wants what is fixed: the two would overlap, and fixed regions do not change.
    TouchesFixed {
        /// Position of the view.
        view: usize,
        /// What it wants.
        wants: Mapping<O>,
        /// What stands there in every view.
        fixed: Mapping<O>,
    },
    /// Too few regions.
    Short(Shortfall),
}

/// A view that does not fit, and the smallest changes of three kinds that would make it fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "view {view} needs {required} regions ({fixed} fixed, {windows} windows, {own} of its own) and the MPU has \
     {available}"
)]
pub struct Shortfall {
    /// Position of the view that needs most.
    pub view: usize,
    /// Regions it needs: an MPU with as many runs it.
    pub required: usize,
    /// Regions there are.
    pub available: u8,
    /// Fixed regions.
    pub fixed: usize,
    /// Windows.
    pub windows: usize,
    /// Regions of the view itself.
    pub own: usize,
    /// Windows to do without, if doing without some (and keeping one) is enough.
    pub fewer_windows: Option<usize>,
    /// Memory that nobody claims to give to its neighbours, if that is enough.
    pub close_gaps: Option<Gaps>,
}

/// Gaps in a view that nobody claims, between neighbours of equal rights: each one mapped along with them saves a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gaps {
    /// How many.
    pub count: usize,
    /// Bytes in them: no other choice of as many gaps has fewer.
    pub bytes: u64,
}

impl<O: Copy> Demand<'_, O> {
    /// R: the regions that the fullest view takes, and the position of that view (the first of several; 0 if there are none).
    #[must_use]
    pub fn required(&self) -> (usize, usize) {
        let standing = self.fixed.runs().count() + self.windows;
        let fullest = self.views.iter().map(|view| view.runs().count()).enumerate();
        let (view, own) = fullest.rev().max_by_key(|(_, own)| *own).unwrap_or((0, 0));
        (standing + own, view)
    }

    /// Whether every view fits.
    ///
    /// # Errors
    ///
    /// [`Refusal::TouchesFixed`] for the first view that wants something fixed, else [`Refusal::Short`] for the fullest view.
    pub fn check(&self) -> Result<(), Refusal<O>> {
        for (view, cover) in self.views.iter().enumerate() {
            for wants in cover.strips() {
                if let Some(fixed) = self.fixed.touching(wants.region.base(), wants.region.limit()) {
                    return Err(Refusal::TouchesFixed { view, wants: *wants, fixed: *fixed });
                }
            }
        }
        let (required, view) = self.required();
        let excess = required.saturating_sub(self.available.into());
        if excess == 0 {
            return Ok(());
        }
        let fixed = self.fixed.runs().count();
        Err(Refusal::Short(Shortfall {
            view,
            required,
            available: self.available,
            fixed,
            windows: self.windows,
            own: required - fixed - self.windows,
            fewer_windows: (excess < self.windows).then_some(excess),
            close_gaps: self.views.get(view).and_then(|cover| self.gaps(cover, excess)),
        }))
    }

    /// The `count` smallest gaps of `cover` that could be mapped along, if there are as many.
    fn gaps(&self, cover: &Cover<'_, O>, count: usize) -> Option<Gaps> {
        let mut bytes = 0_u64;
        // The next in order of size and address each time: no list of them need be kept.
        let mut last = None;
        for _ in 0..count {
            let next = self.free_gaps(cover).filter(|gap| last.is_none_or(|last| *gap > last)).min()?;
            bytes = bytes.saturating_add(next.0);
            last = Some(next);
        }
        Some(Gaps { count, bytes })
    }

    /// Size and base of each gap between neighbours of equal rights in `cover` that no view uses and nobody claims.
    fn free_gaps(&self, cover: &Cover<'_, O>) -> impl Iterator<Item = (u64, u64)> {
        let pairs = cover.runs().zip(cover.runs().skip(1));
        pairs.filter(|(low, high)| low.region.attrs() == high.region.attrs()).filter_map(|(low, high)| {
            let (base, limit) = (low.region.limit() + 1, high.region.base() - 1);
            let used = |cover: &Cover<'_, O>| cover.touching(base, limit).is_some();
            let taken = used(self.fixed) || used(self.claimed) || self.views.iter().any(used);
            (!taken).then_some((limit - base + 1, base))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
mod tests {
    extern crate std;
    use super::*;
    use crate::attrs::{Ap, Attrs, Shareability, Xn};
    use crate::region::Region;
    use std::string::ToString;
    use std::vec::Vec;

    const A: Attrs = Attrs { ap: Ap::RwPrivileged, xn: Xn::Never, sh: Shareability::Inner, attr_index: 0, ns: false };

    fn at(base: u64, size: u64) -> Mapping<u8> {
        Mapping { region: Region::with_size(base, size, A).unwrap(), owner: 0 }
    }

    fn check(available: u8, windows: usize, fixed: &[(u64, u64)], views: &[&[(u64, u64)]]) -> Result<(), Refusal<u8>> {
        check_beside(&[], available, windows, fixed, views)
    }

    fn check_beside(
        claimed: &[(u64, u64)],
        available: u8,
        windows: usize,
        fixed: &[(u64, u64)],
        views: &[&[(u64, u64)]],
    ) -> Result<(), Refusal<u8>> {
        let filler = at(0, 64);
        let mut rooms: Vec<Vec<_>> = views.iter().map(|view| std::vec![filler; 2 * view.len()]).collect();
        let mut fixed_room = std::vec![filler; 2 * fixed.len()];
        let mut covers: Vec<Cover<'_, u8>> = rooms.iter_mut().map(|room| Cover::new(room)).collect();
        for (cover, view) in covers.iter_mut().zip(views) {
            cover.draw_all(view.iter().map(|(base, size)| at(*base, *size))).unwrap();
        }
        let mut fixed_cover = Cover::new(&mut fixed_room);
        fixed_cover.draw_all(fixed.iter().map(|(base, size)| at(*base, *size))).unwrap();
        let mut claimed_room = std::vec![filler; 2 * claimed.len()];
        let mut claimed_cover = Cover::new(&mut claimed_room);
        claimed_cover.draw_all(claimed.iter().map(|(base, size)| at(*base, *size))).unwrap();
        Demand { available, fixed: &fixed_cover, windows, views: &covers, claimed: &claimed_cover }.check()
    }

    fn short(result: Result<(), Refusal<u8>>) -> Shortfall {
        match result {
            Err(Refusal::Short(shortfall)) => shortfall,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_fits_at_r_and_is_refused_at_one_less() {
        let views: [&[(u64, u64)]; 2] = [&[(0x4000, 0x1000)], &[(0x6000, 0x1000), (0x8000, 0x1000)]];
        assert_eq!(check(5, 1, &[(0, 0x1000), (0x2000, 0x1000)], &views), Ok(()));
        let shortfall = short(check(4, 1, &[(0, 0x1000), (0x2000, 0x1000)], &views));
        assert_eq!((shortfall.view, shortfall.required, shortfall.own), (1, 5, 2));
        assert_eq!(
            shortfall.to_string(),
            "view 1 needs 5 regions (2 fixed, 1 windows, 2 of its own) and the MPU has 4"
        );
    }

    #[test]
    fn the_smallest_gaps_are_offered_and_used_ones_are_not() {
        let many: &[(u64, u64)] = &[(0x10000, 0x1000), (0x18000, 0x1000), (0x1a000, 0x1000), (0x1c000, 0x1000)];
        // The gap at 0x19000 is another view's: of the two left, the small one is enough.
        let shortfall = short(check(3, 0, &[], &[many, &[(0x19000, 0x40)]]));
        assert_eq!(shortfall.close_gaps, Some(Gaps { count: 1, bytes: 0x1000 }));
        let shortfall = short(check(2, 0, &[], &[many, &[(0x19000, 0x40)]]));
        assert_eq!(shortfall.close_gaps, Some(Gaps { count: 2, bytes: 0x8000 }));
        assert_eq!(short(check(1, 0, &[], &[many, &[(0x19000, 0x40)]])).close_gaps, None);
    }

    #[test]
    fn a_gap_in_which_somebody_has_something_is_not_offered() {
        let two: &[(u64, u64)] = &[(0x10000, 0x1000), (0x12000, 0x1000)];
        let device: &[(u64, u64)] = &[(0x11040, 0x40)];
        assert_eq!(short(check_beside(device, 1, 0, &[], &[two])).close_gaps, None);
        let beside: &[(u64, u64)] = &[(0xf000, 0x1000), (0x13000, 0x40)];
        assert_eq!(short(check_beside(beside, 1, 0, &[], &[two])).close_gaps, Some(Gaps { count: 1, bytes: 0x1000 }));
    }

    #[test]
    fn fewer_windows_help_while_one_stays() {
        let view: &[(u64, u64)] = &[(0x1000, 0x1000)];
        assert_eq!(short(check(3, 3, &[], &[view])).fewer_windows, Some(1));
        assert_eq!(short(check(1, 3, &[], &[view])).fewer_windows, None);
    }

    #[test]
    fn a_view_cannot_have_what_is_fixed() {
        let refused = check(9, 0, &[(0, 0x1000)], &[&[(0x2000, 0x1000)], &[(0xfc0, 0x80)]]);
        let (wants, fixed) = (at(0xfc0, 0x80), at(0, 0x1000));
        assert_eq!(refused, Err(Refusal::TouchesFixed { view: 1, wants, fixed }));
    }
}
