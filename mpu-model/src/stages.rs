//! EL1 and EL0: through stage 1, then through stage 2.

use crate::access::{Access, Denial, Hit, Regime};
use crate::check::flat;
use crate::mpu::Mpu;
use crate::pending::Hazard;

/// Which stage denied an access, and so which level takes the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The EL1 MPU: the guest's own fault, taken to EL1.
    One,
    /// The EL2 MPU: taken to EL2.
    Two,
}

/// A denied access of EL1 or EL0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GuestDenial {
    /// The stage that denied it.
    pub stage: Stage,
    /// Its denial.
    pub denial: Denial,
}

/// An allowed access of EL1 or EL0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GuestHit {
    /// What allowed it at stage 1.
    pub stage1: Hit,
    /// What allowed it at stage 2; `None` where `HCR_EL2.VM` = 0 leaves stage 2 out.
    pub stage2: Option<Hit>,
}

/// The answer to one access of EL1 or EL0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestVerdict {
    /// Allowed by both stages, or the first denial.
    pub result: Result<GuestHit, GuestDenial>,
    /// The pending write on which the answer hangs, in the array of the stage that denied.
    pub hazard: Option<Hazard>,
}

/// Judges an access of EL1 or EL0 by both stages.
///
/// Stage 1 is asked first, and its denial wins. Without an EL1 MPU, or with `SCTLR_EL1.M` = 0, stage 1 allows
/// everything in the address space. `vm` is `HCR_EL2.VM`: without it the EL2 MPU does not look at guests at all.
#[must_use]
pub fn check_guest(el1: Option<&Mpu>, el2: &Mpu, vm: bool, access: Access) -> GuestVerdict {
    let denied = |stage, denial, hazard| GuestVerdict { result: Err(GuestDenial { stage, denial }), hazard };
    let (stage1, hazard) = match el1 {
        Some(mpu) => {
            let verdict = mpu.check(Regime::El1, access);
            (verdict.result, verdict.hazard)
        }
        None => (flat(Regime::El1, access), None),
    };
    let stage1 = match stage1 {
        Ok(hit) => hit,
        Err(denial) => return denied(Stage::One, denial, hazard),
    };
    if !vm {
        return GuestVerdict { result: Ok(GuestHit { stage1, stage2: None }), hazard: None };
    }
    let verdict = el2.check(Regime::Stage2, access);
    match verdict.result {
        Ok(hit) => GuestVerdict { result: Ok(GuestHit { stage1, stage2: Some(hit) }), hazard: None },
        Err(denial) => denied(Stage::Two, denial, verdict.hazard),
    }
}
