//! Registers of the GIC's CPU interface and of the generic timers, which devices answer for: IHI 0069 chapter 12, DDI 0487 section
//! D24.10. The EL2 timer is the Secure one, `CNTHPS`; `CNTHP` and `CNTHV` are not there, `CNTHVS` comes with VHE only.

use super::{Counting, E0, E1, E2, GicGroup, NO, Place, Role, Row, Trap, bits, place, row};

const fn gic(name: &'static str, crm: u8, op2: u8, read: u8, write: u8, group: GicGroup) -> Row {
    row(name, [3, 0, 12, crm, op2], read, write, Trap::Gic(group), Role::Device)
}

const fn el2(name: &'static str, crn: u8, crm: u8, op2: u8, write: u8) -> Row {
    row(name, [3, 4, crn, crm, op2], E2, write, Trap::Nothing, Role::Device)
}

const fn timer(name: &'static str, crm: u8, op2: u8, what: Counting) -> Row {
    let write = if matches!(what, Counting::Physical | Counting::Virtual) { NO } else { E0 };
    row(name, [3, 3, 14, crm, op2], E0, write, Trap::Counter(what), Role::Device)
}

pub(super) const ROWS: &[Row] = &[
    row("ICC_PMR_EL1", [3, 0, 4, 6, 0], E1, E1, Trap::Gic(GicGroup::Common), Role::Device),
    gic("ICC_IAR0_EL1", 8, 0, E1, NO, GicGroup::Zero),
    gic("ICC_EOIR0_EL1", 8, 1, NO, E1, GicGroup::Zero),
    gic("ICC_HPPIR0_EL1", 8, 2, E1, NO, GicGroup::Zero),
    gic("ICC_BPR0_EL1", 8, 3, E1, E1, GicGroup::Zero),
    gic("ICC_AP0R0_EL1", 8, 4, E1, E1, GicGroup::Zero),
    gic("ICC_AP0R1_EL1", 8, 5, E1, E1, GicGroup::Zero),
    gic("ICC_AP0R2_EL1", 8, 6, E1, E1, GicGroup::Zero),
    gic("ICC_AP0R3_EL1", 8, 7, E1, E1, GicGroup::Zero),
    gic("ICC_AP1R0_EL1", 9, 0, E1, E1, GicGroup::One),
    gic("ICC_AP1R1_EL1", 9, 1, E1, E1, GicGroup::One),
    gic("ICC_AP1R2_EL1", 9, 2, E1, E1, GicGroup::One),
    gic("ICC_AP1R3_EL1", 9, 3, E1, E1, GicGroup::One),
    gic("ICC_DIR_EL1", 11, 1, NO, E1, GicGroup::Deactivate),
    gic("ICC_RPR_EL1", 11, 3, E1, NO, GicGroup::Common),
    gic("ICC_SGI1R_EL1", 11, 5, NO, E1, GicGroup::Generate),
    gic("ICC_ASGI1R_EL1", 11, 6, NO, E1, GicGroup::Generate),
    gic("ICC_SGI0R_EL1", 11, 7, NO, E1, GicGroup::Generate),
    gic("ICC_IAR1_EL1", 12, 0, E1, NO, GicGroup::One),
    gic("ICC_EOIR1_EL1", 12, 1, NO, E1, GicGroup::One),
    gic("ICC_HPPIR1_EL1", 12, 2, E1, NO, GicGroup::One),
    gic("ICC_BPR1_EL1", 12, 3, E1, E1, GicGroup::One),
    gic("ICC_CTLR_EL1", 12, 4, E1, E1, GicGroup::Common),
    gic("ICC_SRE_EL1", 12, 5, E1, E1, GicGroup::Enable),
    gic("ICC_IGRPEN0_EL1", 12, 6, E1, E1, GicGroup::Zero),
    gic("ICC_IGRPEN1_EL1", 12, 7, E1, E1, GicGroup::One),
    el2("ICC_SRE_EL2", 12, 9, 5, E2),
    el2("ICH_AP0R0_EL2", 12, 8, 0, E2),
    el2("ICH_AP0R1_EL2", 12, 8, 1, E2),
    el2("ICH_AP0R2_EL2", 12, 8, 2, E2),
    el2("ICH_AP0R3_EL2", 12, 8, 3, E2),
    el2("ICH_AP1R0_EL2", 12, 9, 0, E2),
    el2("ICH_AP1R1_EL2", 12, 9, 1, E2),
    el2("ICH_AP1R2_EL2", 12, 9, 2, E2),
    el2("ICH_AP1R3_EL2", 12, 9, 3, E2),
    el2("ICH_HCR_EL2", 12, 11, 0, E2),
    el2("ICH_VTR_EL2", 12, 11, 1, NO),
    el2("ICH_MISR_EL2", 12, 11, 2, NO),
    el2("ICH_EISR_EL2", 12, 11, 3, NO),
    el2("ICH_ELRSR_EL2", 12, 11, 5, NO),
    el2("ICH_VMCR_EL2", 12, 11, 7, E2),
    el2("ICH_LR0_EL2", 12, 12, 0, E2),
    el2("ICH_LR1_EL2", 12, 12, 1, E2),
    el2("ICH_LR2_EL2", 12, 12, 2, E2),
    el2("ICH_LR3_EL2", 12, 12, 3, E2),
    el2("ICH_LR4_EL2", 12, 12, 4, E2),
    el2("ICH_LR5_EL2", 12, 12, 5, E2),
    el2("ICH_LR6_EL2", 12, 12, 6, E2),
    el2("ICH_LR7_EL2", 12, 12, 7, E2),
    el2("ICH_LR8_EL2", 12, 13, 0, E2),
    el2("ICH_LR9_EL2", 12, 13, 1, E2),
    el2("ICH_LR10_EL2", 12, 13, 2, E2),
    el2("ICH_LR11_EL2", 12, 13, 3, E2),
    el2("ICH_LR12_EL2", 12, 13, 4, E2),
    el2("ICH_LR13_EL2", 12, 13, 5, E2),
    el2("ICH_LR14_EL2", 12, 13, 6, E2),
    el2("ICH_LR15_EL2", 12, 13, 7, E2),
    row("CNTKCTL_EL1", [3, 0, 14, 1, 0], E1, E1, Trap::Nothing, bits(0x3ff)),
    row("CNTFRQ_EL0", [3, 3, 14, 0, 0], E0, E2, Trap::Counter(Counting::Frequency), Role::Device),
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

pub(crate) const CNTKCTL_EL1: Place = place([3, 0, 14, 1, 0]);
pub(crate) const CNTHCTL_EL2: Place = place([3, 4, 14, 1, 0]);
