//! Strategies side by side, in 100 columns.

mod records;
mod sensitivity;

use super::run::{self, title};
use super::table::{Cell, Look, Table};
use super::{WIDTH, profile, wrapped};
use analysis::comparison;
use analysis::comparison::Row;
pub use records::{csv, markdown};
use scenario::Scenario;
use sim_core::outcome::{Outcome, Report, Trap};
use std::collections::BTreeMap;
use words::Palette;

/// A column of numbers.
struct Column {
    /// Its title, on two lines.
    title: [&'static str; 2],
    /// What a row has in it.
    value: fn(&Row, Option<Trap>) -> Option<Value>,
    /// Whether more is better; else less is.
    more: bool,
}

/// What a row has in a column: how it ranks, and how it reads.
struct Value {
    rank: u128,
    text: String,
}

impl Value {
    fn number(value: u64) -> Self {
        Self { rank: value.into(), text: words::number(value) }
    }

    /// A mean, ranked as it is and not as it is rounded.
    fn per_call(total: u64, calls: u64) -> Option<Self> {
        let rank = (u128::from(total) << 64).checked_div(calls.into())?;
        Some(Self { rank, text: run::per_call(total, calls) })
    }
}

/// A column of means per measured entry to EL2.
macro_rules! mean {
    ($upper:literal, $lower:literal, $($field:ident).+) => {
        Column {
            title: [$upper, $lower],
            value: |row, trap| row.cost(trap).and_then(|cost| Value::per_call(cost.counts.$($field).+, cost.calls)),
            more: false,
        }
    };
}

const COLUMNS: [Column; 11] = [
    Column { title: ["", "regions"], value: |row, _| row.report().map(regions), more: false },
    Column { title: ["deliv-", "ered"], value: |row, _| row.report().map(delivered), more: true },
    mean!("PR", "BAR", el2.prbar),
    mean!("PR", "LAR", el2.prlar),
    mean!("PR", "ENR", el2.prenr),
    mean!("", "ISB", isb),
    mean!("", "DSB", dsb),
    Column {
        title: ["call", "p50"],
        value: |row, trap| row.cost(trap)?.cycles.percentile(50).map(Value::number),
        more: false,
    },
    Column { title: ["call", "max"], value: |row, trap| row.cost(trap)?.cycles.max().map(Value::number), more: false },
    Column {
        title: ["worst", "upcall"],
        value: |row, _| row.report()?.send_to_upcall().max().map(Value::number),
        more: false,
    },
    Column { title: ["", "exposed"], value: |row, _| row.report().and_then(exposed), more: false },
];

fn regions(report: &Report) -> Value {
    let needs = report.regions.needs;
    let text = format!("{}/{}", needs.needed(), needs.available);
    Value { rank: u128::try_from(needs.needed()).unwrap_or(u128::MAX), text }
}

/// How many events arrived; of how many, if not all did.
fn delivered(report: &Report) -> Value {
    let (delivered, sent) = (report.events.delivered, report.events.sent);
    let number = Value::number(delivered);
    if delivered == sent {
        number
    } else {
        Value { text: format!("{}/{}", number.text, words::number(sent)), ..number }
    }
}

/// Nothing ran where nothing fits.
fn exposed(report: &Report) -> Option<Value> {
    let bytes = report.regions.exposed;
    let ran = !matches!(report.outcome, Outcome::Refused(_));
    ran.then(|| Value { rank: bytes.into(), text: words::bytes(bytes) })
}

/// The table with each failure under its row; what other placements changed; what the figures are worth, and what would
/// change the ranking.
#[must_use]
pub fn compare(scenario: &Scenario, seed: u64, rows: &[Row], palette: Palette) -> String {
    let mut out = format!("{}\n\n", title(scenario, seed, palette));
    let measured = comparison::measured(rows);
    out.push_str(&table(rows, measured, palette));
    out.push('\n');
    out.push_str(&wrapped(&legend(measured, rows), ""));
    if let Some(longest) = longest_masked(rows) {
        out.push('\n');
        out.push_str(&wrapped(&longest, "  "));
    }
    for line in placements(scenario, rows) {
        out.push_str(&wrapped(&line, "  "));
    }
    out.push('\n');
    out.push_str(&profile::lines(&scenario.profile));
    out.push_str(&sensitivity::lines(scenario, rows, measured, palette));
    out
}

fn table(rows: &[Row], measured: Option<Trap>, palette: Palette) -> String {
    let cells: Vec<Vec<Option<Value>>> =
        rows.iter().map(|row| COLUMNS.iter().map(|column| (column.value)(row, measured)).collect()).collect();
    let head = |line: fn([&'static str; 2]) -> &'static str, names: [&'static str; 2]| -> Vec<&'static str> {
        names.into_iter().chain(COLUMNS.iter().map(|column| line(column.title))).collect()
    };
    let sent = comparison::unranked(rows) != Some(comparison::Unranked::NothingSent);
    let mut table = Table::new(2, &head(|[upper, _]| upper, ["", ""]));
    table.heading(&head(|[_, lower]| lower, ["strategy", "outcome"]));
    for (row, values) in rows.iter().zip(&cells) {
        let look = if row.completed() { Look::Good } else { Look::Bad };
        let mut line = vec![row.name.as_str().into(), Cell::new(outcome(row), look)];
        for (at, (value, column)) in values.iter().zip(&COLUMNS).enumerate() {
            let best = sent && row.completed() && best(rows, &cells, at, column.more, value.as_ref());
            let look = if best { Look::Bold } else { Look::Plain };
            line.push(value.as_ref().map_or_else(|| "-".into(), |value| Cell::new(value.text.clone(), look)));
        }
        table.row(line);
        if let Some(text) = failure(row) {
            table.note(wrapped(&format!("  {text}"), "  "));
        }
    }
    table.render_within(WIDTH, palette)
}

/// Whether no strategy that completed has a better value in the column, and one has a worse.
fn best(rows: &[Row], cells: &[Vec<Option<Value>>], column: usize, more: bool, value: Option<&Value>) -> bool {
    let Some(value) = value else { return false };
    let completed = rows.iter().zip(cells).filter(|(row, _)| row.completed());
    let ranks: Vec<u128> = completed.filter_map(|(_, cells)| Some(cells.get(column)?.as_ref()?.rank)).collect();
    let (least, most) = (ranks.iter().min(), ranks.iter().max());
    least != most && Some(&value.rank) == if more { most } else { least }
}

/// An outcome in a word; the line below the row has it in full.
fn outcome(row: &Row) -> &'static str {
    match row.report().map(|report| &report.outcome) {
        Some(Outcome::HypervisorFault(_)) => "fault",
        Some(Outcome::ExpectationFailed(_)) => "failed",
        Some(Outcome::IsolationBroken(_)) => "breach",
        Some(outcome) => words::outcome(outcome),
        None => words::REFUSED,
    }
}

fn legend(measured: Option<Trap>, rows: &[Row]) -> String {
    let call = measured.map_or_else(|| "call".into(), words::trap);
    let boot = rows.iter().find_map(|row| Some(row.report()?.regions.needs));
    let boot = boot.map(|needs| format!(" ({} in phase {})", needs.boot, needs.phase)).unwrap_or_default();
    format!(
        "Per {call}: PRBAR, PRLAR and PRENR writes to the EL2 MPU, and barriers; call: its \
         cycles from trap to return, waiting for the hypervisor lock included. regions: needed, of \
         those to use; the larger of what boot{boot} and the views take. worst upcall: most cycles from a send's trap to the receiver's handler. exposed: \
         most bytes of other domains within EL2's reach at once while it worked for a domain."
    )
}

/// The longest time without interrupts under each strategy that completed, and where: shortest first, equal ones together.
fn longest_masked(rows: &[Row]) -> Option<String> {
    let mut groups: BTreeMap<(u64, Trap), Vec<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.completed()) {
        let Some((trap, cycles)) = row.report().and_then(Report::longest_masked) else { continue };
        groups.entry((cycles, trap)).or_default().push(&row.name);
    }
    let group = |((cycles, trap), names): (&(u64, Trap), &Vec<&str>)| {
        format!("{} in {} ({})", words::number(*cycles), words::trap(*trap), names.join(", "))
    };
    let groups: Vec<String> = groups.iter().map(group).collect();
    let start = "Longest with interrupts masked at EL2, in cycles from exception to ERET";
    (!groups.is_empty()).then(|| format!("{start}: {}.", groups.join("; ")))
}

/// Who ran under another placement, and which hypercalls differ because of it.
fn placements(scenario: &Scenario, rows: &[Row]) -> Vec<String> {
    let own = scenario.layout.parts().placement;
    let moved = comparison::moved(rows, own);
    let lines = moved.iter().map(|moved| {
        let start = format!(
            "{} ran under placement {}, not {}",
            moved.name,
            words::placement(moved.placement),
            words::placement(own)
        );
        match &moved.calls {
            None => format!("{start}; no two runs that completed tell what that changes."),
            Some(calls) if calls.is_empty() => format!("{start}; it makes the same hypercalls."),
            Some(calls) => {
                let calls: Vec<String> = calls.iter().map(other_calls).collect();
                format!("{start}; calls that differ: {}.", calls.join(", "))
            }
        }
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { lines } else { std::iter::once(String::new()).chain(lines).collect() }
}

fn other_calls(calls: &comparison::OtherCalls) -> String {
    let (fewest, most) = calls.own;
    let own = if fewest == most { words::number(most) } else { format!("{fewest} to {most}") };
    format!("{} {} instead of {own}", words::trap(calls.trap), words::number(calls.here))
}

/// Why a strategy did not complete.
pub(crate) fn failure(row: &Row) -> Option<String> {
    match &row.came {
        Ok(report) => words::failed(&row.scenario.layout, report),
        Err(why) => Some(words::refused(why)),
    }
}
