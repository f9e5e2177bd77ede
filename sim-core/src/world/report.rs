//! The typed report of a run.

use super::accounting::{Accounting, Ran};
use crate::hyp::Hypervisor;
use crate::hyp::plan::Plan;
use crate::hyp::strategy::Strategy;
use crate::machine::Machine;
use crate::outcome::{
    El2Fault, FaultKind, HypervisorFault, OnBehalf, Outcome, Refused, RegionUse, Report, SlotLine, ViewId, ViewUse,
};
use alloc::boxed::Box;
use alloc::vec::Vec;
use mpu_model::RegionWords;

/// The machine stopped at EL2: a fault, or a hazard that led to one. `recursive` is the fault that its report met.
pub(super) fn stopped<S: Strategy>(
    hyp: &Hypervisor<S>,
    machine: &Machine,
    on_behalf: OnBehalf,
    fault: El2Fault,
    recursive: Option<El2Fault>,
) -> Outcome {
    let address = fault.syndrome.far;
    let view = hyp.view_on(fault.pe).current();
    let line = |(slot, words)| slot_line(hyp.region_plan(), view, slot, words);
    let el2 = &machine.pe(fault.pe).el2;
    let slots: Vec<SlotLine> = el2.enabled().map(line).collect();
    let (below, above) = el2.nearest(address);
    let report = Box::new(HypervisorFault {
        fault,
        on_behalf,
        owner: hyp.layout().owner(address).0,
        object: hyp.object_at(address),
        view,
        slots,
        below: below.map(line),
        above: above.map(line),
        recursive,
    });
    // A denied access that hung on an unsynchronised write is first of all that.
    let hazard = fault.hazard.is_some() && matches!(fault.kind, FaultKind::Access(_));
    if hazard { Outcome::Hazard(Some(report)) } else { Outcome::HypervisorFault(report) }
}

fn slot_line(plan: &Plan, view: ViewId, slot: u8, words: RegionWords) -> SlotLine {
    // By what stands there: a view that stays programmed may be in other slots than the plan draws it in.
    let planned = plan.fixed().iter().chain(&plan.view(view).regions).find(|planned| planned.words == words);
    SlotLine { slot, words, owners: planned.map(|planned| planned.owners.clone()).unwrap_or_default() }
}

fn region_use(plan: &Plan, peak: usize, exposed: u64) -> RegionUse {
    let views = plan
        .views()
        .zip(plan.budgets())
        .map(|(view, budget)| ViewUse {
            view: view.id,
            fixed: budget.fixed,
            windows: budget.windows,
            kept: budget.kept,
            own: budget.own,
            guest_bytes: view.guest_bytes,
        })
        .collect();
    let fixed = plan.fixed().len();
    RegionUse { needs: plan.region_needs(), fixed, peak, exposed, boot: plan.boot().uses().collect(), views }
}

/// The report of a system that its board has no room for: nothing ran. `plan` is the sketch of what was refused.
#[must_use]
pub fn refused(refused: Refused, plan: &Plan) -> Report {
    Accounting::default().close(Outcome::Refused(refused), region_use(plan, 0, 0), Ran::default())
}

/// The report of a run that is over.
pub(super) fn assemble<S>(hyp: &Hypervisor<S>, machine: &Machine, accounting: Accounting, outcome: Outcome) -> Report {
    let ran = Ran::of(machine);
    // However the guests fared after it, a run that met a hazard says nothing about hardware.
    let over = !matches!(outcome, Outcome::HypervisorFault(_) | Outcome::Hazard(_) | Outcome::IsolationBroken(_));
    let outcome = if over && !ran.hazards.is_empty() { Outcome::Hazard(None) } else { outcome };
    accounting.close(outcome, region_use(hyp.region_plan(), hyp.most_regions(), hyp.most_exposed()), ran)
}
