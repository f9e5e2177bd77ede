//! Control of a PE, exceptions, PSTATE, thread identifiers, keys.

use super::row::{E0, E1, E2, NO, Own, Role, Row, Trap, bits, plain, row};
use mpu_model::Level;

/// `HCR_EL2`, the bits that there are without `AArch32`, EL3, VHE and nested virtualisation; FWB is one of them.
const HCR_BITS: u64 = 0xc333_7fff_7fff;
/// `CPTR_EL2`: TCPAC, TTA, TFP.
const CPTR_BITS: u64 = 1 << 31 | 1 << 20 | 1 << 10;
/// `CPTR_EL2`, bits that read as one.
const CPTR_FIXED: u64 = 0x33ff & !(1 << 10);
/// `MDCR_EL2`: HPMN to TDRA.
const MDCR_BITS: u64 = 0xfff;
/// `SPSR_ELx`: NZCV, DIT, UAO, PAN, SS, IL, SSBS, DAIF and M.
const SPSR_BITS: u64 = 0xf000_0000 | 0x01f0_0000 | 1 << 12 | 0x3df;
/// Registers for an MMU and for physical addresses have these bits of an address.
const AUXILIARY: Role = Role::Constant(0);

const fn key(name: &'static str, crm: u8, op2: u8) -> Row {
    row(name, [3, 0, 2, crm, op2], E1, E1, Trap::Apk, plain())
}

const fn el2(name: &'static str, crn: u8, crm: u8, op2: u8, role: Role) -> Row {
    row(name, [3, 4, crn, crm, op2], E2, E2, Trap::Nothing, role)
}

/// A register that `HCR_EL2.TVM` and TRVM speak of.
const fn virtual_memory(name: &'static str, crn: u8, crm: u8, op2: u8, role: Role) -> Row {
    row(name, [3, 0, crn, crm, op2], E1, E1, Trap::Tvm, role)
}

const fn el1(name: &'static str, crn: u8, crm: u8, op2: u8, role: Role) -> Row {
    row(name, [3, 0, crn, crm, op2], E1, E1, Trap::Nothing, role)
}

