//! What would change a verdict: the same access, asked of MPUs that differ in one point.

use super::mpus::Mpus;
use super::question::{Question, Verdict};
use crate::judgement::{Ruling, System, Way, answers, attempt, ways};
use mpu_model::{AccessKind, Ap, Attrs, DenialKind, El, Region, Sctlr, Slot, Stage, WriteHazard, Xn};
use scenario::Scenario;
use sim_core::hyp::plan::Plan;
use sim_core::hyp::strategy::Builtin;
use sim_core::outcome::ViewId;
use sim_core::world::attempt::Through;

/// What an EL1 or EL2 region would have to be instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reshaped {
    /// Off.
    Off,
    /// Ends earlier, at this byte.
    Ends(u64),
    /// Begins later, at this byte.
    Begins(u64),
    /// Two regions: one that ends at the first byte, one that begins at the second.
    Split(u64, u64),
}

/// One difference that gives the other verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Another view of the same strategy in force.
    Views(Vec<ViewId>),
    /// What the strategy does before the hypervisor touches guests' memory or its own devices.
    Reach(Through),
    /// Another strategy or placement, in the same view.
    Way(Way),
    /// Other rights in a slot: the least that does it.
    Rights {
        /// The slot's array.
        stage: Stage,
        /// The slot.
        slot: Slot,
        /// What it would have to say.
        attrs: Attrs,
    },
    /// Another range in one of two slots that overlap.
    Reshaped {
        /// The slots' array.
        stage: Stage,
        /// The slot.
        slot: Slot,
        /// The other slot of the two.
        beside: Slot,
        /// What it would have to be.
        to: Reshaped,
    },
    /// `SCTLR_EL2.WXN` clear: the region itself lets EL2 execute.
    WxnClear,
    /// The vCPU's EL1 MPU turned off.
    StageOneOff,
}

/// All of them, the nearest first.
pub(super) fn changes(
    system: &System,
    strategy: &Builtin,
    question: Question,
    mpus: &Mpus,
    verdict: &Verdict,
) -> Result<Vec<Change>, WriteHazard> {
    let System { scenario, plan } = system;
    let mut changes = Vec::new();
    let Err(refusal) = verdict else {
        changes.extend(views(scenario, plan, question, false)?);
        return Ok(changes);
    };
    if let DenialKind::Permission { slot: Some(slot), .. } = refusal.denial.kind {
        changes.extend(rights(mpus, refusal.stage, slot, question)?);
    }
    if let DenialKind::Overlap { first, second } = refusal.denial.kind {
        changes.extend(apart(mpus, refusal.stage, (first, second), question)?);
    }
    if refusal.stage == Stage::One {
        let off = mpus.with_sctlr(Stage::One, |sctlr| sctlr.with_m(false))?;
        changes.extend(off.judge(question.access).is_ok().then_some(Change::StageOneOff));
        return Ok(changes);
    }
    if question.access.el == El::El2 && question.access.kind == AccessKind::Fetch {
        let clear = mpus.with_sctlr(Stage::Two, |sctlr: Sctlr| sctlr.with_wxn(false))?;
        changes.extend(clear.judge(question.access).is_ok().then_some(Change::WxnClear));
    }
    if question.access.el == El::El2 && answers(scenario, question.access) {
        // A region of the view would have let it through as it is.
        let own = attempt(system, strategy, question.view, question.access);
        changes.extend(match own {
            Ruling::Allowed(by) if !matches!(by, Through::Standing { .. }) => Some(Change::Reach(by)),
            _ => None,
        });
    }
    changes.extend(views(scenario, plan, question, true)?);
    changes.extend(ways(scenario, strategy, question.view, question.access).into_iter().map(Change::Way));
    Ok(changes)
}

