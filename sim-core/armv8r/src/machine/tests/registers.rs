//! System registers that do something, and the features that ID registers declare.

use super::words::{DSB, LOOP, Program, ldr64, mrs, msr, str64};
use super::{CODE, machine, put_at, reg};
use crate::a64::SysEncoding;
use crate::machine::StopReason;
use crate::sysreg;
use mpu_model::El;

#[test]
fn el1_reads_what_el2_shows_of_the_processor() {
    let mut program = Program::at(CODE);
    program.puts(&[mrs(0, reg("MIDR_EL1")), mrs(1, reg("MPIDR_EL1")), mrs(2, reg("CurrentEL")), LOOP]);
    let mut own = machine(&program);
    own.run(10);
    let x = |machine: &super::Machine, number| machine.regs(0).unwrap().x(number);
    assert_eq!([0, 1, 2].map(|number| x(&own, number)), [0x410f_d0f0, 0xc000_0000, 8]);
    let mut shown = machine(&program);
    shown.cpus[0].pe.system.set(sysreg::VPIDR_EL2, 0x1234);
    shown.cpus[0].pe.system.set(sysreg::VMPIDR_EL2, 0x8000_0007);
    put_at(&mut shown, El::El1, true);
    shown.run(10);
    assert_eq!([0, 1, 2].map(|number| x(&shown, number)), [0x1234, 0x8000_0007, 4]);
}

#[test]
fn stack_pointers_are_one_with_their_registers() {
    let mut program = Program::at(CODE);
    program.set(reg("SP_EL0"), 0x1110).set(reg("SP_EL1"), 0x2220);
    // SPSel 0: SP is SP_EL0. ADD X0, SP, #0; ADD SP, SP, #16; back, and read SP_EL0.
    program.puts(&[
        0xd500_40bf,
        0x9100_03e0,
        0x9100_43ff,
        0xd500_41bf,
        mrs(1, reg("SP_EL0")),
        mrs(2, reg("SP_EL1")),
        LOOP,
    ]);
    let mut machine = machine(&program);
    machine.run(30);
    let regs = machine.regs(0).unwrap();
    assert_eq!([0, 1, 2].map(|number| regs.x(number)), [0x1110, 0x1120, 0x2220]);
}

#[test]
fn bits_that_read_as_one_or_zero() {
    for (name, written, reads) in [
        ("HCR_EL2", 0, 1 << 31),
        ("HCR_EL2", u64::MAX, 0xc333_ffff_7fff),
        ("CPTR_EL2", 0, 0x33ff & !(1 << 10)),
        ("SCTLR_EL1", 0, 0x3050_0800),
        ("SCTLR_EL2", 0, 0x30c5_0830),
        ("VBAR_EL2", 0x1_07ff, 0x1_0000),
        ("VTCR_EL2", 1 << 31, 0),
        ("PRSELR_EL1", 0x1ff, 0xff),
        ("ACTLR_EL2", 7, 0),
        ("CNTHCTL_EL2", 3, 3),
    ] {
        let mut program = Program::at(CODE);
        let mut machine = machine(program.set(reg(name), written).puts(&[mrs(0, reg(name)), LOOP]));
        machine.run(10);
        assert_eq!(machine.regs(0).unwrap().x(0), reads, "{name}");
    }
}

#[test]
fn implementation_defined_registers_read_what_an_option_says() {
    let register = SysEncoding::new(3, 0, 15, 1, 4);
    let mut program = Program::at(CODE);
    program.puts(&[msr(register, 1), mrs(0, register), LOOP]);
    let options = |config| super::Config { implementation_defined: [(register, 77)].into(), ..config };
    let mut machine = super::machine_of(&super::board(1), options, &program);
    assert_eq!(machine.run(10), StopReason::Budget);
    assert_eq!(machine.regs(0).unwrap().x(0), 77);
}

#[test]
fn dc_zva_and_at() {
    let (zva, s1e2w, s12e1r) =
        (SysEncoding::new(1, 3, 7, 4, 1), SysEncoding::new(1, 4, 7, 8, 1), SysEncoding::new(1, 4, 7, 8, 4));
    let mut program = Program::at(CODE);
    program.mov(0, 0x8010).mov(1, u64::MAX).puts(&[str64(1, 0), msr(zva, 0), ldr64(2, 0)]);
    program.puts(&[msr(s1e2w, 0), mrs(3, reg("PAR_EL1"))]);
    // Stage 2 is on and has no region.
    program.set(reg("HCR_EL2"), 1).puts(&[msr(s12e1r, 0), mrs(4, reg("PAR_EL1")), DSB, LOOP]);
    let mut machine = machine(&program);
    machine.run(40);
    let regs = machine.regs(0).unwrap();
    assert_eq!((regs.x(2), regs.x(3)), (0, 0x8000 | 1 << 11));
    assert_eq!(regs.x(4), 1 | 4 << 1 | 1 << 9 | 1 << 11, "translation fault of stage 2");
}

/// Code that is written anew is executed anew.
#[test]
fn words_that_are_overwritten_are_decoded_again() {
    let mut program = Program::at(CODE);
    let patched = CODE + 0x100;
    // Twice: BLR to a word that returns; then it is made ADD X5, X5, #1 behind which is RET.
    program.mov(0, patched).mov(1, 0x9100_04a5).puts(&[
        0xd63f_0000,
        super::words::str32(1, 0),
        0xd63f_0000,
        0xd63f_0000,
        LOOP,
    ]);
    let mut machine = machine(&program);
    assert!(machine.load(patched, &[0xd65f_03c0_u32, 0xd65f_03c0].map(u32::to_le_bytes).concat()));
    machine.run(30);
    assert_eq!(machine.regs(0).unwrap().x(5), 2);
}
