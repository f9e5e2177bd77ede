//! The slots of an array, one by one: whether each matched, and which decided.

use super::question::{Question, Verdict, slot_of};
use crate::budget;
use crate::budget::Holds;
use mpu_model::{Access, DenialKind, Mpu, RegionWords, Slot, Stage};
use sim_core::hyp::plan::Plan;
use sim_core::layout::{Owner, Span};

/// How a slot stands to the bytes of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It is a window that nothing is mapped through.
    Window,
    /// It is programmed, and off in this view.
    Off,
    /// It ends below them; bytes between.
    Below(u64),
    /// It begins above them; bytes between.
    Above(u64),
    /// It holds all of them.
    All,
    /// It holds some of them.
    Part(u64, u64),
}

/// One slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedSlot {
    /// Its number.
    pub slot: Slot,
    /// Its register words.
    pub words: RegionWords,
    /// Whose memory it covers; empty for a window and at EL1.
    pub owners: Vec<Owner>,
    /// How it stands to the access.
    pub how: How,
    /// Whether the verdict rests on it.
    pub decides: bool,
}

/// A region beside the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its slot.
    pub slot: Slot,
    /// Its range.
    pub span: Span,
    /// Bytes between it and the address.
    pub distance: u64,
}

/// An array's slots, and the regions nearest to the address that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Slots that are on, and windows, lowest first.
    pub slots: Vec<TriedSlot>,
    /// The nearest region that ends below the address.
    pub below: Option<Neighbour>,
    /// The nearest region that begins above the address.
    pub above: Option<Neighbour>,
}

/// The EL2 MPU's slots, windows included.
pub(super) fn el2(mpu: &Mpu, plan: &Plan, question: Question, verdict: &Verdict) -> Tried {
    let slots = budget::slots(plan, plan.view(question.view)).filter_map(|slot| {
        let number = Slot::new(u8::try_from(slot.number).ok()?);
        Some(match slot.holds {
            Holds::Region(planned) => (number, mpu.words(number), planned.owners.clone()),
            Holds::Window => (number, RegionWords::default(), Vec::new()),
            Holds::Off(planned) => (number, planned.words.disabled(), planned.owners.clone()),
        })
    });
    tried(mpu, slots, Stage::Two, question.access, verdict)
}

/// The EL1 MPU's slots that are on.
pub(super) fn stage1(mpu: &Mpu, access: Access, verdict: &Verdict) -> Tried {
    tried(mpu, mpu.enabled().map(|(slot, words)| (slot, words, Vec::new())), Stage::One, access, verdict)
}

fn tried(
    mpu: &Mpu,
    slots: impl Iterator<Item = (Slot, RegionWords, Vec<Owner>)>,
    stage: Stage,
    access: Access,
    verdict: &Verdict,
) -> Tried {
    let slots = slots.map(|(slot, words, owners)| {
        let window = !words.enabled() && owners.is_empty();
        let how = if window { How::Window } else { how(words, access) };
        TriedSlot { slot, words, owners, how, decides: decides(slot, how, stage, verdict) }
    });
    let at = match verdict {
        Err(refusal) if refusal.stage == stage => refusal.denial.addr,
        _ => access.addr,
    };
    let near = |(slot, words): (Slot, RegionWords)| {
        let span = Span::new(words.base(), words.limit())?;
        let distance = if span.base() > at { span.base() - at } else { at - span.limit() } - 1;
        Some(Neighbour { slot, span, distance })
    };
    let (below, above) = mpu.nearest(at);
    Tried { slots: slots.collect(), below: below.and_then(near), above: above.and_then(near) }
}

/// The first and the last byte of an access; what runs past the top of the address space is left out.
pub(super) fn bytes(access: Access) -> (u64, u64) {
    (access.addr, access.addr.saturating_add(access.size.saturating_sub(1)))
}

fn how(words: RegionWords, access: Access) -> How {
    let (first, last) = bytes(access);
    let (base, limit) = (words.base(), words.limit());
    if !words.enabled() {
        How::Off
    } else if limit < first {
        How::Below(first - limit - 1)
    } else if base > last {
        How::Above(base - last - 1)
    } else if base <= first && last <= limit {
        How::All
    } else {
        How::Part(base.max(first), limit.min(last))
    }
}

/// A denial rests on the slots that it names; a grant on every slot that holds a byte.
fn decides(slot: Slot, how: How, stage: Stage, verdict: &Verdict) -> bool {
    match verdict {
        Ok(grant) => {
            let hit = if stage == Stage::One { grant.stage1 } else { Some(grant.el2) };
            hit.and_then(slot_of).is_some() && matches!(how, How::All | How::Part(..))
        }
        Err(refusal) if refusal.stage != stage => false,
        Err(refusal) => match refusal.denial.kind {
            DenialKind::Overlap { first, second } => slot == first || slot == second,
            DenialKind::Permission { slot: named, .. } => named == Some(slot),
            DenialKind::NoRegion | DenialKind::MixedAttributes | DenialKind::AddressSize => false,
        },
    }
}
