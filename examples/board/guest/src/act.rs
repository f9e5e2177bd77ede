//! An instruction for each action.

use core::arch::asm;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use sim_core::convention::{El1Syndrome, TAG, aarch32};
use sim_core::guest::{Action, AtomicOp, Input};
use sim_core::platform::Width;

unsafe extern "C" {
    /// Set by the interrupt handler.
    static IRQ_TAKEN: AtomicU32;
    /// Set by the abort handlers: the class of the exception, 0x100 for an undefined instruction.
    static ABORT_TAKEN: AtomicU32;
}

/// Class 0 is taken for "none".
const UNDEFINED: u32 = 0x100;

/// Opens interrupts for a moment; whether one was taken.
pub(crate) fn interrupted() -> bool {
    // SAFETY: the handler keeps every register and only sets the flag, which `start.s` defines.
    unsafe {
        asm!("cpsie i", "isb", "cpsid i");
        IRQ_TAKEN.swap(0, Ordering::Relaxed) != 0
    }
}

/// Does an action; what the program is resumed with. `open`: interrupts are open while it is done, and only then.
pub(crate) fn act(action: Action, open: bool) -> Input {
    if open {
        // SAFETY: the handler keeps every register.
        unsafe { asm!("cpsie i") };
    }
    let value = carry_out(action);
    // SAFETY: masks interrupts; the flag is `start.s`'s.
    let class = unsafe {
        asm!("cpsid i");
        ABORT_TAKEN.swap(0, Ordering::Relaxed)
    };
    if class == 0 { Input::Value(value) } else { aborted(class) }
}

/// The exception that was taken, told as the simulated machine tells it.
fn aborted(class: u32) -> Input {
    let (dfsr, ifsr, dfar, ifar): (u32, u32, u32, u32);
    // SAFETY: reads the syndrome registers.
    unsafe {
        asm!(
            "mrc p15, 0, {}, c5, c0, 0", "mrc p15, 0, {}, c5, c0, 1", "mrc p15, 0, {}, c6, c0, 0", "mrc p15, 0, {}, c6, c0, 2",
            out(reg) dfsr, out(reg) ifsr, out(reg) dfar, out(reg) ifar, options(nomem, nostack)
        );
    }
    let class = if class == UNDEFINED { 0 } else { class.into() };
    let held = El1Syndrome { esr: dfsr.into(), ifsr: ifsr.into(), far: u64::from(dfar) | u64::from(ifar) << 32 };
    match aarch32::taken(aarch32::exception(class).vector, held) {
        Some(taken) => Input::Abort { esr: taken.esr, far: taken.far },
        None => Input::Value(0),
    }
}

fn carry_out(action: Action) -> u64 {
    match action {
        Action::Hvc { imm, nr, args } => hvc(imm, nr as u32, args.map(|arg| arg as u32)),
        Action::Load { address, width } => load(address as u32, width),
        Action::Store { address, width, value } => {
            store(address as u32, width, value);
            0
        }
        Action::Atomic { address, width, op } => atomic(address as u32, width, op),
        Action::Fetch { address } => {
            // SAFETY: the program asks for it, and takes what comes of it.
            unsafe {
                asm!(
                    "blx r0", inout("r0") address as u32 => _, out("r1") _, out("r2") _, out("r3") _, out("r12") _, out("lr") _
                );
            }
            0
        }
        // SAFETY: waits.
        Action::WaitForInterrupt => unsafe {
            asm!("wfi");
            0
        },
        Action::Acknowledge => {
            let intid: u32;
            // SAFETY: ICC_IAR1, with group 1 of virtual interrupts behind it.
            unsafe { asm!("mrc p15, 0, {}, c12, c12, 0", "isb", out(reg) intid) };
            intid.into()
        }
        Action::EndOfInterrupt(intid) => {
            // SAFETY: ICC_EOIR1.
            unsafe { asm!("mcr p15, 0, {}, c12, c12, 1", "isb", in(reg) intid as u32) };
            0
        }
        // Work that touches nothing takes no time where there is none. The others were answered before.
        Action::Compute(_) | Action::Interrupts(_) | Action::ReturnFromInterrupt | Action::Mark(_) => 0,
    }
}

fn hvc(imm: u16, nr: u32, args: [u32; 5]) -> u64 {
    macro_rules! hvc {
        ($imm:literal) => {{
            let [mut r0, r1, r2, r3, r4] = args;
            // SAFETY: EL2 gives r0 back, and r0 to r4 and r12 where the call is to be made again; an abort handler uses r2, r3.
            unsafe {
                asm!(
                    concat!("hvc #", $imm), inout("r0") r0, inout("r1") r1 => _, inout("r2") r2 => _, inout("r3") r3 => _,
                    inout("r4") r4 => _, inout("r12") nr => _
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
fn load(address: u32, width: Width) -> u64 {
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

fn store(address: u32, width: Width, value: u64) {
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

/// Asked for first by a plain load, so that an abort is taken there and nowhere between the two halves of an exclusive pair.
fn atomic(address: u32, width: Width, op: AtomicOp) -> u64 {
    let old = load(address, width);
    // SAFETY: the flag is `start.s`'s.
    if unsafe { ABORT_TAKEN.load(Ordering::Relaxed) } != 0 {
        return old;
    }
    macro_rules! update {
        ($atomic:ident, $int:ident) => {{
            // SAFETY: as for loads; the program's words are naturally aligned.
            let word = unsafe { $atomic::from_ptr(address as *mut $int) };
            let new = |old: $int| Some(op.apply(old.into()) as $int);
            word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, new).map_or(0, u64::from)
        }};
    }
    match width {
        Width::Byte => update!(AtomicU8, u8),
        Width::Word => update!(AtomicU32, u32),
        Width::Double => update!(AtomicU64, u64),
    }
}
