//! Accesses through both MPUs: aborts, and what a syndrome tells of the instruction.

use super::words::{DSB, ERET, ISB, LOOP, Program, ldadd, ldr32, ldr64, ldrsb, ldxr, stlr, str32, str64};
use super::{CODE, Config, Recorder, VECTORS2, board, first_exception, held, machine, machine_of, put_at, reg};
use crate::machine::StopReason;
use mpu_model::El;

/// Guest's code, and its data; nobody's.
const GUEST: u64 = 0x30_0000;
const DATA: u64 = 0x31_0000;
const NOWHERE: u64 = 0x50_0000;

/// Regions of EL2: code and vectors for EL2; code, and data that are read and written, for a guest. All that is not in one is nobody's.
fn regions(program: &mut Program) -> &mut Program {
    program.set(reg("MAIR_EL2"), 0x00ff).set(reg("PRSELR_EL2"), 0).put(ISB);
    for (number, base, limit, ap, attribute) in [
        ("", CODE, 0x2f_ffff, 0b00, 0),
        ("1", GUEST, 0x30_ffff, 0b11, 0),
        ("2", DATA, 0x31_ffff, 0b01, 0),
        ("3", 0x9c09_0000, 0x9c09_0fff, 0b01, 1),
    ] {
        program.set(reg(&std::format!("PRBAR{number}_EL2")), base | ap << 2 | 0b11 << 4);
        program.set(reg(&std::format!("PRLAR{number}_EL2")), limit & !0x3f | attribute << 1 | 1);
    }
    program.set(reg("VBAR_EL2"), VECTORS2).puts(&[DSB, ISB]).set(reg("SCTLR_EL2"), 1).puts(&[DSB, ISB])
}

/// A machine that enters the guest with X0 and executes this word there.
fn guest(word: u32, x0: u64) -> super::Machine {
    let mut program = Program::at(CODE);
    regions(&mut program).set(reg("HCR_EL2"), 1 << 31 | 1);
    program.set(reg("SPSR_EL2"), 0x3c5).set(reg("ELR_EL2"), GUEST).mov(0, x0).put(ERET);
    let mut machine = machine(&program);
    assert!(machine.load(GUEST, &[word, LOOP].map(u32::to_le_bytes).concat()));
    machine
}

#[test]
fn stage_2_tells_of_the_instruction() {
    // ISV, SAS, SSE, SRT, SF, AR, WnR.
    for (word, iss) in [
        (str32(5, 0), 1 << 24 | 2 << 22 | 5 << 16 | 1 << 6),
        (ldr64(7, 0), 1 << 24 | 3 << 22 | 7 << 16 | 1 << 15),
        (ldrsb(3, 0), 1 << 24 | 1 << 21 | 3 << 16),
        (str32(31, 0), 1 << 24 | 2 << 22 | 31 << 16 | 1 << 6),
        (stlr(2, 0), 1 << 24 | 3 << 22 | 2 << 16 | 1 << 15 | 1 << 14 | 1 << 6),
        // LDP X1, X2, [X0]; STR X1, [X0], #8: nothing.
        (0xa940_0801, 0),
        (0xf800_8401, 1 << 6),
        (ldadd(1, 2, 0), 0),
    ] {
        let mut machine = guest(word, NOWHERE);
        let (at, exception) = first_exception(&mut machine);
        assert_eq!((at.pc, at.el, exception.target), (GUEST, El::El1, El::El2));
        assert_eq!(exception.esr(), 0x9200_0000 | iss | 0b00_0100, "{word:#x}");
        assert_eq!((held(&machine, "FAR_EL2"), held(&machine, "HPFAR_EL2")), (NOWHERE, NOWHERE >> 8));
        assert_eq!((held(&machine, "ELR_EL2"), machine.regs(0).unwrap().pc), (GUEST, VECTORS2 + 0x400));
    }
}

#[test]
fn stage_2_denies_by_permission_and_fetches_too() {
    let (_, exception) = first_exception(&mut guest(str64(1, 0), GUEST));
    assert_eq!(exception.esr() & 0xfc00_007f, 0x9000_004c);
    assert_eq!(exception.hpfar, None, "UNKNOWN: left as it is");
    // BR X0.
    let (at, exception) = first_exception(&mut guest(0xd61f_0000, CODE));
    assert_eq!((at.pc, exception.esr(), exception.far), (CODE, 0x8200_000c, Some(CODE)));
    let mut machine = guest(ldr64(1, 0), DATA);
    assert_eq!(machine.run_with(&mut Recorder::default(), 1000), StopReason::Budget);
}

#[test]
fn el2_meets_its_own_mpu() {
    for (word, esr) in [(str64(1, 0), 0x9600_0044), (ldr64(1, 0), 0x9600_0004), (ldadd(1, 2, 0), 0x9600_0004)] {
        let mut program = Program::at(CODE);
        let mut machine = machine(regions(&mut program).mov(0, NOWHERE).put(word));
        let (_, exception) = first_exception(&mut machine);
        assert_eq!((exception.target, exception.esr(), exception.far), (El::El2, esr, Some(NOWHERE)), "{word:#x}");
        assert_eq!(machine.regs(0).unwrap().pc, VECTORS2 + 0x200);
    }
    let mut program = Program::at(CODE);
    let mut off_limits = machine(regions(&mut program).mov(0, NOWHERE).put(0xd61f_0000));
    assert_eq!(first_exception(&mut off_limits).1.esr(), 0x8600_0004);
}

