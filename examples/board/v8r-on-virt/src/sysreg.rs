//! System registers of the PE that is there.

use crate::tables::PAGE;

/// Reads a register.
macro_rules! read {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: reading a system register at EL2 changes no memory that Rust knows of.
        unsafe { core::arch::asm!(concat!("mrs {}, ", $name), out(reg) value, options(nostack)) };
        value
    }};
}

/// Writes a register.
macro_rules! write {
    ($name:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: this image is mapped by the tables that it writes, whatever else they say; not `nomem`, so that no access moves
        // across it.
        unsafe { core::arch::asm!(concat!("msr ", $name, ", {}"), in(reg) value, options(nostack)) };
    }};
}

/// Makes what was written to EL2's tables of the addresses from `first` up to `end` hold.
pub(crate) fn forget_own(first: u64, end: u64) {
    /// Pages that are forgotten one by one: an emulator takes long to forget all.
    const FEW: u64 = 16;
    // SAFETY: what is forgotten is read again.
    unsafe {
        core::arch::asm!("dsb sy", options(nostack));
        if end - first <= FEW * PAGE {
            for page in first / PAGE..end.div_ceil(PAGE) {
                core::arch::asm!("tlbi vae2, {}", in(reg) page, options(nostack));
            }
        } else {
            core::arch::asm!("tlbi alle2", options(nostack));
        }
        core::arch::asm!("dsb sy", "isb", options(nostack));
    }
}

/// Makes what was written to the guests' tables hold.
pub(crate) fn forget_guests() {
    // SAFETY: what is forgotten is read again.
    unsafe { core::arch::asm!("dsb sy", "tlbi vmalls12e1", "dsb sy", "isb", options(nostack)) };
}

/// Makes instructions that were written be the ones that are fetched.
pub(crate) fn forget_instructions() {
    // SAFETY: what is forgotten is read again.
    unsafe { core::arch::asm!("dsb sy", "ic iallu", "dsb sy", "isb", options(nostack)) };
}

/// An ISB.
pub(crate) fn barrier() {
    // SAFETY: a barrier changes nothing.
    unsafe { core::arch::asm!("isb", options(nostack)) };
}

pub(crate) use {read, write};
