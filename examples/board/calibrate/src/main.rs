//! What a Cortex-R52 takes for the operations that mpusim counts: measured with its cycle counter, and printed as a profile
//! that `mpusim compare --profile FILE` takes.
//!
//! [`counter`] measures, [`mpu`] knows the sums of MPU writes and barriers that a hypervisor makes of them, `start.s` the way to
//! EL1 and back. Whether the counter counts cycles is found out first: by its own results, for nothing else tells an emulator.

#![no_std]
#![no_main]

mod counter;
#[path = "../../r52/src/cp15.rs"]
#[allow(
    dead_code,
    unused_macros,
    unused_imports,
    reason = "the registers of the hypervisor's image, of which these are some"
)]
mod cp15;
mod mpu;

use board::semihosting;
use core::fmt::{self, Write};
use core::hint::black_box;
use core::panic::PanicInfo;
use counter::{Counter, Taken, sixty_four};
use cp15::{read, write};

core::arch::global_asm!(include_str!("start.s"), options(raw));

unsafe extern "C" {
    /// See `start.s`.
    fn to_el1_and_back_with_cycles(times: &mut [u32; 8]);
    /// See `start.s`.
    fn to_el1_and_back_with_ticks(times: &mut [u32; 8]);
}

/// What the counter counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    Cycles,
    /// As an emulator does that is told so.
    Instructions,
}

/// Says why nothing was measured, and ends.
fn refuse(why: impl fmt::Display) -> ! {
    let _ = writeln!(semihosting::Console::new(), "refused: {why}");
    semihosting::exit(2)
}

/// Caches on, and the EL2 MPU with the default map behind its regions, so that regions can come and go.
fn set_up() -> Counter {
    const HSCTLR_M_C_I_BR: u32 = 1 | 1 << 2 | 1 << 12 | 1 << 17;
    /// Bits that read as one and are to be written so (DDI 0568).
    const RES1: u32 = 0x30c5_0830;
    // ICC_HSRE: interrupt controller registers, for the write that sends an interrupt.
    write!("4", "c12", "c9", "5", 0xf);
    write!("4", "c6", "c1", "1", 0);
    write!("4", "c1", "c0", "0", RES1 | HSCTLR_M_C_I_BR);
    Counter::start()
}

/// An in-order core takes an addition that needs the one before it in one cycle, each time, and a division in several.
fn counts(counter: Counter, nothing: Taken) -> Counts {
    let addition = sixty_four!(counter, "add r0, r0, r0");
    let division = sixty_four!(counter, "udiv r0, r0, r0");
    let spread = addition.most.saturating_sub(addition.least);
    if addition.each(64, nothing).median != 1 || spread > 6 {
        refuse(format_args!(
            "{} counts no cycles: 64 additions in a row took {} to {}; expected 64, or QEMU with -icount shift=4",
            counter.name(),
            addition.least,
            addition.most
        ));
    }
    let barrier = sixty_four!(counter, "isb");
    let one = |taken: Taken| taken.each(64, nothing).median == 1;
    if one(division) && one(barrier) { Counts::Instructions } else { Counts::Cycles }
}

/// A region table of the hypervisor's, looked through for an address that none has.
fn scan(counter: Counter, nothing: Taken) -> Taken {
    let table: [(u32, u32); 24] = core::array::from_fn(|n| (n as u32 * 0x1000, n as u32 * 0x1000 + 0xfff));
    let once = || {
        let (table, address) = (black_box(&table), black_box(u32::MAX));
        let before = counter.now();
        black_box(table.iter().position(|(base, limit)| (*base..=*limit).contains(&address)));
        counter.now().wrapping_sub(before)
    };
    Taken::measured(once).each(1, nothing)
}

/// Cycles of a way to EL1 and back: ERET, a hypercall and back, 32 actions at EL1, HVC.
fn ways(counter: Counter, nothing: Taken) -> [Taken; 4] {
    let way = |from: usize, to: usize, n: u32, nothing: Taken| {
        Taken::measured(|| {
            let mut times = [0; 8];
            // SAFETY: the assembly keeps the procedure call standard and writes eight words.
            unsafe {
                match counter {
                    Counter::Cycles => to_el1_and_back_with_cycles(&mut times),
                    Counter::Ticks => to_el1_and_back_with_ticks(&mut times),
                }
            }
            times[to].wrapping_sub(times[from])
        })
        .each(n, nothing)
    };
    // There is no barrier where the level changes.
    let bare = Taken::measured(|| counter.apart());
    [way(0, 1, 1, bare), way(2, 3, 1, bare), way(4, 5, 32, nothing), way(6, 7, 1, bare)]
}

/// Writes the profile.
struct Profile<'a> {
    out: &'a mut semihosting::Console,
    counts: Counts,
}

impl Profile<'_> {
    fn figure(&mut self, key: &str, taken: Taken, how: &str) -> fmt::Result {
        let Taken { least, median, most } = taken;
        let provenance = match self.counts {
            Counts::Cycles => "measured",
            Counts::Instructions => "counted",
        };
        writeln!(
            self.out,
            "{key} = {{ cycles = {median}, provenance = \"{provenance}\", source = \"{how}: {least} to {most}\" }}"
        )
    }
}

