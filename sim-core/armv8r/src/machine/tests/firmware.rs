//! PSCI as an option.

use super::words::{LOOP, Program, hvc, mrs, smc, str64};
use super::{CODE, Config, board, machine_of, reg};
use crate::machine::{Conduit, StopReason};
use crate::pe::Power;
use mpu_model::El;

const SECOND: u64 = 0x23_0000;

#[test]
fn cpu_on_starts_a_pe_and_system_off_ends_the_run() {
    for (conduit, start, call) in [(Conduit::Smc, El::El2, smc(0)), (Conduit::Hvc, El::El1, hvc(0))] {
        let mut program = Program::at(CODE);
        program.mov(0, 0x8400_0000).puts(&[call, 0xaa00_03f4]);
        program.mov(0, 0xc400_0003).mov(1, 1).mov(2, SECOND).mov(3, 77).puts(&[call, 0xaa00_03f5]);
        program.mov(0, 0xc400_0003).mov(1, 1).puts(&[call, 0xaa00_03f6]);
        program.mov(7, 0x8000);
        let wait = program.here();
        program.put(super::words::ldr64(6, 7)).cbz(6, wait);
        program.mov(0, 0x8400_0008).puts(&[call, LOOP]);
        let change = |config| Config { psci: Some(conduit), start, quantum: 10, ..config };
        let mut machine = machine_of(&board(2), change, &program);
        let mut second = Program::at(SECOND);
        second.puts(&[mrs(1, reg("CurrentEL"))]).mov(7, 0x8000).puts(&[str64(0, 7), LOOP]);
        assert!(machine.load(SECOND, &second.bytes()));
        assert_eq!(machine.pe(1).unwrap().power(), Power::Off);
        assert_eq!(machine.run(1000), StopReason::PowerOff);
        let first = machine.regs(0).unwrap();
        assert_eq!([20, 21, 22, 6].map(|number| first.x(number)), [0x1_0001, 0, (-4_i64).cast_unsigned(), 77]);
        assert_eq!(machine.regs(1).unwrap().x(1), if start == El::El2 { 8 } else { 4 });
    }
}

#[test]
fn without_firmware_every_pe_starts_at_the_image() {
    let machine = machine_of(&board(3), |config| config, &Program::at(CODE));
    assert!((0..3).all(|pe| machine.regs(pe).unwrap().pc == CODE && machine.pe(pe).unwrap().power() == Power::Running));
}
