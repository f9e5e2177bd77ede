//! Interrupts, timers, sleep, UART, semihosting.

use super::words::{LOOP, NOP, Program, WFI, ldr32, mrs, msr, str32};
use super::{CODE, Config, Recorder, VECTORS1, VECTORS2, board, first_exception, machine, machine_of, put_at, reg};
use crate::bus::{Input, Source};
use crate::exception::ExceptionKind;
use crate::machine::StopReason;
use crate::sysreg;
use mpu_model::El;
use std::vec::Vec;

const GICD: u64 = 0xaf00_0000;
const SGI: u64 = 0xaf11_0000;

/// Group 1, priority 0x80 and enabled: this PPI. The CPU interface takes all of group 1.
fn enable(program: &mut Program, intid: u32) -> &mut Program {
    program.store32(GICD, 1 << 1 | 1 << 4).store32(SGI - 0x1_0000 + 0x14, 0);
    program
        .store32(SGI + 0x80, u32::MAX)
        .store32(SGI + 0x400 + u64::from(intid & !3), 0x8080_8080)
        .store32(SGI + 0x100, 1 << intid);
    program.set(crate::a64::SysEncoding::new(3, 0, 4, 6, 0), 0xff).set(crate::a64::SysEncoding::new(3, 0, 12, 12, 7), 1)
}

const IAR1: crate::a64::SysEncoding = crate::a64::SysEncoding::new(3, 0, 12, 12, 0);

#[test]
fn a_timer_wakes_el2_and_interrupts_it() {
    let mut program = Program::at(CODE);
    enable(&mut program, 20).set(reg("HCR_EL2"), 1 << 4);
    program.set(reg("CNTHPS_TVAL_EL2"), 5000).set(reg("CNTHPS_CTL_EL2"), 1);
    program.put(WFI);
    let behind = program.here();
    // DAIFClr #2.
    program.puts(&[0xd503_42ff, NOP, LOOP]);
    let mut machine = machine(&program);
    let (at, exception) = first_exception(&mut machine);
    assert_eq!((exception.kind, exception.target, exception.return_to), (ExceptionKind::Irq, El::El2, behind + 4));
    assert!(at.time >= 5000 && machine.time() < 5200 && machine.pe(0).unwrap().executed() < 200);
    // The instruction at the vector is executed, and then the observer stops the run.
    assert_eq!(machine.regs(0).unwrap().pc, VECTORS2 + 0x280);
}

#[test]
fn an_interrupt_is_exact_and_is_acknowledged() {
    let mut program = Program::at(CODE);
    enable(&mut program, 27).puts(&[0xd503_42ff]);
    program.mov(9, 1000).puts(&[msr(reg("CNTV_TVAL_EL0"), 9), mrs(5, reg("CNTVCT_EL0")), msr(reg("CNTV_CTL_EL0"), 31)]);
    program.mov(9, 1).puts(&[msr(reg("CNTV_CTL_EL0"), 9), LOOP]);
    let mut machine = machine(&program);
    // At EL1 without IMO: to EL1.
    put_at(&mut machine, El::El1, true);
    assert!(machine.load(VECTORS1 + 0x280, &[mrs(0, IAR1), LOOP].map(u32::to_le_bytes).concat()));
    let mut recorder = Recorder { goes_on: true, ..Recorder::default() };
    machine.run_with(&mut recorder, 3000);
    let (at, exception) = recorder.exceptions[0];
    let set = machine.regs(0).unwrap().x(5);
    assert_eq!((exception.kind, exception.target, at.time), (ExceptionKind::Irq, El::El1, set - 1 + 1000));
    assert_eq!(machine.regs(0).unwrap().x(0), 27);
}

#[test]
fn a_physical_interrupt_goes_to_el2_whatever_el1_masks() {
    let mut program = Program::at(CODE);
    enable(&mut program, 30).puts(&[NOP, LOOP]);
    let mut machine = machine(&program);
    machine.run(60);
    machine.cpus[0].pe.system.set(sysreg::HCR_EL2, 1 << 4);
    put_at(&mut machine, El::El1, true);
    machine.bus.timers_mut(0).unwrap().set_control(crate::devices::timer::Timer::Physical, 1);
    machine.bus.timers_changed();
    let (at, exception) = first_exception(&mut machine);
    assert_eq!((at.el, exception.kind, exception.target), (El::El1, ExceptionKind::Irq, El::El2));
    assert_eq!(machine.regs(0).unwrap().pc, VECTORS2 + 0x480);
}

