//! Registers of the generic timers, which devices answer for: DDI 0487 section D24.10. The EL2 timer is the Secure one, `CNTHPS`; `CNTHP` and `CNTHV` are not there, `CNTHVS` comes with VHE only.

use super::row::{Counting, E0, E1, E2, NO, Role, Row, Trap, bits, row};

const fn el2(name: &'static str, crn: u8, crm: u8, op2: u8, write: u8) -> Row {
    row(name, [3, 4, crn, crm, op2], E2, write, Trap::Nothing, Role::Device)
}

const fn timer(name: &'static str, crm: u8, op2: u8, what: Counting) -> Row {
    let write = if matches!(what, Counting::Physical | Counting::Virtual) { NO } else { E0 };
    row(name, [3, 3, 14, crm, op2], E0, write, Trap::Counter(what), Role::Device)
}

pub(super) const ROWS: &[Row] = &[
    row("CNTKCTL_EL1", [3, 0, 14, 1, 0], E1, E1, Trap::Nothing, bits(0x3ff)),
    row("CNTFRQ_EL0", [3, 3, 14, 0, 0], E0, E2, Trap::Counter(Counting::Frequency), bits(0xffff_ffff)),
    timer("CNTPCT_EL0", 0, 1, Counting::Physical),
    timer("CNTVCT_EL0", 0, 2, Counting::Virtual),
    timer("CNTP_TVAL_EL0", 2, 0, Counting::PhysicalTimer),
    timer("CNTP_CTL_EL0", 2, 1, Counting::PhysicalTimer),
    timer("CNTP_CVAL_EL0", 2, 2, Counting::PhysicalTimer),
    timer("CNTV_TVAL_EL0", 3, 0, Counting::VirtualTimer),
    timer("CNTV_CTL_EL0", 3, 1, Counting::VirtualTimer),
    timer("CNTV_CVAL_EL0", 3, 2, Counting::VirtualTimer),
    el2("CNTVOFF_EL2", 14, 0, 3, E2),
    row("CNTHCTL_EL2", [3, 4, 14, 1, 0], E2, E2, Trap::Nothing, bits(0xff)),
    el2("CNTHPS_TVAL_EL2", 14, 5, 0, E2),
    el2("CNTHPS_CTL_EL2", 14, 5, 1, E2),
    el2("CNTHPS_CVAL_EL2", 14, 5, 2, E2),
];
