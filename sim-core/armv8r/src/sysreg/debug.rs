//! Debug registers and the PMU, most of which are not built: DDI 0487 sections D24.3 and D24.5.

use super::row::{E0, E1, NO, Own, Role, Row, Trap, bits, row};

const fn debug(name: &'static str, crn: u8, crm: u8, op2: u8) -> Row {
    row(name, [2, 0, crn, crm, op2], E1, E1, Trap::Tda, Role::NotBuilt)
}

const fn pmu(name: &'static str, crm: u8, op2: u8, role: Role) -> Row {
    row(name, [3, 3, 9, crm, op2], E0, E0, Trap::Pmu { control: false }, role)
}

pub(super) const ROWS: &[Row] = &[
    row("MDSCR_EL1", [2, 0, 0, 2, 2], E1, E1, Trap::Tda, bits(1 << 15 | 1 << 13 | 1 << 12 | 1)),
    row("OSLAR_EL1", [2, 0, 1, 0, 4], NO, E1, Trap::Tdosa, Role::Own(Own::OsLockAccess)),
    // The OS lock is there and locked out of reset.
    row("OSLSR_EL1", [2, 0, 1, 1, 4], E1, NO, Trap::Tdosa, Role::Storage { reset: 0b1010, mask: 0, fixed: 0 }),
    row("OSDLR_EL1", [2, 0, 1, 3, 4], E1, E1, Trap::Tdosa, Role::Constant(0)),
    debug("MDCCINT_EL1", 0, 2, 0),
    debug("OSDTRRX_EL1", 0, 0, 2),
    debug("OSDTRTX_EL1", 0, 3, 2),
    debug("OSECCR_EL1", 0, 6, 2),
    debug("MDRAR_EL1", 1, 0, 0),
    debug("DBGPRCR_EL1", 1, 4, 4),
    debug("DBGCLAIMSET_EL1", 7, 8, 6),
    debug("DBGCLAIMCLR_EL1", 7, 9, 6),
    debug("DBGAUTHSTATUS_EL1", 7, 14, 6),
    debug("DBGBVR0_EL1", 0, 0, 4),
    debug("DBGBCR0_EL1", 0, 0, 5),
    debug("DBGWVR0_EL1", 0, 0, 6),
    debug("DBGWCR0_EL1", 0, 0, 7),
    debug("DBGBVR1_EL1", 0, 1, 4),
    debug("DBGBCR1_EL1", 0, 1, 5),
    debug("DBGWVR1_EL1", 0, 1, 6),
    debug("DBGWCR1_EL1", 0, 1, 7),
    row("MDCCSR_EL0", [2, 3, 0, 1, 0], E0, NO, Trap::Tda, Role::NotBuilt),
    row("DBGDTR_EL0", [2, 3, 0, 4, 0], E0, E0, Trap::Tda, Role::NotBuilt),
    row("DBGDTRRX_EL0", [2, 3, 0, 5, 0], E0, E0, Trap::Tda, Role::NotBuilt),
    row(
        "PMCR_EL0",
        [3, 3, 9, 12, 0],
        E0,
        E0,
        Trap::Pmu { control: true },
        Role::Storage { reset: 0, mask: 0xe9, fixed: 1 << 6 },
    ),
    pmu("PMCNTENSET_EL0", 12, 1, Role::NotBuilt),
    pmu("PMCNTENCLR_EL0", 12, 2, Role::NotBuilt),
    pmu("PMOVSCLR_EL0", 12, 3, Role::NotBuilt),
    pmu("PMSELR_EL0", 12, 5, bits(0x1f)),
    pmu("PMCEID0_EL0", 12, 6, Role::Constant(0)),
    pmu("PMCEID1_EL0", 12, 7, Role::Constant(0)),
    pmu("PMCCNTR_EL0", 13, 0, Role::NotBuilt),
    pmu("PMXEVTYPER_EL0", 13, 1, Role::NotBuilt),
    pmu("PMXEVCNTR_EL0", 13, 2, Role::NotBuilt),
    pmu("PMOVSSET_EL0", 14, 3, Role::NotBuilt),
    row("PMSWINC_EL0", [3, 3, 9, 12, 4], NO, E0, Trap::Pmu { control: false }, Role::Constant(0)),
    row("PMUSERENR_EL0", [3, 3, 9, 14, 0], E0, E1, Trap::Pmu { control: false }, bits(0xf)),
    row("PMINTENSET_EL1", [3, 0, 9, 14, 1], E1, E1, Trap::Pmu { control: false }, Role::NotBuilt),
    row("PMINTENCLR_EL1", [3, 0, 9, 14, 2], E1, E1, Trap::Pmu { control: false }, Role::NotBuilt),
    row("PMMIR_EL1", [3, 0, 9, 14, 6], E1, NO, Trap::Pmu { control: false }, Role::Constant(0)),
    row("PMCCFILTR_EL0", [3, 3, 14, 15, 7], E0, E0, Trap::Pmu { control: false }, Role::NotBuilt),
];
