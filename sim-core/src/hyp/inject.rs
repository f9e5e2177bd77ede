//! Synchronous exceptions that a guest is made to take at EL1, as the architecture would have on its own instruction.

use crate::convention::{ESR_IL, Frame, PSTATE_EL1H_MASKED, VECTOR_SYNC, aarch32, ec};
use crate::platform::{Platform, SysReg};

/// Into the guest's one vector for them.
pub(super) fn aarch64<P: Platform>(
    p: &mut P,
    frame: &mut Frame,
    class: u64,
    iss: u64,
    far: Option<u64>,
) -> Result<(), P::Fault> {
    p.write(SysReg::EsrEl1, (class << 26) | ESR_IL | iss)?;
    if let Some(far) = far {
        p.write(SysReg::FarEl1, far)?;
    }
    p.write(SysReg::ElrEl1, frame.elr)?;
    p.write(SysReg::SpsrEl1, frame.spsr)?;
    frame.elr = p.read(SysReg::VbarEl1).wrapping_add(VECTOR_SYNC);
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
