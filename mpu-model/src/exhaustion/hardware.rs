//! The model's MPU with an eye on it.

use std::vec::Vec;

use crate::driver::Registers;
use crate::hazard::WriteHazard;
use crate::level::Level;
use crate::mpu::Mpu;
use crate::region::Region;
use crate::regs::{MpuReg, RegionWords, Sctlr};
use crate::rules::Rules;
use crate::slot::Slot;

/// An EL2 MPU that is judged after every register write.
///
/// The first property broken is kept and returned by [`Hardware::broken`]; writes go on, as they would on hardware.
#[derive(Debug, Clone)]
pub struct Hardware {
    mpu: Mpu,
    fixed: Vec<Region>,
    broken: Option<Broken>,
    writes: usize,
}

/// A property that did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Two enabled regions share a byte.
    #[error("slots {first} and {second} overlap from {at:#x} on")]
    Overlap {
        /// The one with the lower base.
        first: Slot,
        /// The other.
        second: Slot,
        /// The first byte they share.
        at: u64,
    },
    /// Something fixed is not mapped as it must be.
    #[error("fixed region {region} is no longer mapped")]
    Uncovered {
        /// What is fixed.
        region: Region,
    },
    /// A region register was written before the selection of its bank was synchronised.
    #[error("a write went astray: {0}")]
    Astray(WriteHazard),
    /// The allocator returned with writes that are not in force.
    #[error("{count} register writes still wait for a barrier")]
    NotSynchronised {
        /// How many.
        count: usize,
    },
    /// A byte that nobody asked for is mapped.
    #[error("{at:#x} is mapped and nobody asked for it")]
    Beside {
        /// The byte.
        at: u64,
    },
    /// A byte that was asked for is not mapped, or not with the rights asked for.
    #[error("{at:#x} was asked for and is not mapped so")]
    Missing {
        /// The byte.
        at: u64,
    },
    /// An operation failed and the registers are not as before.
    #[error("a failed operation changed slot {slot}")]
    FailureWrote {
        /// The slot.
        slot: Slot,
    },
    /// An operation failed and the count of free regions is not as before.
    #[error("{before} regions were free before a failed operation and {after} are after it")]
    FailureLeaked {
        /// Free before.
        before: usize,
        /// Free after.
        after: usize,
    },
    /// A range that overlaps nothing was refused while a region was free.
    #[error("{region} was refused while {free} regions were free")]
    Refused {
        /// The range.
        region: Region,
        /// Regions that the allocator said were free.
        free: usize,
    },
    /// A mapping that stands could not be unmapped.
    #[error("{region} is mapped and could not be unmapped")]
    Stuck {
        /// The range.
        region: Region,
    },
    /// Something that was not mapped was unmapped.
    #[error("{region} was not mapped, and unmapping it was no error")]
    Invented {
        /// The range.
        region: Region,
    },
}

impl Hardware {
    /// An MPU of `regions` regions that is on, with `fixed` in slots 0 and on, in force.
    #[must_use]
    pub fn new(regions: u8, fixed: &[Region]) -> Self {
        let mut mpu = Mpu::new(Level::El2, regions, Rules::default());
        let mut slots = crate::driver::Slots::new(regions);
        for (slot, region) in Slot::all(regions).zip(fixed) {
            // A hazard cannot arise: the driver synchronises every selection.
            let _ = slots.write(&mut mpu, slot, region.words());
        }
        let _ = mpu.write(MpuReg::Sctlr, Sctlr::ZERO.with_m(true).with_wxn(true).raw_value());
        mpu.dsb();
        mpu.context_sync();
        Self { mpu, fixed: fixed.to_vec(), broken: None, writes: 0 }
    }

    /// The MPU itself.
    #[must_use]
    pub const fn mpu(&self) -> &Mpu {
        &self.mpu
    }

    /// What was to stay mapped from the start, in slots 0 and on.
    #[must_use]
    pub fn fixed(&self) -> &[Region] {
        &self.fixed
    }

    /// The first property that a register write broke.
    #[must_use]
    pub const fn broken(&self) -> Option<Broken> {
        self.broken
    }

    /// Register writes so far.
    #[must_use]
    pub const fn writes(&self) -> usize {
        self.writes
    }

    /// The enabled slots in order of base.
    pub(super) fn by_base(&self) -> Vec<(Slot, RegionWords)> {
        let mut enabled: Vec<_> = self.mpu.enabled().filter(|(_, words)| words.base() <= words.limit()).collect();
        enabled.sort_by_key(|(_, words)| words.base());
        enabled
    }

    /// The state after one write. All states that hardware may see before the next barrier are such states.
    fn look(&self) -> Option<Broken> {
        let enabled = self.by_base();
        for pair in enabled.windows(2) {
            if let [(first, low), (second, high)] = pair
                && high.base() <= low.limit()
            {
                return Some(Broken::Overlap { first: *first, second: *second, at: high.base() });
            }
        }
        let covered = |region: &&Region| {
            enabled.iter().any(|(_, words)| {
                words.base() <= region.base() && region.limit() <= words.limit() && words.attrs() == region.attrs()
            })
        };
        self.fixed.iter().find(|region| !covered(region)).map(|region| Broken::Uncovered { region: *region })
    }
}

impl Registers for Hardware {
    type Fault = core::convert::Infallible;

    fn read(&mut self, reg: MpuReg) -> u64 {
        self.mpu.read(reg)
    }

    fn write(&mut self, reg: MpuReg, value: u64) -> Result<(), Self::Fault> {
        self.writes += 1;
        let astray = self.mpu.write(reg, value).err().map(Broken::Astray);
        self.broken = self.broken.or(astray).or_else(|| self.look());
        Ok(())
    }

    fn isb(&mut self) -> Result<(), Self::Fault> {
        self.mpu.context_sync();
        Ok(())
    }

    fn dsb(&mut self) -> Result<(), Self::Fault> {
        self.mpu.dsb();
        Ok(())
    }
}
