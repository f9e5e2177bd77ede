//! The hypervisor of `sim-core` on a Cortex-R52: QEMU's `mps3-an536`, whose EL2 MPU is not this project's.
//!
//! Start-up and vectors are in `start.s`. [`platform`] is the machine, [`frame`] the guest's registers; the run loop is
//! [`board::hypervisor`].

#![no_std]
#![no_main]

mod cp15;
mod frame;
mod platform;

use board::heap::BoardHeap;
use board::{hypervisor, semihosting};
use core::fmt::Write;
use core::panic::PanicInfo;
use frame::Pushed;
use platform::Cpu;
use sim_core::convention::Cause;

core::arch::global_asm!(include_str!("start.s"), options(raw));

#[global_allocator]
static HEAP: BoardHeap = BoardHeap::empty();

unsafe extern "C" {
    static mut __heap_start: u8;
    static mut __heap_end: u8;
    /// Restores a frame and returns to the guest whose it is.
    fn enter_guest(frame: &Pushed) -> !;
}

/// Called by `start.s` with the MPU off.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let (start, end) = (&raw mut __heap_start, &raw mut __heap_end);
    // SAFETY: the linker script leaves this memory to the heap.
    unsafe { HEAP.init(start, end as usize - start as usize) };
    let pushed = hypervisor::start::<Cpu>(&HEAP);
    // SAFETY: the frame is that of a vCPU, whose view is in force.
    unsafe { enter_guest(&pushed) }
}

/// Called by `start.s` at each entry from a guest.
#[unsafe(no_mangle)]
extern "C" fn trap(pushed: &mut Pushed, irq: u32) {
    hypervisor::trap::<Cpu>(pushed, if irq == 0 { Cause::Sync } else { Cause::Irq });
}

/// Called by `start.s` when EL2 took an exception from itself, at `elr`.
#[unsafe(no_mangle)]
extern "C" fn hyp_fault(elr: u32) -> ! {
    hypervisor::hyp_fault::<Cpu>(elr.into())
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(semihosting::Console::new(), "{info}");
    semihosting::exit(101)
}
