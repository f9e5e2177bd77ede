//! What was typed. Nothing here touches the world.
//!
//! `shared` is what several commands take, `values` reads single values; `many` is `sweep` and `fuzz`, `boot` and `replay` the commands of that
//! name.

mod boot;
mod many;
mod replay;
mod shared;
mod values;

use crate::parity::ParityTarget;
pub use boot::{Boot, FirmwareArg, HazardArg};
use clap::{Args, Parser, Subcommand, ValueEnum};
pub use many::{Fuzz, Merge, Sweep, SweepCommand, SweepGrid};
use mpu_model::AccessKind;
pub use replay::{ArchArg, PlacementArg, Replay, SyncArg};
use scenario::strategy;
pub use shared::{Color, Format, ProfileArg, Source};
use std::path::PathBuf;
use values::{address, size};

/// Simulate a Xen-like hypervisor on Armv8-R MPUs.
///
/// Exit status: 0 all well; 1 the thing examined failed (fault, denied, hazard, refused, mismatch, expectation broken);
/// 2 bad input or usage, nothing was run.
#[derive(Debug, Parser)]
#[command(name = "mpusim", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Say more on standard error: -v what is run, -vv each entry to EL2, -vvv all.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,

    /// When to use colour.
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true)]
    pub color: Color,
}

/// How to print a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// For people, in 100 columns.
    Text,
    /// For programs; stable, described in docs/json.md.
    Json,
    /// A row per strategy; columns are described in docs/json.md.
    Csv,
    /// A table for documents, with the columns of csv.
    Markdown,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario under one strategy: outcome, events, region budget, costs; the crash report of a hypervisor fault.
    Run(Run),
    /// Run a scenario under several strategies, side by side.
    Compare(Compare),
    /// Run a scenario under every combination of values of some of its keys: a row for each, in a file.
    Sweep(Sweep),
    /// Put sweeps and comparisons on one page: charts with their numbers, region maps, the commands that made them.
    Report(Report),
    /// Show the region budget and map of a scenario, slot by slot, per owner; or draw it.
    View(View),
    /// Tell why an access is allowed or denied: slots tried, which decided, and what would change the answer.
    Explain(Explain),
    /// Run a scenario here and on a board, and compare hypercalls, register writes and faults line by line; or here and on Xen.
    Parity(Parity),
    /// Execute an image for Armv8-R `AArch64` on a software machine with both MPUs enforced, and report what happened.
    #[command(
        about = "Execute an image for Armv8-R AArch64 on a software machine with both MPUs enforced, and report what happened", long_about = None
    )]
    Boot(Box<Boot>),
    /// Replay recorded event-channel behaviour and report the first difference of each file.
    Replay(Replay),
    /// Play random hypercall sequences against a second implementation of the ABI; a failing one is shrunk and written down.
    Fuzz(Fuzz),
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The scenario.
    #[command(flatten)]
    pub source: Source,

    /// What operations cost.
    #[command(flatten)]
    pub costs: ProfileArg,

    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// Write what happens into this file as it happens: .json for ui.perfetto.dev, .jsonl for programs (docs/trace.md).
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,

    /// The strategy: naive, pin, map-page, switch-view, hybrid, enable-mask, ku-window, background, xen-pool, static-map; with
    /// an option behind a colon: map-page:2, hybrid:2, switch-view:lazy, enable-mask:no-isb, ku-window:no-isb.
    #[arg(long, default_value = "map-page")]
    pub strategy: String,

    /// Decides among PEs that are equal in time; 0 takes the lowest number.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,

    /// Ask the isolation oracle, at each exit from EL2 and in full at the end, whether the MPUs let through exactly what
    /// the layout grants.
    #[arg(long)]
    pub paranoid: bool,
}

/// `parity`.
#[derive(Debug, Args)]
pub struct Parity {
    /// The scenario.
    #[command(flatten)]
    pub source: Source,

    /// What to compare with.
    #[arg(long, value_enum)]
    pub target: ParityTarget,

    /// The strategy, as run --strategy takes it.
    #[arg(long, default_value = "map-page")]
    pub strategy: String,

    /// Decides what mixes draw.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,

    /// The folder with the board's images.
    #[arg(long, value_name = "DIR", default_value = "target/board")]
    pub images: PathBuf,
}

