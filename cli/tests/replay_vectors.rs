//! Recorded event-channel behaviour, replayed under every strategy.
//!
//! A small set comes with the project and always runs. `MPUSIM_VECTORS=dir` adds all of `dir/evtchn`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use mpusim::output::Palette;
use mpusim::replay::{Options, Summary, render, replay};
use sim_core::hyp::strategy::Settings;

/// Every strategy that can pass, each in all its forms.
fn strategies() -> Vec<Options> {
    ["map-page", "map-page:2", "switch-view:entry", "switch-view:lazy", "hybrid", "hybrid:2"]
        .map(options)
        .into()
}

fn options(strategy: &str) -> Options {
    let strategy = mpusim::strategy::parse(strategy, Settings::default()).unwrap();
    Options { strategy, skip_unsupported: false }
}

fn plain(summary: &Summary) -> String {
    render(summary, Palette::new(false))
}

fn passes(folder: &Path, options: &Options) -> Summary {
    let started = std::time::Instant::now();
    let summary = replay(&[folder.to_owned()], options).unwrap_or_else(|error| panic!("{error}"));
    println!("{:?} in {:?}: {}", options.strategy, started.elapsed(), plain(&summary));
    assert!(summary.is_clean(), "{options:?}\n{}", plain(&summary));
    assert!(summary.totals.files > 0 && summary.totals.steps > 0);
    summary
}

fn own_vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

#[test]
fn own_vectors_pass_under_every_strategy() {
    let totals: Vec<_> = strategies().iter().map(|options| passes(&own_vectors(), options).totals).collect();
    assert!(totals.iter().all(|total| *total == totals[0]), "{totals:?}");
    assert_eq!(totals[0].skipped, 0);
}

#[test]
fn all_vectors_pass_where_there_are_more() {
    let Some(folder) = std::env::var_os("MPUSIM_VECTORS") else { return };
    for options in strategies() {
        passes(&Path::new(&folder).join("evtchn"), &Options { skip_unsupported: true, ..options });
    }
}