/// The views where the same access has the verdict `allowed`. A guest runs in its own view only, and its stage 1 goes
/// with it.
fn views(scenario: &Scenario, plan: &Plan, question: Question, allowed: bool) -> Result<Option<Change>, WriteHazard> {
    let mut found = Vec::new();
    for view in plan.views().map(|view| view.id).filter(|view| *view != question.view) {
        if question.access.el != El::El2 && !matches!(view, ViewId::Guest(_)) {
            continue;
        }
        let mpus = Mpus::new(scenario, plan, Question { view, vcpu: 0, ..question })?;
        if mpus.judge(question.access).is_ok() == allowed {
            found.push(view);
        }
    }
    Ok((!found.is_empty()).then_some(Change::Views(found)))
}

/// What of two slots that overlap would let the access through, each tried: one of them off, short of the other on one side, or
/// in two parts around it.
fn apart(mpus: &Mpus, stage: Stage, pair: (Slot, Slot), question: Question) -> Result<Vec<Change>, WriteHazard> {
    let mpu = match stage {
        Stage::One => mpus.el1.as_deref(),
        Stage::Two => Some(&*mpus.el2),
    };
    let Some(mpu) = mpu else { return Ok(Vec::new()) };
    let spare = Slot::all(mpu.regions()).find(|slot| !mpu.words(*slot).enabled());
    let mut found = Vec::new();
    for (slot, beside) in [pair, (pair.1, pair.0)] {
        let (own, other) = (mpu.words(slot), mpu.words(beside));
        let part =
            |base: u64, limit: u64| Region::new(base, limit, own.attrs()).map(|region: Region| region.words()).ok();
        let below = other.base().checked_sub(1).filter(|limit| *limit > own.base());
        let above = other.limit().checked_add(1).filter(|base| *base < own.limit());
        let low = below.and_then(|limit| Some((Reshaped::Ends(limit), part(own.base(), limit)?, None)));
        let high = above.and_then(|base| Some((Reshaped::Begins(base), part(base, own.limit())?, None)));
        let both = below.zip(above).zip(spare).and_then(|((limit, base), spare)| {
            let more = Some((spare, part(base, own.limit())?));
            Some((Reshaped::Split(limit, base), part(own.base(), limit)?, more))
        });
        let off = Some((Reshaped::Off, own.disabled(), None));
        for (to, words, more) in [both, low, high, off].into_iter().flatten() {
            let mut changed = mpus.with_words(stage, slot, words)?;
            if let Some((spare, words)) = more {
                changed = changed.with_words(stage, spare, words)?;
            }
            if changed.judge(question.access).is_ok() {
                found.push(Change::Reshaped { stage, slot, beside, to });
            }
        }
    }
    Ok(found)
}

/// The rights nearest to those of `slot` that let the access through.
fn rights(mpus: &Mpus, stage: Stage, slot: Slot, question: Question) -> Result<Option<Change>, WriteHazard> {
    let mpu = match stage {
        Stage::One => mpus.el1.as_deref(),
        Stage::Two => Some(&*mpus.el2),
    };
    let Some(words) = mpu.map(|mpu| mpu.words(slot)) else {
        return Ok(None);
    };
    let now = words.attrs();
    let mut wanted: Vec<Attrs> = [Ap::RwPrivileged, Ap::RwAll, Ap::RoPrivileged, Ap::RoAll]
        .into_iter()
        .flat_map(|ap| [Xn::Exec, Xn::Never].map(|xn| Attrs { ap, xn, ..now }))
        .collect();
    // The fewest rights changed first, then the fewest given away.
    let bits = |attrs: &Attrs| [attrs.ap.lower(), attrs.ap.writable(), !attrs.xn.bit1()];
    wanted.sort_by_key(|attrs| {
        let changed = bits(attrs).into_iter().zip(bits(&now)).filter(|(a, b)| a != b).count();
        (changed, bits(attrs).into_iter().filter(|given| *given).count())
    });
    for attrs in wanted {
        let words = Region::new(words.base(), words.limit(), attrs).map_or(words, |region: Region| region.words());
        if mpus.with_words(stage, slot, words)?.judge(question.access).is_ok() {
            return Ok(Some(Change::Rights { stage, slot, attrs }));
        }
    }
    Ok(None)
}