#[test]
fn virtual_interrupts_are_those_of_hcr_and_of_list_registers() {
    let lr0 = crate::a64::SysEncoding::new(3, 4, 12, 12, 0);
    let (hcr, vmcr) = (crate::a64::SysEncoding::new(3, 4, 12, 11, 0), crate::a64::SysEncoding::new(3, 4, 12, 11, 7));
    for (bits, lr, kind) in [
        (1 << 7 | 1 << 4, 0, Some(ExceptionKind::Irq)),
        (1 << 6 | 1 << 3, 0, Some(ExceptionKind::Fiq)),
        (1 << 8 | 1 << 5, 0, Some(ExceptionKind::SError)),
        (1 << 7, 0, None),
        (1 << 4, 1 << 62 | 1 << 60 | 0x20 << 48 | 0x28, Some(ExceptionKind::Irq)),
        (0, 1 << 62 | 1 << 60 | 0x20 << 48 | 0x28, None),
    ] {
        let mut program = Program::at(CODE);
        program
            .set(hcr, 1)
            .set(vmcr, 0xff << 24 | 0b10)
            .set(lr0, lr)
            .set(reg("VSESR_EL2"), 0x55)
            .set(reg("HCR_EL2"), bits);
        program.set(reg("SPSR_EL2"), 0x5).set(reg("ELR_EL2"), VECTORS1 + 0x600).put(super::words::ERET);
        let mut machine = machine(&program);
        assert!(machine.load(VECTORS1 + 0x280, &[mrs(0, IAR1), LOOP].map(u32::to_le_bytes).concat()));
        let mut recorder = Recorder { goes_on: true, ..Recorder::default() };
        machine.run_with(&mut recorder, 100);
        let seen = recorder.exceptions.first().map(|(_, exception)| (exception.kind, exception.target));
        assert_eq!(seen, kind.map(|kind| (kind, El::El1)), "{bits:#x}");
        if lr != 0 && kind.is_some() {
            assert_eq!(machine.regs(0).unwrap().x(0), 40, "the virtual one is acknowledged");
        }
        if kind == Some(ExceptionKind::SError) {
            assert_eq!(super::held(&machine, "ESR_EL1"), 0xbe00_0055);
            assert_eq!(super::held(&machine, "HCR_EL2") & 1 << 8, 0);
        }
    }
}

#[test]
fn asleep_for_ever_is_told() {
    let mut machine = machine(Program::at(CODE).puts(&[WFI, LOOP]));
    assert_eq!(machine.run(10), StopReason::Asleep);
    // A timer whose interrupt nobody has enabled wakes nobody.
    let mut program = Program::at(CODE);
    let mut machine =
        super::machine(program.set(reg("CNTHPS_TVAL_EL2"), 100).set(reg("CNTHPS_CTL_EL2"), 1).puts(&[WFI, LOOP]));
    assert_eq!(machine.run(100), StopReason::Asleep);
    assert!(machine.time() >= 100);
}

#[test]
fn bytes_go_out_and_come_in() {
    let mut program = Program::at(CODE);
    program.mov(10, 0x9c09_0000).mov(9, u64::from(b'!')).put(str32(9, 10));
    let wait = program.here();
    // FR.RXFE is bit 4.
    program.puts(&[0xb940_1941, 0x1200_0000 | 0x1c << 16 | 1 << 5 | 1]).cbnz(1, wait);
    program.puts(&[ldr32(2, 10), LOOP]);
    let mut machine = machine(&program);
    machine.add_input(Input { time: 500, uart: 0, byte: b'x' });
    machine.run(400);
    assert_eq!(machine.regs(0).unwrap().x(2), 0);
    machine.run(400);
    assert_eq!(machine.regs(0).unwrap().x(2) & 0xff, u64::from(b'x'));
    assert_eq!(machine.take_output(), [(Source::Uart(0), b'!')]);
}

#[test]
fn semihosting_prints_and_ends_the_run() {
    let mut program = Program::at(CODE);
    program.mov(0, 4).mov(1, CODE + 0x100).put(0xd45e_0000);
    program.mov(0, 0x18).mov(1, CODE + 0x120).put(0xd45e_0000);
    let load = |machine: &mut super::Machine| {
        assert!(machine.load(CODE + 0x100, b"hello\0"));
        assert!(machine.load(CODE + 0x120, &[0x20026_u64, 101].map(u64::to_le_bytes).concat()));
    };
    let mut machine = machine(&program);
    load(&mut machine);
    assert_eq!(machine.run(100), StopReason::Exit { reason: 0x20026, code: 101 });
    let said: Vec<u8> = machine.take_output().into_iter().map(|(_, byte)| byte).collect();
    assert_eq!(said, b"hello");
    let mut without = machine_of(&board(1), |config| Config { semihosting: None, ..config }, &program);
    assert_eq!(first_exception(&mut without).1.esr(), 0x0200_0000, "HLT is UNDEFINED");
}
