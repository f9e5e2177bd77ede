//! What several commands take.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[value(help = "On a terminal, unless NO_COLOR is set")]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs; stable, described in docs/json.md.
    Json,
}

/// Which scenario, and how it is changed.
#[derive(Debug, Args)]
pub struct Source {
    /// The scenario file.
    pub scenario: PathBuf,

    /// The board in this file, in the place of the scenario's: TOML with the keys of a scenario's table board
    /// (docs/scenarios.md).
    #[arg(long, value_name = "FILE")]
    pub board: Option<PathBuf>,

    /// Change a key of the scenario, e.g. `placement=pool`, `el2_regions=16`, `domain.0.ram.0.size=0x1000`.
    #[arg(
        long = "set",
        value_name = "KEY=VALUE",
        help = "Change a key of the scenario, e.g. placement=pool, el2_regions=16, domain.0.ram.0.size=0x1000"
    )]
    pub sets: Vec<String>,
}

/// What operations cost.
#[derive(Debug, Args)]
pub struct ProfileArg {
    /// The profile of cycle costs: counts, r52-s32z, r82-assumed, or a TOML file (docs/profiles.md); with what is
    /// changed of it behind a colon: r52-s32z:barrier-share=60, counts:dsb=212,isb=10.
    #[arg(long, value_name = "NAME|FILE", default_value = "counts")]
    pub profile: String,
}
