//! What each action of a program is on a PE.

use crate::arch;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use sim_core::guest::{Action, AtomicOp, Input};
use sim_core::platform::Width;

unsafe extern "C" {
    /// Set by the interrupt handler.
    static IRQ_TAKEN: AtomicU32;
    /// Set by the abort handlers: what [`arch::taken`] knows the exception by.
    static ABORT_TAKEN: AtomicU32;
}

/// Opens interrupts for a moment; whether one was taken.
pub(crate) fn interrupted() -> bool {
    arch::open();
    arch::mask();
    // SAFETY: the vectors define the flag, and interrupts are masked.
    unsafe { IRQ_TAKEN.swap(0, Ordering::Relaxed) != 0 }
}

/// Does an action; what the program is resumed with. `open`: interrupts are open while it is done, and only then.
pub(crate) fn act(action: Action, open: bool) -> Input {
    if open {
        arch::open();
    }
    let value = carry_out(action);
    arch::mask();
    // SAFETY: the vectors define the flag, and nothing faults here.
    let noted = unsafe { ABORT_TAKEN.swap(0, Ordering::Relaxed) };
    if noted == 0 {
        return Input::Value(value);
    }
    // As the simulated machine tells it.
    match arch::taken(noted) {
        Some(taken) => Input::Abort { esr: taken.esr, far: taken.far },
        None => Input::Value(0),
    }
}

fn carry_out(action: Action) -> u64 {
    match action {
        Action::Hvc { imm, nr, args } => arch::hvc(imm, nr, args),
        Action::Load { address, width } => arch::load(address, width),
        Action::Store { address, width, value } => {
            arch::store(address, width, value);
            0
        }
        Action::Atomic { address, width, op } => atomic(address, width, op),
        Action::Fetch { address } => {
            arch::call(address);
            0
        }
        Action::WaitForInterrupt => {
            arch::wait();
            0
        }
        Action::Acknowledge => arch::acknowledge(),
        Action::EndOfInterrupt(intid) => {
            arch::end_of_interrupt(intid);
            0
        }
        // Work that touches nothing takes no time where there is none. The others were answered before.
        Action::Compute(_) | Action::Interrupts(_) | Action::ReturnFromInterrupt | Action::Mark(_) => 0,
    }
}

/// Asked for first by a plain load, so that an abort is taken there and nowhere between the two halves of an exclusive pair.
fn atomic(address: u64, width: Width, op: AtomicOp) -> u64 {
    let old = arch::load(address, width);
    // SAFETY: the vectors define the flag.
    if unsafe { ABORT_TAKEN.load(Ordering::Relaxed) } != 0 {
        return old;
    }
    macro_rules! update {
        ($atomic:ident, $int:ident) => {{
            // SAFETY: as for loads; the program's words are naturally aligned.
            let word = unsafe { $atomic::from_ptr(address as usize as *mut $int) };
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
