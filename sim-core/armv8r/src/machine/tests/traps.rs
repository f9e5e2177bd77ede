//! What traps to where.

use super::words::{NOP, Program, WFE, WFI, mrs, msr};
use super::{CODE, first_exception, machine, put_at, reg};
use crate::a64::SysEncoding;
use crate::machine::StopReason;
use crate::sysreg;
use mpu_model::El;

/// The syndrome of a trapped MRS (`true`) or MSR of X3.
fn esr(register: SysEncoding, read: bool) -> u64 {
    let of = |value: u8, place: u32| u64::from(value) << place;
    0x6200_0000
        | of(register.op0(), 20)
        | of(register.op2(), 17)
        | of(register.op1(), 14)
        | of(register.crn(), 10)
        | 3 << 5
        | of(register.crm(), 1)
        | u64::from(read)
}

#[test]
fn registers_trap_by_their_bits() {
    // Register, read, from, HCR_EL2, taken to.
    let cases = [
        ("SCTLR_EL1", false, El::El1, 1 << 26, El::El2),
        ("SCTLR_EL1", true, El::El1, 1 << 30, El::El2),
        ("MAIR_EL1", false, El::El1, 1 << 26, El::El2),
        ("ID_AA64PFR0_EL1", true, El::El1, 1 << 18, El::El2),
        ("CLIDR_EL1", true, El::El1, 1 << 17, El::El2),
        ("REVIDR_EL1", true, El::El1, 1 << 16, El::El2),
        ("ACTLR_EL1", true, El::El1, 1 << 21, El::El2),
        ("APIAKeyLo_EL1", true, El::El1, 0, El::El2),
        ("CNTPCT_EL0", true, El::El1, 0, El::El2),
        ("CNTP_CTL_EL0", false, El::El1, 0, El::El2),
        // EL0: by SCTLR_EL1.UCT, CNTKCTL_EL1, SCTLR_EL1.UMA, and the ID space.
        ("CTR_EL0", true, El::El0, 0, El::El1),
        ("CNTVCT_EL0", true, El::El0, 0, El::El1),
        ("DAIF", true, El::El0, 0, El::El1),
        ("MIDR_EL1", true, El::El0, 0, El::El1),
        ("MIDR_EL1", true, El::El0, 1 << 27, El::El2),
    ];
    for (name, read, el, hcr, target) in cases {
        let register = reg(name);
        let mut machine = machine(Program::at(CODE).put(if read { mrs(3, register) } else { msr(register, 3) }));
        machine.cpus[0].pe.system.set(sysreg::HCR_EL2, hcr);
        put_at(&mut machine, el, true);
        let (_, exception) = first_exception(&mut machine);
        assert_eq!((exception.target, exception.esr()), (target, esr(register, read)), "{name} at {el}");
        assert_eq!(exception.return_to, CODE);
    }
}

#[test]
fn registers_of_a_level_above_and_of_nobody_are_undefined() {
    for (register, read, el) in [
        (reg("HCR_EL2"), true, El::El1),
        (reg("VBAR_EL1"), true, El::El0),
        (reg("TPIDRRO_EL0"), false, El::El0),
        (reg("MIDR_EL1"), false, El::El2),
        // CNTHVS_CTL_EL2, TTBR1_EL2, LORID_EL1, CNTHP_CTL_EL2.
        (SysEncoding::new(3, 4, 14, 4, 1), true, El::El2),
        (SysEncoding::new(3, 4, 2, 0, 1), true, El::El2),
        (SysEncoding::new(3, 0, 10, 4, 7), true, El::El2),
        (SysEncoding::new(3, 4, 14, 2, 1), true, El::El2),
    ] {
        let mut machine = machine(Program::at(CODE).put(if read { mrs(3, register) } else { msr(register, 3) }));
        put_at(&mut machine, el, true);
        let (_, exception) = first_exception(&mut machine);
        assert_eq!(exception.esr(), 0x0200_0000, "{register}");
        assert_eq!(machine.unknown_registers().len(), usize::from(sysreg::find(register).is_none()));
    }
}

#[test]
fn what_is_not_built_stops_with_its_name() {
    for (word, name) in [
        (mrs(3, SysEncoding::new(2, 0, 0, 0, 4)), "DBGBVR0_EL1"),
        (mrs(3, SysEncoding::new(3, 0, 15, 2, 0)), "IMPLEMENTATION DEFINED register"),
        (msr(SysEncoding::new(3, 1, 11, 0, 1), 3), "IMPLEMENTATION DEFINED register"),
    ] {
        let mut machine = machine(Program::at(CODE).puts(&[NOP, word]));
        assert_eq!(machine.run(10), StopReason::NotBuilt { pe: 0, name, pc: CODE + 4, word });
        assert_eq!(machine.pe(0).unwrap().executed(), 1);
        assert_eq!(machine.run(10), StopReason::NotBuilt { pe: 0, name, pc: CODE + 4, word }, "it stays there");
    }
}

#[test]
fn waiting_traps_by_hcr_and_sctlr() {
    for (word, el, hcr, target, which) in [
        (WFI, El::El1, 1 << 13, El::El2, 0),
        (WFE, El::El1, 1 << 14, El::El2, 1),
        (WFI, El::El0, 1 << 13, El::El1, 0),
        (WFE, El::El0, 1 << 27, El::El2, 1),
    ] {
        let hcr = if hcr == 1 << 27 { 1 << 27 | 1 << 14 } else { hcr };
        let mut machine = machine(Program::at(CODE).put(word));
        machine.cpus[0].pe.system.set(sysreg::HCR_EL2, hcr);
        put_at(&mut machine, el, true);
        let (_, exception) = first_exception(&mut machine);
        assert_eq!((exception.target, exception.esr()), (target, 0x07e0_0000 | which), "{el}");
    }
}

#[test]
fn maintenance_traps() {
    // DC CISW, IC IALLU, DC CIVAC, DC ZVA, TLBI VMALLE1 of X3.
    for (numbers, el, hcr, target) in [
        ([1, 0, 7, 14, 2], El::El1, 1 << 22, El::El2),
        ([1, 0, 7, 5, 0], El::El1, 1 << 24, El::El2),
        ([1, 3, 7, 14, 1], El::El1, 1 << 23, El::El2),
        ([1, 3, 7, 14, 1], El::El0, 0, El::El1),
        ([1, 3, 7, 4, 1], El::El1, 1 << 28, El::El2),
        ([1, 3, 7, 4, 1], El::El0, 0, El::El1),
        ([1, 0, 8, 7, 0], El::El1, 1 << 25, El::El2),
    ] {
        let [op0, op1, crn, crm, op2] = numbers;
        let operation = SysEncoding::new(op0, op1, crn, crm, op2);
        let mut machine = machine(Program::at(CODE).put(msr(operation, 3)));
        machine.cpus[0].pe.system.set(sysreg::HCR_EL2, hcr);
        put_at(&mut machine, el, true);
        let (_, exception) = first_exception(&mut machine);
        assert_eq!((exception.target, exception.esr()), (target, esr(operation, false)), "{operation}");
    }
}
