//! The guest's instructions in `AArch32`. `aarch32.s` has start-up and vectors.

use core::arch::asm;
use mpu_model::Pmsa;
use sim_core::convention::{Arch, El1Syndrome, TAG, Taken, aarch32};
use sim_core::platform::Width;

core::arch::global_asm!(include_str!("aarch32.s"), options(raw));

/// What the vectors note of an undefined instruction, whose class is 0: that would be "none".
const UNDEFINED: u32 = 0x100;

/// Opens interrupts.
pub(crate) fn open() {
    // SAFETY: the handler keeps every register and only sets its flag.
    unsafe { asm!("cpsie i") };
}

/// Masks interrupts, after what is pending was taken if they were open.
pub(crate) fn mask() {
    // SAFETY: masks interrupts; the ISB lets one that is pending be taken first.
    unsafe { asm!("isb", "cpsid i") };
}

/// The exception that was taken, `noted` by the vectors with its class.
pub(crate) fn taken(noted: u32) -> Option<Taken> {
    let (dfsr, ifsr, dfar, ifar): (u32, u32, u32, u32);
    // SAFETY: reads the syndrome registers.
    unsafe {
        asm!(
            "mrc p15, 0, {}, c5, c0, 0", "mrc p15, 0, {}, c5, c0, 1", "mrc p15, 0, {}, c6, c0, 0", "mrc p15, 0, {}, c6, c0, 2",
            out(reg) dfsr, out(reg) ifsr, out(reg) dfar, out(reg) ifar, options(nomem, nostack)
        );
    }
    let class = if noted == UNDEFINED { 0 } else { noted.into() };
    let held = El1Syndrome { esr: dfsr.into(), ifsr: ifsr.into(), far: u64::from(dfar) | u64::from(ifar) << 32 };
    Pmsa::V32.taken(aarch32::exception(class).vector, held)
}

/// An HVC; r0 afterwards.
pub(crate) fn hvc(imm: u16, nr: u64, args: [u64; 5]) -> u64 {
    macro_rules! hvc {
        ($imm:literal) => {{
            let [mut r0, r1, r2, r3, r4] = args.map(|arg| arg as u32);
            // SAFETY: EL2 gives r0 back, and r0 to r4 and r12 where the call is to be made again; an abort handler uses r2, r3.
            unsafe {
                asm!(
                    concat!("hvc #", $imm), inout("r0") r0, inout("r1") r1 => _, inout("r2") r2 => _, inout("r3") r3 => _,
                    inout("r4") r4 => _, inout("r12") nr as u32 => _
                );
            }
            // -errno is a whole register of the caller's.
            i64::from(r0.cast_signed()).cast_unsigned()
        }};
    }
    match imm {
        TAG => hvc!("0xea1"),
        0 => hvc!("0"),
        board::UNEXPECTED => hvc!("0xffff"),
        // Xen answers no other, and none differently from the next.
        _ => hvc!("1"),
    }
}

/// A load of r0, so that one that traps is told with that register.
pub(crate) fn load(address: u64, width: Width) -> u64 {
    let address = address as u32;
    let (mut low, mut high) = (0u32, 0u32);
    // SAFETY: the program names memory of its domain or takes an abort, whose handler uses r2 and r3 and skips the load.
    unsafe {
        match width {
            Width::Byte => asm!("ldrb r0, [r1]", inout("r0") low, in("r1") address, out("r2") _, out("r3") _),
            Width::Word => asm!("ldr r0, [r1]", inout("r0") low, in("r1") address, out("r2") _, out("r3") _),
            Width::Double => asm!(
                "ldrd r4, r5, [r1]", inout("r4") low, inout("r5") high, in("r1") address, out("r2") _, out("r3") _
            ),
        }
    }
    u64::from(low) | u64::from(high) << 32
}

/// A store.
pub(crate) fn store(address: u64, width: Width, value: u64) {
    let address = address as u32;
    let (low, high) = (value as u32, (value >> 32) as u32);
    // SAFETY: as for loads.
    unsafe {
        match width {
            Width::Byte => asm!("strb r0, [r1]", in("r0") low, in("r1") address, out("r2") _, out("r3") _),
            Width::Word => asm!("str r0, [r1]", in("r0") low, in("r1") address, out("r2") _, out("r3") _),
            Width::Double => {
                asm!("strd r4, r5, [r1]", in("r4") low, in("r5") high, in("r1") address, out("r2") _, out("r3") _);
            }
        }
    }
}

/// Calls an address.
pub(crate) fn call(address: u64) {
    // SAFETY: the program asks for it, and takes what comes of it.
    unsafe {
        asm!("blx r0", inout("r0") address as u32 => _, out("r1") _, out("r2") _, out("r3") _, out("r12") _, out("lr") _);
    }
}

/// `WFI`.
pub(crate) fn wait() {
    // SAFETY: waits.
    unsafe { asm!("wfi") };
}

/// `ICC_IAR1`, with group 1 of virtual interrupts behind it.
pub(crate) fn acknowledge() -> u64 {
    let intid: u32;
    // SAFETY: the handler of the interrupt reads it.
    unsafe { asm!("mrc p15, 0, {}, c12, c12, 0", "isb", out(reg) intid) };
    intid.into()
}

/// `ICC_EOIR1`.
pub(crate) fn end_of_interrupt(intid: u64) {
    // SAFETY: the handler of the interrupt writes it.
    unsafe { asm!("mcr p15, 0, {}, c12, c12, 1", "isb", in(reg) intid as u32) };
}
