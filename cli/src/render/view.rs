//! The region budget and map.

use super::table::{Cell, Look, Table};
use crate::output::Palette;
use crate::scenario::Scenario;
use crate::words;
use mpu_model::Level;
use sim_core::hyp::plan::{Plan, View};
use sim_core::outcome::ViewId;
use std::fmt::Write;

/// Every view, or `only` one, slot by slot.
#[must_use]
pub fn view(scenario: &Scenario, strategy: &str, plan: &Plan, only: Option<ViewId>, palette: Palette) -> String {
    let (required, available) = (plan.required(), plan.el2_regions());
    let of_views = match plan.views_required() {
        views if views < required => format!(" (boot {required}, views {views})"),
        _ => String::new(),
    };
    let mut out = format!(
        "{}: strategy {} needs {required} EL2 regions{of_views}; {} has {available}: {}\n",
        palette.bold(&scenario.name),
        palette.bold(strategy),
        scenario.layout.board().name,
        if plan.fits() { palette.good("fits") } else { palette.bad("does not fit") },
    );
    for view in plan.views().filter(|view| only.is_none_or(|only| only == view.id)) {
        out.push('\n');
        out.push_str(&one(scenario, plan, view, palette));
    }
    out
}

fn one(scenario: &Scenario, plan: &Plan, view: &View, palette: Palette) -> String {
    let layout = &scenario.layout;
    let used = plan.fixed().len() + plan.windows() + view.regions.len();
    let mut out = palette.bold(words::view(layout, view.id));
    let _ = writeln!(
        out,
        ": {used} slots ({} fixed, {} windows, {} own), {} of guests within EL2's reach",
        plan.fixed().len(),
        plan.windows(),
        view.regions.len(),
        words::bytes(view.guest_bytes(layout)),
    );
    let mut table = Table::new(5, &["slot", "range", "size", "access", "owner"]);
    let mut rows: Vec<(u8, Vec<Cell>)> = plan
        .slots(view)
        .map(|(slot, planned)| {
            let region = &planned.region;
            let cells = vec![
                slot.to_string().into(),
                format!("{:#012x}-{:#012x}", region.base(), region.limit()).into(),
                words::bytes(region.size()).into(),
                region.attrs().at(Level::El2).to_string().into(),
                words::owners(layout, &planned.owners).into(),
            ];
            (slot, cells)
        })
        .collect();
    rows.extend((0..plan.windows()).map(|index| {
        let slot = plan.window_slot(index);
        let text = |text: &str| Cell::new(text, Look::Dim);
        (slot, vec![slot.to_string().into(), text("any page"), text("4 KiB"), text("-"), text("window")])
    }));
    rows.sort_by_key(|(slot, _)| *slot);
    for (_, cells) in rows {
        table.row(cells);
    }
    out.push_str(&table.render(2, palette));
    out
}
