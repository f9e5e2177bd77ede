//! What would change the ranking.

use crate::render::run::per_call_to;
use crate::render::table::Table;
use crate::render::wrapped;
use analysis::comparison;
use analysis::comparison::Row;
use analysis::sensitivity::{Change, Lever, MOST, Overtaking, Sensitivity, Side, Work, ranking, sensitivities};
use scenario::Scenario;
use scenario::profile::Profile;
use sim_core::outcome::Trap;
use words::Palette;

/// Pairs that change places shown by name.
const PAIRS: usize = 1;

/// Decimals of a mean, unless it takes more to tell it from its neighbours.
const DECIMALS: u32 = 2;

/// Decimals that tell any two means of fewer than 10^9 calls apart.
const MOST_DECIMALS: u32 = 18;

/// The ranking, and at which value of each figure it changes.
pub(super) fn lines(scenario: &Scenario, rows: &[Row], measured: Option<Trap>, palette: Palette) -> String {
    if let Some(why) = comparison::unranked(rows) {
        return format!("\n{}\n", crate::wording::unranked(why));
    }
    let works = comparison::works(rows, measured);
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

/// `pin 10 = xen-pool 10 < enable-mask 15`; means that differ have as many decimals as it takes to see that.
fn order(works: &[Work], profile: &Profile) -> String {
    let costs = profile.costs();
    let groups: Vec<Vec<&Work>> =
        ranking(works, &costs).iter().map(|group| group.iter().filter_map(|at| works.get(*at)).collect()).collect();
    let mean = |group: &[&Work], decimals: u32| {
        group.first().map_or_else(String::new, |work| per_call_to(costs.of(&work.counts), work.calls, decimals))
    };
    let mut told = Vec::with_capacity(groups.len());
    for (at, group) in groups.iter().enumerate() {
        let others = [at.checked_sub(1), at.checked_add(1)];
        let others: Vec<&Vec<&Work>> = others.into_iter().flatten().filter_map(|other| groups.get(other)).collect();
        let parted = |decimals: &u32| others.iter().all(|other| mean(other, *decimals) != mean(group, *decimals));
        let decimals = (DECIMALS..MOST_DECIMALS).find(parted).unwrap_or(MOST_DECIMALS);
        let mean = mean(group, decimals);
        told.push(group.iter().map(|work| format!("{} {mean}", work.name)).collect::<Vec<_>>().join(" = "));
    }
    told.join(" < ")
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

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::outcome::Counts;

    fn work(name: &str, isb: u64, calls: u64) -> Work {
        Work { name: name.into(), counts: Counts { isb, ..Counts::default() }, calls }
    }

    #[test]
    fn means_that_differ_read_differently_and_equal_ones_have_an_equals_sign() {
        let works = [work("a", 20_000, 2_000), work("b", 20_001, 2_000), work("c", 10, 1), work("d", 11, 1)];
        assert_eq!(order(&works, &Profile::default()), "a 10 = c 10 < b 10.0005 < d 11");
        let close = [work("a", 3, 2), work("b", 3_000_001, 2_000_000), work("c", 5, 3)];
        assert_eq!(order(&close, &Profile::default()), "a 1.5 < b 1.5000005 < c 1.66");
    }
}
