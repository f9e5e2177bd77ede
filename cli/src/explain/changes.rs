//! What would change a verdict: the same access, asked of MPUs that differ in one point.

use super::mpus::{self, Mpus};
use super::tried::bytes;
use super::{Question, Verdict};
use crate::scenario::Scenario;
use mpu_model::{AccessKind, Ap, Attrs, DenialKind, El, Region, Sctlr, Stage, WriteHazard, Xn};
use sim_core::hyp::plan::{DEVICE, PRIVATE, Plan};
use sim_core::hyp::strategy::{Builtin, Strategy};
use sim_core::layout::{Owner, Span};
use sim_core::outcome::ViewId;

/// By what a strategy lets the hypervisor reach memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A temporary mapping in this slot, of this range.
    Window {
        /// The slot.
        slot: u8,
        /// First and last byte mapped.
        range: (u64, u64),
    },
    /// The hypervisor view.
    View,
    /// A region that is on in this view too.
    Kept,
    /// The default map, while EL2 runs.
    DefaultMap,
}

/// One difference that gives the other verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Another view of the same strategy in force.
    Views(Vec<ViewId>),
    /// What the strategy does before the hypervisor touches guests' memory or its own devices.
    Reach(By),
    /// Another strategy, in the same view.
    Strategy {
        /// Its name.
        name: &'static str,
        /// By what it reaches the address.
        by: By,
        /// EL2 regions it needs on this layout.
        required: usize,
    },
    /// Other rights in a slot: the least that does it.
    Rights {
        /// The slot's array.
        stage: Stage,
        /// The slot.
        slot: u8,
        /// What it would have to say.
        attrs: Attrs,
    },
    /// `SCTLR_EL2.WXN` clear: the region itself lets EL2 execute.
    WxnClear,
    /// The vCPU's EL1 MPU turned off.
    StageOneOff,
}

/// All of them, the nearest first.
pub(super) fn changes(
    scenario: &Scenario,
    strategy: &Builtin,
    plan: &Plan,
    question: Question,
    mpus: &Mpus,
    verdict: &Verdict,
) -> Result<Vec<Change>, WriteHazard> {
    let mut changes = Vec::new();
    let Err(refusal) = verdict else {
        changes.extend(views(scenario, plan, question, false)?);
        return Ok(changes);
    };
    if let DenialKind::Permission { slot: Some(slot), .. } = refusal.denial.kind {
        changes.extend(rights(mpus, refusal.stage, slot, question)?);
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
    changes.extend(window(scenario, plan, question)?.map(Change::Reach));
    changes.extend(views(scenario, plan, question, true)?);
    if question.access.el == El::El2 {
        for name in Builtin::NAMES {
            let other = Builtin::from_name(name, scenario.settings).filter(|other| other.name() != strategy.name());
            if let Some(other) = other {
                changes.extend(by_strategy(scenario, &other, question)?);
            }
        }
    }
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

/// The mapping that a strategy with windows makes before the hypervisor touches memory that no region covers: the pages,
/// cut to the owner's range, if it then gets through. The hypervisor reaches for guests' memory and its own devices only.
fn window(scenario: &Scenario, plan: &Plan, question: Question) -> Result<Option<By>, WriteHazard> {
    let (owner, within) = scenario.layout.owner(question.access.addr);
    let attrs = match owner {
        Owner::Ram(_) | Owner::Granted(_) | Owner::ReadOnly(_) | Owner::Shared(_) | Owner::Pool(_) => PRIVATE,
        Owner::Uart | Owner::Gic => DEVICE,
        _ => return Ok(None),
    };
    let (first, last) = bytes(question.access);
    let pages = Span::new(first, last).map(|span| span.page_rounded());
    let mapped = within.and_then(|within| pages?.intersection(&within));
    let region = mapped.and_then(|mapped| Region::new(mapped.base(), mapped.limit(), attrs).ok());
    let Some(region) = region.filter(|_| plan.windows() > 0 && question.access.el == El::El2) else {
        return Ok(None);
    };
    let slot = plan.window_slot(0);
    let mpus = Mpus { el2: mpus::el2(scenario, plan, question.view)?, el1: None };
    let through = mpus.with_words(Stage::Two, slot, region.words())?.judge(question.access).is_ok();
    Ok(through.then_some(By::Window { slot, range: (region.base(), region.limit()) }))
}

/// By what another strategy lets the hypervisor through in the same view.
fn by_strategy(scenario: &Scenario, strategy: &Builtin, question: Question) -> Result<Option<Change>, WriteHazard> {
    let plan = Plan::sketch(&scenario.layout, strategy.needs());
    let (name, required) = (strategy.name(), plan.required());
    // More slots than any MPU has cannot be asked about.
    if required > mpu_model::MAX_REGIONS {
        return Ok(None);
    }
    let needs = strategy.needs();
    let elsewhere = strategy.placement().is_some_and(|placement| placement != scenario.layout.parts().placement);
    if elsewhere || needs.default_map && !plan.fits() {
        return Ok(None);
    }
    let mut by = window(scenario, &plan, question)?;
    if by.is_none() && needs.pins {
        let mpus = Mpus { el2: mpus::el2(scenario, &plan, question.view)?, el1: None };
        by = mpus.judge(question.access).is_ok().then_some(By::Kept);
    }
    if by.is_none() && needs.default_map {
        let mpus = Mpus { el2: mpus::el2(scenario, &plan, question.view)?, el1: None };
        let lent = mpus.with_sctlr(Stage::Two, |sctlr| sctlr.with_br(true))?;
        by = lent.judge(question.access).is_ok().then_some(By::DefaultMap);
    }
    if by.is_none() && needs.hypervisor_view {
        let mpus = Mpus { el2: mpus::el2(scenario, &plan, ViewId::Hypervisor)?, el1: None };
        by = mpus.judge(question.access).is_ok().then_some(By::View);
    }
    Ok(by.map(|by| Change::Strategy { name, by, required }))
}

/// The rights nearest to those of `slot` that let the access through.
fn rights(mpus: &Mpus, stage: Stage, slot: u8, question: Question) -> Result<Option<Change>, WriteHazard> {
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
