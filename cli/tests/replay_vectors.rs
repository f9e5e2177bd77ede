//! Recorded event-channel behaviour, replayed under every strategy.
//!
//! A small set comes with the project and always runs. `MPUSIM_VECTORS=dir` adds all of `dir/evtchn`.

use std::fs;
use std::path::{Path, PathBuf};

use conformance::{Options, Setting, Summary, forms, render, replay, replay_under_all};
use sim_core::hyp::strategy::Settings;
use words::Palette;

/// Every strategy that can pass, each in all its forms, and those that cannot.
fn strategies(cannot: bool) -> Vec<String> {
    forms().into_iter().filter(|form| form.cannot.is_some() == cannot).map(|form| form.name).collect()
}

fn passes(folder: &Path, strategy: &str, skip_unsupported: bool) -> Summary {
    let strategy = scenario::strategy::parse(strategy, Settings::default()).unwrap();
    let options = Options { setting: Setting::of(strategy), skip_unsupported };
    let summary = replay(&[folder.to_owned()], &options).unwrap_or_else(|error| panic!("{error}"));
    let text = render(&summary, Palette::new(false));
    println!("{:?}: {text}", options.setting.strategy);
    assert!(summary.is_clean(), "{:?}\n{text}", options.setting.strategy);
    summary
}

fn own_vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn own_mpu_vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mpu-vectors")
}

#[test]
fn own_vectors_pass_under_every_strategy() {
    let can = strategies(false);
    assert!(["pin", "enable-mask", "static-map", "background"].iter().all(|name| can.iter().any(|at| at == name)));
    for strategy in can {
        let totals = passes(&own_vectors(), &strategy, false).totals;
        assert_eq!((totals.skipped, totals.files), (0, 30), "{strategy}");
        assert!(totals.steps > 5_800, "{totals:?}");
        // The default map alone has attributes of its own.
        assert_eq!(totals.own_hazards > 0, strategy == "background", "{strategy}");
    }
}

#[test]
fn a_strategy_that_is_said_to_be_unable_is() {
    for name in strategies(true) {
        let strategy = scenario::strategy::parse(&name, Settings::default()).unwrap();
        let options = Options { setting: Setting::of(strategy), skip_unsupported: false };
        assert!(!replay(&[own_vectors()], &options).unwrap().is_clean(), "{name} can, and the reason is none");
    }
}

#[test]
fn all_that_can_are_replayed_by_one_command() {
    let strategy = scenario::strategy::parse("map-page", Settings::default()).unwrap();
    let options = Options { setting: Setting::of(strategy), skip_unsupported: false };
    let runs = replay_under_all(&[own_vectors().join("core_00.jsonl")], &options).unwrap();
    let names: Vec<_> = runs.iter().map(|(form, _)| form.name.clone()).collect();
    assert_eq!(names, forms().into_iter().map(|form| form.name).collect::<Vec<_>>());
    assert!(runs.iter().all(|(form, summary)| form.cannot.is_some() == summary.is_none()));
    assert!(runs.iter().filter_map(|(_, summary)| summary.as_ref()).all(|summary| summary.totals.steps > 100));
}

#[test]
fn mpu_vectors_pass_by_both_sets_of_rules() {
    let mpu = passes(&own_mpu_vectors(), "map-page", false).mpu.unwrap();
    assert_eq!((mpu.files, mpu.probes, mpu.qemu.compared), (15, 450, 450));
    assert_eq!(mpu.default.compared + mpu.default.ambiguous, 450);
    assert!(mpu.default.ambiguous > 0, "some are in doubt");
}

#[test]
fn another_answer_is_told_field_by_field() {
    // The first fault of the recording, taken to the wrong level and with another address.
    let file = own_mpu_vectors().join("r52_00_single.jsonl");
    let text = fs::read_to_string(file).unwrap().replacen("\"to\":2", "\"to\":1", 1);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mpu-wrong");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("wrong.jsonl"), text).unwrap();
    let strategy = scenario::strategy::parse("map-page", Settings::default()).unwrap();
    let summary = replay(&[folder], &Options { setting: Setting::of(strategy), skip_unsupported: false }).unwrap();
    assert!(!summary.is_clean());
    let mpu = summary.mpu.as_ref().unwrap();
    assert_eq!((mpu.qemu.mismatches, mpu.mismatches.len()), (1, 2), "once by each set of rules");
    let fields: Vec<_> = mpu.mismatches[0].differences.iter().map(|difference| &*difference.field).collect();
    assert_eq!(fields, ["to"]);
    let text = render(&summary, Palette::new(false));
    assert!(text.contains("wrong.jsonl:2: mismatch at probe") && text.contains("expected 0x1"), "{text}");
}

#[test]
fn own_vectors_stay_small() {
    let folders = [own_vectors(), own_mpu_vectors()];
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    assert!(files.map(|entry| entry.unwrap().metadata().unwrap().len()).sum::<u64>() <= 1_000_000);
}

#[test]
fn all_vectors_pass_where_there_are_more() {
    let Some(folder) = std::env::var_os("MPUSIM_VECTORS") else {
        return;
    };
    for strategy in strategies(false) {
        passes(&Path::new(&folder).join("evtchn"), &strategy, true);
    }
    passes(&Path::new(&folder).join("mpu"), "map-page", false);
}
