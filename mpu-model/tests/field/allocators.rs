//! Allocators with one defect each, held against the properties that every allocator has to keep.

use super::{RW, page, text};
use mpu_model::exhaustion::{Allocator, Broken, Hardware, Mapped, Operation, run};
use mpu_model::{Ap, Attrs, MpuReg, Region, RegionWords, Registers, Slot, SlotSet, Slots, Xn};
use std::marker::PhantomData;

/// What a defect is about; the defaults are the right way.
trait Ways: std::fmt::Debug {
    /// The words that are written for a region.
    fn words(region: Region) -> RegionWords {
        region.words()
    }

    /// Turns a slot off.
    fn remove(slots: &mut Slots, hardware: &mut Hardware, slot: Slot, _held: Region) {
        let mut off = SlotSet::default();
        off.insert(slot);
        let Ok(()) = slots.disable(hardware, &off);
    }
}

/// A first-fit table over the slot driver.
#[derive(Debug)]
struct Table<W> {
    held: Vec<Option<Region>>,
    slots: Slots,
    ways: PhantomData<W>,
}

impl<W: Ways> Allocator for Table<W> {
    type Error = ();

    fn new(hardware: &mut Hardware) -> Self {
        let regions = hardware.mpu().regions();
        let (mut held, mut slots) = (vec![None; usize::from(regions)], Slots::new(regions));
        for (slot, fixed) in Slot::all(regions).zip(hardware.fixed().to_vec()) {
            held[slot.index()] = Some(fixed);
            let Ok(()) = slots.write(hardware, slot, fixed.words());
        }
        Self { held, slots, ways: PhantomData }
    }

    fn map(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), ()> {
        if self.held.iter().flatten().any(|held| held.overlaps(&region)) {
            return Err(());
        }
        let slot = self.held.iter().position(Option::is_none).ok_or(())?;
        let Ok(()) = self.slots.write(hardware, Slot::new(slot as u8), W::words(region));
        let Ok(()) = hardware.dsb();
        let Ok(()) = hardware.isb();
        self.held[slot] = Some(region);
        Ok(())
    }

    fn unmap(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), ()> {
        let slot = self.held.iter().position(|held| *held == Some(region)).ok_or(())?;
        W::remove(&mut self.slots, hardware, Slot::new(slot as u8), region);
        let Ok(()) = hardware.dsb();
        let Ok(()) = hardware.isb();
        self.held[slot] = None;
        Ok(())
    }

    fn free(&self) -> usize {
        self.held.iter().filter(|held| held.is_none()).count()
    }
}

#[derive(Debug)]
struct Right;

impl Ways for Right {}

/// What the steps break on an MPU of `regions` regions; the right ways and this crate's own table must break nothing.
fn broken<W: Ways>(regions: u8, operations: &[Operation]) -> Option<(usize, Broken)> {
    let fixed = [text()];
    assert_eq!(run::<Table<Right>>(regions, &fixed, operations), Ok(()));
    assert_eq!(run::<Mapped>(regions, &fixed, operations), Ok(()));
    run::<Table<W>>(regions, &fixed, operations).err()
}

/// Xen, `disable_mpu_region_from_index()` in `xen/arch/arm/mpu/mm.c` since commit 8181956698 (21 July 2025), still so at
/// c447b7308b (20 August 2026): the test that is to tell regions which PRENR reaches from those it does not is
/// `(index & PRENR_MASK) != 0` with a mask of all ones, so that it holds for every index but 0. For 32 and above the bit
/// that is cleared is RES0; the table takes the region for free while the hardware has it enabled.
#[test]
fn disable_of_region_32_and_above() {
    #[derive(Debug)]
    struct BitOfAnyIndex;
    impl Ways for BitOfAnyIndex {
        fn remove(slots: &mut Slots, hardware: &mut Hardware, slot: Slot, held: Region) {
            if slot == Slot::new(0) {
                return Right::remove(slots, hardware, slot, held);
            }
            let enabled = hardware.read(MpuReg::Prenr);
            let Ok(()) = hardware.write(MpuReg::Prenr, enabled & !(1 << slot.number()));
        }
    }
    // Text is in slot 0, so page n is in slot n.
    let until = |last| (1..=last).map(|number| Operation::Map(page(number, RW)));
    let removed = |slot: u64| until(slot).chain([Operation::Unmap(page(slot, RW))]).collect::<Vec<_>>();
    for slot in [32, 40, 63] {
        let at = page(slot, RW).base();
        assert_eq!(broken::<BitOfAnyIndex>(64, &removed(slot)), Some((slot as usize, Broken::Beside { at })));
    }
    // On the boards that are built nobody notices.
    assert_eq!(broken::<BitOfAnyIndex>(32, &removed(31)), None);
}

