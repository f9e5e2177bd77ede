//! What was typed. Nothing here touches the world.

use crate::parity::Beside;
use clap::{Args, Parser, Subcommand, ValueEnum};
use conformance::MAX_PES;
use mpu_model::AccessKind;
use scenario::strategy;
use std::path::PathBuf;
use std::time::Duration;

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
    /// Replay recorded event-channel behaviour and report the first difference of each file.
    Replay(Replay),
    /// Play random hypercall sequences against a second implementation of the ABI; a failing one is shrunk and written down.
    Fuzz(Fuzz),
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
    pub target: Beside,

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

/// As many threads as make sense on any machine.
fn jobs(text: &str) -> Result<usize, String> {
    let found = text.parse().ok().filter(|jobs| (1..=1024).contains(jobs));
    found.ok_or_else(|| "expected a number of threads from 1 to 1024".into())
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

fn address(text: &str) -> Result<u64, String> {
    let expected = "expected an address such as 0x20010030, from 0 to 0xffff_ffff_ffff_ffff";
    scenario::number(text).ok_or_else(|| expected.into())
}

/// As many bytes as a region can hold.
fn size(text: &str) -> Result<u64, String> {
    let most = mpu_model::PA_LIMIT + 1;
    let found = scenario::number(text).filter(|size| (1..=most).contains(size));
    found.ok_or_else(|| format!("expected a number of bytes from 1 to {most:#x}"))
}

/// `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Vector files, or folders of them.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,

    /// The strategy, as run --strategy takes it.
    #[arg(long, default_value = "map-page")]
    pub strategy: String,

    /// Replay under every strategy that can, in all forms; those that cannot are listed with the reason.
    #[arg(long, conflicts_with_all = ["strategy", "placement", "xen_transcript"])]
    pub every_strategy: bool,

    /// PEs of the machine; vCPU v of the n-th domain lives on PE (n + v) modulo this.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=MAX_PES as i64))]
    pub pes: u8,

    /// Where `shared_info` and what domains hand over live [default: where the strategy needs it, else guest-ram].
    #[arg(
        long,
        value_enum,
        help = "Where shared_info and what domains hand over live [default: where the strategy needs it, else guest-ram]"
    )]
    pub placement: Option<PlacementArg>,

    /// What brings a register write into force: a DSB and a context synchronisation event, or the latter alone.
    #[arg(long, value_enum, default_value_t = SyncArg::DsbCse)]
    pub sync: SyncArg,

    /// The architecture of the PEs and their MPUs.
    #[arg(long, value_enum, default_value_t = ArchArg::V64)]
    pub arch: ArchArg,

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

/// A time span: a number and s, m or h.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time such as 60s, 10m or 2h, of at least 1s and at most 8760h".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    let seconds = number.checked_mul(seconds).filter(|seconds| (1..=8760 * 3600).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

/// Where `shared_info` and what domains hand over live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlacementArg {
    /// In the guests' own memory.
    GuestRam,
    /// In a range beside the heap.
    Pool,
    /// At the top of the heap.
    Heap,
}

/// What brings a register write into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SyncArg {
    /// A DSB, then a context synchronisation event.
    #[value(name = "dsb+cse")]
    DsbCse,
    /// A context synchronisation event alone.
    Cse,
}

/// The architecture of PEs and MPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ArchArg {
    /// Armv8-R `AArch64`.
    #[value(name = "pmsav8-64", help = "Armv8-R AArch64")]
    V64,
    /// Armv8-R `AArch32`.
    #[value(name = "pmsav8-32", help = "Armv8-R AArch32")]
    V32,
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
