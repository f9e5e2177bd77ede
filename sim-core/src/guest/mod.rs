//! Guests: programs that act on a PE at EL1, one action at a time.
//!
//! A [`Guest`] is resumed with what its last action gave and answers with the next. Steps of a scenario ([`steps`])
//! implement it directly; [`asynch`] runs `async` Rust over the same actions.

pub mod asynch;
pub mod consumer;
pub mod fifo;
pub mod recorder;
pub mod steps;

pub use crate::layout::Home;

use crate::convention::{TAG, psci};
use crate::outcome::{Expected, Got, StepId, WaitsFor};
use crate::platform::Width;

/// An atomic operation of a guest on its own memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtomicOp {
    /// Put this value.
    Swap(u64),
    /// Keep only these bits.
    And(u64),
    /// Set these bits.
    Or(u64),
    /// If memory holds `current`, put `new`.
    CompareExchange {
        /// Expected value.
        current: u64,
        /// Value to put.
        new: u64,
    },
}

impl AtomicOp {
    /// What stands in memory afterwards, before it is cut to the access's width.
    #[must_use]
    pub const fn apply(self, old: u64) -> u64 {
        match self {
            Self::Swap(value) => value,
            Self::And(bits) => old & bits,
            Self::Or(bits) => old | bits,
            Self::CompareExchange { current, new } => {
                if old == current {
                    new
                } else {
                    old
                }
            }
        }
    }
}

/// What a guest does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `HVC #imm` with x16 = `nr` and x0 to x4 = `args`; gives x0.
    Hvc {
        /// The immediate.
        imm: u16,
        /// x16.
        nr: u64,
        /// x0 to x4.
        args: [u64; 5],
    },
    /// A load; gives the value.
    Load {
        /// Where.
        address: u64,
        /// How wide.
        width: Width,
    },
    /// A store.
    Store {
        /// Where.
        address: u64,
        /// How wide.
        width: Width,
        /// What.
        value: u64,
    },
    /// An atomic; gives the old value.
    Atomic {
        /// Where.
        address: u64,
        /// How wide.
        width: Width,
        /// What.
        op: AtomicOp,
    },
    /// Fetches one instruction.
    Fetch {
        /// Where.
        address: u64,
    },
    /// Works for this many cycles without touching anything.
    Compute(u64),
    /// `WFI`.
    WaitForInterrupt,
    /// Opens (`true`) or masks PSTATE.I.
    Interrupts(bool),
    /// Reads `ICC_IAR1_EL1`: acknowledges the pending virtual interrupt; gives its INTID.
    Acknowledge,
    /// Writes `ICC_EOIR1_EL1`.
    EndOfInterrupt(u64),
    /// `ERET` from the interrupt handler.
    ReturnFromInterrupt,
    /// Not an action: tells whoever watches, and takes no time.
    Mark(Mark),
}

/// What a guest tells whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Its handler clears the pending bit of this port with the action that comes next: what is sent from then on is
    /// another event.
    Takes {
        /// The port.
        port: u32,
    },
    /// Its handler found the event that it took on this port.
    Handled {
        /// The port.
        port: u32,
    },
    /// A step gave something else than expected.
    Unexpected {
        /// Which.
        step: StepId,
        /// What was expected.
        expected: Expected,
        /// What came.
        got: Got,
    },
}

/// What a guest is resumed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The last action is done; its value, 0 if it has none. Also the first resumption.
    Value(u64),
    /// The last action took a synchronous exception to EL1; the guest's handler skips the instruction.
    Abort {
        /// `ESR_EL1`.
        esr: u64,
        /// `FAR_EL1`.
        far: u64,
    },
    /// An interrupt was taken. What the guest was doing goes on after [`Action::ReturnFromInterrupt`].
    Interrupt,
}

/// A program that runs on a vCPU.
pub trait Guest {
    /// Goes on, and says what to do next.
    fn resume(&mut self, input: Input) -> Action;

    /// Which step of its source the program is at.
    fn step(&self) -> Option<StepId> {
        None
    }

    /// What it waits for when it waits.
    fn waits_for(&self) -> WaitsFor {
        WaitsFor::Interrupt
    }
}

/// The guest's side of the hypercall convention: what turns a vCPU off.
pub const CPU_OFF: Action = Action::Hvc { imm: 0, nr: 0, args: [psci::CPU_OFF, 0, 0, 0, 0] };

/// A hypercall.
#[must_use]
pub const fn hypercall(nr: u64, args: [u64; 5]) -> Action {
    Action::Hvc { imm: TAG, nr, args }
}