/// Zephyr issue 115177 (3 August 2026): taking a partition out of a memory domain on Armv8-R `AArch64` programmed the
/// removed partition's region once more instead of clearing it.
#[test]
fn removal_programs_the_removed_region_again() {
    #[derive(Debug)]
    struct WritesItBack;
    impl Ways for WritesItBack {
        fn remove(slots: &mut Slots, hardware: &mut Hardware, slot: Slot, held: Region) {
            let Ok(()) = slots.write(hardware, slot, held.words());
        }
    }
    let operations = [Operation::Map(page(0, RW)), Operation::Unmap(page(0, RW))];
    assert_eq!(broken::<WritesItBack>(16, &operations), Some((1, Broken::Beside { at: page(0, RW).base() })));
}

/// Tock pull request 4894 (June 2026): the limit of a region was off by one unit (32 bytes there, 64 on Armv8-R). LIMIT is
/// inclusive; the first byte behind the region is one granule too far.
#[test]
fn limit_off_by_a_granule() {
    #[derive(Debug)]
    struct EndAsLimit;
    impl Ways for EndAsLimit {
        fn words(region: Region) -> RegionWords {
            RegionWords { prlar: region.words().prlar + 64, ..region.words() }
        }
    }
    let one = page(0, RW);
    let alone = [Operation::Map(one)];
    assert_eq!(broken::<EndAsLimit>(16, &alone), Some((0, Broken::Beside { at: one.limit() + 1 })));
    // With a neighbour right behind, the first granule of that is in both.
    let next = Region::with_size(one.limit() + 1, 0x1000, RW).unwrap();
    let neighbours = [Operation::Map(next), Operation::Map(one)];
    let Some((0, Broken::Beside { .. })) = broken::<EndAsLimit>(16, &neighbours) else { panic!("not seen") };
}

/// Eclipse `ThreadX` issue 671 (August 2026): with the AP bits misread, regions that were meant read-only were silently
/// writable. PRBAR.AP\[2:1\]: the upper bit takes writes away, the lower one opens the region to EL1 and EL0.
#[test]
fn read_only_region_writable_by_misread_ap() {
    /// Takes the two bits for each other.
    #[derive(Debug)]
    struct BitsSwapped;
    impl Ways for BitsSwapped {
        fn words(region: Region) -> RegionWords {
            let Attrs { ap, .. } = region.attrs();
            let swapped = match ap {
                Ap::RoPrivileged => Ap::RwAll,
                Ap::RwAll => Ap::RoPrivileged,
                same => same,
            };
            RegionWords { prbar: region.words().prbar & !(0b11 << 2) | ap_bits(swapped), ..region.words() }
        }
    }
    let rodata = page(0, Attrs { ap: Ap::RoPrivileged, xn: Xn::Never, ..RW });
    let operations = [Operation::Map(rodata)];
    assert_eq!(broken::<BitsSwapped>(16, &operations), Some((0, Broken::Missing { at: rodata.base() })));
    // Read-write for EL2 alone and read-only for all look the same either way.
    assert_eq!(broken::<BitsSwapped>(16, &[Operation::Map(page(0, RW))]), None);
}

/// AP as it stands in PRBAR, by hand.
fn ap_bits(ap: Ap) -> u64 {
    let bits = match ap {
        Ap::RwPrivileged => 0b00,
        Ap::RwAll => 0b01,
        Ap::RoPrivileged => 0b10,
        Ap::RoAll => 0b11,
    };
    bits << 2
}
