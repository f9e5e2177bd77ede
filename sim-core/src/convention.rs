//! What guests and the hypervisor agree on: how EL2 is entered, how a hypercall stands in registers, and its numbers.

/// Registers of the interrupted guest, as an exception entry to EL2 leaves them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// x0 to x30.
    pub x: [u64; 31],
    /// `ELR_EL2`: where the guest continues.
    pub elr: u64,
    /// `SPSR_EL2`: the guest's PSTATE.
    pub spsr: u64,
}

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

/// The immediate of the `HVC` that is a hypercall (`XEN_HYPERCALL_TAG`).
pub const TAG: u16 = 0xea1;

/// Hypercall numbers (Xen's `public/xen.h`), in x16.
pub mod nr {
    /// `memory_op`.
    pub const MEMORY_OP: u64 = 12;
    /// `multicall`.
    pub const MULTICALL: u64 = 13;
    /// `xen_version`.
    pub const XEN_VERSION: u64 = 17;
    /// `console_io`.
    pub const CONSOLE_IO: u64 = 18;
    /// `vcpu_op`.
    pub const VCPU_OP: u64 = 24;
    /// `sched_op`.
    pub const SCHED_OP: u64 = 29;
    /// `event_channel_op`.
    pub const EVENT_CHANNEL_OP: u64 = 32;
    /// `hvm_op`.
    pub const HVM_OP: u64 = 34;
}

/// `memory_op` command `XENMEM_add_to_physmap`.
pub const XENMEM_ADD_TO_PHYSMAP: u32 = 7;

/// `memory_op` command `XENMEM_remove_from_physmap`.
pub const XENMEM_REMOVE_FROM_PHYSMAP: u32 = 15;

/// `console_io` command: write to the console.
pub const CONSOLEIO_WRITE: u32 = 0;

/// `sched_op` commands.
pub mod sched_cmd {
    /// Let others run.
    pub const YIELD: u32 = 0;
    /// Wait for an interrupt.
    pub const BLOCK: u32 = 1;
    /// End the domain.
    pub const SHUTDOWN: u32 = 2;
    /// Wait for one of several ports.
    pub const POLL: u32 = 3;
}

/// PSCI function ids (Arm DEN 0022), through `HVC #0` with the id in x0.
pub mod psci {
    /// Turns the calling vCPU off.
    pub const CPU_OFF: u64 = 0x8400_0002;
    /// Turns the calling domain off.
    pub const SYSTEM_OFF: u64 = 0x8400_0008;
}
