//! What is tested: an allocator of regions; and the one of this crate.

use core::fmt::Debug;

use super::hardware::Hardware;
use crate::driver::Slots;
use crate::planner::{MapError, Mappings, UnmapError};
use crate::region::Region;
use crate::slot::Slot;

/// Code that maps and unmaps ranges through an MPU.
pub trait Allocator: Debug {
    /// Why it refuses.
    type Error: Debug;

    /// Takes over `hardware`, whose [`Hardware::fixed`] regions stand in slots 0 and on already.
    fn new(hardware: &mut Hardware) -> Self;

    /// Maps `region`. It may be mapped already; then each mapping is undone by an unmap of its own. It may lie in a mapping
    /// that has other rights; then it is refused, or carved out of that until it is unmapped.
    fn map(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), Self::Error>;

    /// Undoes one mapping of exactly this region. It may be refused while a part of the region is mapped as well.
    fn unmap(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), Self::Error>;

    /// Regions that are not in use.
    fn free(&self) -> usize;
}

/// [`Mappings`] with [`Slots`] behind it: how the two go together.
#[derive(Debug, Clone)]
pub struct Mapped {
    table: Mappings<{ crate::MAX_REGIONS }>,
    slots: Slots,
}

/// Why [`Mapped`] refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MappedError {
    /// A map.
    #[error(transparent)]
    Map(#[from] MapError),
    /// An unmap.
    #[error(transparent)]
    Unmap(#[from] UnmapError),
}

impl Allocator for Mapped {
    type Error = MappedError;

    fn new(hardware: &mut Hardware) -> Self {
        let regions = hardware.mpu().regions();
        let mut mapped = Self { table: Mappings::new(regions), slots: Slots::new(regions) };
        for (slot, region) in Slot::all(regions).zip(hardware.fixed().to_vec()) {
            // They stand there already; writing the same words again changes nothing.
            if let Ok(update) = mapped.table.fix(slot, region) {
                let Ok(()) = mapped.slots.apply(hardware, update);
            }
        }
        mapped
    }

    fn map(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), MappedError> {
        let update = self.table.map(region)?;
        let Ok(()) = self.slots.apply(hardware, update);
        Ok(())
    }

    fn unmap(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), MappedError> {
        let update = self.table.unmap(region.base(), region.limit())?;
        let Ok(()) = self.slots.apply(hardware, update);
        Ok(())
    }

    fn free(&self) -> usize {
        usize::from(self.table.regions()) - self.table.used()
    }
}