/// `compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// The scenario.
    #[command(flatten)]
    pub source: Source,

    /// What operations cost.
    #[command(flatten)]
    pub costs: ProfileArg,

    /// How to print the result.
    #[arg(long, value_enum, default_value_t = CompareFormat::Text)]
    pub format: CompareFormat,

    /// The strategies, separated by commas, each as run --strategy takes it.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = strategy::COMPARED
    )]
    pub strategies: Vec<String>,

    /// Decides among PEs that are equal in time; 0 takes the lowest number.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,

    /// Ask the isolation oracle, at each exit from EL2 and in full at the end, whether the MPUs let through exactly what
    /// the layout grants.
    #[arg(long)]
    pub paranoid: bool,
}

/// `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// Files of mpusim sweep (.csv, .jsonl) and scenarios (.toml), which are compared, in the order of the page.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,

    /// The page: one HTML file that needs nothing else. It is replaced if it is there.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// Of sweeps: draw along this key [default: the number of domains, else the first number that is varied].
    #[arg(long, value_name = "KEY")]
    pub x: Option<String>,

    /// Of sweeps: show only rows with this value of a varied key.
    #[arg(long = "where", value_name = "KEY=VALUE")]
    pub only: Vec<String>,

    /// Of scenarios: the board in this file, as compare --board takes it.
    #[arg(long, value_name = "FILE")]
    pub board: Option<PathBuf>,

    /// Of scenarios: change a key, as compare --set does.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,

    /// Of scenarios: what operations cost.
    #[command(flatten)]
    pub costs: ProfileArg,

    /// Of scenarios: the strategies, separated by commas, each as run --strategy takes it.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = strategy::COMPARED
    )]
    pub strategies: Vec<String>,

    /// Of scenarios: decides among PEs that are equal in time; 0 takes the lowest number.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// `view`.
#[derive(Debug, Args)]
pub struct View {
    /// The scenario.
    #[command(flatten)]
    pub source: Source,

    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// The strategy, as run --strategy takes it.
    #[arg(long, default_value = "map-page")]
    pub strategy: String,

    /// Only the view of this domain, by name or id.
    #[arg(long)]
    pub domain: Option<String>,

    /// Draw the views into this file too: addresses down the page, a column per view, owners in colour.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The scenario.
    #[command(flatten)]
    pub source: Source,

    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// The first byte of the access, e.g. 0x20010030.
    #[arg(long, value_parser = address, allow_hyphen_values = true)]
    pub address: u64,

    /// Who makes it: 2 is the hypervisor, 1 the guest's kernel, 0 its applications.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub el: u8,

    /// What it does.
    #[arg(long, value_enum, default_value_t = AccessArg::Read)]
    pub access: AccessArg,

    /// Its bytes; each is judged.
    #[arg(long, default_value = "4", value_parser = size, allow_hyphen_values = true)]
    pub size: u64,

    /// The view of this domain is in force, by name or id [default: the first domain].
    #[arg(long, conflicts_with = "view")]
    pub domain: Option<String>,

    /// Another view is in force.
    #[arg(long, value_enum)]
    pub view: Option<KnownView>,

    /// The domain's vCPU that runs; its EL1 MPU is stage 1 [default: 0].
    #[arg(long)]
    pub vcpu: Option<usize>,

    /// The strategy, as run --strategy takes it.
    #[arg(long, default_value = "map-page")]
    pub strategy: String,
}

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccessArg {
    /// Data read.
    #[value(name = "r", alias = "read")]
    Read,
    /// Data write.
    #[value(name = "w", alias = "write")]
    Write,
    /// Instruction fetch.
    #[value(name = "x", alias = "fetch")]
    Fetch,
    /// Atomic read-modify-write.
    #[value(name = "rmw")]
    Rmw,
}

impl AccessArg {
    /// As the MPU model has it.
    #[must_use]
    pub const fn kind(self) -> AccessKind {
        match self {
            Self::Read => AccessKind::Read,
            Self::Write => AccessKind::Write,
            Self::Fetch => AccessKind::Fetch,
            Self::Rmw => AccessKind::Rmw,
        }
    }
}

/// A view that is no domain's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KnownView {
    /// No vCPU runs: the fixed regions.
    Idle,
    /// All domains' memory, for EL2 alone; of strategies that load it.
    Hypervisor,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_table_of_flags_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_help_has_marks_of_the_documentation_in_it() {
        fn look(command: &mut clap::Command, seen: &mut usize) {
            *seen += 1;
            for help in [command.render_help(), command.render_long_help()] {
                let help = help.to_string();
                assert!(!help.contains('`'), "{}: {help}", command.get_name());
            }
            command.get_subcommands_mut().for_each(|below| look(below, seen));
        }
        let mut seen = 0;
        let mut whole = Cli::command();
        whole.build();
        look(&mut whole, &mut seen);
        assert!(seen > 10, "{seen} commands");
    }
}
