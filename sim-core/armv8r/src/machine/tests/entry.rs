//! Exceptions: vectors, syndromes, return.

use super::words::{ERET, LOOP, NOP, Program, brk, hvc, ldr64, smc, svc};
use super::{CODE, VECTORS1, VECTORS2, first_exception, held, machine, put_at, reg};
use crate::machine::StopReason;
use crate::pe::number;
use crate::sysreg;
use mpu_model::El;

#[test]
fn every_level_enters_by_its_vector() {
    for (el, own_sp, hcr, vector) in [
        (El::El2, false, 0, VECTORS2),
        (El::El2, true, 0, VECTORS2 + 0x200),
        (El::El1, false, 0, VECTORS1),
        (El::El1, true, 0, VECTORS1 + 0x200),
        (El::El0, false, 0, VECTORS1 + 0x400),
        (El::El0, false, 1 << 27, VECTORS2 + 0x400),
    ] {
        let mut machine = machine(Program::at(CODE).puts(&[NOP, svc(7)]));
        machine.cpus[0].pe.system.set(sysreg::HCR_EL2, hcr);
        put_at(&mut machine, el, own_sp);
        machine.cpus[0].regs.nzcv = 0x9000_0000;
        let (at, exception) = first_exception(&mut machine);
        assert_eq!((at.pc, at.el, exception.esr()), (CODE + 4, el, 0x5600_0007));
        let regs = machine.regs(0).unwrap();
        assert_eq!(regs.pc, vector, "{el} {own_sp}");
        let target = if vector < VECTORS1 { "EL2" } else { "EL1" };
        let held = |name: &str| held(&machine, &std::format!("{name}_{target}"));
        assert_eq!((held("ELR"), held("ESR")), (CODE + 8, 0x5600_0007));
        let mode = u64::from(number(el)) << 2 | u64::from(own_sp);
        assert_eq!(held("SPSR"), 0x9000_0000 | 0xf << 6 | mode, "{el}");
        let pstate = machine.pe(0).unwrap().pstate();
        assert_eq!((pstate.daif, pstate.own_sp, pstate.pan), (0xf, true, target == "EL1"), "SPAN is 0 in EL1");
    }
}

/// What is raised, by word, from where, with these bits of `HCR_EL2`: the level and the syndrome.
#[test]
fn syndromes() {
    let cases = [
        (hvc(0xea1), El::El1, 0, El::El2, 0x5a00_0ea1, 4),
        (hvc(1), El::El2, 0, El::El2, 0x5a00_0001, 4),
        (hvc(1), El::El1, 1 << 29, El::El1, 0x0200_0000, 0),
        (hvc(1), El::El0, 0, El::El1, 0x0200_0000, 0),
        (smc(3), El::El1, 1 << 19, El::El2, 0x5e00_0003, 0),
        (smc(3), El::El1, 0, El::El1, 0x0200_0000, 0),
        (smc(3), El::El2, 0, El::El2, 0x0200_0000, 0),
        (brk(5), El::El2, 0, El::El2, 0xf200_0005, 0),
        (brk(5), El::El1, 0, El::El1, 0xf200_0005, 0),
        (0, El::El1, 0, El::El1, 0x0200_0000, 0),
        (ERET, El::El0, 0, El::El1, 0x0200_0000, 0),
        // FMOV D0, D0 without floating point.
        (0x1e60_4000, El::El2, 0, El::El2, 0x0200_0000, 0),
    ];
    for (word, el, hcr, target, esr, offset) in cases {
        let mut machine = machine(Program::at(CODE).put(word));
        machine.cpus[0].pe.system.set(sysreg::HCR_EL2, hcr);
        put_at(&mut machine, el, true);
        let (_, exception) = first_exception(&mut machine);
        assert_eq!((exception.target, exception.esr()), (target, esr), "{word:#x} at {el}");
        assert_eq!(exception.return_to, CODE + offset, "{word:#x} at {el}");
    }
}

#[test]
fn pc_and_sp_have_to_be_aligned() {
    let mut odd = machine(Program::at(CODE).put(NOP));
    odd.regs_mut(0).unwrap().pc = CODE + 2;
    let (_, exception) = first_exception(&mut odd);
    assert_eq!((exception.esr(), exception.far, exception.return_to), (0x8a00_0000, Some(CODE + 2), CODE + 2));

    let mut program = Program::at(CODE);
    // MOV SP, X0: ADD SP, X0, #0. Then LDR X1, [SP].
    let mut stack =
        machine(program.set(reg("SCTLR_EL2"), 1 << 3).mov(0, 0x8008).puts(&[0x9100_001f, ldr64(1, 31), LOOP]));
    let (at, exception) = first_exception(&mut stack);
    assert_eq!((exception.esr(), exception.far), (0x9a00_0000, None));
    assert_eq!(at.pc, program.here() - 8);
}

#[test]
fn a_return_goes_down_and_switches_stack_pointers() {
    let mut program = Program::at(CODE);
    program.set(reg("SP_EL1"), 0x5000).set(reg("SP_EL0"), 0x4000);
    program.set(reg("SPSR_EL2"), 0x6000_0145).set(reg("ELR_EL2"), 0x23_0000).put(ERET);
    let mut machine = machine(&program);
    assert!(machine.load(0x23_0000, &LOOP.to_le_bytes()));
    machine.regs_mut(0).unwrap().set_sp(0x6000);
    assert_eq!(machine.run(100), StopReason::Budget);
    let (regs, pstate) = (machine.regs(0).unwrap(), machine.pe(0).unwrap().pstate());
    assert_eq!((regs.pc, regs.sp(), regs.nzcv), (0x23_0000, 0x5000, 0x6000_0000));
    assert_eq!((pstate.el, pstate.own_sp, pstate.daif, pstate.il), (El::El1, true, 0b0101, false));
}

#[test]
fn an_illegal_return_stays_and_the_next_instruction_tells() {
    // AArch32, EL3, a reserved mode; EL1 while TGE is set.
    for (spsr, hcr) in [(0x1d3, 0), (0xd, 0), (0x1, 0), (0x5, 1 << 27)] {
        let mut program = Program::at(CODE);
        program
            .set(reg("HCR_EL2"), hcr)
            .set(reg("SPSR_EL2"), 0x8000_0000 | spsr)
            .set(reg("ELR_EL2"), VECTORS1)
            .put(ERET);
        let mut machine = machine(&program);
        let (at, exception) = first_exception(&mut machine);
        assert_eq!((at.pc, at.el, exception.esr()), (VECTORS1, El::El2, 0x3a00_0000), "{spsr:#x}");
        let saved = held(&machine, "SPSR_EL2");
        assert_eq!(saved & 0xf010_000f, 0x8010_0009, "IL is saved");
        assert!(!machine.pe(0).unwrap().pstate().il);
    }
}
