//! What is asked, and the verdict.

use mpu_model::{Access, Denial, El, Hit, HitBy, Slot, Stage, Syndrome};
use sim_core::outcome::ViewId;

/// An access, and the view in force when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The access.
    pub access: Access,
    /// The view.
    pub view: ViewId,
    /// Which of the domain's vCPUs runs; its EL1 MPU is stage 1.
    pub vcpu: usize,
}

/// A denied access, and what hardware makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The array that denied it: the EL1 MPU is stage 1, the EL2 MPU stage 2 and EL2's own.
    pub stage: Stage,
    /// Why.
    pub denial: Denial,
    /// What `ESR` and `FAR` of the level that takes the exception hold.
    pub syndrome: Syndrome,
    /// `HPFAR_EL2`, for stage 2 where it is filled.
    pub hpfar: Option<u64>,
    /// The level that takes the exception.
    pub to: El,
}

/// What lets an access through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The EL1 MPU's part; `None` at EL2.
    pub stage1: Option<Hit>,
    /// The EL2 MPU's part.
    pub el2: Hit,
}

/// Allowed, or why not.
pub type Verdict = Result<Grant, Refusal>;

/// The address that decides: the byte that faults, else the first.
pub(super) fn deciding(verdict: &Verdict, access: Access) -> u64 {
    verdict.as_ref().err().map_or(access.addr, |refusal| refusal.denial.addr)
}

/// The slot that let the first byte through.
pub(super) fn slot_of(hit: Hit) -> Option<Slot> {
    match hit.by {
        HitBy::Slot(slot) => Some(slot),
        HitBy::Background | HitBy::MpuOff => None,
    }
}
