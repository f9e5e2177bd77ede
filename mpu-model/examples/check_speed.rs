//! What one check costs at 32 regions: random addresses, and the same region again.
//!
//! `cargo run --release -p mpu-model --example check_speed` prints nanoseconds, and each as a multiple of a calibration
//! loop. `check_speed random N` (or `uneven`, or `again`) makes N checks and nothing else, for a tool that counts
//! instructions.
#![allow(clippy::expect_used, reason = "a measurement may stop")]

mod timing;

use mpu_model::{
    Access, AccessKind, Ap, Attrs, El, Level, Mpu, MpuReg, Regime, Region, Rules, Shareability, Slot, Slots, Xn,
};
use std::hint::black_box;
use timing::{BURST, step, time};

/// Where regions are: 4 MiB.
const BASE: u64 = 0x4000_0000;
const SIZE: u64 = 0x40_0000;

fn mpu(regions: impl Iterator<Item = (u64, u64, Ap)>) -> Mpu {
    let mut mpu = Mpu::new(Level::El2, 32, Rules::default());
    let mut slots = Slots::new(32);
    for (slot, (base, size, ap)) in Slot::all(32).zip(regions) {
        let attrs = Attrs { ap, xn: Xn::Never, sh: Shareability::Inner, attr_index: 0, ns: false };
        let region = Region::with_size(base, size, attrs).expect("a valid region");
        slots.write(&mut mpu, slot, region.words()).expect("selections are synchronised");
    }
    mpu.write(MpuReg::Sctlr, 1).expect("not a region register");
    mpu.dsb();
    mpu.context_sync();
    mpu
}

/// Regions of 64 KiB with gaps of the same size, open to guests: half of all addresses miss.
fn even() -> Mpu {
    mpu((0..32).map(|slot| (BASE + slot * 0x2_0000, 0x1_0000, Ap::RwAll)))
}

/// Regions of 64 bytes to 128 KiB in no order, of all rights: accesses are granted, denied, and miss.
fn uneven() -> Mpu {
    let rights = [Ap::RwAll, Ap::RoAll, Ap::RwPrivileged, Ap::RwAll];
    mpu((0..32).zip(rights.into_iter().cycle()).map(|(slot, ap)| {
        let place = slot * 13 % 32;
        (BASE + place * 0x2_0000 + (place % 3) * 64, 64 << (place % 12), ap)
    }))
}

fn check(mpu: &Mpu, addr: u64) {
    let access = Access { addr, size: 4, kind: AccessKind::Write, el: El::El1 };
    black_box(mpu.check(Regime::Stage2, access).result.is_ok());
}

/// Checks somewhere in the 4 MiB.
fn random(mpu: &Mpu) -> impl FnMut() {
    let mut state = 1;
    move || {
        state = step(state);
        check(mpu, BASE + ((state >> 33) & (SIZE - 4)));
    }
}

/// Checks one word after the other of one region.
fn again(mpu: &Mpu) -> impl FnMut() {
    let mut offset = 0;
    move || {
        offset = (offset + 4) & 0xffff;
        check(mpu, black_box(BASE + 0x10_0000 + offset));
    }
}

fn repeat(count: u32, mut round: impl FnMut()) {
    (0..count).for_each(|_| round());
}

fn main() {
    let (even, uneven) = (even(), uneven());
    let mut args = std::env::args().skip(1);
    if let (Some(what), Some(count)) = (args.next(), args.next()) {
        let count = count.parse::<u32>().expect("a number of checks");
        match &*what {
            "random" => repeat(count, random(&even)),
            "uneven" => repeat(count, random(&uneven)),
            "again" => repeat(count, again(&even)),
            other => panic!("{other}: random, uneven or again"),
        }
        return;
    }
    timing::print(&[
        ("random addresses", time(BURST, BURST, random(&even))),
        ("random, regions of all sizes", time(BURST, BURST, random(&uneven))),
        ("same region again", time(BURST, BURST, again(&even))),
    ]);
}
