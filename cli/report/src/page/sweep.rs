//! Charts over a number that a sweep varied.

use super::chart::{Axis, Chart, Data, Limit, Series, Stretch, number, whole};
use super::frame::{Barriers, Frame};
use super::panel::{Panel, Selection, at, panels};
use super::{ReportError, break_even};
use campaign::sweep::{Line, Table};
use indexmap::IndexSet;
use scenario::profile;

/// A set of charts.
pub(super) struct Set {
    pub(super) title: String,
    pub(super) charts: Vec<Chart>,
}

/// A column to draw.
struct Column {
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    stretch: Stretch,
    note: &'static str,
    /// Of systems that do not run too.
    planned: bool,
}

const COLUMNS: [Column; 3] = [
    Column {
        name: "send_work",
        title: "Cost of a send",
        unit: "cycles of work per send, mean",
        stretch: Stretch::FromZero,
        note: "From trap to return, without waiting for the hypervisor lock.",
        planned: false,
    },
    Column {
        name: "upcall_max",
        title: "Worst case from send to upcall",
        unit: "cycles, the most",
        stretch: Stretch::Logarithmic,
        note: "From the trap of a send to the receiver's handler; a receiver that does not run waits for its turn.",
        planned: false,
    },
    Column {
        name: "regions_required",
        title: "EL2 regions needed",
        unit: "EL2 regions",
        stretch: Stretch::FromZero,
        note: "The larger of what boot and the views take, whether the board has it or not.",
        planned: true,
    },
];

/// The charts of a sweep's file.
pub(super) fn sets(
    table: &Table,
    selection: &Selection,
    looks: &IndexSet<String>,
    command: &str,
) -> Result<Vec<Set>, ReportError> {
    // A profile that was a file may be gone.
    let costs = profile::choose(table.about().profile()).ok().map(|profile| profile.costs());
    let barriers = costs.map(|costs| Barriers { isb: whole(costs.isb), dsb: whole(costs.dsb) });
    let frame = Frame { looks, command: command.into(), barriers };
    let panels = panels(table, selection)?;
    let set = |panel: &Panel<'_>| {
        let charts = COLUMNS.iter().filter_map(|column| chart(&frame, panel, column));
        Set { title: panel.title.clone(), charts: charts.chain(break_even::chart(&frame, panel)).collect() }
    };
    Ok(panels.iter().map(set).collect())
}

fn chart(frame: &Frame<'_>, panel: &Panel<'_>, column: &Column) -> Option<Chart> {
    let value = |line: &Line<'_>| line.number(column.name).filter(|_| column.planned || line.completed());
    let all = panel.strategies.iter().map(|(name, lines)| Series {
        name: name.clone(),
        style: frame.style(name),
        points: lines.iter().filter_map(|(x, line)| Some((*x, value(line)?))).collect(),
    });
    let series: Vec<Series> = all.filter(|series| !series.points.is_empty()).collect();
    if series.is_empty() {
        return None;
    }
    let mut notes = vec![column.note.to_owned()];
    notes.extend(if column.planned { boot(panel) } else { missing(panel) });
    Some(Chart {
        title: column.title.into(),
        notes,
        x: Axis { title: axis_title(panel.x), stretch: Stretch::Exact },
        y: Axis { title: column.unit.into(), stretch: column.stretch },
        series,
        limits: if column.planned { limit(panel) } else { Vec::new() },
        steps: false,
        data: data(panel, &value),
        command: frame.command.clone(),
    })
}

/// The key, with its unit.
fn axis_title(key: &str) -> String {
    match key {
        "ring.domains" => "domains (ring.domains)".into(),
        "ring.vcpus" => "vCPUs per domain (ring.vcpus)".into(),
        "el2_regions" => "EL2 regions of the board (el2_regions)".into(),
        key => format!("{key} (as the scenario has it)"),
    }
}

/// What the board has, where that is one number.
fn limit(panel: &Panel<'_>) -> Vec<Limit> {
    let mut there = panel.strategies.values().flatten().filter_map(|(_, line)| line.number("regions_available"));
    let Some(first) = there.next() else { return Vec::new() };
    if there.all(|other| other.total_cmp(&first).is_eq()) {
        vec![Limit { name: format!("the board has {}", number(first)), at: first }]
    } else {
        Vec::new()
    }
}

/// Where boot decides, and the views take fewer.
fn boot(panel: &Panel<'_>) -> Option<String> {
    let lines = panel.strategies.values().flatten();
    let fewest = lines.filter_map(|(_, line)| {
        let (all, views) = (line.number("regions_required")?, line.number("regions_views")?);
        (all > views).then_some((all, views))
    });
    let (boot, views) = fewest.reduce(|(boot, views), (all, of)| (f64::max(boot, all), f64::min(views, of)))?;
    Some(format!("Boot takes up to {} where views take fewer, {} at the least.", number(boot), number(views)))
}

/// Which strategies have no line, or a shorter one, and why.
fn missing(panel: &Panel<'_>) -> Option<String> {
    let of = |(name, lines): (&String, &Vec<(f64, Line<'_>)>)| {
        let failed: Vec<_> = lines.iter().filter(|(_, line)| !line.completed()).collect();
        let (first, line) = failed.first()?;
        let outcome = line.get("outcome").text();
        Some(if failed.len() == lines.len() {
            format!("{name}: {outcome} everywhere")
        } else {
            let (first, failed, all) = (number(*first), failed.len(), lines.len());
            format!("{name}: {failed} of {all} points, the first ({outcome}) at {} = {first}", panel.x)
        })
    };
    let found: Vec<String> = panel.strategies.iter().filter_map(of).collect();
    (!found.is_empty()).then(|| format!("Not there: {}.", found.join("; ")))
}

/// A row per x, a column per strategy; where there is no number, what became of the run.
fn data(panel: &Panel<'_>, value: &impl Fn(&Line<'_>) -> Option<f64>) -> Data {
    let head = std::iter::once(panel.x.to_owned()).chain(panel.strategies.keys().cloned());
    let rows = panel.xs().into_iter().map(|x| {
        let cell = |lines: &Vec<(f64, Line<'_>)>| {
            let shown = |line| value(line).map_or_else(|| line.get("outcome").text(), number);
            at(lines, x).map_or_else(String::new, shown)
        };
        std::iter::once(number(x)).chain(panel.strategies.values().map(cell)).collect()
    });
    Data { head: head.collect(), rows: rows.collect() }
}
