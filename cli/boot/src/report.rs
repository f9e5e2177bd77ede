//! What a run gives.

use crate::fault::Fault;
use armv8r::exception::ExceptionKind;
use armv8r::hazards::HazardRecord;
use armv8r::machine::StopReason;
use armv8r::pe::Power;
use boards::Board;
use mpu_model::El;
use std::collections::BTreeMap;

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The image ended itself, or the machine can do no more.
    Machine(StopReason),
    /// What was waited for was said.
    Until,
    /// As many instructions as asked for.
    Max,
    /// As much time as asked for.
    Timeout,
    /// It was told to stop.
    Interrupted,
    /// No PE will do anything else: each is off, or branches to itself with interrupts masked.
    Spinning,
    /// A fault of EL2 to itself comes again and again, at the first instructions of its own handler.
    FaultLoop,
    /// A file of output could not be written.
    Output(String),
}

/// What a PE did, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeReport {
    /// Instructions that it executed.
    pub instructions: u64,
    /// Where it is.
    pub pc: u64,
    /// At which level.
    pub el: El,
    /// Its masks D, A, I, F in bits 3 to 0.
    pub daif: u8,
    /// Whether it executes.
    pub power: Power,
    /// Regions of its MPUs of EL1 and EL2.
    pub regions: [Regions; 2],
}

/// Regions of an MPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regions {
    /// That there are.
    pub total: u8,
    /// Enabled at the end.
    pub now: usize,
    /// Most that were enabled at once.
    pub most: usize,
}

/// A kind of exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exceptions {
    /// From this level.
    pub from: El,
    /// To this one.
    pub to: El,
    /// Its vector and class.
    pub cause: Cause,
}

/// What causes an entry to EL2, or another exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// No exception: EL2 since reset.
    Reset,
    /// Synchronous, of a class.
    Class(u8),
    /// IRQ.
    Irq,
    /// FIQ.
    Fiq,
    /// `SError`.
    SError,
}

impl Cause {
    pub(crate) const fn new(kind: ExceptionKind, ec: u8) -> Self {
        match kind {
            ExceptionKind::Synchronous => Self::Class(ec),
            ExceptionKind::Irq => Self::Irq,
            ExceptionKind::Fiq => Self::Fiq,
            ExceptionKind::SError => Self::SError,
        }
    }
}

/// What entries to EL2 of one cause did, up to their exception return to a lower level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caused {
    /// How many.
    pub entries: u64,
    /// Instructions from the exception to its return, both included.
    pub instructions: u64,
    /// Most instructions of one.
    pub most_instructions: u64,
    /// Writes to registers of the MPUs.
    pub mpu_writes: u64,
    /// Writes to other system registers.
    pub other_writes: u64,
    /// ISB.
    pub isb: u64,
    /// DSB.
    pub dsb: u64,
}

/// What a run gives.
#[derive(Clone, Debug)]
pub struct Report {
    /// The image, as it was named.
    pub image: String,
    /// The board, with as many PEs as ran.
    pub board: Board,
    /// Why it ended.
    pub end: End,
    /// Time of the machine: instructions of all PEs, and what passed while all were asleep.
    pub time: u64,
    /// What each PE did.
    pub pes: Vec<PeReport>,
    /// Exceptions by kind.
    pub exceptions: BTreeMap<Exceptions, u64>,
    /// Entries to EL2 by cause.
    pub entries: BTreeMap<Cause, Caused>,
    /// Hazards, in the order of their first time.
    pub hazards: Vec<HazardRecord>,
    /// Hazards that were not told apart.
    pub hazards_beyond: u64,
    /// Encodings of system registers that no feature has, which were UNDEFINED.
    pub undefined: Vec<String>,
    /// Faults of EL2 to itself.
    pub faults: u64,
    /// The last of them.
    pub fault: Option<Fault>,
    /// The console: what UARTs that go there, and semihosting, said last. Kept for programs.
    pub console: Vec<u8>,
    /// Earlier bytes of it that are not kept.
    pub console_lost: u64,
}

impl Report {
    /// Whether the last fault of EL2 to itself was never returned from.
    #[must_use]
    pub fn ends_in_fault(&self) -> bool {
        self.fault.as_ref().is_some_and(|fault| !fault.returned)
    }

    /// The exit status: what the image says of itself by semihosting, 0 where it turned the machine off or has said what was
    /// waited for, 130 where the run was told to stop, else 1. A status beyond 255 is 1. A machine that is turned off while
    /// EL2 has not returned from a fault of its own is 1 too.
    #[must_use]
    pub fn status(&self) -> u8 {
        match &self.end {
            End::Machine(StopReason::Exit { code, .. }) => u8::try_from(*code).unwrap_or(1),
            End::Machine(StopReason::PowerOff | StopReason::Reset) => u8::from(self.ends_in_fault()),
            End::Until => 0,
            End::Interrupted => 130,
            _ => 1,
        }
    }
}