pub(super) const ROWS: &[Row] = &[
    virtual_memory("SCTLR_EL1", 1, 0, 0, Role::Own(Own::Sctlr(Level::El1))),
    row("ACTLR_EL1", [3, 0, 1, 0, 1], E1, E1, Trap::Tacr, AUXILIARY),
    row("CPACR_EL1", [3, 0, 1, 0, 2], E1, E1, Trap::Tcpac, bits(1 << 28 | 0b11 << 20)),
    virtual_memory("TTBR0_EL1", 2, 0, 0, plain()),
    virtual_memory("TTBR1_EL1", 2, 0, 1, plain()),
    virtual_memory("TCR_EL1", 2, 0, 2, plain()),
    key("APIAKeyLo_EL1", 1, 0),
    key("APIAKeyHi_EL1", 1, 1),
    key("APIBKeyLo_EL1", 1, 2),
    key("APIBKeyHi_EL1", 1, 3),
    key("APDAKeyLo_EL1", 2, 0),
    key("APDAKeyHi_EL1", 2, 1),
    key("APDBKeyLo_EL1", 2, 2),
    key("APDBKeyHi_EL1", 2, 3),
    key("APGAKeyLo_EL1", 3, 0),
    key("APGAKeyHi_EL1", 3, 1),
    el1("SPSR_EL1", 4, 0, 0, bits(SPSR_BITS)),
    el1("ELR_EL1", 4, 0, 1, plain()),
    el1("SP_EL0", 4, 1, 0, Role::Own(Own::SpEl0)),
    el1("SPSel", 4, 2, 0, Role::Own(Own::SpSel)),
    row("CurrentEL", [3, 0, 4, 2, 2], E1, NO, Trap::Nothing, Role::Own(Own::CurrentEl)),
    el1("PAN", 4, 2, 3, Role::Own(Own::Pan)),
    el1("UAO", 4, 2, 4, Role::Own(Own::Uao)),
    row("NZCV", [3, 3, 4, 2, 0], E0, E0, Trap::Nothing, Role::Own(Own::Nzcv)),
    row("DAIF", [3, 3, 4, 2, 1], E0, E0, Trap::Uma, Role::Own(Own::Daif)),
    row("DIT", [3, 3, 4, 2, 5], E0, E0, Trap::Nothing, Role::Own(Own::Dit)),
    row("SSBS", [3, 3, 4, 2, 6], E0, E0, Trap::Nothing, Role::Own(Own::Ssbs)),
    row("FPCR", [3, 3, 4, 4, 0], E0, E0, Trap::Fp, Role::Own(Own::Fpcr)),
    row("FPSR", [3, 3, 4, 4, 1], E0, E0, Trap::Fp, Role::Own(Own::Fpsr)),
    virtual_memory("AFSR0_EL1", 5, 1, 0, AUXILIARY),
    virtual_memory("AFSR1_EL1", 5, 1, 1, AUXILIARY),
    virtual_memory("ESR_EL1", 5, 2, 0, bits(0xffff_ffff)),
    row("ERRIDR_EL1", [3, 0, 5, 3, 0], E1, NO, Trap::Terr, Role::Constant(0)),
    row("ERRSELR_EL1", [3, 0, 5, 3, 1], E1, E1, Trap::Terr, Role::Constant(0)),
    virtual_memory("FAR_EL1", 6, 0, 0, plain()),
    el1("PAR_EL1", 7, 4, 0, plain()),
    virtual_memory("AMAIR_EL1", 10, 3, 0, AUXILIARY),
    el1("VBAR_EL1", 12, 0, 0, bits(!0x7ff)),
    row("ISR_EL1", [3, 0, 12, 1, 0], E1, NO, Trap::Nothing, Role::Own(Own::Isr)),
    el1("DISR_EL1", 12, 1, 1, Role::Own(Own::Disr)),
    virtual_memory("CONTEXTIDR_EL1", 13, 0, 1, bits(0xffff_ffff)),
    el1("TPIDR_EL1", 13, 0, 4, plain()),
    row("TPIDR_EL0", [3, 3, 13, 0, 2], E0, E0, Trap::Nothing, plain()),
    row("TPIDRRO_EL0", [3, 3, 13, 0, 3], E0, E1, Trap::Nothing, plain()),
    el2("SCTLR_EL2", 1, 0, 0, Role::Own(Own::Sctlr(Level::El2))),
    el2("ACTLR_EL2", 1, 0, 1, AUXILIARY),
    el2("HCR_EL2", 1, 1, 0, Role::Storage { reset: 0, mask: HCR_BITS, fixed: 1 << 31 }),
    el2("MDCR_EL2", 1, 1, 1, bits(MDCR_BITS)),
    el2("CPTR_EL2", 1, 1, 2, Role::Storage { reset: 0, mask: CPTR_BITS, fixed: CPTR_FIXED }),
    el2("HSTR_EL2", 1, 1, 3, Role::Constant(0)),
    el2("HACR_EL2", 1, 1, 7, AUXILIARY),
    el2("VSCTLR_EL2", 2, 0, 0, bits(0xffff << 48)),
    el2("TCR_EL2", 2, 0, 2, plain()),
    el2("VTCR_EL2", 2, 1, 2, bits(1 << 30 | 1 << 19)),
    el2("VSTCR_EL2", 2, 6, 2, bits(1 << 30 | 1 << 20)),
    el2("SPSR_EL2", 4, 0, 0, bits(SPSR_BITS)),
    el2("ELR_EL2", 4, 0, 1, plain()),
    el2("SP_EL1", 4, 1, 0, Role::Own(Own::SpEl1)),
    el2("SPSR_irq", 4, 3, 0, AUXILIARY),
    el2("SPSR_abt", 4, 3, 1, AUXILIARY),
    el2("SPSR_und", 4, 3, 2, AUXILIARY),
    el2("SPSR_fiq", 4, 3, 3, AUXILIARY),
    el2("AFSR0_EL2", 5, 1, 0, AUXILIARY),
    el2("AFSR1_EL2", 5, 1, 1, AUXILIARY),
    el2("ESR_EL2", 5, 2, 0, bits(0xffff_ffff)),
    el2("VSESR_EL2", 5, 2, 3, bits(0x1ff_ffff)),
    el2("FAR_EL2", 6, 0, 0, plain()),
    el2("HPFAR_EL2", 6, 0, 4, bits(1 << 63 | 0xff_ffff_fff0)),
    el2("AMAIR_EL2", 10, 3, 0, AUXILIARY),
    el2("VBAR_EL2", 12, 0, 0, bits(!0x7ff)),
    row("RVBAR_EL2", [3, 4, 12, 0, 1], E2, NO, Trap::Nothing, Role::NotBuilt),
    el2("RMR_EL2", 12, 0, 2, Role::NotBuilt),
    el2("VDISR_EL2", 12, 1, 1, bits(0x81ff_ffff)),
    el2("TPIDR_EL2", 13, 0, 2, plain()),
];