fn print(counter: Counter, nothing: Taken, counts: Counts) -> fmt::Result {
    let mut out = semihosting::Console::new();
    let midr = read!("0", "c0", "c0", "0");
    let about = match counts {
        Counts::Cycles => "measured by examples/board/calibrate",
        Counts::Instructions => "instruction counts of an emulator, not a timing",
    };
    writeln!(
        out,
        "# Printed by examples/board/calibrate. Each figure: the median, and the least to the most of 32 measurements."
    )?;
    if counts == Counts::Instructions {
        writeln!(
            out,
            "# INSTRUCTION COUNTS, NOT A TIMING: a barrier and a division count 1 here, as an addition does."
        )?;
    }
    writeln!(out, "name = \"calibrated\"")?;
    writeln!(
        out,
        "about = \"MIDR {midr:#010x}, EL2 MPU of {} regions; {about} ({})\"\n",
        mpu::regions(),
        counter.name()
    )?;
    writeln!(out, "[figures]")?;
    let of_64 = |taken: Taken| taken.each(64, nothing);
    let [eret, trip, action, exception] = ways(counter, nothing);
    let sgi = of_64(sixty_four!(counter, "mcrr p15, 0, r0, r1, c12"; 0u32));
    let mut profile = Profile { out: &mut out, counts };
    let p = &mut profile;
    p.figure("prselr", of_64(sixty_four!(counter, "mcr p15, 4, r0, c6, c2, 1"; 0u32)), "64 writes of HPRSELR")?;
    p.figure("prbar", of_64(sixty_four!(counter, "mcr p15, 4, r0, c6, c15, 4"; 0u32)), "64 writes of HPRBAR15")?;
    p.figure("prlar", of_64(sixty_four!(counter, "mcr p15, 4, r0, c6, c15, 5"; 0u32)), "64 writes of HPRLAR15")?;
    p.figure("prenr", of_64(sixty_four!(counter, "mcr p15, 4, r0, c6, c1, 1"; 0u32)), "64 writes of HPRENR")?;
    let hsctlr = read!("4", "c1", "c0", "0");
    p.figure("sctlr", of_64(sixty_four!(counter, "mcr p15, 4, r0, c1, c0, 0"; hsctlr)), "64 writes of HSCTLR")?;
    p.figure("mpu_read", of_64(sixty_four!(counter, "mrc p15, 4, r0, c6, c15, 4")), "64 reads of HPRBAR15")?;
    p.figure("isb", of_64(sixty_four!(counter, "isb")), "64 ISBs")?;
    p.figure("dsb", of_64(sixty_four!(counter, "dsb sy")), "64 DSBs with nothing to wait for")?;
    p.figure("exception", exception, "an HVC of EL1 to the first instruction at EL2")?;
    p.figure("eret", eret, "an ERET to the first instruction at EL1")?;
    let word = core::cell::Cell::new(0u32);
    let address = word.as_ptr() as u32;
    p.figure("el2_access", of_64(sixty_four!(counter, "ldr r1, [r0]"; address)), "64 loads of a word that is near")?;
    p.figure("table_scan", scan(counter, nothing), "a look through 24 pairs of addresses, as the compiler has it")?;
    let vbar = read!("0", "c12", "c0", "0");
    p.figure("sysreg_write", of_64(sixty_four!(counter, "mcr p15, 0, r0, c12, c0, 0"; vbar)), "64 writes of VBAR")?;
    p.figure("sysreg_read", of_64(sixty_four!(counter, "mrc p15, 0, r0, c12, c0, 0")), "64 reads of VBAR")?;
    let kick = sgi.median + exception.median;
    writeln!(
        p.out,
        "kick = {{ cycles = {kick}, provenance = \"assumed\", source = \"a write of ICC_SGI1R ({}) and an exception; its way through \
         the interrupt controller was not measured\" }}",
        sgi.median
    )?;
    p.figure("guest_action", action, "32 times a load and an addition at EL1")?;
    writeln!(out, "\n# What a hypervisor makes of them, least / median / most:")?;
    for (what, taken) in mpu::changes(counter, nothing) {
        line(&mut out, format_args!("{what}"), taken)?;
    }
    line(&mut out, format_args!("HVC, a comparison, ERET"), trip)?;
    for n in 1..=mpu::regions().min(16) {
        line(&mut out, format_args!("another view, regions: {n}"), mpu::switch_view(counter, n, nothing))?;
    }
    Ok(())
}

fn line(out: &mut semihosting::Console, what: fmt::Arguments<'_>, taken: Taken) -> fmt::Result {
    writeln!(out, "# {what}: {} / {} / {}", taken.least, taken.median, taken.most)
}

/// Called by `start.s` with the MPU off.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let counter = set_up();
    let nothing = counter::timed!(counter, "");
    let counts = counts(counter, nothing);
    // There is nobody to tell of a console that fails.
    let _ = print(counter, nothing, counts);
    semihosting::exit(0)
}

/// Called by `start.s` at an exception that was not asked for.
#[unsafe(no_mangle)]
extern "C" fn unexpected() -> ! {
    refuse(format_args!("an exception at EL2: HSR {:#x}", read!("4", "c5", "c2", "0")))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    refuse(info)
}
