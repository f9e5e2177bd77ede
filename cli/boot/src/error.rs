//! Why nothing was run.

use armv8r::machine::MachineError;
use boards::BoardError;
use scenario::LoadError;
use std::path::PathBuf;
use thiserror::Error;
use words::shown;

/// Why nothing was run. Each says what was expected.
#[derive(Debug, Error)]
pub enum BootError {
    /// The board's file cannot be read.
    #[error(transparent)]
    Board(#[from] LoadError),
    /// No such board.
    #[error("there is no board {name:?}; {known}, or a board's file (*.toml)")]
    NoSuchBoard {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The board with another number of PEs is none.
    #[error(transparent)]
    Unsound(#[from] BoardError),
    /// The board cannot be a machine.
    #[error("board {board}: {why}")]
    Machine {
        /// Its name.
        board: String,
        /// Why not.
        why: MachineError,
    },
    /// More PEs than the interrupt controller has room for.
    #[error("board {board} has redistributors for {most} PEs; expected --pes 1 to {most}")]
    Pes {
        /// Its name.
        board: String,
        /// How many there can be.
        most: usize,
    },
    /// A file cannot be read.
    #[error("{}: {why}; expected {expected}", shown::path(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// A file is not what it should be.
    #[error("{}: {why}", shown::path(path))]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        why: String,
    },
    /// Bytes would lie where the board has no memory.
    #[error("{what} takes {base:#x}-{limit:#x}, and board {board} has memory at {memory}")]
    NoMemory {
        /// What is to lie there.
        what: String,
        /// First byte.
        base: u64,
        /// Last byte.
        limit: u64,
        /// The board.
        board: String,
        /// Where it has memory.
        memory: String,
    },
    /// Bytes would go beyond the last address.
    #[error("{what} starts at {base:#x} and takes {size:#x} bytes, beyond the last address; expected a lower one")]
    Beyond {
        /// What is to lie there.
        what: String,
        /// First byte.
        base: u64,
        /// How many.
        size: u64,
    },
    /// Two would lie in one place.
    #[error(
        "{one} ({one_base:#x}-{one_limit:#x}) and {other} ({other_base:#x}-{other_limit:#x}) overlap; expected other addresses"
    )]
    Overlap {
        /// The lower one.
        one: String,
        /// Its first byte.
        one_base: u64,
        /// Its last byte.
        one_limit: u64,
        /// The other.
        other: String,
        /// Its first byte.
        other_base: u64,
        /// Its last byte.
        other_limit: u64,
    },
    /// The entry is no instruction's address.
    #[error("the entry {0:#x} is not aligned; expected a multiple of 4")]
    Misaligned(u64),
    /// Nothing was loaded at the entry.
    #[error("nothing was loaded at the entry {entry:#x}; expected an address in {loaded}")]
    EntryOutside {
        /// The entry.
        entry: u64,
        /// What was loaded where.
        loaded: String,
    },
    /// No place for a device tree.
    #[error("there is no room for the device tree behind what was loaded; expected --dtb FILE@ADDR")]
    NoRoom,
    /// No such UART.
    #[error("board {board} has no UART {uart}: it has {count}, counted from 0")]
    NoSuchUart {
        /// The board.
        board: String,
        /// What was asked for.
        uart: usize,
        /// How many there are.
        count: usize,
    },
    /// A UART goes to two places.
    #[error("UART {0} is given twice; expected --uart {0}=... once")]
    UartTwice(usize),
    /// Two outputs go to one file.
    #[error("{} is to be written twice; expected a file for each", shown::path(.0))]
    FileTwice(PathBuf),
    /// A file cannot be written.
    #[error("{what} {} cannot be written: {why}; expected a file that can be made or replaced", shown::path(path))]
    Unwritable {
        /// The option.
        what: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Too much to load.
    #[error("what is to be loaded takes more than 1 GiB; expected less")]
    TooMuch,
}
