//! The scenario files that come with the project, loaded and run under every strategy.

use scenario::Scenario;
use sim_core::hyp::strategy::Builtin;
use sim_core::outcome::{Outcome, Report};
use std::path::{Path, PathBuf};

const ALL: [&str; 13] = [
    "thread-2022",
    "thread-2022-one-pe",
    "fvp-2023",
    "four-ring",
    "uart-from-guest-context",
    "idle-view",
    "fifo-two-domains",
    "fifo-migration",
    "region-40-of-64",
    "ring",
    "trap-mix",
    "fixed-frames",
    "own-board",
];
const WORKING: [&str; 4] = ["map-page", "switch-view", "hybrid", "enable-mask"];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scenarios").join(format!("{name}.toml"))
}

fn load(name: &str, sets: &[&str]) -> Scenario {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let mut scenario = Scenario::load(&path(name), &sets).unwrap_or_else(|error| panic!("{}", error.render(false)));
    // The isolation oracle looks on.
    scenario.config.paranoid = true;
    scenario
}

fn run(scenario: &Scenario, strategy: &str, seed: u64) -> Report {
    let strategy = Builtin::from_name(strategy, scenario.settings).unwrap();
    scenario.world(strategy, seed).unwrap().run()
}

#[test]
fn the_list_is_complete() {
    let mut found: Vec<String> = std::fs::read_dir(path("x").parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    found.sort();
    let mut all = ALL.map(str::to_owned);
    all.sort();
    assert_eq!(found, all);
}

#[test]
fn names_are_those_of_the_files() {
    for name in ALL {
        let scenario = load(name, &[]);
        assert_eq!(scenario.name, name);
        assert!(scenario.description.is_some(), "{name}");
    }
}

#[test]
fn every_strategy_that_reaches_memory_completes() {
    for name in ALL {
        let scenario = load(name, &[]);
        for strategy in WORKING {
            for seed in [0, 1, 2] {
                let report = run(&scenario, strategy, seed);
                assert_eq!(report.outcome, Outcome::Completed, "{name} under {strategy}, seed {seed}");
                assert_eq!(report.hazards, [], "{name} under {strategy}");
                assert_eq!(report.events.lost, 0, "{name} under {strategy}");
            }
        }
    }
}

#[test]
fn naive_faults_in_all_of_them() {
    for name in ALL {
        let report = run(&load(name, &[]), "naive", 0);
        assert!(matches!(report.outcome, Outcome::HypervisorFault(_)), "{name}: {:?}", report.outcome);
    }
}

#[test]
fn the_thread_s_ping_pong_delivers_every_send() {
    for name in ["thread-2022", "thread-2022-one-pe"] {
        for strategy in WORKING {
            let events = run(&load(name, &[]), strategy, 0).events;
            let told = (events.sent, events.delivered, events.lost, events.coalesced);
            assert_eq!(told, (2000, 2000, 0, 0), "{name} under {strategy}");
            assert_eq!((events.raised, events.raised_delivered), (1, 1), "the event that binding raises");
        }
    }
}

#[test]
fn the_ring_passes_the_token_a_thousand_times() {
    for strategy in WORKING {
        let events = run(&load("four-ring", &[]), strategy, 0).events;
        let told = (events.sent, events.delivered, events.lost, events.coalesced);
        assert_eq!(told, (1000, 1000, 0, 0), "{strategy}");
    }
}

#[test]
fn fifo_events_all_arrive_with_one_window_and_with_four() {
    for (name, sent, raised) in [("fifo-two-domains", 1801, 3), ("fifo-migration", 403, 2)] {
        for windows in ["windows=1", "windows=4"] {
            for strategy in WORKING {
                let report = run(&load(name, &[windows]), strategy, 0);
                assert_eq!(report.outcome, Outcome::Completed, "{name} under {strategy}, {windows}");
                let events = report.events;
                let told = (events.sent, events.delivered, events.lost, events.coalesced);
                assert_eq!(told, (sent, sent, 0, 0), "{name} under {strategy}, {windows}");
                assert_eq!((events.raised, events.raised_delivered), (raised, raised), "{name} under {strategy}");
            }
        }
    }
}

#[test]
fn the_console_gets_all_the_text() {
    let text = "hello from a guest\nstill here\nstill here\nstill here\n\
                this line is longer than what the guest hands over at a time, so it takes two hypercalls\n";
    for strategy in WORKING {
        assert_eq!(run(&load("uart-from-guest-context", &[]), strategy, 0).console, text, "{strategy}");
    }
    let fixed = load("uart-from-guest-context", &["hyp_devices=fixed"]);
    assert_eq!(
        run(&fixed, "naive", 0).outcome,
        Outcome::Completed,
        "with the UART in every view nothing is in the way"
    );
}

#[test]
fn the_timer_fires_five_times_into_an_idle_pe() {
    for strategy in WORKING {
        let events = run(&load("idle-view", &[]), strategy, 0).events;
        assert_eq!((events.raised, events.raised_delivered), (5, 5), "{strategy}");
    }
}

#[test]
fn a_wrong_expectation_is_reported_at_its_line() {
    let scenario = load("fvp-2023", &["domain.1.vcpu.0.program.2.read.expect=7"]);
    let Outcome::ExpectationFailed(failures) = run(&scenario, "map-page", 0).outcome else { panic!() };
    let step = &scenario.steps[failures[0].step.0 as usize];
    assert_eq!((failures.len(), step.line, step.column), (1, 51, 5));
    assert_eq!(step.text, "{ read = { at = 0x7a000000, width = 4, expect = 0xcafe0001 } }");
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let scenario = load("four-ring", &[]);
    assert_eq!(run(&scenario, "hybrid", 7), run(&scenario, "hybrid", 7));
}

#[test]
fn json_tells_the_time_with_interrupts_masked_per_entry_and_in_all() {
    let scenario = load("trap-mix", &[]);
    let report = run(&scenario, "map-page", 0);
    let form = serde_json::to_value(report::json::run(&scenario, "map-page", 0, &report)).unwrap();
    let number = |pointer: &str| form.pointer(pointer).and_then(serde_json::Value::as_u64).unwrap();
    let all = number("/cycles/masked/max");
    let entries = ["/traps", "/hypercalls"].map(|kind| form.pointer(kind).unwrap().as_object().unwrap().values());
    let entries: Vec<_> = entries.into_iter().flatten().map(|cost| &cost["masked"]).collect();
    assert_eq!(entries.iter().filter_map(|masked| masked["max"].as_u64()).max(), Some(all));
    let count: u64 = entries.iter().filter_map(|masked| masked["count"].as_u64()).sum();
    assert_eq!((count, count), (number("/cycles/masked/count"), number("/counts/exceptions")));
    assert!(number("/traps/mmio/masked/p50") < number("/traps/mmio/cycles/p50"), "the instruction itself is not in it");
}
