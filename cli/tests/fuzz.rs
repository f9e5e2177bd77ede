//! `mpusim fuzz`: what it found stays fixed, it finds what is there, and the same seed tells the same on every machine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use mpusim::fuzz::{Bytes, Recipe, STRATEGIES, check};
use mpusim::replay::{Options, Outcome, Setting, replay};
use serde_json::Value;
use sim_core::hyp::strategy::Settings;
use sim_core::layout::Placement;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn holds(file: &str, strategy: &str, placement: Option<Placement>, pes: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(file);
    let setting = Setting::of(mpusim::strategy::parse(strategy, Settings::default()).unwrap());
    let placement = placement.unwrap_or(setting.placement);
    let options = Options { setting: Setting { placement, pes, ..setting }, skip_unsupported: false };
    let summary = replay(&[path], &options).unwrap();
    assert!(matches!(summary.files[0].outcome, Outcome::Ok), "{strategy}, {pes} PEs: {:#?}", summary.files[0]);
}

#[test]
fn pages_of_a_pool_stay_where_they_are_when_another_domain_ends() {
    for placement in [Placement::Pool, Placement::Heap] {
        for strategy in ["map-page", "pin", "switch-view", "enable-mask", "static-map"] {
            holds("pool_pages_stay.jsonl", strategy, Some(placement), 1);
            holds("pool_pages_stay.jsonl", strategy, Some(placement), 3);
        }
    }
}

#[test]
fn a_pe_with_the_view_of_an_older_plan_makes_room_for_pins_that_moved() {
    (1..=4).for_each(|pes| holds("pins_move_on_other_pes.jsonl", "pin", None, pes));
}

#[test]
fn memory_of_a_new_domain_is_in_views_that_were_loaded_before_it() {
    for strategy in ["static-map", "map-page", "pin", "hybrid", "enable-mask"] {
        (1..=3).for_each(|pes| holds("created_memory_is_mapped.jsonl", strategy, None, pes));
    }
}

/// A folder of its own for a test, below the target folder.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz").join(name);
    let _ = std::fs::remove_dir_all(&path);
    path
}

fn mpusim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mpusim")).args(args).output().unwrap()
}

fn fuzz(folder: &Path, args: &[&str]) -> Output {
    mpusim(&[&["fuzz", "--quiet", "-o", folder.to_str().unwrap()], args].concat())
}

#[test]
fn a_seed_tells_the_same_whatever_the_threads() {
    let folder = folder("same");
    let run = |jobs| fuzz(&folder, &["--cases", "300", "--seed", "7", "--format", "json", "--jobs", jobs]);
    let (one, two) = (run("1"), run("2"));
    assert_eq!(one.status.code(), Some(0), "{}", String::from_utf8_lossy(&one.stdout));
    assert_eq!(one.stdout, two.stdout);
    let told: Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!((&told["outcome"], &told["cases"], &told["failure"]), (&"clean".into(), &300.into(), &Value::Null));
    assert!(!folder.exists(), "nothing was written, so nothing is left");
    let other = fuzz(&folder, &["--cases", "300", "--seed", "8", "--format", "json"]);
    assert_ne!(other.stdout, two.stdout);
}

#[test]
fn shards_share_the_cases_out() {
    let folder = folder("shards");
    let cases = |shard: &str| {
        let told = fuzz(&folder, &["--cases", "90", "--steps", "4", "--format", "json", "--shard", shard]);
        serde_json::from_slice::<Value>(&told.stdout).unwrap()["cases"].as_u64().unwrap()
    };
    let parts: Vec<u64> = ["1/3", "2/3", "3/3"].map(cases).into();
    assert_eq!(parts.iter().sum::<u64>(), 90);
    assert!(parts.iter().all(|part| *part > 10), "{parts:?}");
}

#[test]
fn a_strategy_that_reaches_nothing_is_found_shrunk_and_replayed() {
    let folder = folder("naive");
    let found = fuzz(&folder, &["--strategies", "naive", "--cases", "100", "--format", "json"]);
    assert_eq!(found.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((&told["outcome"], &told["failure"]["kind"]), (&"failed".into(), &"hypervisor-fault".into()));
    assert!(told["failure"]["shrunk_to"].as_u64().unwrap() <= 3, "{told:#}");
    let command = told["failure"]["command"].as_str().unwrap();
    let replayed = mpusim(&command.split(' ').skip(1).collect::<Vec<_>>());
    let text = String::from_utf8(replayed.stdout).unwrap();
    assert_eq!(replayed.status.code(), Some(1), "{text}");
    assert!(text.contains("hypervisor fault at step"), "{text}");
}

#[test]
fn a_strategy_that_does_not_synchronise_is_found() {
    let folder = folder("no-isb");
    let found = fuzz(&folder, &["--strategies", "enable-mask:no-isb", "--cases", "100", "--format", "json"]);
    let told: Value = serde_json::from_slice(&found.stdout).unwrap();
    // The denying verdict counts, so the access that leans on the write faults.
    assert_eq!((&told["outcome"], &told["failure"]["kind"]), (&"failed".into(), &"hypervisor-fault".into()));
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let folder = folder("refused");
    for (args, says) in [
        (&["--cases", "0"][..], "0 is not in 1.."),
        (&["--cases", "99999999999999999999999"], "number too large"),
        (&["--cases", "18446744073709551615", "--first", "1"], "beyond 2^64"),
        (&["--time", "10"], "expected a time such as 60s"),
        (&["--time", "0s"], "expected a time such as 60s"),
        (&["--time", "99999999999999999999h"], "expected a time such as 60s"),
        (&["--time", "5s", "--cases", "5"], "cannot be used with"),
        (&["--jobs", "0"], "--jobs"),
        (&["--steps", "0"], "0 is not in 1..=4096"),
        (&["--shard", "3/2"], "expected i/n"),
        (&["--strategies", "map-pages"], "there is no strategy \"map-pages\""),
        (&["--strategies", ""], "there is no strategy \"\""),
    ] {
        let refused = fuzz(&folder, args);
        let text = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(says), "{args:?}: {text}");
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let refused = fuzz(&file, &["--cases", "1"]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text.contains("Cargo.toml") && text.contains("expected -o FOLDER"), "{text}");
}

#[test]
fn bytes_of_an_engine_make_cases_too() {
    let (first, others) = STRATEGIES.split_first().unwrap();
    let recipe = Recipe::new(first, others, 40).unwrap();
    for byte in 0..=255u8 {
        let bytes: Vec<u8> =
            (0..400u32).map(|at| (at.wrapping_mul(at) as u8).wrapping_mul(byte | 1).rotate_left(3)).collect();
        assert_eq!(check(&mut Bytes(&bytes), &recipe), None, "{byte}");
    }
    assert_eq!(check(&mut Bytes(&[]), &recipe), None);
}
