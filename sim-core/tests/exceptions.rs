//! Exceptions that EL2 has a guest take at EL1: which vector, and what the guest reads there.

use crate::common::{builtin, thread_2022, world};
use sim_core::convention::{Cause, FSC_EXTERNAL, Frame, ec};
use sim_core::layout::PeId;
use sim_core::machine::Cpu;
use sim_core::platform::{Platform, SysReg};
use sim_core::world::Config;

const VBAR: u64 = 0x3000_4000;
const NOBODY: u64 = 0x6_0000_0000;
/// PSTATE: at EL0, and at EL1 with either stack pointer.
const EL0T: u64 = 0;
const EL1T: u64 = 0b0100;
const EL1H: u64 = 0b0101;

/// Offset of the vector from `VBAR_EL1`, and `ESR_EL1`'s class, after an exception from a guest whose PSTATE was `spsr`.
fn taken(esr: u64, spsr: u64) -> (u64, u64) {
    let mut world = world(thread_2022(), builtin("map-page"), Config::default(), Vec::new());
    let id = world.hyp.vcpu_id(0, 0).unwrap();
    let mut cpu = Cpu { machine: &mut world.machine, pe: PeId::PRIMARY };
    let mut frame = Frame::default();
    world.hyp.run_on(&mut cpu, id, &mut frame).unwrap();
    (frame.spsr, frame.elr) = (spsr, 0x3000_0100);
    cpu.write(SysReg::VbarEl1, VBAR).unwrap();
    cpu.write(SysReg::EsrEl2, esr).unwrap();
    cpu.write(SysReg::FarEl2, NOBODY).unwrap();
    world.hyp.enter(&mut cpu, Cause::Sync, &mut frame).unwrap();
    assert_eq!((cpu.read(SysReg::ElrEl1), cpu.read(SysReg::SpsrEl1)), (0x3000_0100, spsr));
    (frame.elr - VBAR, cpu.read(SysReg::EsrEl1) >> 26)
}

#[test]
fn the_vector_and_the_class_say_where_the_guest_was() {
    let [data, instruction] =
        [ec::DATA_ABORT_LOWER, ec::INSTRUCTION_ABORT_LOWER].map(|class| class << 26 | FSC_EXTERNAL);
    assert_eq!(taken(data, EL1H), (0x200, ec::DATA_ABORT_SAME));
    assert_eq!(taken(data, EL1T), (0, ec::DATA_ABORT_SAME));
    assert_eq!(taken(data, EL0T), (0x400, ec::DATA_ABORT_LOWER));
    assert_eq!(taken(instruction, EL1H), (0x200, ec::INSTRUCTION_ABORT_SAME));
    assert_eq!(taken(instruction, EL0T), (0x400, ec::INSTRUCTION_ABORT_LOWER));
    assert_eq!(taken(ec::UNKNOWN << 26, EL0T), (0x400, ec::UNKNOWN));
}