#[test]
fn a_guests_own_mpu_is_asked_first() {
    let mut machine = guest(ldr64(1, 0), NOWHERE);
    let cpu = &mut machine.cpus[0];
    cpu.pe.write_mpu(mpu_model::Level::El1, mpu_model::MpuReg::Prbar, GUEST, 0);
    cpu.pe.write_mpu(mpu_model::Level::El1, mpu_model::MpuReg::Prlar, GUEST | 0xffc1, 0);
    cpu.pe.write_mpu(mpu_model::Level::El1, mpu_model::MpuReg::Sctlr, 1, 0);
    let (_, exception) = first_exception(&mut machine);
    assert_eq!((exception.target, exception.esr()), (El::El1, 0x9600_0004));
    assert_eq!(held(&machine, "FAR_EL1"), NOWHERE);
}

/// PSTATE.PAN withholds from EL1 what EL0 may read; an unprivileged load is not withheld.
#[test]
fn privileged_access_never() {
    for (word, denied) in [(ldr64(1, 0), true), (0xf840_0801, false)] {
        let mut machine = machine(Program::at(CODE).puts(&[word, LOOP]));
        let cpu = &mut machine.cpus[0];
        for (reg, value) in [
            (mpu_model::MpuReg::Prbar, CODE),
            (mpu_model::MpuReg::Prlar, CODE | 0xf_ffc1),
            (mpu_model::MpuReg::PrbarN(1), DATA | 0b01 << 2),
            (mpu_model::MpuReg::PrlarN(1), DATA | 0xffc1),
            (mpu_model::MpuReg::Sctlr, 1),
        ] {
            cpu.pe.write_mpu(mpu_model::Level::El1, reg, value, 0);
        }
        cpu.pe.el1.dsb();
        cpu.pe.el1.context_sync();
        put_at(&mut machine, El::El1, true);
        let cpu = &mut machine.cpus[0];
        let pan = crate::pe::Pstate { pan: true, ..cpu.pe.pstate() };
        cpu.pe.set_pstate(&mut cpu.regs, pan);
        cpu.regs.set_x(0, DATA);
        let mut recorder = Recorder::default();
        machine.run_with(&mut recorder, 10);
        let seen = recorder.exceptions.first().map(|(_, exception)| exception.esr());
        assert_eq!(seen, denied.then_some(0x9600_000c), "{word:#x}");
    }
}

#[test]
fn nothing_answers_where_nothing_is() {
    for (word, address, esr) in [
        (ldr64(1, 0), 0x8800_0000, 0x9600_0010),
        (str64(1, 0), 0xffff_0000_0000, 0x9600_0050),
        (0xd61f_0000, 0x9000_0000, 0x8600_0010),
    ] {
        let mut machine = machine(Program::at(CODE).mov(0, address).put(word));
        let (_, exception) = first_exception(&mut machine);
        assert_eq!((exception.esr(), exception.far), (esr, Some(address)));
    }
}

#[test]
fn alignment() {
    // What faults: by SCTLR.A, a device, an exclusive or atomic access out of its granule of 16 bytes, an ordered one with nAA 0.
    const A: u64 = 1 << 1;
    const N_AA: u64 = 1 << 6;
    for (word, address, control, faults) in [
        (ldr64(1, 0), DATA + 1, 0, false),
        (ldr64(1, 0), DATA + 1, A, true),
        (ldr64(1, 0), DATA + 8, A, false),
        (ldr32(1, 0), 0x9c09_0019, 0, true),
        (ldr32(1, 0), 0x9c09_0018, 0, false),
        (ldadd(1, 2, 0), DATA + 4, 0, false),
        (ldadd(1, 2, 0), DATA + 12, N_AA, true),
        (ldxr(1, 0), DATA + 9, 0, true),
        (stlr(1, 0), DATA + 4, 0, false),
        (stlr(1, 0), DATA + 12, 0, true),
        (stlr(1, 0), DATA + 12, N_AA, false),
    ] {
        let mut program = Program::at(CODE);
        program.set(reg("SCTLR_EL2"), control).put(ISB).mov(0, address).puts(&[word, LOOP]);
        let mut machine = machine(&program);
        let mut recorder = Recorder::default();
        machine.run_with(&mut recorder, 30);
        let seen = recorder.exceptions.first().map(|(_, exception)| exception.esr() & !(1 << 6));
        assert_eq!(seen, faults.then_some(0x9600_0021), "{word:#x} at {address:#x}, SCTLR {control:#x}");
    }
}

#[test]
fn an_image_cannot_take_more_memory_than_it_may() {
    let mut program = Program::at(CODE);
    program.mov(0, 0x100_0000);
    let again = program.here();
    // ADD X0, X0, #1, LSL #12.
    program.puts(&[str64(0, 0), 0x9140_0400]).b(again);
    let limit = |config| Config { memory_limit: 1 << 20, ..config };
    let mut machine = machine_of(&board(1), limit, &program);
    assert_eq!(machine.run(1 << 20), StopReason::MemoryLimit);
    assert_eq!(machine.memory().pages(), 256);
}
