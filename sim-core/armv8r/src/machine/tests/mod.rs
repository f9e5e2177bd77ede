//! Programs of words, run.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod devices;
mod entry;
mod firmware;
mod hazards;
mod regions;
mod registers;
mod several;
mod traps;
mod words;

use super::{Config, Machine, StopReason};
use crate::a64::SysEncoding;
use crate::exception::Exception;
use crate::observe::{At, Event, Flow, Observer};
use crate::pe::Pstate;
use crate::sysreg;
use boards::Board;
use mpu_model::El;
use std::vec::Vec;
use words::{LOOP, Program};

/// Where programs are put that a test does not put elsewhere.
const CODE: u64 = 0x20_0000;
/// The vectors of EL2 and of EL1: loops.
const VECTORS2: u64 = 0x21_0000;
const VECTORS1: u64 = 0x22_0000;

/// Keeps exceptions, and stops behind the first if it is to.
#[derive(Default)]
struct Recorder {
    exceptions: Vec<(At, Exception)>,
    events: Vec<Event>,
    goes_on: bool,
}

impl Observer for Recorder {
    fn observe(&mut self, at: &At, event: &Event) -> Flow {
        self.events.push(event.clone());
        if let Event::Exception(exception) = event {
            self.exceptions.push((*at, *exception));
            if !self.goes_on {
                return Flow::Stop;
            }
        }
        Flow::Go
    }
}

/// The encoding of a register by name.
fn reg(name: &str) -> SysEncoding {
    sysreg::ROWS.iter().find(|row| row.name == name).map(|row| row.encoding).unwrap()
}

fn config(board: &Board) -> Config {
    Config { entry: CODE, ..Config::new(board) }
}

fn board(pes: usize) -> Board {
    Board { pes, ..Board::preset("fvp-baser").unwrap() }
}

/// A machine of one PE with a program, with vectors that loop, and VBAR set.
fn machine(program: &Program) -> Machine {
    machine_of(&board(1), |config| config, program)
}

fn machine_of(board: &Board, change: impl Fn(Config) -> Config, program: &Program) -> Machine {
    let mut machine = Machine::new(board, change(config(board))).unwrap();
    assert!(machine.load(CODE, &program.bytes()));
    let vectors: Vec<u8> = (0..0x200).flat_map(|_| LOOP.to_le_bytes()).collect();
    assert!(machine.load(VECTORS2, &vectors) && machine.load(VECTORS1, &vectors));
    for cpu in &mut machine.cpus {
        cpu.pe.system.set(sysreg::VBAR_EL2, VECTORS2);
        cpu.pe.system.set(sysreg::VBAR_EL1, VECTORS1);
    }
    machine
}

/// Has the first PE at a level.
fn put_at(machine: &mut Machine, el: El, own_sp: bool) {
    let cpu = &mut machine.cpus[0];
    cpu.pe.set_pstate(&mut cpu.regs, Pstate { own_sp, ..Pstate::reset(el) });
}

/// Runs to the first exception.
fn first_exception(machine: &mut Machine) -> (At, Exception) {
    let mut recorder = Recorder::default();
    let reason = machine.run_with(&mut recorder, 10_000);
    assert_eq!(reason, StopReason::Observer, "{:x?}", machine.regs(0));
    recorder.exceptions[0]
}

/// What a system register of the first PE holds that is storage.
fn held(machine: &Machine, name: &str) -> u64 {
    machine.cpus[0].pe.system.get(sysreg::find(reg(name)).unwrap().0)
}
