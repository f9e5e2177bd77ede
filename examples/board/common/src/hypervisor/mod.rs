//! The hypervisor of `sim-core` as an image runs it: set up from a system that the loader put down, then one trap after the
//! other, told as a story if the build asks for that. An image adds its registers ([`Board`]), start-up code and vectors, which
//! call [`start`], [`trap`] and [`hyp_fault`].
//!
//! The system, a scenario of the host's, stands where the layout has the device tree; guests' images and programs are in guests'
//! RAM already. One PE, and no time: vCPUs give way by themselves.

mod crash;
mod pe;
pub mod physical;
mod voice;

use crate::heap::BoardHeap;
use crate::{places, semihosting};
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::fmt::{Display, Write};
use evtchn::Stop;
use mpu_model::{MpuReg, Pmsa};
use pe::Pe;
use sim_core::convention::{Arch, Cause, Frame, ec};
use sim_core::export::{self, System};
use sim_core::hyp::Hypervisor;
use sim_core::hyp::entry::Next;
use sim_core::hyp::strategy::Strategy;
use sim_core::layout::{Layout, PeId};
use sim_core::outcome::{StepId, VcpuRef};
use sim_core::platform::SysReg;
use sim_core::story::Seen;
use voice::Voice;

pub use pe::isb;

/// What is an image's own: the registers of its PE, its devices, its memory map, and which strategies are linked.
pub trait Board {
    /// What its vectors push of a guest.
    type Pushed;
    /// The strategy, or those among which a system chooses.
    type Rule: Strategy + 'static;

    /// Which MPUs it has.
    const PMSA: Pmsa;
    /// The preset of the simulator that has its memory map.
    const PRESET: &'static str;
    /// Where the system stands: address, bytes.
    const SYSTEM: (usize, usize);

    /// Reads a register; 0 for those that it does not have.
    fn read(reg: SysReg) -> u64;
    /// Writes a register; those that are read-only or not there stay as they are.
    fn write(reg: SysReg, value: u64);

    /// Where the hypervisor stands once it is set up.
    fn place() -> &'static Place<Self::Rule>;
    /// The strategy that the system asks for, if it is linked.
    fn rule(system: &System) -> Option<Self::Rule>;

    /// Lets virtual interrupts through to guests, which find them as the simulated machine has them: open, whatever their
    /// priority.
    fn open_interrupts();
    /// Lets guests use the floating-point registers, or has each use trap, of which the hypervisor makes an undefined instruction
    /// of the guest's.
    fn lend_floating_point(lent: bool);
    /// Lets the UART at `base` send. The MPU is still off.
    fn open_console(base: u64);

    /// The whole of a guest's registers.
    fn to_frame(pushed: &Self::Pushed) -> Frame;
    /// Puts a frame back: what is not for the vectors to restore at once.
    fn of_frame(frame: &Frame) -> Self::Pushed;
}

/// Once boot is over: where in the hypervisor's heap Rust's goes on, and for how many bytes. Before, the MPU does not map it.
const MORE_HEAP: (u64, u64) = (0x10_0000, 0x40_0000);

/// The hypervisor and who tells of it.
struct Running<S> {
    hyp: Hypervisor<S>,
    voice: Voice,
}

/// Where an image has the hypervisor.
pub struct Place<S>(UnsafeCell<Option<Running<S>>>);

// SAFETY: one PE, and EL2 runs with interrupts masked: one user at a time.
unsafe impl<S> Sync for Place<S> {}

impl<S> Place<S> {
    /// Before it is set up.
    #[must_use]
    pub const fn empty() -> Self {
        Self(UnsafeCell::new(None))
    }
}

/// Says why nothing ran, and ends.
pub fn refuse(why: impl Display) -> ! {
    let _ = writeln!(semihosting::Console::new(), "refused: {why}");
    semihosting::exit(2)
}

fn set_up<B: Board>() -> (Hypervisor<B::Rule>, System) {
    // SAFETY: the loader put it there, and the linker keeps everything else away.
    let bytes = unsafe { core::slice::from_raw_parts(B::SYSTEM.0 as *const u8, B::SYSTEM.1) };
    let system: System = export::unpack(bytes).unwrap_or_else(|why| refuse(why));
    // The host checked the layout before it packed it, by the same code, and has the words for what is wrong with one: 3 KiB of text.
    let Ok(layout) = Layout::new(system.parts.clone()) else {
        refuse("the layout does not hold together; mpusim view tells what is wrong with the scenario's");
    };
    let Some(strategy) = B::rule(&system) else {
        refuse(format_args!("strategy {} is not linked into this image", system.strategy));
    };
    if layout.board().pmsa != B::PMSA || layout.board().pes != 1 {
        refuse(format_args!("this is one PE of board \"{}\"; expected that board, and pes = 1", B::PRESET));
    }
    if layout.parts().image.boot.device_tree.base() != B::SYSTEM.0 as u64 {
        refuse(format_args!(
            "the layout has the hypervisor's image elsewhere; expected the one of board = \"{}\"",
            B::PRESET
        ));
    }
    let regions = B::read(SysReg::El2(MpuReg::Mpuir));
    if regions != layout.board().el2_regions.into() {
        refuse(format_args!("the EL2 MPU has {regions} regions, and the layout says {}", layout.board().el2_regions));
    }
    let mut hyp =
        Hypervisor::new(layout, strategy, system.scheduler.clone(), system.policy).unwrap_or_else(|why| refuse(why));
    let vcpus: Vec<_> = hyp.vcpus().map(|(id, vcpu)| (id, vcpu.domain)).collect();
    for (id, domain) in vcpus {
        let bank = hyp.layout().domains().get(domain).and_then(|domain| domain.ram.first()).copied();
        if let Some(bank) = bank {
            hyp.start_at(id, bank.base().wrapping_add(places::IMAGE.into()));
        }
    }
    (hyp, system)
}

