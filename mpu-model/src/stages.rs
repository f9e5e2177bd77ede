//! EL1 and EL0: through stage 1, then through stage 2.

use crate::access::{Access, Denial, El, Hit, Regime};
use crate::check::flat;
use crate::fields::Hcr;
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
    /// The level that takes the fault: EL1 for stage 1 (EL2 with `HCR_EL2.TGE` set), EL2 for stage 2.
    pub to: El,
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
/// Of each byte stage 1 is asked first, and its denial wins; the lowest byte that either denies is the one reported. Without an EL1 MPU, or with `HCR_EL2.DC` or `TGE` set, stage 1 allows
/// everything in the address space. Without `HCR_EL2.VM` (which DC implies) the EL2 MPU does not look at guests at all.
#[must_use]
pub fn check_guest(el1: Option<&Mpu>, el2: &Mpu, hcr: Hcr, access: Access) -> GuestVerdict {
    let to_el2 = |stage| stage == Stage::Two || hcr.tge();
    let denied = |stage, denial, hazard| GuestVerdict {
        result: Err(GuestDenial { stage, denial, to: if to_el2(stage) { El::El2 } else { El::El1 } }),
        hazard,
    };
    let (stage1, hazard) = match el1 {
        Some(mpu) if !hcr.dc() && !hcr.tge() => {
            let verdict = mpu.check(Regime::El1, access);
            (verdict.result, verdict.hazard)
        }
        _ => (flat(Regime::El1, access), None),
    };
    let stage2_on = hcr.vm() || hcr.dc();
    let stage1 = match stage1 {
        Ok(hit) => hit,
        Err(first) => {
            // Each byte goes through both stages before the next: below the one that stage 1 denies, stage 2 may deny one.
            let below = first.addr.saturating_sub(access.addr);
            let part = Access { size: below, ..access };
            let verdict = (stage2_on && below > 0).then(|| el2.check(Regime::Stage2, part));
            return match verdict.and_then(|verdict| Some((verdict.result.err()?, verdict.hazard))) {
                Some((denial, hazard)) => denied(Stage::Two, Denial { access, ..denial }, hazard),
                None => denied(Stage::One, first, hazard),
            };
        }
    };
    if !stage2_on {
        return GuestVerdict { result: Ok(GuestHit { stage1, stage2: None }), hazard: None };
    }
    let verdict = el2.check(Regime::Stage2, access);
    match verdict.result {
        Ok(hit) => GuestVerdict { result: Ok(GuestHit { stage1, stage2: Some(hit) }), hazard: None },
        Err(denial) => denied(Stage::Two, denial, verdict.hazard),
    }
}
