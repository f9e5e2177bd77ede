//! What guests and the hypervisor agree on: how EL2 is entered, how a hypercall stands in registers, and its numbers.

pub mod aarch32;
mod arch;
mod exception;
mod frame;

pub use arch::Arch;
pub use exception::{
    Cause, ESR_IL, FSC_EXTERNAL, PSTATE_EL1H_MASKED, PSTATE_I, VECTOR_SYNC, VECTOR_SYNC_LOWER, VECTOR_SYNC_SP0, ec,
};
pub use frame::{El1Syndrome, Frame, Taken};

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
