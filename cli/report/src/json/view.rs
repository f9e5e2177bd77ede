//! The JSON form of a region map.

use super::ViewForm;
use analysis::budget;
use analysis::budget::Holds;
use analysis::judgement::System;
use scenario::Scenario;
use serde::Serialize;
use sim_core::hyp::plan::{Plan, View};
use sim_core::outcome::ViewId;

/// A region map.
#[derive(Debug, Serialize)]
pub struct ViewReport {
    scenario: String,
    strategy: String,
    el2_total: u8,
    available: u8,
    required: usize,
    boot_required: usize,
    views_required: usize,
    fits: bool,
    refused: Option<String>,
    views: Vec<ViewMap>,
}

#[derive(Debug, Serialize)]
struct ViewMap {
    #[serde(flatten)]
    budget: ViewForm,
    free: usize,
    slots: Vec<SlotForm>,
    window_slots: Vec<usize>,
    owners: Vec<OwnerForm>,
}

#[derive(Debug, Serialize)]
struct SlotForm {
    slot: usize,
    base: String,
    limit: String,
    access: String,
    owner: String,
}

#[derive(Debug, Serialize)]
struct OwnerForm {
    owner: String,
    slots: usize,
}

/// The JSON form of a region map.
#[must_use]
pub fn view(system: &System, strategy: &str, only: Option<ViewId>) -> ViewReport {
    let System { scenario, plan } = system;
    let needs = system.needs();
    let chosen = plan.views().filter(|view| only.is_none_or(|only| only == view.id));
    ViewReport {
        scenario: scenario.name.clone(),
        strategy: strategy.into(),
        el2_total: needs.total,
        available: needs.available,
        required: needs.needed(),
        boot_required: needs.boot,
        views_required: needs.views,
        fits: plan.fits(),
        refused: system.refusal().map(|refused| refused.to_string()),
        views: chosen.map(|view| map(scenario, plan, view)).collect(),
    }
}

fn map(scenario: &Scenario, plan: &Plan, view: &View) -> ViewMap {
    let layout = &scenario.layout;
    let (fixed, windows, own) = (plan.fixed().len(), plan.windows(), view.regions.len());
    let kept = plan.kept_in(view.id).count();
    let regions = budget::slots(plan, view).filter_map(|slot| match slot.holds {
        Holds::Region(planned) => Some((slot.number, planned)),
        Holds::Window | Holds::Off(_) => None,
    });
    ViewMap {
        budget: ViewForm {
            view: words::view(layout, view.id),
            fixed,
            windows,
            kept,
            own,
            total: fixed + windows + kept + own,
            guest_bytes: view.guest_bytes,
        },
        free: budget::free(plan, view),
        slots: regions
            .map(|(slot, planned)| SlotForm {
                slot,
                base: format!("{:#x}", planned.region.base()),
                limit: format!("{:#x}", planned.region.limit()),
                access: planned.region.attrs().to_string(),
                owner: words::owners(layout, &planned.owners),
            })
            .collect(),
        window_slots: budget::slots(plan, view)
            .filter(|slot| slot.holds == Holds::Window)
            .map(|slot| slot.number)
            .collect(),
        owners: budget::count(plan, view)
            .into_iter()
            .map(|(owners, slots)| OwnerForm { owner: words::owners(layout, owners), slots })
            .collect(),
    }
}
