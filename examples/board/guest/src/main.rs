//! A guest: runs a program of steps, the one that runs as a simulated guest, with real instructions at EL1.
//!
//! [`act`] knows what each action is, and `arch` the instructions of an execution state, with start-up and vectors. The image,
//! the program and the heap stand in the domain's RAM as [`board::places`] says. Under Xen (`xen`) the guest tells what it does
//! and is given; under the project's own hypervisor, that does.

#![no_std]
#![no_main]

extern crate alloc;

mod act;
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "aarch32.rs")]
mod arch;
#[cfg(target_arch = "aarch64")]
mod tree;
#[cfg(target_arch = "aarch64")]
mod xen;

use alloc::rc::Rc;
use board::heap::BoardHeap;
use board::places;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};
use sim_core::convention::psci;
use sim_core::export::{self, Program};
use sim_core::guest::steps::StepGuest;
use sim_core::guest::{Action, Guest, Input, Mark};
use sim_core::outcome::StepId;

#[global_allocator]
static HEAP: BoardHeap = BoardHeap::empty();

/// Whether the heap has its memory: the domain's first vCPU to run gives it.
static READY: AtomicU32 = AtomicU32::new(0);

/// Called by start-up with the image's address, the vCPU's number, and where a hypervisor that gives one put the device tree.
#[unsafe(no_mangle)]
extern "C" fn main(image: usize, vcpu: usize, tree: usize) -> ! {
    let bank = image - places::IMAGE as usize;
    if READY.swap(1, Ordering::Relaxed) == 0 {
        // SAFETY: the host keeps everything else out of this part of the bank.
        unsafe { HEAP.init((bank + places::HEAP as usize) as *mut u8, places::HEAP_SIZE as usize) };
    }
    let program = bank + places::PROGRAMS as usize + vcpu * places::PROGRAM_SIZE as usize;
    // SAFETY: the host put it there.
    let bytes = unsafe { core::slice::from_raw_parts(program as *const u8, places::PROGRAM_SIZE as usize) };
    let Ok(program) = export::unpack::<Program>(bytes) else { off() };
    #[cfg(target_arch = "aarch64")]
    if tree != 0 {
        xen::run(program.moved_to(bank as u64), tree)
    }
    // The project's own hypervisor gives none.
    let _ = tree;
    run(guest(&program), |step| {
        act::act(Action::Hvc { imm: board::UNEXPECTED, nr: 0, args: [step.0.into(), 0, 0, 0, 0] }, false);
    })
}

/// The program as a guest.
fn guest(program: &Program) -> StepGuest {
    StepGuest::new(program.home, Rc::clone(&program.steps), program.variables).seeded(program.seed)
}

/// Runs a guest as the simulated machine does: an interrupt is taken between two actions, and what the program was doing
/// goes on behind its handler. A step that gave something else than expected is told to `unexpected`.
fn run(mut guest: impl Guest, unexpected: impl Fn(StepId)) -> ! {
    let mut open = false;
    let mut held = None;
    let mut next = Input::Value(0);
    loop {
        let takes = open && held.is_none();
        if takes && act::interrupted() {
            held = Some(next);
            next = Input::Interrupt;
        }
        let open_now = open && held.is_none();
        next = match guest.resume(next) {
            Action::Mark(Mark::Unexpected { step, .. }) => {
                unexpected(step);
                Input::Value(0)
            }
            // Whoever watches finds the same events by itself.
            Action::Mark(_) => Input::Value(0),
            Action::Interrupts(on) => {
                open = on;
                Input::Value(0)
            }
            Action::ReturnFromInterrupt => held.take().unwrap_or(Input::Value(0)),
            action => act::act(action, open_now),
        };
    }
}

/// Turns the vCPU off.
fn off() -> ! {
    loop {
        act::act(Action::Hvc { imm: 0, nr: 0, args: [psci::CPU_OFF, 0, 0, 0, 0] }, false);
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    off()
}
