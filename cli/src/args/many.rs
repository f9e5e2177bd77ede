//! `sweep` and `fuzz`: many runs.

use super::shared::Format;
use super::values::{duration, jobs};
use clap::{Args, Subcommand};
use scenario::strategy;
use std::path::PathBuf;
use std::time::Duration;

/// `sweep`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Sweep {
    /// What to do but sweep.
    #[command(subcommand)]
    pub command: Option<SweepCommand>,

    /// What to sweep.
    #[command(flatten)]
    pub grid: Option<SweepGrid>,
}

/// What else there is to do with sweeps.
#[derive(Debug, Subcommand)]
pub enum SweepCommand {
    /// Put the files of all shards together into the file of the whole.
    Merge(Merge),
}

/// What to sweep.
#[derive(Debug, Args)]
pub struct SweepGrid {
    /// The scenario file.
    pub scenario: PathBuf,

    /// The profile of cycle costs, as run --profile takes it.
    #[arg(long, value_name = "NAME|FILE", default_value = "counts")]
    pub profile: String,

    /// Vary a key of the scenario, or strategy, or seed: 1..16, 2..64:2 (a step), 16,20,24 or a mixture. Several
    /// give every combination; the first changes slowest.
    #[arg(long, value_name = "KEY=RANGE")]
    pub vary: Vec<String>,

    /// Change a key of the scenario in every cell, as run --set does.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,

    /// The strategies, separated by commas, each as run --strategy takes it.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = strategy::SWEPT
    )]
    pub strategies: Vec<String>,

    /// Run only shard I of N, from 1/N to N/N [default: as `SLURM_ARRAY_TASK_ID` or `JOB_COMPLETION_INDEX` says, else all].
    #[arg(
        long,
        value_name = "I/N",
        help = "Run only shard I of N, from 1/N to N/N [default: as SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX says, else all]"
    )]
    pub shard: Option<String>,

    /// The file for the rows: .csv or .jsonl; - is standard output, as CSV.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// Go on with a file that an interrupted sweep left; start it if there is none.
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,

    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,

    /// Threads [default: one for each processor].
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub jobs: Option<usize>,

    /// Say nothing about progress.
    #[arg(short, long)]
    pub quiet: bool,

    /// The board in this file, as run --board takes it.
    // Beside --set in the help, and last here, so that the options of all commands keep their order there.
    #[arg(long, value_name = "FILE", display_order = 2)]
    pub board: Option<PathBuf>,
}

/// `sweep merge`.
#[derive(Debug, Args)]
pub struct Merge {
    /// The file of each shard.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,

    /// The file for all rows, with the ending that the shards' files have.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
}

/// `fuzz`.
#[derive(Debug, Args)]
pub struct Fuzz {
    /// Decides every case.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Play races between PEs instead: what guests and other PEs do between two accesses of a hypercall, small races in every
    /// order and large ones in orders that are drawn (docs/fuzzing.md).
    #[arg(long, group = "races", conflicts_with_all = ["first", "steps", "shard", "output"])]
    pub interleave: bool,

    /// Only this race; several with commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "interleave")]
    pub case: Vec<String>,

    /// Play the race in this file, with --interleave, or a schedule of it again, with --replay (docs/fuzzing.md).
    #[arg(long, value_name = "FILE", requires = "races")]
    pub race: Option<PathBuf>,

    /// Play the schedule of a race again, whose token a failure printed.
    #[arg(long, value_name = "TOKEN", group = "races", conflicts_with_all = [
        "interleave", "seed", "cases", "first", "time", "steps", "strategies", "shard", "jobs", "output"
    ])]
    pub replay: Option<String>,

    /// How many cases to play [default: 10000]; with --interleave, schedules of each large race under each strategy [default: 200].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "time")]
    pub cases: Option<u64>,

    /// Number of the first case: with --cases 1, the only one.
    #[arg(long, default_value_t = 0)]
    pub first: u64,

    /// How long to play, e.g. 60s, 10m, 2h.
    #[arg(long, value_parser = duration)]
    pub time: Option<Duration>,

    /// Steps of each case.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub steps: u16,

    /// The strategies to draw from, as run --strategy takes them [default: all that reach other domains' memory].
    #[arg(long, value_delimiter = ',')]
    pub strategies: Vec<String>,

    /// Only this part of the cases, for job arrays: i/n with i from 1 to n.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,

    /// Threads [default: one for each processor].
    #[arg(long, value_parser = jobs)]
    pub jobs: Option<usize>,

    /// The folder that a failing case is written to, as a vector file that replay takes.
    #[arg(short, long, value_name = "FOLDER", default_value = "fuzz-failures")]
    pub output: PathBuf,

    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// No progress on standard error.
    #[arg(short, long)]
    pub quiet: bool,
}
