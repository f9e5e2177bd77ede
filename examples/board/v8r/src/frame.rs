//! The guest's registers: as the vectors push them, and as the hypervisor has them.

use crate::sysreg::{read, write};
use sim_core::convention::Frame;

/// What `start.s` pushes.
#[repr(C, align(16))]
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    x: [u64; 31],
    elr: u64,
    spsr: u64,
}

/// Names the registers of [`Frame::kept`] to a macro, in order.
macro_rules! kept {
    ($each:ident) => {
        $each!(
            "sp_el0",
            "sp_el1",
            "tpidr_el0",
            "tpidrro_el0",
            "tpidr_el1",
            "contextidr_el1",
            "cpacr_el1",
            "cntkctl_el1",
            "amair_el1",
            "par_el1"
        )
    };
}

impl Pushed {
    /// With the registers that stay where they are until another vCPU runs.
    pub(crate) fn frame(&self) -> Frame {
        macro_rules! all {
            ($($name:literal),*) => { [$(read!($name)),*] };
        }
        Frame { x: self.x, elr: self.elr, spsr: self.spsr, kept: kept!(all), ..Frame::default() }
    }

    /// Puts a frame back: what is no general-purpose register at once, the rest for the vectors to restore.
    pub(crate) fn of_frame(frame: &Frame) -> Self {
        let mut kept = frame.kept.iter();
        macro_rules! all {
            ($($name:literal),*) => { $(write!($name, kept.next().copied().unwrap_or_default());)* };
        }
        kept!(all);
        Self { x: frame.x, elr: frame.elr, spsr: frame.spsr }
    }
}
