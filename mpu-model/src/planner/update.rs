//! What a change of the table of mappings asks of the registers.

use crate::regs::RegionWords;
use crate::slot::Slot;

/// What is to be done to the registers after a change of a [`Mappings`](crate::planner::Mappings).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Nothing: a reference came or went.
    Nothing {
        /// The slot it is about.
        slot: Slot,
    },
    /// Put these words into a slot that is off.
    Write {
        /// The slot.
        slot: Slot,
        /// The words, enabled.
        words: RegionWords,
    },
    /// Turn the slot off, then put these words in: the same range with other rights.
    Replace {
        /// The slot.
        slot: Slot,
        /// The words, enabled.
        words: RegionWords,
    },
    /// Turn the slot off.
    Disable {
        /// The slot.
        slot: Slot,
    },
    /// Write the PRBAR of a slot that is on and stays on: another base, the same limit.
    Base {
        /// The slot.
        slot: Slot,
        /// The words, enabled.
        words: RegionWords,
    },
    /// Write the PRLAR of a slot that is on and stays on: another limit, the same base.
    Limit {
        /// The slot.
        slot: Slot,
        /// The words, enabled.
        words: RegionWords,
    },
    /// Let slot `to`, which is off, take over from slot `from`.
    TakeOver {
        /// The slot that holds the region.
        from: Slot,
        /// The slot that is to hold it.
        to: Slot,
        /// The words, enabled.
        words: RegionWords,
    },
}