/// Who runs.
fn current<S>(hyp: &Hypervisor<S>) -> Option<VcpuRef> {
    let id = hyp.current(PeId::PRIMARY)?;
    let vcpu = hyp.vcpu(id);
    Some(VcpuRef { domain: vcpu.domain, vcpu: vcpu.index })
}

/// What comes after EL2: the guest's registers, or the end if nobody can run. Without time nothing would wake anyone.
fn left<B: Board>(running: &mut Running<B::Rule>, next: Next, frame: &Frame) -> B::Pushed {
    let runs = (next == Next::Guest).then(|| current(&running.hyp)).flatten();
    running.voice.tell(Seen::Left(runs, frame));
    if runs.is_none() {
        semihosting::exit(0);
    }
    B::of_frame(frame)
}

/// Sets everything up, with the MPU off, and gives what the vectors restore of the first guest to run. `heap` has memory.
pub fn start<B: Board>(heap: &BoardHeap) -> B::Pushed {
    let mut pe = Pe::<B>::new();
    let (hyp, system) = set_up::<B>();
    // SAFETY: nothing else has run yet.
    let running = unsafe { &mut *B::place().0.get() }.insert(Running { hyp, voice: Voice::new() });
    let Running { hyp, voice } = running;
    B::open_interrupts();
    // Nobody saves them, so guests that share the PE would read each other's.
    B::lend_floating_point(hyp.vcpus().count() <= 1);
    B::open_console(hyp.layout().board().console.span.base());
    let mut p = voice.platform(&mut pe);
    let Ok(()) = hyp.boot(&mut p);
    let memory = hyp.layout().heap();
    if memory.size() >= MORE_HEAP.0 + MORE_HEAP.1 {
        // SAFETY: the hypervisor's own pages are at the start of its heap and at the end, and its region is on from now on.
        unsafe { heap.extend((memory.base() + MORE_HEAP.0) as *mut u8, MORE_HEAP.1 as usize) };
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
        if let Some(id) = hyp.vcpu_id(*domain, *vcpu) {
            hyp.offline(id);
        }
    }
    let mut frame = Frame::default();
    let Ok(next) = hyp.leave(&mut p, &mut frame);
    left::<B>(running, next, &frame)
}

/// One entry from a guest, whose registers go and those of the next come.
pub fn trap<B: Board>(pushed: &mut B::Pushed, cause: Cause) {
    // SAFETY: `start` is over, and EL2 is not entered again before this returns.
    let Some(running) = (unsafe { (*B::place().0.get()).as_mut() }) else { refuse("a trap before there was a guest") };
    let Running { hyp, voice } = running;
    let mut pe = Pe::<B>::new();
    let mut frame = B::to_frame(pushed);
    let (esr, far) = (B::read(SysReg::EsrEl2), B::read(SysReg::FarEl2));
    let vcpu = current(hyp);
    if let (Cause::Sync, ec::HVC32 | ec::HVC64, Some(vcpu)) = (cause, esr >> 26, vcpu)
        && esr & 0xffff == crate::UNEXPECTED.into()
    {
        voice.tell(Seen::Unexpected(vcpu, StepId(frame.x[0] as u32)));
        return;
    }
    voice.tell(Seen::Entered { cause, esr, far, vcpu, frame: &frame, number: B::PMSA.number(&frame) });
    let Ok(next) = hyp.enter(&mut voice.platform(&mut pe), cause, &mut frame);
    *pushed = left::<B>(running, next, &frame);
}

/// EL2 took an exception from itself, at the instruction at `elr`: the report, and the end.
pub fn hyp_fault<B: Board>(elr: u64) -> ! {
    // SAFETY: what EL2 was doing never goes on, so nobody else uses the hypervisor any more.
    match unsafe { (*B::place().0.get()).as_mut() } {
        Some(running) => crash::report(&mut Pe::<B>::new(), running, elr),
        None => refuse("an exception before the hypervisor was set up"),
    }
    semihosting::exit(1)
}
