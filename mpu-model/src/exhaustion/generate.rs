//! Boards, layouts, regions and rights for tests.

use std::vec::Vec;

use proptest::prelude::*;

use crate::GRANULE;
use crate::attrs::{Ap, Attrs, Shareability, Xn};
use crate::region::Region;

/// Numbers of regions: those that are built, those around the banks of 16 and the reach of PRENR, and any other.
pub fn boards() -> impl Strategy<Value = u8> {
    prop_oneof![
        4 => prop::sample::select([16_u8, 20, 24, 32].as_slice()),
        1 => prop::sample::select([1_u8, 2, 15, 17, 31, 33, 48, 64, 255].as_slice()),
        1 => 1..=255_u8,
    ]
}

/// Rights a hypervisor gives: read-write or read-only, for EL2 or for all, executable only where it cannot be written.
pub fn rights() -> impl Strategy<Value = Attrs> {
    let permissions = prop::sample::select(
        [
            (Ap::RwPrivileged, Xn::Never),
            (Ap::RwAll, Xn::Never),
            (Ap::RoPrivileged, Xn::Never),
            (Ap::RoAll, Xn::Never),
            (Ap::RoPrivileged, Xn::Exec),
        ]
        .as_slice(),
    );
    (permissions, 0..2_u8).prop_map(|((ap, xn), attr_index)| Attrs {
        ap,
        xn,
        sh: Shareability::Inner,
        attr_index,
        ns: false,
    })
}

/// Regions from `base` on, within `granules` granules, at least one: mostly pages that repeat, touch and overlap, sometimes odd ones.
pub fn regions(base: u64, granules: u64) -> impl Strategy<Value = Region> {
    const PAGE: u64 = 4096 / GRANULE;
    let pages = granules.div_ceil(PAGE).max(1);
    let whole =
        (0..pages, 1..=4_u64).prop_map(move |(page, count)| (page * PAGE, (count * PAGE).min(granules - page * PAGE)));
    let odd = (0..granules).prop_flat_map(move |first| (Just(first), 1..=(granules - first).min(2 * PAGE)));
    let common = Attrs { ap: Ap::RwPrivileged, xn: Xn::Never, sh: Shareability::Inner, attr_index: 0, ns: false };
    let attrs = prop_oneof![3 => Just(common), 1 => rights()];
    (prop_oneof![4 => whole, 1 => odd], attrs).prop_filter_map("not a region", move |((first, count), attrs)| {
        Region::with_size(base + first * GRANULE, count * GRANULE, attrs).ok()
    })
}

/// What a hypervisor keeps mapped, and what each domain's view adds to it. No two of one view overlap, nor do fixed ones
/// and others.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Text, constants, data.
    pub fixed: Vec<Region>,
    /// One list for each view, in address order.
    pub views: Vec<Vec<Region>>,
}

/// Systems of up to `domains` domains with up to four mappings in each view; views share some ranges, with the same rights
/// or others.
pub fn layouts(domains: usize) -> impl Strategy<Value = Layout> {
    const SLOT: u64 = 0x10_0000;
    // Each place holds at most one mapping per view, so that mappings of a view are disjoint, and neighbours often touch.
    let mapping = (0..24_u64, prop_oneof![2 => Just(SLOT), 1 => (1..SLOT / GRANULE).prop_map(|size| size * GRANULE)]);
    let view = prop::collection::btree_map(0..24_u64, (mapping, rights()), 0..=4);
    prop::collection::vec(view, 1..=domains).prop_map(|views| {
        let region = |base, size, ap, xn| {
            Region::with_size(base, size, Attrs { ap, xn, sh: Shareability::Inner, attr_index: 0, ns: false }).ok()
        };
        let fixed = [
            region(0x20_0000, 0x8_0000, Ap::RoPrivileged, Xn::Exec),
            region(0x28_0000, 0x4_0000, Ap::RoPrivileged, Xn::Never),
            region(0x2c_0000, 0x5_0000, Ap::RwPrivileged, Xn::Never),
        ];
        let mapped = |(place, ((_, size), attrs))| Region::with_size(0x4000_0000 + place * SLOT, size, attrs).ok();
        let views = views.into_iter().map(|view| view.into_iter().filter_map(mapped).collect()).collect();
        Layout { fixed: fixed.into_iter().flatten().collect(), views }
    })
}
