//! Small region allocators, as a hypervisor might have them, held against the properties of [`mpu_model::exhaustion`] in
//! `tests/properties.rs`.
//!
//! [`Careful`] keeps them. [`Hasty`] is the same with a defect of a kind that was seen in the field: it turns regions off
//! through `PRENR` alone, which does not reach regions 32 and above, and it hands a slot out before it knows that
//! there is one. The test shows that both are found and what they shrink to.
//!
//! [`Carving`] carves mappings out of wider ones with other rights, and puts those together again; [`Holed`] leaves the hole.
#![forbid(unsafe_code)]

mod carving;

pub use carving::{Carving, Holed};

use mpu_model::exhaustion::{Allocator, Hardware};
use mpu_model::{MpuReg, Region, Registers, Slot};

/// Why a range is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It overlaps one that is mapped.
    Overlap,
    /// No region is free.
    Exhausted,
    /// It is not mapped.
    NotMapped,
}

/// A first-fit table: one slot for each mapping, nothing shared.
#[derive(Debug, Clone)]
pub struct Careful {
    slots: Vec<Option<Region>>,
}

/// [`Careful`] with two defects.
#[derive(Debug, Clone)]
pub struct Hasty {
    table: Careful,
    free: usize,
}

impl Careful {
    /// The first slot that holds such a thing.
    fn first(&self, is: impl Fn(&Option<Region>) -> bool) -> Option<Slot> {
        Slot::all(u8::MAX).zip(&self.slots).find(|(_, held)| is(held)).map(|(slot, _)| slot)
    }

    fn find_free(&self, region: Region) -> Result<Slot, Refusal> {
        if self.slots.iter().flatten().any(|held| held.overlaps(&region)) {
            return Err(Refusal::Overlap);
        }
        self.first(Option::is_none).ok_or(Refusal::Exhausted)
    }

    fn find(&self, region: Region) -> Result<Slot, Refusal> {
        let same = |held: &Region| (held.base(), held.limit()) == (region.base(), region.limit());
        self.first(|held| held.as_ref().is_some_and(same)).ok_or(Refusal::NotMapped)
    }

    fn set(&mut self, slot: Slot, region: Option<Region>) {
        if let Some(place) = self.slots.get_mut(slot.index()) {
            *place = region;
        }
    }
}

/// Selects the slot, waits until that is in force, writes base and limit, waits again.
fn program(hardware: &mut Hardware, slot: Slot, region: Option<Region>) {
    let words = region.map(|region| region.words()).unwrap_or_default();
    let Ok(()) = hardware.write(MpuReg::Prselr, slot.number().into());
    let Ok(()) = hardware.isb();
    // The limit carries the enable bit: first when the region goes, last when it comes.
    let writes = [(MpuReg::Prbar, words.prbar), (MpuReg::Prlar, words.prlar)];
    let order = if region.is_some() { [0, 1] } else { [1, 0] };
    for (reg, value) in order.iter().filter_map(|at| writes.get(*at)) {
        let Ok(()) = hardware.write(*reg, *value);
    }
    let Ok(()) = hardware.dsb();
    let Ok(()) = hardware.isb();
}

impl Allocator for Careful {
    type Error = Refusal;

    fn new(hardware: &mut Hardware) -> Self {
        let mut slots = vec![None; hardware.mpu().regions().into()];
        for (slot, fixed) in slots.iter_mut().zip(hardware.fixed()) {
            *slot = Some(*fixed);
        }
        Self { slots }
    }

    fn map(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), Refusal> {
        let slot = self.find_free(region)?;
        program(hardware, slot, Some(region));
        self.set(slot, Some(region));
        Ok(())
    }

    fn unmap(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), Refusal> {
        let slot = self.find(region)?;
        program(hardware, slot, None);
        self.set(slot, None);
        Ok(())
    }

    fn free(&self) -> usize {
        self.slots.iter().filter(|slot| slot.is_none()).count()
    }
}

impl Allocator for Hasty {
    type Error = Refusal;

    fn new(hardware: &mut Hardware) -> Self {
        let table = Careful::new(hardware);
        Self { free: table.free(), table }
    }

    fn map(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), Refusal> {
        // The defect: its own state changes before it is clear that the request can be met.
        self.free = self.free.saturating_sub(1);
        self.table.map(hardware, region)
    }

    fn unmap(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), Refusal> {
        let slot = self.table.find(region)?;
        // The defect: PRENR has bits for regions 0 to 31 only.
        let enabled = hardware.read(MpuReg::Prenr);
        let Ok(()) = hardware.write(MpuReg::Prenr, enabled & !1_u64.checked_shl(slot.number().into()).unwrap_or(0));
        let Ok(()) = hardware.dsb();
        let Ok(()) = hardware.isb();
        self.table.set(slot, None);
        self.free += 1;
        Ok(())
    }

    fn free(&self) -> usize {
        self.free
    }
}
