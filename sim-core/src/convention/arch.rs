//! In what the two execution states differ for hypervisor and guest.

use super::aarch32;
use super::exception::{PSTATE_EL1H_MASKED, VECTOR_SYNC, ec};
use super::frame::{El1Syndrome, Frame, Taken};
use mpu_model::Pmsa;

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
