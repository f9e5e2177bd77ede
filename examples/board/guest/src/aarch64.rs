//! The guest's instructions in `AArch64`. `aarch64.s` has start-up and vectors.

use core::arch::asm;
use mpu_model::Pmsa;
use sim_core::convention::{Arch, El1Syndrome, TAG, Taken, VECTOR_SYNC};
use sim_core::platform::Width;

core::arch::global_asm!(include_str!("aarch64.s"));

/// Opens interrupts.
pub(crate) fn open() {
    // SAFETY: the handler keeps every register and only sets its flag.
    unsafe { asm!("msr daifclr, #2") };
}

/// Masks interrupts, after what is pending was taken if they were open.
pub(crate) fn mask() {
    // SAFETY: masks interrupts; the ISB lets one that is pending be taken first.
    unsafe { asm!("isb", "msr daifset, #2") };
}

/// The exception that was taken, `noted` by the vectors with its syndrome.
pub(crate) fn taken(noted: u32) -> Option<Taken> {
    let far: u64;
    // SAFETY: reads a syndrome register.
    unsafe { asm!("mrs {}, far_el1", out(reg) far, options(nomem, nostack)) };
    Pmsa::V64.taken(VECTOR_SYNC, El1Syndrome { esr: noted.into(), ifsr: 0, far })
}

/// An HVC; x0 afterwards.
pub(crate) fn hvc(imm: u16, nr: u64, args: [u64; 5]) -> u64 {
    macro_rules! hvc {
        ($imm:literal) => {{
            let [mut x0, x1, x2, x3, x4] = args;
            // SAFETY: EL2 gives x0 back, and x0 to x4 and x16 where the call is to be made again.
            unsafe {
                asm!(
                    concat!("hvc #", $imm), inout("x0") x0, inout("x1") x1 => _, inout("x2") x2 => _, inout("x3") x3 => _,
                    inout("x4") x4 => _, inout("x16") nr => _
                );
            }
            x0
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

/// A load of x0, so that one that traps is told with that register.
pub(crate) fn load(address: u64, width: Width) -> u64 {
    let mut value = 0u64;
    // SAFETY: the program names memory of its domain or takes an abort, whose handler skips the load.
    unsafe {
        match width {
            Width::Byte => asm!("ldrb w0, [x1]", inout("x0") value, in("x1") address),
            Width::Word => asm!("ldr w0, [x1]", inout("x0") value, in("x1") address),
            Width::Double => asm!("ldr x0, [x1]", inout("x0") value, in("x1") address),
        }
    }
    value
}

/// A store.
pub(crate) fn store(address: u64, width: Width, value: u64) {
    // SAFETY: as for loads.
    unsafe {
        match width {
            Width::Byte => asm!("strb w0, [x1]", in("x0") value, in("x1") address),
            Width::Word => asm!("str w0, [x1]", in("x0") value, in("x1") address),
            Width::Double => asm!("str x0, [x1]", in("x0") value, in("x1") address),
        }
    }
}

/// Calls an address.
pub(crate) fn call(address: u64) {
    // SAFETY: the program asks for it, and takes what comes of it.
    unsafe { asm!("blr {}", in(reg) address, clobber_abi("C")) };
}

/// `WFI`.
pub(crate) fn wait() {
    // SAFETY: waits.
    unsafe { asm!("wfi") };
}

/// `ICC_IAR1_EL1`, with group 1 of virtual interrupts behind it.
pub(crate) fn acknowledge() -> u64 {
    let intid;
    // SAFETY: the handler of the interrupt reads it.
    unsafe { asm!("mrs {}, s3_0_c12_c12_0", "isb", out(reg) intid) };
    intid
}

/// `ICC_EOIR1_EL1`.
pub(crate) fn end_of_interrupt(intid: u64) {
    // SAFETY: the handler of the interrupt writes it.
    unsafe { asm!("msr s3_0_c12_c12_1, {}", "isb", in(reg) intid) };
}
