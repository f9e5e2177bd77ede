//! The hypervisor of `sim-core` on a Cortex-R52: QEMU's `mps3-an536`, whose EL2 MPU is not this project's.
//!
//! Start-up and vectors are in `start.s`. [`platform`] is the machine, [`frame`] the guest's registers, [`crash`] what is said
//! at the end of a hypervisor that took an exception from itself. The system that runs, a scenario of the host's, is loaded
//! where a device tree would be; guests' images and programs are in guests' RAM already.

#![no_std]
#![no_main]

extern crate alloc;

mod cp15;
mod crash;
mod frame;
mod platform;

use board::heap::BoardHeap;
use board::{places, semihosting};
use core::cell::UnsafeCell;
use core::fmt::Write;
use core::panic::PanicInfo;
use evtchn::Stop;
use frame::Pushed;
use mpu_model::Pmsa;
use platform::Cpu;
use sim_core::convention::{Arch, Cause, Frame, ec};
use sim_core::export::{self, System};
use sim_core::hyp::Hypervisor;
use sim_core::hyp::entry::Next;
use sim_core::hyp::strategy::Builtin;
use sim_core::layout::Layout;
use sim_core::outcome::{StepId, VcpuRef};
use sim_core::platform::{Platform, SysReg};
use sim_core::story::{Seen, Story, Telling};

core::arch::global_asm!(include_str!("start.s"), options(raw));

#[global_allocator]
static HEAP: BoardHeap = BoardHeap::empty();

/// Where the system stands: what the layout calls the device tree. Bytes in it.
const SYSTEM: (usize, usize) = (0x7013_4000, 0x1_0000);

/// Once boot is over: where in the hypervisor's heap Rust's goes on, and for how many bytes. Before, the MPU does not map it.
const MORE_HEAP: (u64, u64) = (0x10_0000, 0x40_0000);

/// The hypervisor and its story.
struct Board {
    hyp: Hypervisor<Builtin>,
    story: Story<semihosting::Console>,
}

/// The board, once it is set up.
struct Place(UnsafeCell<Option<Board>>);

// SAFETY: one PE, and EL2 runs with interrupts masked: one user at a time.
unsafe impl Sync for Place {}

static BOARD: Place = Place(UnsafeCell::new(None));

unsafe extern "C" {
    static mut __heap_start: u8;
    static mut __heap_end: u8;
    /// Restores a frame and returns to the guest whose it is.
    fn enter_guest(frame: &Pushed) -> !;
}

/// Says why nothing ran, and ends.
fn refuse(why: impl core::fmt::Display) -> ! {
    let _ = writeln!(semihosting::Console::new(), "refused: {why}");
    semihosting::exit(2)
}

fn set_up() -> (Hypervisor<Builtin>, System) {
    // SAFETY: the loader put it there, and the linker keeps everything else away.
    let bytes = unsafe { core::slice::from_raw_parts(SYSTEM.0 as *const u8, SYSTEM.1) };
    let system: System = export::unpack(bytes).unwrap_or_else(|why| refuse(why));
    let layout = Layout::new(system.parts.clone()).unwrap_or_else(|why| refuse(why));
    let Some(strategy) = Builtin::from_name(&system.strategy, system.settings) else { refuse("no such strategy") };
    if layout.board().pmsa != Pmsa::V32 || layout.board().pes != 1 {
        refuse("this is one PE with PMSAv8-32; expected board = \"qemu-an536\", pes = 1");
    }
    if layout.parts().image.boot.device_tree.base() != SYSTEM.0 as u64 {
        refuse("the layout has the hypervisor's image elsewhere; expected the one of board = \"qemu-an536\"");
    }
    let regions = Cpu.read(SysReg::El2(mpu_model::MpuReg::Mpuir));
    if regions != layout.board().el2_regions.into() {
        refuse(format_args!("the EL2 MPU has {regions} regions, and the layout says {}", layout.board().el2_regions));
    }
    let mut hyp =
        Hypervisor::new(layout, strategy, system.scheduler.clone(), system.policy).unwrap_or_else(|why| refuse(why));
    let vcpus: alloc::vec::Vec<_> = hyp.core.domains.iter().map(|(id, vcpu)| (id, vcpu.domain)).collect();
    for (id, domain) in vcpus {
        let bank = hyp.core.layout.domains().get(domain).and_then(|domain| domain.ram.first()).copied();
        if let (Some(bank), Some(vcpu)) = (bank, hyp.core.domains.vcpu_mut(id)) {
            vcpu.start_at(bank.base().wrapping_add(places::IMAGE.into()));
        }
    }
    (hyp, system)
}

