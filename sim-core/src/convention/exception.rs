//! How exceptions are told: vectors, classes, status, PSTATE.

/// Which vector EL2 was entered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Synchronous exception from EL1 or EL0; `ESR_EL2` says which.
    Sync,
    /// Physical interrupt.
    Irq,
}

/// PSTATE of a guest at its first instruction and in an exception handler: `EL1h` with D, A, I and F masked.
pub const PSTATE_EL1H_MASKED: u64 = 0x3c5;

/// PSTATE.I: interrupts are masked.
pub const PSTATE_I: u64 = 1 << 7;

/// Exception classes (`ESR_ELx.EC`, Arm ARM).
pub mod ec {
    /// Unknown reason: an undefined instruction.
    pub const UNKNOWN: u64 = 0x00;
    /// `WFI` or `WFE`.
    pub const WFX: u64 = 0x01;
    /// `HVC` from `AArch32`.
    pub const HVC32: u64 = 0x12;
    /// `HVC` from `AArch64`.
    pub const HVC64: u64 = 0x16;
    /// Instruction abort from a lower level.
    pub const INSTRUCTION_ABORT_LOWER: u64 = 0x20;
    /// Instruction abort from the same level.
    pub const INSTRUCTION_ABORT_SAME: u64 = 0x21;
    /// Data abort from a lower level.
    pub const DATA_ABORT_LOWER: u64 = 0x24;
    /// Data abort from the same level.
    pub const DATA_ABORT_SAME: u64 = 0x25;
}

/// `ESR_ELx.IL`: the instruction was 32 bits wide.
pub const ESR_IL: u64 = 1 << 25;

/// Fault status code: synchronous external abort. It is how a guest sees an access that stage 2 refused.
pub const FSC_EXTERNAL: u64 = 0x10;

/// Offset from `VBAR_EL1` of the vector for synchronous exceptions from the current level with its own stack pointer.
pub const VECTOR_SYNC: u64 = 0x200;

/// The same with the stack pointer of EL0.
pub const VECTOR_SYNC_SP0: u64 = 0;

/// The same from EL0.
pub const VECTOR_SYNC_LOWER: u64 = 0x400;
