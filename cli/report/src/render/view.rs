//! The region budget and map.

use super::table::{Cell, Look, Table};
use analysis::budget;
use analysis::budget::{Holds, ViewSlot};
use analysis::judgement::System;
use mpu_model::Level;
use scenario::Scenario;
use sim_core::hyp::plan::{Plan, View};
use sim_core::layout::PAGE_SIZE;
use sim_core::outcome::ViewId;
use std::fmt::Write;
use words::{Palette, registers};

/// Every view, or `only` one, slot by slot; before several, who uses how many slots.
#[must_use]
pub fn view(system: &System, strategy: &str, only: Option<ViewId>, palette: Palette) -> String {
    let System { scenario, plan } = system;
    let needs = system.needs();
    let shortage = plan.shortage();
    let verdict = words::fits(shortage);
    let mut out = format!(
        "{} on {}: strategy {} needs {} ({}): {}\n",
        palette.bold(&scenario.name),
        scenario.layout.board().name,
        palette.bold(strategy),
        words::regions_of(&needs),
        words::region_parts(&needs),
        if shortage.is_none() { palette.good(verdict) } else { palette.bad(verdict) },
    );
    if let Some(refused) = system.refusal() {
        let _ = writeln!(out, "  {}: {refused}", palette.bad("refused"));
    }
    let views: Vec<&View> = plan.views().filter(|view| only.is_none_or(|only| only == view.id)).collect();
    if only.is_none() {
        out.push('\n');
        out.push_str(&per_owner(scenario, plan, &views, palette));
    }
    for view in views {
        out.push('\n');
        out.push_str(&one(scenario, plan, view, palette));
    }
    out
}

/// Slots by owner, with the views that have them.
fn per_owner(scenario: &Scenario, plan: &Plan, views: &[&View], palette: Palette) -> String {
    let mut table = Table::new(1, &["owner", "slots", "in"]);
    for found in budget::by_owner(plan, views) {
        let place = match found.views.as_slice() {
            all if all.len() == views.len() => "every view".into(),
            few if few.len() <= 3 => {
                let names: Vec<String> = few.iter().map(|id| words::view(&scenario.layout, *id)).collect();
                names.join(", ")
            }
            many => format!("{} of {} views", many.len(), views.len()),
        };
        table.row(vec![
            words::owners(&scenario.layout, found.owners).into(),
            found.most.to_string().into(),
            place.into(),
        ]);
    }
    let fullest = views.iter().copied().min_by_key(|view| budget::free(plan, view));
    if let Some(view) = fullest.filter(|_| plan.fits()) {
        let text = |text: String| Cell::new(text, Look::Dim);
        let place = format!("{}, the fullest", words::view(&scenario.layout, view.id));
        table.row(vec![text("free".into()), text(budget::free(plan, view).to_string()), text(place)]);
    }
    table.left_too(2).render(0, palette)
}

fn one(scenario: &Scenario, plan: &Plan, view: &View, palette: Palette) -> String {
    let layout = &scenario.layout;
    let used = budget::used(plan, view);
    let available = usize::from(plan.available());
    let mut out = palette.bold(words::view(layout, view.id));
    let rest =
        if used > available { format!("{} too many", used - available) } else { format!("{} free", available - used) };
    let _ = writeln!(
        out,
        ": {used} slots ({} fixed, {} windows, {} kept, {} own), {rest}, {} of guests within EL2's reach",
        plan.fixed().len(),
        plan.windows(),
        plan.kept_in(view.id).count(),
        view.regions.len(),
        words::bytes(view.guest_bytes),
    );
    let mut table = Table::new(5, &["slot", "range", "size", "access", "owner"]);
    for slot in budget::slots(plan, view) {
        table.row(row(scenario, slot, slot.number < available));
    }
    out.push_str(&table.render(2, palette));
    out
}

fn row(scenario: &Scenario, slot: ViewSlot<'_>, exists: bool) -> Vec<Cell> {
    let number =
        if exists { Cell::from(slot.number.to_string()) } else { Cell::new(format!("{}!", slot.number), Look::Bad) };
    let (planned, look) = match slot.holds {
        Holds::Region(planned) => (planned, Look::Plain),
        Holds::Off(planned) => (planned, Look::Dim),
        Holds::Window => {
            let text = |text: &str| Cell::new(text, Look::Dim);
            return vec![number, text("any page"), text(&words::bytes(PAGE_SIZE)), text("-"), text("window")];
        }
    };
    let region = &planned.region;
    let access = if look == Look::Dim { "off here".into() } else { region.attrs().at(Level::El2).to_string() };
    vec![
        number,
        Cell::new(registers::span(scenario.pmsa(), region.base(), region.limit()), look),
        Cell::new(words::bytes(region.size()), look),
        Cell::new(access, look),
        Cell::new(words::owners(&scenario.layout, &planned.owners), look),
    ]
}
