//! Runs images on an FVP's machine: `image PES BUDGET FILE@ADDRESS...`, raw bytes each. It starts where the first file is.

use armv8r::bus::Source;
use armv8r::machine::{Config, Machine, StopReason};
use boards::Board;
use std::io::Write as _;
use std::time::Instant;

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let pes = args.next().and_then(|text| text.parse().ok()).ok_or("how many PEs?")?;
    let budget = args.next().and_then(|text| number(&text)).ok_or("how many instructions?")?;
    let mut files = Vec::new();
    for arg in args {
        let (file, address) = arg.rsplit_once('@').ok_or("expected FILE@ADDRESS")?;
        files.push((std::fs::read(file)?, number(address).ok_or("an address is a number")?));
    }
    let board = Board { pes, ..Board::preset("fvp-baser").ok_or("no such board")? };
    let entry = files.first().ok_or("no image")?.1;
    let mut machine = Machine::new(&board, Config { entry, ..Config::new(&board) })?;
    for (bytes, address) in &files {
        if !machine.load(*address, bytes) {
            return Err(format!("no memory at {address:#x}").into());
        }
    }
    let started = Instant::now();
    let reason = loop {
        let reason = machine.run(budget);
        for (source, byte) in machine.take_output() {
            match source {
                Source::Semihosting => std::io::stdout().write_all(&[byte])?,
                Source::Uart(_) | Source::SemihostingError => std::io::stderr().write_all(&[byte])?,
            }
        }
        if reason != StopReason::Output {
            break reason;
        }
    };
    let micros = started.elapsed().as_micros().max(1);
    eprintln!("{reason:x?}");
    for pe in 0..machine.pes() {
        let (Some(regs), Some(state)) = (machine.regs(pe), machine.pe(pe)) else { continue };
        let executed = state.executed();
        eprintln!("PE {pe}: {executed} instructions, PC {:#x}, {:?}, {:?}", regs.pc, state.pstate(), state.power());
    }
    for hazard in machine.hazards().seen() {
        eprintln!("hazard: {hazard:x?}");
    }
    for register in machine.unknown_registers() {
        eprintln!("UNDEFINED: {register}");
    }
    let tenths = u128::from(machine.time()) * 10 / micros;
    eprintln!("{} instructions, {}.{} million a second", machine.time(), tenths / 10, tenths % 10);
    Ok(())
}
