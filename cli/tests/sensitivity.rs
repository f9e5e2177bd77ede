//! What a comparison says would change its ranking, held against runs with the figures it names.

use analysis::comparison::{Row, measured, works};
use analysis::sensitivity::{Lever, Side, Work, sensitivities};
use scenario::profile::{Profile, choose};
use scenario::{Scenario, strategy};
use std::path::Path;

const STRATEGIES: [&str; 9] = [
    "pin",
    "map-page",
    "map-page:2",
    "switch-view",
    "switch-view:lazy",
    "hybrid",
    "enable-mask",
    "ku-window",
    "xen-pool",
];

fn rows(scenario: &Scenario) -> Vec<Row> {
    let run = |name: &&str| {
        let strategy = strategy::parse(name, scenario.settings).unwrap();
        let scenario = scenario.under(&strategy).unwrap();
        let report = scenario.world(strategy, 0).unwrap().run();
        Row { name: (*name).to_owned(), scenario, came: Ok(report) }
    };
    STRATEGIES.iter().map(run).collect()
}

/// Mean cycles per call as the clocks had them, as a fraction.
fn clocked(rows: &[Row], name: &str) -> (u128, u128) {
    let trap = measured(rows);
    let row = rows.iter().find(|row| row.name == name).unwrap();
    let cycles = &row.cost(trap).unwrap().cycles;
    (cycles.sum().into(), cycles.count().into())
}

fn cheaper(rows: &[Row], winner: &str, loser: &str) -> bool {
    let ((a, n), (b, m)) = (clocked(rows, winner), clocked(rows, loser));
    a * m < b * n
}

fn counts(works: &[Work]) -> Vec<(sim_core::outcome::Counts, u64)> {
    works.iter().map(|work| (work.counts, work.calls)).collect()
}

/// The profile with a lever at another place.
fn pulled(profile: &Profile, lever: Lever, value: u64) -> Profile {
    match lever {
        Lever::BarrierShare => profile.with_barrier_share(value).unwrap(),
        Lever::Figure(key) => profile.with_figure(key, value),
    }
}

/// On one PE nobody waits for the lock, so that clocks show the work and nothing else.
#[test]
fn runs_on_either_side_of_each_threshold_show_both_rankings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scenarios");
    let mut tried = 0;
    for (file, profile) in [
        ("thread-2022-one-pe.toml", "counts"),
        ("thread-2022-one-pe.toml", "r82-assumed"),
        ("thread-2022-one-pe.toml", "r52-s32z"),
        ("thread-2022-one-pe.toml", "counts:dsb=0"),
        ("thread-2022-one-pe.toml", "counts:mpu_write=40,table_scan=0"),
    ] {
        let profile = choose(profile).unwrap();
        // Fewer rounds, and turns so long that they end at no other place when operations take longer.
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let text = text.replace("times = 1000", "times = 10").replace("quantum = 10000", "quantum = 100000000");
        let scenario = Scenario::from_text(Path::new(file), &text, &[]).unwrap().costing(profile.clone());
        let now = rows(&scenario);
        let done = works(&now, measured(&now));
        assert_eq!(done.len(), STRATEGIES.len(), "{file}: all complete");
        for found in sensitivities(&done, &profile) {
            for change in &found.changes {
                let beyond = match change.side {
                    Side::Above => change.limit + 1,
                    Side::Below => change.limit - 1,
                };
                let at = rows(&scenario.clone().costing(pulled(&profile, found.lever, change.limit)));
                let past = rows(&scenario.clone().costing(pulled(&profile, found.lever, beyond)));
                // The claim is about the same counts at other costs.
                if [&at, &past].iter().any(|rows| counts(&works(rows, measured(rows))) != counts(&done)) {
                    continue;
                }
                for pair in &change.overtakings {
                    let (winner, loser) = (STRATEGIES[pair.winner], STRATEGIES[pair.loser]);
                    assert!(!cheaper(&now, winner, loser), "{found:?}: {winner} is cheaper already");
                    assert!(cheaper(&past, winner, loser), "{found:?}: {winner} is not cheaper beyond");
                }
                // Of a figure's first change nobody has got past anybody at the limit itself.
                let first = found.changes.iter().find(|other| other.side == change.side) == Some(change);
                for pair in change.overtakings.iter().filter(|_| first) {
                    let (winner, loser) = (STRATEGIES[pair.winner], STRATEGIES[pair.loser]);
                    assert!(!cheaper(&at, winner, loser), "{found:?}: {winner} is cheaper at the limit");
                }
                tried += 1;
            }
        }
    }
    assert!(tried >= 10, "only {tried} thresholds were tried");
}
