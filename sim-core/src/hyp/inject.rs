//! Synchronous exceptions that a guest is made to take at EL1, as the architecture would have on its own instruction.

use crate::convention::{
    ESR_IL, Frame, PSTATE_EL1H_MASKED, VECTOR_SYNC, VECTOR_SYNC_LOWER, VECTOR_SYNC_SP0, aarch32, ec,
};
use crate::platform::{Platform, SysReg};

/// Into the vector that goes with where the guest was: at EL0, or at EL1 with either stack pointer (Arm ARM, exception vectors).
pub(super) fn aarch64<P: Platform>(
    p: &mut P,
    frame: &mut Frame,
    class: u64,
    iss: u64,
    far: Option<u64>,
) -> Result<(), P::Fault> {
    // PSTATE.M[3:0]: EL0t, EL1t or EL1h.
    let (vector, class) = match (frame.spsr & 0xf, class) {
        (0, ec::DATA_ABORT_SAME) => (VECTOR_SYNC_LOWER, ec::DATA_ABORT_LOWER),
        (0, ec::INSTRUCTION_ABORT_SAME) => (VECTOR_SYNC_LOWER, ec::INSTRUCTION_ABORT_LOWER),
        (0, class) => (VECTOR_SYNC_LOWER, class),
        (0b0100, class) => (VECTOR_SYNC_SP0, class),
        (_, class) => (VECTOR_SYNC, class),
    };
    p.write(SysReg::EsrEl1, (class << 26) | ESR_IL | iss)?;
    if let Some(far) = far {
        p.write(SysReg::FarEl1, far)?;
    }
    p.write(SysReg::ElrEl1, frame.elr)?;
    p.write(SysReg::SpsrEl1, frame.spsr)?;
    frame.elr = p.read(SysReg::VbarEl1).wrapping_add(vector);
    frame.spsr = PSTATE_EL1H_MASKED;
    Ok(())
}

/// Into the vector and the mode that the kind of exception has, with a status register for data aborts and another for
/// prefetch aborts.
pub(super) fn aarch32<P: Platform>(
    p: &mut P,
    frame: &mut Frame,
    class: u64,
    iss: u64,
    far: Option<u64>,
) -> Result<(), P::Fault> {
    let exception = aarch32::exception(class);
    let status = aarch32::STATUS_LONG | (iss & 0x3f) | aarch32::wnr(iss);
    let held = p.read(SysReg::FarEl1);
    match (class, far) {
        (ec::DATA_ABORT_SAME, Some(far)) => {
            p.write(SysReg::EsrEl1, status)?;
            p.write(SysReg::FarEl1, (held & !0xffff_ffff) | (far & 0xffff_ffff))?;
        }
        (ec::INSTRUCTION_ABORT_SAME, Some(far)) => {
            p.write(SysReg::Ifsr, status)?;
            p.write(SysReg::FarEl1, (far << 32) | (held & 0xffff_ffff))?;
        }
        _ => {}
    }
    exception.enter(frame);
    frame.elr = p.read(SysReg::VbarEl1).wrapping_add(exception.vector);
    Ok(())
}
