//! Several PEs, and runs that are the same each time.

use super::words::{LOOP, Program, SEV, WFE, add, ldr64, ldxr, mrs, stlr, str64, stxr, sub};
use super::{CODE, Config, Recorder, board, machine_of, reg};
use crate::machine::StopReason;
use std::vec::Vec;

const LOCK: u64 = 0x8000;
const COUNT: u64 = 0x8100;
const DONE: u64 = 0x8200;

/// Each PE adds 1 to a counter 50 times behind a lock of LDXR, STXR and WFE; STLR frees it, which is an event.
fn locked() -> Program {
    let mut program = Program::at(CODE);
    program.mov(0, LOCK).mov(1, COUNT).mov(2, 50).mov(3, 1);
    let take = program.here();
    program.put(ldxr(4, 0));
    let free = program.here() + 12;
    program.cbz(4, free).put(WFE).b(take);
    program.put(stxr(5, 3, 0)).cbnz(5, take);
    program.puts(&[ldr64(6, 1), add(6, 6, 1), str64(6, 1), stlr(31, 0), sub(2, 2, 1)]).cbnz(2, take);
    // Each has a doubleword for being done.
    program.mov(7, DONE).puts(&[mrs(8, reg("MPIDR_EL1")), 0xd37d_0908, 0x8b08_00e7, str64(3, 7), SEV]);
    let wait = program.here();
    program.put(WFE).b(wait);
    program
}

fn machine(pes: usize, quantum: u64) -> super::Machine {
    machine_of(&board(pes), |config| Config { quantum, ..config }, &locked())
}

fn word(machine: &super::Machine, address: u64) -> u64 {
    let mut bytes = [0; 8];
    machine.memory().read(address, &mut bytes);
    u64::from_le_bytes(bytes)
}

#[test]
fn a_lock_of_exclusives_is_one() {
    for quantum in [1, 3, 7, 1000] {
        let mut machine = machine(4, quantum);
        assert_eq!(machine.run(1_000_000), StopReason::Asleep, "all wait for an event");
        assert_eq!(word(&machine, COUNT), 200, "{quantum}");
        assert!((0..4).all(|pe| word(&machine, DONE + 8 * pe) == 1));
    }
}

#[test]
fn the_same_bytes_twice_and_by_parts() {
    for pes in [1, 2, 4] {
        let record = |parts: &[u64], looks_on: bool| {
            let mut machine = machine(pes, 5);
            let mut recorder = Recorder { goes_on: true, ..Recorder::default() };
            for part in parts {
                if looks_on {
                    machine.run_with(&mut recorder, *part);
                } else {
                    machine.run(*part);
                }
            }
            (machine, recorder.events)
        };
        let (whole, events) = record(&[3000], true);
        let (again, same) = record(&[3000], true);
        assert!(whole == again && events == same);
        let ones = std::vec![1; 3000];
        let (by_ones, same) = record(&ones, true);
        assert!(whole == by_ones && events == same, "{pes}");
        assert!(whole == record(&[1234, 1766], false).0, "nobody looks on");
    }
}

#[test]
fn a_copy_goes_its_own_way_and_can_be_put_back() {
    let mut machine = machine(2, 5);
    machine.run(500);
    let saved = machine.clone();
    assert!(saved == machine);
    machine.run(1);
    assert!(saved != machine);
    machine.run(400);
    let mut other = saved.clone();
    other.run(401);
    assert!(other == machine && saved != machine);
    assert!(word(&saved, COUNT) < word(&machine, COUNT));
    // What is remembered of accesses and instructions makes no difference.
    let mut forgetful = saved;
    for _ in 0..401 {
        forgetful = forgetful.clone();
        forgetful.run(1);
    }
    assert!(forgetful == machine);
}

/// A PE that waits by WFE is woken by SEV; one that waits by WFI by an SGI of another.
#[test]
fn sgis_wake_other_pes() {
    let sgi1r = crate::a64::SysEncoding::new(3, 0, 12, 11, 5);
    let mut program = Program::at(CODE);
    let redistributor = 0xaf10_0000 + 0x2_0000;
    program.puts(&[mrs(1, reg("MPIDR_EL1")), 0x1200_0c21]);
    let second = CODE + 0x400;
    program.cbnz(1, second);
    // The first: everything set up for the second, wait for its sign, then the SGI.
    program.store32(0xaf00_0000, 1 << 1 | 1 << 4);
    program
        .store32(redistributor + 0x14, 0)
        .store32(redistributor + 0x1_0080, u32::MAX)
        .store32(redistributor + 0x1_0100, 1 << 3);
    program.mov(2, DONE);
    let wait = program.here();
    program.put(ldr64(3, 2)).cbz(3, wait);
    program.set(sgi1r, 3 << 24 | 0b10).put(super::words::WFI).put(LOOP);
    let mut other = Program::at(second);
    other.set(crate::a64::SysEncoding::new(3, 0, 4, 6, 0), 0xff).set(crate::a64::SysEncoding::new(3, 0, 12, 12, 7), 1);
    other.mov(2, DONE).mov(3, 1).puts(&[str64(3, 2), super::words::WFI]);
    other.puts(&[mrs(4, crate::a64::SysEncoding::new(3, 0, 12, 12, 0)), str64(4, 2), super::words::WFI, LOOP]);
    let mut machine = machine_of(&board(2), |config| config, &program);
    assert!(machine.load(second, &other.bytes()));
    // The interrupt stays active and masked, so that the second WFI waits for ever.
    assert_eq!(machine.run(100_000), StopReason::Asleep);
    assert_eq!(word(&machine, DONE), 3);
    let executed: Vec<_> = (0..2).map(|pe| machine.pe(pe).unwrap().executed()).collect();
    assert!(executed.iter().all(|count| *count < 20_000), "{executed:?}");
}
