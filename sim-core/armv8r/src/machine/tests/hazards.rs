//! What a missing barrier comes to.

use super::words::{DSB, ISB, LOOP, Program, ldr64};
use super::{CODE, Config, Recorder, board, machine, machine_of, reg};
use crate::hazards::HazardMode;
use crate::machine::StopReason;
use mpu_model::{Missing, MpuReg};
use std::vec::Vec;

const DATA: u64 = 0x31_0000;

/// EL2's MPU is on with a region for everything below 3 MiB; then one for the data is written, followed by these words and a load.
/// The addresses of the write and of the load.
fn program(between: &[u32]) -> (Program, u64, u64) {
    let mut program = Program::at(CODE);
    program
        .set(reg("PRBAR_EL2"), 0)
        .set(reg("PRLAR_EL2"), 0x2f_ffc1)
        .puts(&[DSB, ISB])
        .set(reg("SCTLR_EL2"), 1)
        .puts(&[DSB, ISB]);
    program.set(reg("PRBAR1_EL2"), DATA).puts(&[DSB, ISB]).set(reg("PRLAR1_EL2"), DATA | 0xffc1);
    let write = program.here() - 4;
    program.puts(between).mov(0, DATA);
    let load = program.here();
    program.puts(&[ldr64(1, 0), ldr64(2, 0), LOOP]);
    (program, write, load)
}

#[test]
fn a_missing_barrier_names_both_instructions() {
    let dsb = Missing::DsbThenContextSync;
    for (between, missing) in [
        (&[DSB, ISB][..], None),
        (&[DSB], Some(Missing::ContextSync)),
        (&[ISB], Some(dsb)),
        (&[], Some(dsb)),
        (&[ISB, DSB], Some(Missing::ContextSync)),
    ] {
        let (program, write, load) = program(between);
        let mut machine = machine(&program);
        assert_eq!(machine.run(60), StopReason::Budget);
        let seen: Vec<_> = machine
            .hazards()
            .seen()
            .iter()
            .map(|hazard| (hazard.write_pc, hazard.write, hazard.missing, hazard.pc))
            .collect();
        let wanted = |missing| [load, load + 4].map(|pc| (write, MpuReg::PrlarN(1), missing, pc)).to_vec();
        assert_eq!(seen, missing.map(wanted).unwrap_or_default(), "{between:x?}");
    }
}

#[test]
fn a_run_goes_on_by_its_mode() {
    let (program, write, load) = program(&[]);
    let run = |hazards| {
        let mut machine = machine_of(&board(1), |config| Config { hazards, ..config }, &program);
        let mut recorder = Recorder::default();
        let reason = machine.run_with(&mut recorder, 60);
        (reason, recorder.exceptions.first().map(|(at, exception)| (at.pc, exception.esr())), machine)
    };
    let (reason, exception, _) = run(HazardMode::Newest);
    assert_eq!((reason, exception), (StopReason::Budget, None));
    let (reason, exception, _) = run(HazardMode::InForce);
    assert_eq!((reason, exception), (StopReason::Observer, Some((load, 0x9600_0004))));
    let (reason, exception, machine) = run(HazardMode::Stop);
    assert_eq!((reason, exception), (StopReason::Hazard { pe: 0, pc: load }, None));
    assert_eq!(machine.hazards().seen()[0].write_pc, write);
}

#[test]
fn how_often_is_counted() {
    let mut program = program(&[]).0;
    let again = program.here() - 4 * 3;
    program.b(again);
    // The loop in place of the last word.
    let mut machine = machine(&program);
    assert!(machine.load(program.here() - 8, &super::words::NOP.to_le_bytes()));
    machine.run(200);
    assert!(machine.hazards().seen().iter().all(|hazard| hazard.times > 10));
    assert_eq!(machine.hazards().seen().len(), 2);
}

/// Bao, `NuttX` and rust-embedded: a selection without ISB.
#[test]
fn a_region_written_through_a_selection_that_is_not_synchronised() {
    let mut program = Program::at(CODE);
    program.set(reg("PRSELR_EL2"), 5);
    let select = program.here() - 4;
    program.set(reg("PRBAR_EL2"), DATA);
    let write = program.here() - 4;
    program.put(LOOP);
    let mut machine = machine(&program);
    machine.run(20);
    let hazard = &machine.hazards().seen()[0];
    assert_eq!((hazard.write_pc, hazard.pc, hazard.access), (select, write, None));
    assert_eq!((hazard.write, hazard.missing), (MpuReg::Prselr, Missing::ContextSync));
}
