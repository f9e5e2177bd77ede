//! Why a run stops.

/// Why a run stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The budget is spent.
    Budget,
    /// The image ended itself by semihosting.
    Exit {
        /// Its reason, `ADP_Stopped_*`.
        reason: u64,
        /// Its status.
        code: u64,
    },
    /// The image turned the machine off.
    PowerOff,
    /// The image asked for a reset.
    Reset,
    /// Every PE is asleep or off, and nothing will wake one.
    Asleep,
    /// An observer asked for it.
    Observer,
    /// A hazard, where a run is to stop at hazards.
    Hazard {
        /// The PE.
        pe: usize,
        /// Its instruction, which was not executed, or wrote a register through a selection that is not synchronised.
        pc: u64,
    },
    /// An instruction or a register that is allocated and not built. It was not executed.
    NotBuilt {
        /// The PE.
        pe: usize,
        /// What it is.
        name: &'static str,
        /// Where the instruction is.
        pc: u64,
        /// The instruction.
        word: u32,
    },
    /// The image wrote more memory than it may.
    MemoryLimit,
    /// So much output waits to be taken ([`super::Machine::take_output`]).
    Output,
}
