//! Why the table of mappings refuses a change.

use crate::region::Region;
use crate::slot::Slot;

/// Why something cannot be mapped or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// What may be written must not be executed.
    #[error("{region} would be writable and executable: choose one of the two")]
    WritableAndExecutable {
        /// What was asked for.
        region: Region,
    },
    /// The range shares bytes with a region and is not inside it.
    #[error("{region} overlaps slot {slot}, which holds {held}: enabled regions must not overlap")]
    Overlap {
        /// What was asked for.
        region: Region,
        /// The slot in the way.
        slot: Slot,
        /// What that slot holds.
        held: Region,
    },
    /// The range is inside a region that has other attributes.
    #[error("{region} lies in slot {slot}, which holds {held} with other attributes")]
    Clash {
        /// What was asked for.
        region: Region,
        /// The slot.
        slot: Slot,
        /// What that slot holds.
        held: Region,
    },
    /// The region has as many references as can be counted.
    #[error("slot {slot} has all the references that can be counted: unmap some first")]
    References {
        /// The slot.
        slot: Slot,
    },
    /// No slot is free.
    #[error("all {regions} regions of the MPU are in use: unmap one first")]
    Exhausted {
        /// Regions there are.
        regions: u8,
    },
    /// The slot asked for does not exist or holds something.
    #[error("slot {slot} is taken or does not exist")]
    Taken {
        /// The slot.
        slot: Slot,
    },
    /// Only a whole region that has one mapping can get other rights, another end or another slot.
    #[error("{base:#x}..={limit:#x} is not a whole region with a single mapping: it cannot change")]
    NotWhole {
        /// First byte.
        base: u64,
        /// Last byte.
        limit: u64,
    },
}

/// Why something cannot be unmapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnmapError {
    /// No region holds the range.
    #[error("{base:#x}..={limit:#x} is not mapped")]
    NotMapped {
        /// First byte.
        base: u64,
        /// Last byte.
        limit: u64,
    },
    /// The range is a part of a region nobody else mapped.
    #[error("{base:#x}..={limit:#x} is only a part of slot {slot}: unmap all of it")]
    Part {
        /// First byte.
        base: u64,
        /// Last byte.
        limit: u64,
        /// The slot.
        slot: Slot,
    },
    /// Parts of the region are mapped as well.
    #[error("parts of slot {slot} are mapped: unmap those first")]
    InUse {
        /// The slot.
        slot: Slot,
    },
    /// The region is fixed.
    #[error("slot {slot} is fixed and stays")]
    Fixed {
        /// The slot.
        slot: Slot,
    },
}
