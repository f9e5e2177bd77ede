//! Why an access is allowed or denied, and what would change that.
//!
//! [`Question`] names the access and the view (`question`); [`explain`] programs MPUs as the plan has it (`mpus`), asks them, and
//! gives back an [`Answer`] of typed values. Every verdict in it is one of `mpu_model`'s check, those on what would change
//! the answer (`changes`) included: each is a second question, asked of MPUs that differ in one point. What strategies and
//! placements make of the access is [`judgement`]'s to say.

mod changes;
mod mpus;
mod question;
mod tried;

use crate::judgement;
use crate::judgement::System;
pub use changes::{Change, Reshaped};
use mpu_model::{Access, AccessKind, El, WriteHazard};
use mpus::Mpus;
use question::deciding;
pub use question::{Grant, Question, Refusal, Verdict};
use scenario::Scenario;
use sim_core::hyp::emulate;
use sim_core::hyp::strategy::Builtin;
use sim_core::layout::{Layout, Owner, Span};
use sim_core::outcome::{Area, ViewId};
pub use tried::{How, Neighbour, Tried, TriedSlot};

/// What one level may do at the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// The level.
    pub el: El,
    /// Read, write, fetch.
    pub may: [bool; 3],
}

/// All there is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// The verdict.
    pub verdict: Verdict,
    /// The EL1 MPU's slots, where it takes part and is on.
    pub stage1: Option<Tried>,
    /// The EL2 MPU's slots.
    pub el2: Tried,
    /// Who owns the address that decides: the one that faults, else the first.
    pub owner: Owner,
    /// The range that is owned.
    pub owned: Option<Span>,
    /// What the layout puts there, and the byte offset in it.
    pub object: Option<(Area, u64)>,
    /// The emulated device on which EL2 carries the access out, by its position.
    pub emulated: Option<usize>,
    /// What each level may do with as many bytes there, in this view.
    pub rights: Vec<Rights>,
    /// What would change the verdict.
    pub changes: Vec<Change>,
    /// Whether memory or a device is at all of the bytes; if not, an access that the MPUs let through ends in an external abort.
    pub answers: bool,
}

impl Answer {
    /// Whether the access does what it is for: the MPUs let it through, and something answers.
    #[must_use]
    pub fn succeeds(&self) -> bool {
        self.verdict.is_ok() && self.answers
    }

    /// The address that decides: the byte that faults, else the first.
    #[must_use]
    pub fn address(&self) -> u64 {
        deciding(&self.verdict, self.question.access)
    }
}

/// Answers a question about a system that fits its board.
///
/// # Errors
///
/// [`WriteHazard`] if the slot driver wrote a region through a selection not in force, which would be a mistake in it.
pub fn explain(system: &System, strategy: &Builtin, question: Question) -> Result<Answer, WriteHazard> {
    let System { scenario, plan } = system;
    let layout = &scenario.layout;
    let mpus = Mpus::new(scenario, plan, question)?;
    let verdict = mpus.judge(question.access);
    let at = deciding(&verdict, question.access);
    let (owner, range) = layout.owner(at);
    let stage1 = mpus.el1.as_deref().filter(|_| mpus.stage1_on(question.access.el));
    Ok(Answer {
        question,
        stage1: stage1.map(|mpu| tried::stage1(mpu, question.access, &verdict)),
        el2: tried::el2(&mpus.el2, plan, question, &verdict),
        owner,
        owned: range,
        object: object(scenario, at),
        emulated: emulated(layout, question, &verdict),
        rights: rights(&mpus, Access { addr: at, ..question.access }, question.view),
        changes: changes::changes(system, strategy, question, &mpus, &verdict)?,
        answers: judgement::answers(scenario, question.access),
        verdict,
    })
}

/// The device behind a guest's access that stage 2 denied, as the hypervisor finds it.
fn emulated(layout: &Layout, question: Question, verdict: &Verdict) -> Option<usize> {
    let refusal = verdict.as_ref().err().filter(|refusal| refusal.to == El::El2)?;
    let ViewId::Guest(domain) = question.view else { return None };
    let access = emulate::Access::of(refusal.syndrome.esr(), refusal.syndrome.far)?;
    let guests = question.access.el != El::El2;
    access.device(layout, domain).filter(|_| guests).map(|(device, _)| device)
}

/// Guests' rights are told for guests' views: elsewhere none runs.
fn rights(mpus: &Mpus, access: Access, view: ViewId) -> Vec<Rights> {
    let levels: &[El] = if matches!(view, ViewId::Guest(_)) { &[El::El2, El::El1, El::El0] } else { &[El::El2] };
    let may = |el| {
        [AccessKind::Read, AccessKind::Write, AccessKind::Fetch]
            .map(|kind| mpus.judge(Access { kind, el, ..access }).is_ok())
    };
    levels.iter().map(|el| Rights { el: *el, may: may(*el) }).collect()
}

/// What is at an address, once its owner has handed it over.
fn object(scenario: &Scenario, address: u64) -> Option<(Area, u64)> {
    let found = judgement::holds(scenario, address)?;
    let within = scenario.layout.owner(address).1?;
    let area = Area { address: found.span.base(), within, domain: Some(found.domain), object: found.object };
    Some((area, address - found.span.base()))
}

#[cfg(test)]
mod tests;
