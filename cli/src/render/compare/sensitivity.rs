//! What would change the ranking.

use crate::comparison::{self, Row};
use crate::output::Palette;
use crate::profile::Profile;
use crate::render::run::per_call;
use crate::render::table::Table;
use crate::render::wrapped;
use crate::scenario::Scenario;
use crate::sensitivity::{Change, Lever, MOST, Overtaking, Sensitivity, Side, Work, ranking, sensitivities};
use crate::words;
use sim_core::outcome::Trap;

/// Pairs that change places shown by name.
const PAIRS: usize = 1;

/// The ranking, and at which value of each figure it changes.
pub(super) fn lines(scenario: &Scenario, rows: &[Row], measured: Option<Trap>, palette: Palette) -> String {
    let works = comparison::works(rows, measured);
    if works.len() < 2 {
        return "\nFewer than two strategies completed: there is no ranking.\n".into();
    }
    let found = sensitivities(&works, &scenario.profile);
    let title = "Ranking by mean cycles of work per call (without waiting for the hypervisor lock)";
    let mut out = format!("\n{}\n", palette.bold(title));
    out.push_str(&wrapped(&format!("  {}", order(&works, &scenario.profile)), "  "));
    let (moving, still): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| !found.changes.is_empty());
    if !moving.is_empty() {
        out.push_str(&wrapped("What changes it, one figure at a time, the counts staying as they are:", ""));
        let mut table = Table::new(1, &["figure", "now", "changes at", "where"]).left_too(2).left_too(3);
        for found in &moving {
            rows_of(found, &works, &mut table);
        }
        out.push_str(&table.render(2, palette));
    }
    if !still.is_empty() {
        let names: Vec<&str> = still.iter().map(|found| name(found.lever)).collect();
        let limit = words::number(MOST);
        out.push_str(&wrapped(&format!("No value changes it (0 to {limit} cycles): {}.", names.join(", ")), "  "));
    }
    out
}

/// `pin 10 = xen-pool 10 < enable-mask 15`.
fn order(works: &[Work], profile: &Profile) -> String {
    let costs = profile.costs();
    let one = |at: &usize| {
        let work = works.get(*at);
        work.map_or_else(String::new, |work| format!("{} {}", work.name, per_call(costs.of(&work.counts), work.calls)))
    };
    let group = |group: &Vec<usize>| group.iter().map(one).collect::<Vec<_>>().join(" = ");
    ranking(works, &costs).iter().map(group).collect::<Vec<_>>().join(" < ")
}

fn name(lever: Lever) -> &'static str {
    match lever {
        Lever::Figure(key) => key.name(),
        Lever::BarrierShare => "barrier-share",
    }
}

fn rows_of(found: &Sensitivity, works: &[Work], table: &mut Table) {
    let unit = if found.lever == Lever::BarrierShare { " %" } else { "" };
    for (at, change) in found.changes.iter().enumerate() {
        let side = match change.side {
            Side::Above => "more than",
            Side::Below => "less than",
        };
        let first = at == 0;
        table.row(vec![
            if first { name(found.lever).into() } else { "".into() },
            if first { format!("{}{unit}", words::number(found.now)).into() } else { "".into() },
            format!("{side} {}{unit}", words::number(change.limit)).into(),
            what(change, works).into(),
        ]);
    }
}

/// Who gets past whom, and who is cheapest then if that changes.
fn what(change: &Change, works: &[Work]) -> String {
    let name = |at: &usize| works.get(*at).map_or("", |work| work.name.as_str());
    if let Some(cheapest) = &change.cheapest {
        let names: Vec<&str> = cheapest.iter().map(name).collect();
        return format!("cheapest: {}", names.join(" and "));
    }
    let pair = |pair: &Overtaking| {
        let how = if pair.tied { "gets ahead of" } else { "overtakes" };
        format!("{} {how} {}", name(&pair.winner), name(&pair.loser))
    };
    let shown: Vec<String> = change.overtakings.iter().take(PAIRS).map(pair).collect();
    match change.overtakings.len().saturating_sub(PAIRS) {
        0 => shown.join(", "),
        more => format!("{}, and {more} more", shown.join(", ")),
    }
}
