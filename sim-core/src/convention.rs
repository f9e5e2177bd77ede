//! What guests and the hypervisor agree on: how EL2 is entered, how a hypercall stands in registers, and its numbers.

pub mod aarch32;

use mpu_model::Pmsa;

/// Registers of the interrupted guest, as an exception entry to EL2 leaves them. Those of an `AArch32` guest stand where the
/// architecture maps them ([`aarch32`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// x0 to x30.
    pub x: [u64; 31],
    /// `ELR_EL2`: where the guest continues.
    pub elr: u64,
    /// `SPSR_EL2`: the guest's PSTATE.
    pub spsr: u64,
    /// `SPSR_abt`, `SPSR_und`, `SPSR_irq`, `SPSR_fiq` of an `AArch32` guest.
    pub banked_spsr: [u32; 4],
    /// Registers of an `AArch64` guest that the hypervisor has no use for and that each vCPU finds as it left them: `SP_EL0`,
    /// `SP_EL1`, `TPIDR_EL0`, `TPIDRRO_EL0`, `TPIDR_EL1`, `CONTEXTIDR_EL1`, `CPACR_EL1`, `CNTKCTL_EL1`, `AMAIR_EL1`, `PAR_EL1`.
    pub kept: [u64; 10],
}

/// What EL1's syndrome registers hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct El1Syndrome {
    /// `ESR_EL1`, or DFSR.
    pub esr: u64,
    /// IFSR.
    pub ifsr: u64,
    /// `FAR_EL1`, or IFAR and DFAR.
    pub far: u64,
}

/// A synchronous exception that EL2 made a guest take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The syndrome in the form of `ESR_EL1`.
    pub esr: u64,
    /// The faulting address, 0 if there is none.
    pub far: u64,
}

/// How the two execution states differ in what hypervisor and guest agree on.
pub trait Arch: Copy {
    /// PSTATE of a guest at its first instruction: at EL1 with everything masked.
    fn start(self) -> u64;
    /// PSTATE of a guest in its interrupt handler.
    fn in_irq(self) -> u64;
    /// The hypercall number: x16 or r12.
    fn number(self, frame: &Frame) -> u64;
    /// Puts the hypercall number where [`Arch::number`] finds it.
    fn set_number(self, frame: &mut Frame, nr: u64);

    /// What a general-purpose register holds of `value`: in `AArch32` it has 32 bits.
    fn register(self, value: u64) -> u64;
    /// The exception whose vector lies at `offset` from the guest's vector base, as `held` tells it; `None`: it is none that
    /// EL2 makes a guest take.
    fn taken(self, offset: u64, held: El1Syndrome) -> Option<Taken>;
    /// PSTATE as it was before the guest was made to take `taken`.
    fn interrupted(self, frame: &Frame, taken: &Taken, spsr_el1: u64) -> u64;
}

impl Arch for Pmsa {
    fn start(self) -> u64 {
        match self {
            Self::V64 => PSTATE_EL1H_MASKED,
            Self::V32 => aarch32::MASKED | aarch32::mode::SVC,
        }
    }

    fn in_irq(self) -> u64 {
        match self {
            Self::V64 => PSTATE_EL1H_MASKED,
            Self::V32 => aarch32::MASKED | aarch32::mode::IRQ,
        }
    }

    fn number(self, frame: &Frame) -> u64 {
        match self {
            Self::V64 => frame.x[16],
            Self::V32 => frame.x[12],
        }
    }

    fn set_number(self, frame: &mut Frame, nr: u64) {
        match self {
            Self::V64 => frame.x[16] = nr,
            Self::V32 => frame.x[12] = nr,
        }
    }

    fn register(self, value: u64) -> u64 {
        match self {
            Self::V64 => value,
            Self::V32 => value & 0xffff_ffff,
        }
    }

    fn taken(self, offset: u64, held: El1Syndrome) -> Option<Taken> {
        match self {
            Self::V32 => aarch32::taken(offset, held),
            Self::V64 if offset == VECTOR_SYNC => {
                // An undefined instruction has no fault address; whatever an earlier abort left there stays.
                let far = if held.esr >> 26 == ec::UNKNOWN { 0 } else { held.far };
                Some(Taken { esr: held.esr, far })
            }
            Self::V64 => None,
        }
    }

    fn interrupted(self, frame: &Frame, taken: &Taken, spsr_el1: u64) -> u64 {
        match self {
            Self::V64 => spsr_el1,
            Self::V32 => aarch32::exception(taken.esr >> 26).interrupted(frame),
        }
    }
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
