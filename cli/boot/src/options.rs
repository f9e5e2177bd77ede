//! What is asked for.

use armv8r::hazards::HazardMode;
use armv8r::machine::Conduit;
use mpu_model::{El, SyncRule};
use std::path::PathBuf;
use std::time::Duration;

/// A file, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The file.
    pub path: PathBuf,
    /// The address of its first byte; `None`: where its format, or the machine, has it.
    pub address: Option<u64>,
}

/// The level at which PEs start.
pub type StartEl = El;

/// Firmware below the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Firmware {
    /// None: all PEs start at the entry.
    #[default]
    None,
    /// PSCI: the first PE starts at the entry, and turns the others on.
    Psci,
}

impl Firmware {
    /// By which instruction it is called from the level at which PEs start.
    #[must_use]
    pub const fn conduit(self, start: El) -> Option<Conduit> {
        match (self, start) {
            (Self::None, _) => None,
            (Self::Psci, El::El2) => Some(Conduit::Smc),
            (Self::Psci, El::El0 | El::El1) => Some(Conduit::Hvc),
        }
    }
}

/// Where the bytes of a UART go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sink {
    /// To the console.
    #[default]
    Stdio,
    /// Nowhere.
    Null,
    /// Into a file.
    File(PathBuf),
}

/// Bytes that arrive at a UART from the start, as fast as it takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scripted {
    /// Which UART, the console being 0.
    pub uart: usize,
    /// What arrives.
    pub bytes: Vec<u8>,
}

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The image.
    pub image: File,
    /// What the image's command line has behind its name.
    pub args: Vec<String>,
    /// More files. Each has an address.
    pub loads: Vec<File>,
    /// A device tree, whose address every PE finds in X0.
    pub dtb: Option<File>,
    /// Where PEs start, if not where the image says.
    pub entry: Option<u64>,
    /// A preset, or a board's file.
    pub board: String,
    /// Number of PEs, if not the board's.
    pub pes: Option<usize>,
    /// The level at which PEs start.
    pub start: El,
    /// What a write to an MPU waits for, if not what the board says.
    pub sync: Option<SyncRule>,
    /// How a run goes on at a hazard.
    pub hazards: HazardMode,
    /// Firmware.
    pub firmware: Firmware,
    /// Floating point and Advanced SIMD.
    pub fp: bool,
    /// Where UARTs go; one that is not here goes to the console.
    pub uarts: Vec<(usize, Sink)>,
    /// What arrives at UARTs.
    pub input: Vec<Scripted>,
    /// The run ends when a UART or semihosting has said this.
    pub until: Option<String>,
    /// The run ends after so many instructions.
    pub max: Option<u64>,
    /// The run ends after so much time of the host: where, differs from run to run.
    pub timeout: Option<Duration>,
    /// A log of what happens.
    pub trace: Option<PathBuf>,
    /// Accesses to data are in the log.
    pub trace_accesses: bool,
}

impl Options {
    /// An image at EL2 on a board, and nothing beside.
    #[must_use]
    pub fn new(image: File, board: impl Into<String>) -> Self {
        Self {
            image,
            args: Vec::new(),
            loads: Vec::new(),
            dtb: None,
            entry: None,
            board: board.into(),
            pes: None,
            start: El::El2,
            sync: None,
            hazards: HazardMode::default(),
            firmware: Firmware::None,
            fp: false,
            uarts: Vec::new(),
            input: Vec::new(),
            until: None,
            max: None,
            timeout: None,
            trace: None,
            trace_accesses: false,
        }
    }
}
