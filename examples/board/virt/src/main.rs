//! The whole simulator, software machine and all, on an AArch64 PE at EL2: QEMU's `virt`.
//!
//! That PE has no MPU, so the machine's registers are the simulator's, not the target's. What this shows is that the sources
//! tell the same on the target's instruction set, with its atomics and its layout of data, and no more.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use alloc::vec::Vec;
use board::heap::BoardHeap;
use board::semihosting;
use core::fmt::Write;
use core::panic::PanicInfo;
use sim_core::export::{self, Program, System};
use sim_core::guest::steps::StepGuest;
use sim_core::hyp::strategy::Builtin;
use sim_core::layout::{Layout, PeId};
use sim_core::trace::{TraceEvent, TraceWriter};
use sim_core::world::observer::{Observer, RunEvent};
use sim_core::world::{Config, World};

core::arch::global_asm!(include_str!("start.s"));

#[global_allocator]
static HEAP: BoardHeap = BoardHeap::empty();

/// Where the host puts system and programs: address, bytes.
const SCENARIO: (usize, usize) = (0x4400_0000, 0x100_0000);
/// Rust's heap: address, bytes.
const MEMORY: (usize, usize) = (0x4800_0000, 0x1800_0000);

/// Says why nothing ran, and ends.
fn refuse(why: impl core::fmt::Display) -> ! {
    let _ = writeln!(semihosting::Console::new(), "refused: {why}");
    semihosting::exit(2)
}

/// Writes the trace as it happens.
struct Teller(TraceWriter<semihosting::Console>);

impl Observer for Teller {
    fn tell(&mut self, _: u64, pe: PeId, what: RunEvent) {
        if let RunEvent::Unexpected(failure) = what {
            self.trace(pe, TraceEvent::Unexpected(failure.vcpu, failure.step));
        }
    }

    fn trace(&mut self, pe: PeId, seen: TraceEvent<'_>) {
        // There is nobody to tell of a console that fails.
        let _ = self.0.record(pe, seen);
    }
}

fn mmfr0() -> u64 {
    let value;
    // SAFETY: reads an identification register.
    unsafe { core::arch::asm!("mrs {}, id_aa64mmfr0_el1", out(reg) value, options(nomem, nostack)) };
    value
}

/// Called by `start.s`.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    // SAFETY: the machine has 512 MiB from 1 GiB on, and nothing else is in its upper part.
    unsafe { HEAP.init(MEMORY.0 as *mut u8, MEMORY.1) };
    let msa = mmfr0() >> 48 & 0xf;
    let _ = writeln!(semihosting::Console::new(), "# ID_AA64MMFR0_EL1.MSA is {msa:#x}: 0xf would be PMSA");
    // SAFETY: the loader put it there, and the linker script keeps everything else away.
    let bytes = unsafe { core::slice::from_raw_parts(SCENARIO.0 as *const u8, SCENARIO.1) };
    let (system, programs): (System, Vec<Program>) = export::unpack(bytes).unwrap_or_else(|why| refuse(why));
    let layout = Layout::new(system.parts).unwrap_or_else(|why| refuse(why));
    let Some(strategy) = Builtin::from_name(&system.strategy, system.settings) else { refuse("no such strategy") };
    let config = Config {
        scheduler: system.scheduler,
        rules: system.rules,
        seed: system.seed,
        step_limit: system.step_limit,
        policy: system.policy,
        channels: system.channels,
        timers: system.timers,
        ..Config::default()
    };
    let teller = Teller(TraceWriter::new(semihosting::Console::new()));
    let mut world = World::observed(layout, strategy, config, teller).unwrap_or_else(|why| refuse(why));
    for program in programs {
        let vcpu = program.home.vcpu;
        let guest = StepGuest::new(program.home, program.steps, program.variables).seeded(program.seed);
        world.add_guest(program.domain, vcpu, Box::new(guest));
    }
    world.run();
    semihosting::exit(0)
}

/// Called by `start.s` at any exception: there are to be none.
#[unsafe(no_mangle)]
extern "C" fn unexpected() -> ! {
    let (esr, elr, far): (u64, u64, u64);
    // SAFETY: reads the syndrome registers.
    unsafe {
        core::arch::asm!("mrs {}, esr_el2", "mrs {}, elr_el2", "mrs {}, far_el2", out(reg) esr, out(reg) elr, out(reg) far);
    }
    refuse(format_args!("exception at EL2: ESR {esr:#x}, ELR {elr:#x}, FAR {far:#x}"))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(semihosting::Console::new(), "{info}");
    semihosting::exit(101)
}
