//! `AArch32` guests: where their registers stand in a frame, and how they take exceptions.
//!
//! The places are those that the architecture maps `AArch32` state to (Arm ARM, mapping of the general-purpose registers):
//! r0 to r12 in x0 to x12, `SP_usr` and `LR_usr` in x13 and x14, `LR_irq` and `SP_irq` in x16 and x17, `LR_svc` and `SP_svc` in
//! x18 and x19, `LR_abt` and `SP_abt` in x20 and x21, `LR_und` and `SP_und` in x22 and x23, r8 to r14 of FIQ in x24 to x30.
//! `SPSR_svc` is `SPSR_EL1`.

use super::exception::{ESR_IL, ec};
use super::frame::{El1Syndrome, Frame, Taken};

/// PSTATE A, I and F: masked.
pub const MASKED: u64 = 0x1c0;

/// PSTATE.M of the modes that exceptions are taken to.
pub mod mode {
    /// Interrupts.
    pub const IRQ: u64 = 0x12;
    /// Supervisor.
    pub const SVC: u64 = 0x13;
    /// Aborts.
    pub const ABT: u64 = 0x17;
    /// Undefined instructions.
    pub const UND: u64 = 0x1b;
}

/// DFSR and IFSR: bits 5:0 hold the status in the long format, the one of PMSAv8-32.
pub const STATUS_LONG: u64 = 1 << 9;

/// DFSR: write, not read.
const DFSR_WNR: u64 = 1 << 11;
/// The same in an ISS.
const ISS_WNR: u64 = 1 << 6;

/// `WnR` of an ISS where DFSR has it.
#[must_use]
pub const fn wnr(iss: u64) -> u64 {
    if iss & ISS_WNR == 0 { 0 } else { DFSR_WNR }
}

/// How a kind of exception is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Offset of its vector from VBAR.
    pub vector: u64,
    /// The mode it is taken to.
    mode: u64,
    /// Where a frame has that mode's link register.
    link: usize,
    /// Where a frame has that mode's SPSR.
    spsr: usize,
    /// What the link register holds beyond the address of the instruction.
    ahead: u64,
}

const UNDEFINED: Exception = Exception { vector: 0x04, mode: mode::UND, link: 22, spsr: 1, ahead: 4 };
const PREFETCH_ABORT: Exception = Exception { vector: 0x0c, mode: mode::ABT, link: 20, spsr: 0, ahead: 4 };
const DATA_ABORT: Exception = Exception { vector: 0x10, mode: mode::ABT, link: 20, spsr: 0, ahead: 8 };

/// How an exception of a class of `ESR_EL1` is taken in `AArch32`.
#[must_use]
pub const fn exception(class: u64) -> Exception {
    match class {
        ec::DATA_ABORT_SAME => DATA_ABORT,
        ec::INSTRUCTION_ABORT_SAME => PREFETCH_ABORT,
        _ => UNDEFINED,
    }
}

impl Exception {
    /// Makes `frame`, which stands at the instruction, that of the handler; but for where it starts.
    pub fn enter(&self, frame: &mut Frame) {
        if let (Some(link), Some(spsr)) = (frame.x.get_mut(self.link), frame.banked_spsr.get_mut(self.spsr)) {
            *link = frame.elr.wrapping_add(self.ahead) & 0xffff_ffff;
            *spsr = frame.spsr as u32;
        }
        frame.spsr = MASKED | self.mode;
    }

    /// PSTATE as it was before.
    #[must_use]
    pub fn interrupted(&self, frame: &Frame) -> u64 {
        frame.banked_spsr.get(self.spsr).copied().unwrap_or_default().into()
    }
}

/// The exception whose vector lies at `offset`, told in the form of `ESR_EL1`.
#[must_use]
pub fn taken(offset: u64, held: El1Syndrome) -> Option<Taken> {
    let told = |class: u64, status: u64, far: u64| {
        let write = if status & DFSR_WNR == 0 { 0 } else { ISS_WNR };
        Some(Taken { esr: (class << 26) | ESR_IL | write | (status & 0x3f), far })
    };
    match offset {
        0x04 => told(ec::UNKNOWN, 0, 0),
        0x0c => told(ec::INSTRUCTION_ABORT_SAME, held.ifsr, held.far >> 32),
        0x10 => told(ec::DATA_ABORT_SAME, held.esr, held.far & 0xffff_ffff),
        _ => None,
    }
}
