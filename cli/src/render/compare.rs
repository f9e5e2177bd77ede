//! Strategies side by side.

use super::run::{self, title};
use super::table::{Cell, Look, Table};
use crate::output::Palette;
use crate::scenario::Scenario;
use crate::words;
use sim_core::outcome::{Distribution, Outcome, Report, Trap, TrapCost};
use std::collections::BTreeMap;
use std::fmt::Write;

/// One strategy's run.
#[derive(Clone, Debug)]
pub struct Row {
    /// The strategy, as it was asked for.
    pub name: String,
    /// The scenario as that strategy runs it.
    pub scenario: Scenario,
    /// What came of it.
    pub report: Report,
}

/// The table, and a line for each strategy that did not complete.
#[must_use]
pub fn compare(scenario: &Scenario, seed: u64, rows: &[Row], palette: Palette) -> String {
    let mut out = format!("{}\n\n", title(scenario, seed, palette));
    let measured = measured(rows);
    let header =
        ["strategy", "outcome", "regions", "delivered", "writes", "ISB", "DSB", "p50", "max", "to upcall", "cycles"];
    let mut table = Table::new(2, &header);
    for row in rows {
        table.row(cells(&row.name, &row.report, measured));
    }
    out.push_str(&table.render(0, palette));
    let _ = writeln!(
        out,
        "\nregions: EL2 regions that views need, of {}{}. Per {}:\nEL2 MPU register writes, barriers, and cycles from trap to return.",
        scenario.layout.board().el2_regions,
        rows.iter().find_map(|row| run::fullest(&row.report.regions.boot)).unwrap_or_default(),
        measured.map_or_else(|| "call".into(), words::trap),
    );
    let _ = writeln!(out, "to upcall: median cycles from the trap of a send to the receiver's handler.");
    let _ = writeln!(out, "Profile {}: {}.", scenario.config.profile.name, scenario.config.profile.provenance);
    for row in rows {
        if let Some(text) = failure(&row.scenario, &row.report) {
            let _ = writeln!(out, "\n{}: {text}", palette.bold(&row.name));
        }
    }
    out
}

/// The entry to EL2 whose cost the table shows: the send if there is one, else the one that most register writes went
/// into, over all strategies.
fn measured(rows: &[Row]) -> Option<Trap> {
    let mut writes: BTreeMap<Trap, u64> = BTreeMap::new();
    for (trap, cost) in rows.iter().flat_map(|row| &row.report.traps) {
        *writes.entry(*trap).or_default() += cost.counts.el2_writes();
    }
    let send = writes.keys().find(|trap| trap.is_send()).copied();
    send.or_else(|| writes.into_iter().max_by_key(|(_, writes)| *writes).map(|(trap, _)| trap))
}

fn cells(name: &str, report: &Report, measured: Option<Trap>) -> Vec<Cell> {
    let call = measured.and_then(|trap| report.traps.get(&trap));
    let completed = report.outcome == Outcome::Completed;
    let look = if completed { Look::Good } else { Look::Bad };
    let per_call = |total: fn(&TrapCost) -> u64| -> Cell {
        call.map_or_else(|| "-".into(), |cost| run::per_call(total(cost), cost.calls).into())
    };
    let cycles = |value: Option<u64>| -> Cell { value.map_or_else(|| "-".into(), |value| words::number(value).into()) };
    let distribution = call.map(|cost| &cost.cycles);
    let total = if completed { words::number(report.cycles).into() } else { Cell::from("-") };
    vec![
        Cell::new(name, Look::Bold),
        Cell::new(words::outcome(&report.outcome), look),
        report.regions.views_required().to_string().into(),
        delivered(report),
        per_call(|cost| cost.counts.el2_writes()),
        per_call(|cost| cost.counts.isb),
        per_call(|cost| cost.counts.dsb),
        cycles(distribution.and_then(|values| values.percentile(50))),
        cycles(distribution.and_then(Distribution::max)),
        cycles(report.send_to_upcall().percentile(50)),
        total,
    ]
}

/// How many events arrived; of how many, if not all did.
fn delivered(report: &Report) -> Cell {
    let (delivered, sent) = (report.events.delivered, report.events.sent);
    if delivered == sent {
        return words::number(sent).into();
    }
    Cell::new(format!("{}/{}", words::number(delivered), words::number(sent)), Look::Bad)
}

/// Why a strategy did not complete, in a line or two.
fn failure(scenario: &Scenario, report: &Report) -> Option<String> {
    let layout = &scenario.layout;
    Some(match &report.outcome {
        Outcome::Completed => return None,
        Outcome::HypervisorFault(cause) | Outcome::Hazard(Some(cause)) => {
            let what = match &cause.object {
                Some((area, offset)) => words::object(layout, area, *offset),
                None => words::owner(layout, cause.owner),
            };
            let syndrome = cause.fault.syndrome;
            format!(
                "{} at EL2 ({} at {:#x}) in {} of {}\n  on {what}; the {} does not map it",
                words::abort(syndrome.ec),
                cause.fault.access(),
                syndrome.far,
                words::trap(cause.on_behalf.trap),
                cause.on_behalf.vcpu.map_or_else(|| "an idle PE".into(), |vcpu| words::vcpu(layout, vcpu)),
                words::view(layout, cause.view),
            )
        }
        Outcome::Refused(refused) => refused.to_string(),
        Outcome::Hazard(None) => "the run leaned on register writes that no barrier had put in force".into(),
        Outcome::Deadlock(waiters) => format!("{} vCPUs wait for what never comes", waiters.len()),
        Outcome::ExpectationFailed(failures) => {
            format!("{} steps gave something else than expected", failures.len())
        }
        Outcome::IsolationBroken(breach) => words::breach(&scenario.layout, breach),
        Outcome::Limit(steps) => format!("not done after {} steps", words::number(*steps)),
    })
}
