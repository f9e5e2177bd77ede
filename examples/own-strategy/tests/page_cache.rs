//! `page-cache` in the table, counted by hand, and looked at by the isolation oracle.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use analysis::comparison::Row;
use clap::Parser;
use mpusim::args::Compare;
use mpusim::commands::compare;
use own_strategy::{PageCache, rows};
use report::render;
use sim_core::outcome::Counts;
use std::path::{Path, PathBuf};
use std::process::Command;
use words::Palette;

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");

#[derive(Parser)]
struct Typed {
    #[command(flatten)]
    compare: Compare,
}

fn typed(scenario: &Path, options: &[&str]) -> Compare {
    let scenario = scenario.to_str().unwrap();
    Typed::parse_from(["compare", scenario].into_iter().chain(options.iter().copied())).compare
}

fn own_row(scenario: &Path, options: &[&str], slots: usize) -> Row {
    let args = typed(scenario, options);
    Row::run(&compare::scenario(&args).unwrap(), "page-cache", &PageCache::new(slots), 0).unwrap()
}

/// What all sends of so many rounds of thread-2022 did, two of them a round.
fn sends(rounds: u64, slots: usize) -> Counts {
    let times = |key: &str| format!("{key}.repeat.times={rounds}");
    let (one, other) = (times("domain.0.vcpu.0.program.2"), times("domain.1.vcpu.0.program.1"));
    let row = own_row(&Path::new(SCENARIOS).join("thread-2022.toml"), &["--set", &one, "--set", &other], slots);
    assert!(row.completed());
    let (_, cost) = row.report().unwrap().traps.iter().find(|(trap, _)| trap.is_send()).unwrap();
    assert_eq!(cost.calls, 2 * rounds);
    cost.counts
}

/// PRBAR, PRLAR, PRENR, DSB, ISB.
fn writes(counts: Counts) -> [u64; 5] {
    [counts.el2.prbar, counts.el2.prlar, counts.el2.prenr, counts.dsb, counts.isb]
}

/// A send sets a bit in `shared_info` (page A) and a byte in `vcpu_info` (page B) of the other domain.
#[test]
fn a_send_is_as_counted_by_hand() {
    // Two slots. The first send of each domain maps A and B: PRBAR, PRLAR, DSB, ISB twice. No later one writes anything.
    let first = [2, 2, 0, 2, 2].map(|of_a_send| 2 * of_a_send);
    assert_eq!(writes(sends(1, 2)), first);
    assert_eq!(writes(sends(100, 2)), first);
    // One slot. From the second send on B is there from the last one: off with it (PRENR, DSB, ISB), A on (PRBAR, PRLAR, DSB,
    // ISB); then the same for B instead of A.
    let later = [2, 2, 2, 4, 4].map(|of_a_send| 2 * of_a_send);
    assert_eq!(writes(sends(3, 1) - sends(2, 1)), later);
}

#[test]
fn the_row_is_in_the_table_below_the_shipped_ones() {
    let args = typed(&Path::new(SCENARIOS).join("thread-2022.toml"), &[]);
    let scenario = compare::scenario(&args).unwrap();
    let rows = rows(&scenario, &args.strategies, args.seed, 2).unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let (own, shipped) = names.split_last().unwrap();
    assert_eq!(
        (*own, shipped),
        ("page-cache:2", args.strategies.iter().map(String::as_str).collect::<Vec<_>>().as_slice())
    );
    let told = Command::new(env!("CARGO_BIN_EXE_own-strategy")).arg(&args.source.scenario).output().unwrap();
    let table = String::from_utf8(told.stdout).unwrap();
    assert_eq!(table, render::compare::compare(&scenario, 0, &rows, Palette::new(false)));
    let row = table.lines().find(|line| line.starts_with("page-cache:2")).unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words.get(..4).unwrap(), ["page-cache:2", "completed", "9/32", "2,000"]);
}

#[test]
fn isolation_holds_and_no_barrier_is_missing_in_any_scenario() {
    let files = std::fs::read_dir(SCENARIOS).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    assert!(files.len() >= 10);
    for path in files {
        for slots in [1, 2, 5] {
            let row = own_row(&path, &["--paranoid"], slots);
            let (name, report) = (path.display(), row.report().unwrap());
            assert!(row.completed(), "{name}, {slots} slots: {:?}", report.outcome);
            assert_eq!(report.hazards, [], "{name}, {slots} slots");
            assert_eq!(report.events.lost, 0, "{name}, {slots} slots");
        }
    }
}

#[test]
fn wrong_numbers_of_pages_are_refused() {
    for pages in ["0", "256", "two"] {
        let scenario = Path::new(SCENARIOS).join("idle-view.toml");
        let told =
            Command::new(env!("CARGO_BIN_EXE_own-strategy")).arg(scenario).args(["--pages", pages]).output().unwrap();
        assert_eq!(told.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&told.stderr).contains("from 1 to 255"), "{pages}");
    }
    // As many as there can be, and more than the board has: a result, not an error.
    let scenario = Path::new(SCENARIOS).join("idle-view.toml");
    let row = own_row(&scenario, &[], 255);
    assert!(matches!(row.report().unwrap().outcome, sim_core::outcome::Outcome::Refused(_)));
}
