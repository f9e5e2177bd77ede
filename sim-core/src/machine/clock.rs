//! Cycle costs: what each counted operation adds to a PE's clock.

use crate::outcome::{Counts, MpuCounts};

/// A table of costs in cycles, one for each kind of operation that [`Counts`] counts. Where its figures come from is the
/// caller's to know: the machine only adds them up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// A write to PRSELR.
    pub prselr: u64,
    /// A write to PRBAR in any of its forms.
    pub prbar: u64,
    /// A write to PRLAR in any of its forms.
    pub prlar: u64,
    /// A write to PRENR.
    pub prenr: u64,
    /// A write to SCTLR.
    pub sctlr: u64,
    /// A read of one of these.
    pub mpu_read: u64,
    /// An ISB.
    pub isb: u64,
    /// A DSB.
    pub dsb: u64,
    /// An exception taken to EL2.
    pub exception: u64,
    /// A return from EL2.
    pub eret: u64,
    /// A load, store or atomic at EL2.
    pub el2_access: u64,
    /// A look through the software copy of the region table.
    pub table_scan: u64,
    /// A write to another system register.
    pub sysreg_write: u64,
    /// A read of one.
    pub sysreg_read: u64,
    /// An interrupt sent to another PE.
    pub kick: u64,
    /// An action of a guest.
    pub guest_action: u64,
}

impl Costs {
    /// Every counted operation costs 1, so that cycles are a count of operations and no claim about any core.
    pub const COUNTS: Self = Self {
        prselr: 1,
        prbar: 1,
        prlar: 1,
        prenr: 1,
        sctlr: 1,
        mpu_read: 1,
        isb: 1,
        dsb: 1,
        exception: 1,
        eret: 1,
        el2_access: 1,
        table_scan: 1,
        sysreg_write: 1,
        sysreg_read: 1,
        kick: 1,
        guest_action: 1,
    };

    /// The cycles that these operations take. Time that is no operation (a guest's `compute`, waiting for the hypervisor
    /// lock) is not in it. Saturates.
    #[must_use]
    pub fn of(&self, counts: &Counts) -> u64 {
        let Counts {
            el2,
            el1,
            isb,
            dsb,
            exceptions,
            erets,
            el2_accesses,
            table_scans,
            sysreg_writes,
            sysreg_reads,
            kicks,
            guest_actions,
        } = *counts;
        let MpuCounts { prselr, prbar, prlar, prenr, sctlr, reads } = el2.plus(el1);
        let parts = [
            (prselr, self.prselr),
            (prbar, self.prbar),
            (prlar, self.prlar),
            (prenr, self.prenr),
            (sctlr, self.sctlr),
            (reads, self.mpu_read),
            (isb, self.isb),
            (dsb, self.dsb),
            (exceptions, self.exception),
            (erets, self.eret),
            (el2_accesses, self.el2_access),
            (table_scans, self.table_scan),
            (sysreg_writes, self.sysreg_write),
            (sysreg_reads, self.sysreg_read),
            (kicks, self.kick),
            (guest_actions, self.guest_action),
        ];
        parts.iter().fold(0, |sum: u64, (times, cost)| sum.saturating_add(times.saturating_mul(*cost)))
    }
}
