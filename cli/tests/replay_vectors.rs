//! Recorded event-channel behaviour, replayed under every strategy.
//!
//! A small set comes with the project and always runs. `MPUSIM_VECTORS=dir` adds all of `dir/evtchn`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use mpusim::output::Palette;
use mpusim::replay::{Options, Summary, render, replay};
use sim_core::hyp::strategy::Settings;

/// Every strategy that can pass, each in all its forms.
const STRATEGIES: [&str; 6] = ["map-page", "map-page:2", "switch-view:entry", "switch-view:lazy", "hybrid", "hybrid:2"];

fn passes(folder: &Path, strategy: &str, skip_unsupported: bool) -> Summary {
    let strategy = mpusim::strategy::parse(strategy, Settings::default()).unwrap();
    let options = Options { strategy, skip_unsupported };
    let summary = replay(&[folder.to_owned()], &options).unwrap_or_else(|error| panic!("{error}"));
    let text = render(&summary, Palette::new(false));
    println!("{:?}: {text}", options.strategy);
    assert!(summary.is_clean(), "{:?}\n{text}", options.strategy);
    summary
}

fn own_vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

#[test]
fn own_vectors_pass_under_every_strategy() {
    let totals = STRATEGIES.map(|strategy| passes(&own_vectors(), strategy, false).totals);
    assert!(totals.iter().all(|total| *total == totals[0]), "{totals:?}");
    assert_eq!(totals[0].skipped, 0);
    assert_eq!(totals[0].files, 30);
    assert!(totals[0].steps > 6_500, "{totals:?}");
}

#[test]
fn own_vectors_stay_small() {
    let sizes = fs::read_dir(own_vectors()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    assert!(sizes.sum::<u64>() <= 1_000_000);
}

#[test]
fn all_vectors_pass_where_there_are_more() {
    let Some(folder) = std::env::var_os("MPUSIM_VECTORS") else {
        return;
    };
    for strategy in STRATEGIES {
        passes(&Path::new(&folder).join("evtchn"), strategy, true);
    }
}
