//! Cycle costs: what each counted operation adds to a PE's clock.

/// A table of costs in cycles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// Where its figures come from.
    pub provenance: &'static str,
    /// A write to an MPU register or SCTLR.
    pub mpu_write: u64,
    /// A read of one.
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

impl Profile {
    /// Every counted operation costs 1, so that cycles are a count of operations and no claim about any core.
    pub const COUNTS: Self = Self {
        name: "counts",
        provenance: "every counted operation is 1 cycle, compute n is n; not a timing",
        mpu_write: 1,
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
}
