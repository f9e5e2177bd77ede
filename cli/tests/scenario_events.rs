//! The accounts of events balance in every scenario that comes with the project, whatever the strategy and the seed.

use scenario::{Scenario, strategy};
use sim_core::hyp::strategy::Builtin;
use sim_core::outcome::{EventTotals, Outcome};
use std::path::{Path, PathBuf};

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scenarios");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

fn check(path: &Path, seed: u64, strategy: &str) -> Option<EventTotals> {
    let scenario = Scenario::load(path, &[]).unwrap_or_else(|error| panic!("{}", error.render(false)));
    let chosen = strategy::parse(strategy, scenario.settings).unwrap();
    // A system that does not fit runs nothing.
    let report = scenario.world(chosen, seed).ok()?.run();
    let ports = report.ports.iter().map(|port| port.totals);
    for totals in ports.chain([report.events]) {
        let EventTotals { sent, delivered, coalesced, lost, held, .. } = totals;
        let told = format!("{} under {strategy}, seed {seed}: {totals:?}", path.display());
        assert_eq!(sent, delivered + coalesced + lost + held, "{told}");
        if report.outcome == Outcome::Completed {
            assert_eq!(lost, 0, "{told}");
        }
    }
    let latencies: u64 = report.ports.iter().map(|port| port.latency.count()).sum();
    assert_eq!(latencies, report.events.delivered, "each delivery took its time");
    Some(report.events)
}

fn all(seeds: &[u64], choose: impl Fn(&Path) -> bool) -> u64 {
    let mut sent = 0;
    for path in scenarios().iter().filter(|path| choose(path)) {
        for name in Builtin::NAMES.into_iter().chain(["switch-view:lazy", "map-page:4", "enable-mask:no-isb"]) {
            sent += seeds.iter().filter_map(|seed| check(path, *seed, name)).map(|events| events.sent).sum::<u64>();
        }
    }
    sent
}

#[test]
fn every_send_is_accounted_for_in_every_scenario_under_every_strategy() {
    assert!(all(&[0, 1], |_| true) > 100_000, "hardly anything was sent");
}

#[test]
fn every_send_of_a_mix_is_accounted_for_whatever_the_seed() {
    let sent = all(&[2, 3, 4, 5, 6, 7], |path| path.ends_with("trap-mix.toml"));
    assert!(sent > 20_000, "hardly anything was sent");
}
