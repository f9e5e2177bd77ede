//! What can be wrong with a board.

use crate::pe::PeId;
use crate::span::Span;
use alloc::string::String;
use core::fmt;
use mpu_model::Pmsa;
use thiserror::Error;

/// A part of a board, named so that whoever read it from a file can point at the place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// A range of memory.
    Memory {
        /// Its position in [`crate::Board::memory`].
        index: usize,
        /// Its name.
        name: String,
    },
    /// A UART.
    Uart {
        /// Its position among [`crate::Board::uarts`].
        index: usize,
        /// Its name.
        name: String,
    },
    /// The interrupt controller.
    Gic,
    /// The control frame of the counter.
    TimerControl,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { name, .. } if name.is_empty() => f.write_str("the board's memory"),
            Self::Memory { name, .. } => write!(f, "the board's memory \"{name}\""),
            Self::Uart { name, .. } => write!(f, "the board's UART \"{name}\""),
            Self::Gic => f.write_str("the GIC"),
            Self::TimerControl => f.write_str("the timers' control frame"),
        }
    }
}

/// Why a board cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BoardError {
    /// A size of physical addresses that there is not.
    #[error("pa_bits is {bits}; {}", match .pmsa {
        Pmsa::V32 => "PMSAv8-32 has addresses of 32 bits",
        Pmsa::V64 => "expected one of 32, 36, 40, 42, 44, 48 and 52, the sizes of ID_AA64MMFR0_EL1.PARange",
    })]
    PaBits {
        /// The size.
        bits: u8,
        /// The architecture.
        pmsa: Pmsa,
    },
    /// A size of VMIDs that there is not.
    #[error("vmid_bits is {bits}; {}", match .pmsa {
        Pmsa::V32 => "PMSAv8-32 has VMIDs of 8 bits",
        Pmsa::V64 => "expected 8 or 16, the sizes of ID_AA64MMFR1_EL1.VMIDBits",
    })]
    VmidBits {
        /// The size.
        bits: u8,
        /// The architecture.
        pmsa: Pmsa,
    },
    /// A range past the board's last physical address.
    #[error(
        "{part} ({span}) ends above {limit:#x}, the last address of board {board}, which has {pa_bits} address bits"
    )]
    BeyondAddressSpace {
        /// What.
        part: Part,
        /// Its range.
        span: Span,
        /// The board.
        board: String,
        /// The last address there is.
        limit: u64,
        /// Bits of an address.
        pa_bits: u8,
        /// Whether the architecture has longer addresses.
        longer: bool,
    },
    /// Two parts at one address.
    #[error("{a} ({a_span}) and {b} ({b_span}) overlap; give each its own addresses")]
    Overlap {
        /// The one that starts first.
        a: Part,
        /// Its range.
        a_span: Span,
        /// The other.
        b: Part,
        /// Its range.
        b_span: Span,
    },
    /// A TCM of a PE that is not there.
    #[error("{part} ({span}) is the TCM of PE {pe}, and the board has {pes}; PEs count from 0")]
    NoSuchPe {
        /// The TCM.
        part: Part,
        /// Its range.
        span: Span,
        /// The PE.
        pe: PeId,
        /// How many there are.
        pes: usize,
    },
    /// No memory for a hypervisor.
    #[error("board {board} has no RAM; expected a range of memory of kind \"ram\"")]
    NoRam {
        /// The board.
        board: String,
    },
}
