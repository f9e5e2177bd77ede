//! What it costs to plan 64 domains of 4 mappings each, and to switch between two of their views.
//!
//! `cargo run --release -p mpu-model --example plan_speed` prints nanoseconds, and each as a multiple of a calibration
//! loop.
#![allow(clippy::expect_used, reason = "a measurement may stop")]

mod timing;

use mpu_model::planner::{Cover, Demand, Mapping, switch};
use mpu_model::{Ap, Attrs, Region, RegionWords, Shareability, Xn};
use std::hint::black_box;

const DOMAINS: usize = 64;
const MAPPINGS: usize = 4;
/// Regions of the MPU, of which the hypervisor's own take the first.
const BOARD: u8 = 16;
const FIXED: usize = 3;

fn mapping(base: u64, size: u64, ap: Ap, xn: Xn, owner: usize) -> Mapping<usize> {
    let attrs = Attrs { ap, xn, sh: Shareability::Inner, attr_index: 0, ns: false };
    Mapping { region: Region::with_size(base, size, attrs).expect("a valid region"), owner }
}

/// Text, read-only data, and data.
fn fixed() -> [Mapping<usize>; FIXED] {
    [
        mapping(0x20_0000, 0x8_0000, Ap::RoPrivileged, Xn::Exec, DOMAINS),
        mapping(0x28_0000, 0x2_0000, Ap::RoPrivileged, Xn::Never, DOMAINS),
        mapping(0x2a_0000, 0x6_0000, Ap::RwPrivileged, Xn::Never, DOMAINS),
    ]
}

/// Memory with a page of the hypervisor's carved out of it, a device, and a page shared with the next domain.
fn domain(index: usize) -> [Mapping<usize>; MAPPINGS] {
    let at = index as u64;
    let base = 0x4000_0000 + at * 0x10_0000;
    [
        mapping(base, 0x8_0000, Ap::RwAll, Xn::Exec, index),
        mapping(base + 0x4_0000, 0x1000, Ap::RwPrivileged, Xn::Never, DOMAINS),
        mapping(0xa000_0000 + at * 0x1_0000, 0x1000, Ap::RwAll, Xn::Never, index),
        mapping(0x9000_0000 + at / 2 * 0x1000, 0x1000, Ap::RwAll, Xn::Never, index),
    ]
}

/// Draws every view, finds out whether all fit, and gives each region of each view its slot. The writes that it takes to go
/// through all views once.
fn plan(domains: &[[Mapping<usize>; MAPPINGS]]) -> usize {
    let filler = fixed()[0];
    let mut room = [filler; Cover::<usize>::room(FIXED)];
    let mut own = Cover::new(&mut room);
    own.draw_all(fixed()).expect("room for all");
    let mut rooms = [[filler; Cover::<usize>::room(MAPPINGS)]; DOMAINS];
    let mut rooms = rooms.iter_mut();
    let views: [Cover<'_, usize>; DOMAINS] = core::array::from_fn(|index| {
        let mut cover = Cover::new(rooms.next().expect("one for each"));
        cover.draw_all(domains.get(index).copied().into_iter().flatten()).expect("room for all");
        cover
    });
    Demand { available: BOARD, fixed: &own, windows: 1, views: &views, claimed: &own }.check().expect("it fits");
    let mut slots = [RegionWords::default(); BOARD as usize - FIXED - 1];
    views.iter().map(|view| switch_to(&mut slots, view)).sum()
}

fn switch_to(slots: &mut [RegionWords], view: &Cover<'_, usize>) -> usize {
    let mut wanted = [RegionWords::default(); Cover::<usize>::room(MAPPINGS)];
    let mut count = 0;
    for (place, run) in wanted.iter_mut().zip(view.runs()) {
        *place = run.region.words();
        count += 1;
    }
    let cost = switch::place(slots, wanted.get(..count).unwrap_or_default()).expect("the demand was met");
    cost.words + cost.off
}

fn main() {
    let domains: [_; DOMAINS] = core::array::from_fn(domain);
    let words = plan(&domains);
    println!("{DOMAINS} domains of {MAPPINGS} mappings: {words} register words from each view to the next, all in all");
    timing::print(&[(
        "the whole plan",
        timing::time(1_000, 1, || {
            black_box(plan(black_box(&domains)));
        }),
    )]);
}
