//! Plays the PMSA half of an Armv8-R AArch64 PE for the image `v8r`, on QEMU's virt, whose PE has MMUs and no MPU.
//!
//! No emulator of an EL2 MPU for AArch64 was available, so this is how `v8r` runs at all. It is the file that would be loaded on the
//! FVP, and it runs at EL2: its start-up, its vectors, its HVCs, its list register, its guests at EL1 are real. This image is at EL2 as well,
//! in front of its vectors, and plays what the PE lacks:
//!
//! * [`mpus`]: MSR and MRS of the region registers are undefined here and trap; `mpu-model` keeps the registers and judges, and [`tables`]
//!   of an MMU give EL2 and the guests the rights that it finds, over the FVP's addresses.
//! * [`patch`]: instructions that would not trap although they mean another register here (`VSCTLR_EL2` has the encoding of `TTBR0_EL2`), or that
//!   two programs at one exception level cannot both execute (`VBAR_EL2`, `ERET`), are made undefined in memory; [`played`] says which.
//! * [`exception`]: everything enters here first. What is not for this image goes on to the vector that the other one has set; an abort of
//!   the MMU with the syndrome that the MPU would have given.
//!
//! So a wrong idea of the MPU's rules or of the moment when a write is in force is wrong on both sides, and does not show.

#![no_std]
#![no_main]

mod exception;
mod mpus;
mod patch;
mod played;
mod sysreg;
mod tables;

use board::semihosting;
use core::cell::UnsafeCell;
use core::fmt::Write;
use core::panic::PanicInfo;
use mpus::Mpus;
use patch::Patches;
use played::KEPT;
use sysreg::write;
use tables::Tables;

core::arch::global_asm!(include_str!("start.s"), options(raw));

/// Where the image begins, and PSTATE out of reset: EL2h, everything masked.
const IMAGE: u64 = 0x0020_0000;
const EL2H_MASKED: u64 = 0x3c9;
/// How far up virt has the FVP's DRAM.
const OFFSET: usize = 0x4000_0000;
/// `SCTLR_ELx` bits that are RES1, and M, C and I.
pub(crate) const RES1: u64 = 0x30c5_0830;
const ON: u64 = 1 | 1 << 2 | 1 << 12;

/// What is played.
struct Shim {
    mpus: Mpus,
    patches: Patches,
    kept: [u64; KEPT],
}

struct Place<T>(UnsafeCell<T>);

// SAFETY: one PE, and nothing interrupts this image.
unsafe impl<T> Sync for Place<T> {}

static SHIM: Place<Option<Shim>> = Place(UnsafeCell::new(None));
static OWN: Place<Tables> = Place(UnsafeCell::new(Tables::new()));
static GUESTS: Place<Tables> = Place(UnsafeCell::new(Tables::new()));

/// Says why it cannot go on, and ends.
pub(crate) fn die(why: impl core::fmt::Display) -> ! {
    let _ = writeln!(semihosting::Console::new(), "refused: v8r-on-virt: {why}");
    semihosting::exit(3)
}

/// Called by `start.s` with the MMU off.
#[unsafe(no_mangle)]
extern "C" fn main() {
    // SAFETY: nothing else has run yet.
    let (own, guests) = unsafe { (&mut *OWN.0.get(), &mut *GUESTS.0.get()) };
    let mut patches = Patches::new();
    if patches.make(OFFSET).is_none() {
        die("more instructions to patch than can be remembered");
    }
    let mpus = Mpus::new();
    mpus.follow(0, 1 << 32, own, guests);
    own.map_shim();
    // Attribute 0: Normal write-back; 1: Device-nGnRE.
    write!("mair_el2", 0x04ff);
    // 32-bit addresses, walks cached and inner shareable; bits 31 and 23 are RES1.
    write!("tcr_el2", 1 << 31 | 1 << 23 | 0b11 << 12 | 0b01 << 10 | 0b01 << 8 | 32);
    write!("ttbr0_el2", own.link());
    // The same for stage 2, beginning at level 1.
    write!("vtcr_el2", 1 << 31 | 0b11 << 12 | 0b01 << 10 | 0b01 << 8 | 1 << 6 | 32);
    write!("vttbr_el2", guests.link());
    sysreg::forget_instructions();
    write!("sctlr_el2", RES1 | ON);
    write!("sctlr_el1", RES1);
    sysreg::barrier();
    // SAFETY: as before.
    unsafe { *SHIM.0.get() = Some(Shim { mpus, patches, kept: [0; KEPT] }) };
    write!("elr_el2", IMAGE);
    write!("spsr_el2", EL2H_MASKED);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    die(info)
}
