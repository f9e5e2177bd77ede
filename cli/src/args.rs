//! What was typed. Nothing here touches the world.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Simulate a Xen-like hypervisor on Armv8-R MPUs.
///
/// Exit status: 0 all well; 1 the thing examined failed (fault, hazard, refused, mismatch, expectation broken);
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

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
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

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario under one strategy: outcome, events, region budget, costs; the crash report of a hypervisor fault.
    Run(Run),
    /// Run a scenario under several strategies, side by side.
    Compare(Compare),
    /// Show the region budget and map of a scenario, slot by slot, per owner.
    View(View),
    /// Replay recorded event-channel behaviour and report the first difference of each file.
    Replay(Replay),
}

/// Which scenario, and how it is changed.
#[derive(Debug, Args)]
pub struct Source {
    /// The scenario file.
    pub scenario: PathBuf,

    /// Change a key of the scenario, e.g. `placement=pool`, `el2_regions=16`, `domain.0.ram.0.size=0x1000`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,

    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The scenario.
    #[command(flatten)]
    pub source: Source,

    /// The strategy: naive, map-page, switch-view, hybrid; with an option behind a colon: map-page:2, hybrid:2,
    /// switch-view:lazy.
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

/// `compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// The scenario.
    #[command(flatten)]
    pub source: Source,

    /// The strategies, separated by commas, each as `run --strategy` takes it.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "naive,pin,map-page,switch-view,switch-view:lazy,hybrid,enable-mask,ku-window,background,xen-pool"
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

/// `view`.
#[derive(Debug, Args)]
pub struct View {
    /// The scenario.
    #[command(flatten)]
    pub source: Source,

    /// The strategy, as `run --strategy` takes it.
    #[arg(long, default_value = "map-page")]
    pub strategy: String,

    /// Only the view of this domain, by name or id.
    #[arg(long)]
    pub domain: Option<String>,
}

/// `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Vector files, or folders of them.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,

    /// The strategy, as `run --strategy` takes it.
    #[arg(long, default_value = "map-page")]
    pub strategy: String,

    /// The files are transcripts of a running Xen: compare every record, and tell known differences from others.
    #[arg(long, conflicts_with = "skip_unsupported")]
    pub xen_transcript: bool,

    /// Leave out files that need something unsupported, and count them, instead of refusing.
    #[arg(long)]
    pub skip_unsupported: bool,

    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_table_of_flags_is_sound() {
        Cli::command().debug_assert();
    }
}
