//! The cycle counter, and how long instructions take by it.

use crate::cp15::{read, write};
use core::arch::asm;

/// Measurements of each thing.
const ROUNDS: usize = 32;

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    /// `PMCCNTR`.
    Cycles,
    /// `CNTVCT`, where there is no performance monitor: an emulator lets it count instructions.
    Ticks,
}

impl Counter {
    /// The one there is. The performance monitor's counts every cycle from now on, at EL1 and EL2.
    pub(crate) fn start() -> Self {
        const PMCR_E_C: u32 = 1 | 1 << 2;
        const PMCCFILTR_NSH: u32 = 1 << 27;
        const CYCLES: u32 = 1 << 31;
        // ID_DFR0.PerfMon.
        if matches!(read!("0", "c0", "c1", "2") >> 24 & 0xf, 0 | 0xf) {
            return Self::Ticks;
        }
        write!("0", "c14", "c15", "7", PMCCFILTR_NSH);
        write!("0", "c9", "c12", "1", CYCLES);
        write!("0", "c9", "c12", "0", PMCR_E_C);
        // SAFETY: a barrier.
        unsafe { asm!("isb") };
        Self::Cycles
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cycles => "PMCCNTR",
            Self::Ticks => "CNTVCT",
        }
    }

    /// How it stands, once what stands before is over.
    #[inline(always)]
    pub(crate) fn now(self) -> u32 {
        // SAFETY: a barrier.
        unsafe { asm!("isb") };
        self.read()
    }

    /// How it stands.
    #[inline(always)]
    fn read(self) -> u32 {
        match self {
            Self::Cycles => read!("0", "c9", "c13", "0"),
            Self::Ticks => {
                let low;
                // SAFETY: reads a counter.
                unsafe { asm!("mrrc p15, 1, {}, {}, c14", out(reg) low, out(reg) _, options(nomem, nostack)) };
                low
            }
        }
    }

    /// What two reads take, one right behind the other.
    pub(crate) fn apart(self) -> u32 {
        let (before, after): (u32, u32);
        // SAFETY: reads a counter.
        unsafe {
            match self {
                Self::Cycles => asm!(
                    "mrc p15, 0, {}, c9, c13, 0", "mrc p15, 0, {}, c9, c13, 0", out(reg) before, out(reg) after
                ),
                Self::Ticks => asm!(
                    "mrrc p15, 1, {}, {hi}, c14", "mrrc p15, 1, {}, {hi}, c14",
                    out(reg) before, out(reg) after, hi = out(reg) _
                ),
            }
        }
        after.wrapping_sub(before)
    }
}

/// What something took, in several measurements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) least: u32,
    pub(crate) median: u32,
    pub(crate) most: u32,
}

impl Taken {
    /// Measures several times.
    pub(crate) fn measured(mut once: impl FnMut() -> u32) -> Self {
        // The first two bring code and data near.
        once();
        once();
        let mut all = [0; ROUNDS];
        all.fill_with(once);
        all.sort_unstable();
        let [least, .., most] = all;
        Self { least, median: all[ROUNDS / 2], most }
    }

    /// One of `n` of them, without what measuring nothing takes; to the nearest cycle.
    pub(crate) fn each(self, n: u32, nothing: Self) -> Self {
        let one = |all: u32| (2 * all.saturating_sub(nothing.median) + n) / (2 * n);
        Self { least: one(self.least), median: one(self.median), most: one(self.most) }
    }
}

/// A text eight times, a line each. Written out, for the compiler tells how far its constants are by the lines of assembly.
macro_rules! eight {
    ($text:expr) => {
        concat!($text, "\n", $text, "\n", $text, "\n", $text, "\n", $text, "\n", $text, "\n", $text, "\n", $text, "\n")
    };
}

/// The cycles of an instruction that stands there 64 times, with the counter read before and behind.
macro_rules! sixty_four {
    ($counter:expr, $text:literal $(; $value:expr)?) => {
        crate::counter::timed!($counter, crate::counter::eight!(crate::counter::eight!($text)) $(; $value)?)
    };
}

/// The cycles of instructions on registers r0 and r1; the value is in r0 before, or else 1.
macro_rules! timed {
    ($counter:expr, $($text:expr),* ; $value:expr) => {
        match $counter {
            crate::counter::Counter::Cycles => crate::counter::timed!(
                @ "mrc p15, 0, r2, c9, c13, 0", "mrc p15, 0, r12, c9, c13, 0", [$($text),*] $value
            ),
            crate::counter::Counter::Ticks => crate::counter::timed!(
                @ "mrrc p15, 1, r2, r3, c14", "mrrc p15, 1, r12, r3, c14", [$($text),*] $value
            ),
        }
    };
    ($counter:expr, $($text:expr),*) => { crate::counter::timed!($counter, $($text),* ; 1u32) };
    (@ $before:literal, $after:literal, [$($text:expr),*] $value:expr) => {
        crate::counter::Taken::measured(|| {
            let (before, after): (u32, u32);
            // SAFETY: whoever measures names instructions that harm nothing.
            unsafe {
                core::arch::asm!(
                    "isb", $before, $($text,)* "isb", $after,
                    out("r2") before, out("r12") after, inout("r0") $value => _, out("r1") _, out("r3") _
                );
            }
            after.wrapping_sub(before)
        })
    };
}

pub(crate) use {eight, sixty_four, timed};