/// Who runs.
fn current(hyp: &Hypervisor<Builtin>) -> Option<VcpuRef> {
    let id = hyp.core.pes.first()?.queue.current?;
    hyp.core.domains.vcpu(id).map(|vcpu| VcpuRef { domain: vcpu.domain, vcpu: vcpu.index })
}

/// What comes after EL2: the guest's registers, or the end if nobody can run. Without time nothing would wake anyone.
fn left(board: &mut Board, next: Next, frame: &Frame) -> Pushed {
    let runs = (next == Next::Guest).then(|| current(&board.hyp)).flatten();
    let _ = board.story.tell(0, Seen::Left(runs, frame));
    if runs.is_none() {
        semihosting::exit(0);
    }
    Pushed::of_frame(frame)
}

/// Called by `start.s` with the MPU off.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let (start, end) = (&raw mut __heap_start, &raw mut __heap_end);
    // SAFETY: the linker script leaves this memory to the heap.
    unsafe { HEAP.init(start, end as usize - start as usize) };
    let (hyp, system) = set_up();
    // SAFETY: nothing else has run yet.
    let board = unsafe { &mut *BOARD.0.get() }.insert(Board { hyp, story: Story::new(semihosting::Console::new()) });
    let Board { hyp, story } = board;
    Cpu::open_interrupts();
    Cpu::open_console(hyp.core.layout.board().uart.span.base());
    let mut p = Telling { p: &mut Cpu, story };
    let Ok(()) = hyp.boot(&mut p);
    let heap = hyp.core.layout.heap();
    if heap.size() >= MORE_HEAP.0 + MORE_HEAP.1 {
        // SAFETY: the hypervisor's own pages are at the start of its heap and at the end, and its region is on from now on.
        unsafe { HEAP.extend((heap.base() + MORE_HEAP.0) as *mut u8, MORE_HEAP.1 as usize) };
    }
    for channel in &system.channels {
        if let Err(Stop::Errno(errno)) = hyp.bind_static(&mut p, *channel) {
            refuse(format_args!("a channel cannot be bound at boot: {errno}"));
        }
    }
    if hyp.unpause_guests().is_err() {
        refuse("boot is not over");
    }
    for (domain, vcpu) in &system.off {
        if let Some(id) = hyp.core.domains.id(*domain, *vcpu) {
            hyp.core.offline(id);
        }
    }
    let mut frame = Frame::default();
    let Ok(next) = hyp.leave(&mut p, &mut frame);
    let pushed = left(board, next, &frame);
    // SAFETY: the frame is that of a vCPU, whose view is in force.
    unsafe { enter_guest(&pushed) }
}

/// Called by `start.s` at each entry from a guest.
#[unsafe(no_mangle)]
extern "C" fn trap(pushed: &mut Pushed, irq: u32) {
    // SAFETY: `main` is over, and EL2 is not entered again before this returns.
    let Some(board) = (unsafe { (*BOARD.0.get()).as_mut() }) else { refuse("a trap before there was a guest") };
    let Board { hyp, story } = board;
    let mut frame = pushed.to_frame();
    let cause = if irq == 0 { Cause::Sync } else { Cause::Irq };
    let (esr, far) = (Cpu.read(SysReg::EsrEl2), Cpu.read(SysReg::FarEl2));
    let vcpu = current(hyp);
    if let (ec::HVC32, Some(vcpu)) = (esr >> 26, vcpu)
        && esr & 0xffff == board::UNEXPECTED.into()
    {
        let _ = story.tell(0, Seen::Unexpected(vcpu, StepId(frame.x[0] as u32)));
        return;
    }
    let _ = story.tell(0, Seen::Entered { cause, esr, far, vcpu, frame: &frame, number: Pmsa::V32.number(&frame) });
    let Ok(next) = hyp.enter(&mut Telling { p: &mut Cpu, story }, cause, &mut frame);
    *pushed = left(board, next, &frame);
}

/// Called by `start.s` when EL2 took an exception from itself.
#[unsafe(no_mangle)]
extern "C" fn hyp_fault() -> ! {
    // SAFETY: what EL2 was doing never goes on, so nobody else uses the board any more.
    match unsafe { (*BOARD.0.get()).as_mut() } {
        Some(board) => crash::report(board),
        None => refuse("an exception before the hypervisor was set up"),
    }
    semihosting::exit(1)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(semihosting::Console::new(), "{info}");
    semihosting::exit(101)
}
