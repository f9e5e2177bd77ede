//! Physical memory, as a platform reaches it.

use core::sync::atomic::{AtomicU32, Ordering};
use sim_core::platform::{Rmw, Width};

/// Loads, zero-extended.
#[must_use]
pub fn load(address: u64, width: Width) -> u64 {
    let address = address as usize;
    // SAFETY: the hypervisor reads what its layout says is memory of a guest or a device, never its own; an access that the
    // MPU refuses ends in an exception.
    unsafe {
        match width {
            Width::Byte => (address as *const u8).read_volatile().into(),
            Width::Word => (address as *const u32).read_volatile().into(),
            Width::Double => (address as *const u64).read_volatile(),
        }
    }
}

/// Stores the low bytes of `value`.
pub fn store(address: u64, width: Width, value: u64) {
    let address = address as usize;
    // SAFETY: as for loads: no memory that Rust knows of.
    unsafe {
        match width {
            Width::Byte => (address as *mut u8).write_volatile(value as u8),
            Width::Word => (address as *mut u32).write_volatile(value as u32),
            Width::Double => (address as *mut u64).write_volatile(value),
        }
    }
}

/// One atomic read-modify-write; gives the old value.
pub fn rmw(address: u64, op: Rmw) -> u32 {
    // SAFETY: an aligned word outside of what Rust knows of, as for loads.
    let word = unsafe { AtomicU32::from_ptr(address as usize as *mut u32) };
    match op {
        Rmw::Or(bits) => word.fetch_or(bits, Ordering::SeqCst),
        Rmw::And(bits) => word.fetch_and(bits, Ordering::SeqCst),
        Rmw::CompareExchange { current, new } => {
            word.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst).unwrap_or_else(|old| old)
        }
    }
}
