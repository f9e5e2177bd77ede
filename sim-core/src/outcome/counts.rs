//! What was done, counted, and distributions of what it took.

use alloc::collections::BTreeMap;
use core::ops::Sub;

/// Accesses to the registers of one MPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MpuCounts {
    /// Writes to PRSELR.
    pub prselr: u64,
    /// Writes to PRBAR in any of its forms.
    pub prbar: u64,
    /// Writes to PRLAR in any of its forms.
    pub prlar: u64,
    /// Writes to PRENR.
    pub prenr: u64,
    /// Writes to SCTLR.
    pub sctlr: u64,
    /// Reads of any of them.
    pub reads: u64,
}

/// What was done, each kind counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The EL2 MPU's registers.
    pub el2: MpuCounts,
    /// The EL1 MPU's registers, accessed at EL2 when vCPUs change.
    pub el1: MpuCounts,
    /// ISBs at EL2.
    pub isb: u64,
    /// DSBs at EL2.
    pub dsb: u64,
    /// Exceptions taken to EL2.
    pub exceptions: u64,
    /// Returns from EL2.
    pub erets: u64,
    /// Loads, stores and atomics made at EL2.
    pub el2_accesses: u64,
    /// Looks through the software copy of the region table.
    pub table_scans: u64,
    /// Other system registers written at EL2 (timer, list register, virtual ids, EL1 context).
    pub sysreg_writes: u64,
    /// Other system registers read at EL2.
    pub sysreg_reads: u64,
    /// Interrupts sent to other PEs.
    pub kicks: u64,
    /// Actions of guests: instructions that touch memory or the interrupt controller, traps, exceptions at EL1.
    pub guest_actions: u64,
}

macro_rules! by_field {
    ($a:expr, $b:expr, $op:ident; $($field:ident),*) => {
        Self { $($field: $a.$field.$op($b.$field)),* }
    };
}

impl Sub for MpuCounts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        by_field!(self, other, saturating_sub; prselr, prbar, prlar, prenr, sctlr, reads)
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        by_field!(self, other, less; el2, el1, isb, dsb, exceptions, erets, el2_accesses, table_scans, sysreg_writes,
            sysreg_reads, kicks, guest_actions)
    }
}

impl MpuCounts {
    /// Adds field by field.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        by_field!(self, other, saturating_add; prselr, prbar, prlar, prenr, sctlr, reads)
    }

    /// All writes.
    #[must_use]
    pub const fn writes(&self) -> u64 {
        self.prselr + self.prbar + self.prlar + self.prenr + self.sctlr
    }
}

impl Counts {
    /// Adds field by field.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        by_field!(self, other, plus_counts; el2, el1, isb, dsb, exceptions, erets, el2_accesses, table_scans,
            sysreg_writes, sysreg_reads, kicks, guest_actions)
    }

    /// Writes to the EL2 MPU.
    #[must_use]
    pub const fn el2_writes(&self) -> u64 {
        self.el2.writes()
    }
}

/// Lets one macro handle plain and nested counters.
trait Fieldwise {
    fn plus_counts(self, other: Self) -> Self;
    fn less(self, other: Self) -> Self;
}

impl Fieldwise for u64 {
    fn plus_counts(self, other: Self) -> Self {
        self.saturating_add(other)
    }
    fn less(self, other: Self) -> Self {
        self.saturating_sub(other)
    }
}

impl Fieldwise for MpuCounts {
    fn plus_counts(self, other: Self) -> Self {
        self.plus(other)
    }
    fn less(self, other: Self) -> Self {
        self - other
    }
}

/// A distribution kept exactly: how often each value came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    values: BTreeMap<u64, u64>,
    count: u64,
    sum: u64,
}

impl Distribution {
    /// Adds a value.
    pub fn add(&mut self, value: u64) {
        let times = self.values.entry(value).or_default();
        *times = times.saturating_add(1);
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(value);
    }

    /// Adds all values of another.
    pub fn merge(&mut self, other: &Self) {
        for (value, times) in &other.values {
            let known = self.values.entry(*value).or_default();
            *known = known.saturating_add(*times);
        }
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// How many values there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// The values, the smallest first, with how often each came.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.values.iter().map(|(value, times)| (*value, *times))
    }

    /// The smallest.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        self.values.keys().next().copied()
    }

    /// The largest.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.values.keys().next_back().copied()
    }

    /// The mean in hundredths, rounded down, so that it prints alike everywhere.
    #[must_use]
    pub fn mean_hundredths(&self) -> Option<u64> {
        self.sum.saturating_mul(100).checked_div(self.count)
    }

    /// The smallest value that at least `percent` of all values do not exceed (nearest rank).
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = self.count.saturating_mul(percent).div_ceil(100).max(1);
        let mut seen = 0u64;
        self.values.iter().find_map(|(value, times)| {
            seen = seen.saturating_add(*times);
            (seen >= rank).then_some(*value)
        })
    }
}
