//! What each command does, and what the process says at its end.

pub mod boot;
pub mod compare;
pub mod explain;
pub mod fuzz;
pub mod parity;
pub mod replay;
pub mod report;
pub mod run;
pub mod sweep;
pub mod view;

use crate::args::{Cli, Color, Format, Source};
use crate::output;
use crate::parity::ParityError;
use ::boot::BootError;
use ::report::page::ReportError;
use ::report::render::picture::DrawError;
use ::report::trace::TraceError;
use analysis::comparison::NoRow;
use analysis::judgement::NotSetUp;
use analysis::simulate;
use campaign::fuzz::FuzzError;
use campaign::fuzz::races::RaceError;
use campaign::sweep::SweepError;
use clap::CommandFactory;
use clap::builder::Styles;
use conformance::ReplayError;
use scenario::profile::ProfileError;
use scenario::strategy::StrategyError;
use scenario::{BoardFile, LoadError, Scenario, strategy};
use sim_core::layout::Position;
use sim_core::outcome::{Outcome, Report};
use sim_core::world::BuildError;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use thiserror::Error;
use words::{Palette, near, shown};

/// How to print on each stream.
#[derive(Clone, Copy, Debug)]
pub struct Io {
    /// Standard output.
    pub out: Palette,
    /// Whether standard error takes colour.
    pub err_color: bool,
}

impl Io {
    /// Decides about colour once.
    #[must_use]
    pub fn new(choice: Color) -> Self {
        Self {
            out: Palette::new(output::wants_color(choice, &io::stdout())),
            err_color: output::wants_color(choice, &io::stderr()),
        }
    }
}

/// How a command ended that did what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// All well: exit 0.
    Well,
    /// The thing examined failed: exit 1.
    Failed,
    /// It was told to stop, and can be gone on with: exit 130.
    Interrupted,
    /// What it ran has a status of its own.
    Status(u8),
}

/// Why a command did nothing: exit 2.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The scenario cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The profile was not taken.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The strategy's name was not taken.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// The strategy cannot be set up on the scenario.
    #[error(transparent)]
    NotSetUp(#[from] NotSetUp),
    /// The vectors cannot be read.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The sweep or the merge cannot go on.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// The campaign cannot be run.
    #[error(transparent)]
    Fuzz(#[from] FuzzError),
    /// No image was run.
    #[error(transparent)]
    Boot(BootError),
    /// A panic beside what was played.
    #[error("a mistake in mpusim: {message}; {}", if so_far.is_empty() { "nothing was played so far" } else { so_far })]
    Panicked {
        /// What it said.
        message: String,
        /// How far it was.
        so_far: String,
    },
    /// The races cannot be played.
    #[error(transparent)]
    Race(#[from] RaceError),
    /// The report cannot be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The page cannot be written.
    #[error("the page cannot be written to {}: {why}; expected -o FILE, a file that can be made or replaced", path.display())]
    Page {
        /// Where to.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The scenario was not compared.
    #[error(transparent)]
    Parity(ParityError),
    /// The trace was not written.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// No such domain.
    #[error("there is no domain {wanted:?}; {known}")]
    NoSuchDomain {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// The view asked for is one that the strategy has not.
    #[error(
        "strategy {strategy} has no hypervisor view; expected --view idle, --domain, or a strategy that loads one: \
             switch-view, hybrid"
    )]
    NoHypervisorView {
        /// The strategy.
        strategy: String,
    },
    /// A guest's access where no guest runs.
    #[error("no guest runs in the {view}, so there is no access of EL{el}; expected --el 2 or --domain")]
    NoGuest {
        /// The view.
        view: String,
        /// The level asked for.
        el: u8,
    },
    /// The address is none of the board's.
    #[error(
        "board {board} has no {} at {address:#x}: {bits}; expected {limit:#x} at the most",
        words::accessed(*size)
    )]
    WideAddress {
        /// The address asked about.
        address: u64,
        /// Bytes from there on.
        size: u64,
        /// The board.
        board: String,
        /// What is said of the size of its addresses.
        bits: String,
        /// Its last address.
        limit: u64,
    },
    /// No such vCPU.
    #[error("the {view} has no vCPU {vcpu}: it has {count}, counted from 0")]
    NoSuchVcpu {
        /// The view.
        view: String,
        /// The vCPU asked for.
        vcpu: usize,
        /// How many there are.
        count: usize,
    },
    /// The MPUs asked are not as planned.
    #[error("the slot driver wrote a region through a stale selection, which is a mistake in mpusim: {0}")]
    Driver(#[from] mpu_model::WriteHazard),
    /// The picture cannot be drawn.
    #[error("the picture cannot be drawn: {0}")]
    Draw(#[from] DrawError),
    /// The picture cannot be written.
    #[error("the picture cannot be written to {}: {why}; expected --svg FILE, a file that can be made or replaced", path.display())]
    Picture {
        /// Where to.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The result cannot be written.
    #[error("the result cannot be written: {0}")]
    Output(#[from] io::Error),
    /// The result cannot be put into CSV.
    #[error("the result cannot be put into CSV: {0}")]
    Csv(#[from] csv::Error),
    /// The result cannot be put into JSON.
    #[error("the result cannot be put into JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<ParityError> for CommandError {
    fn from(error: ParityError) -> Self {
        match error {
            ParityError::Load(error) => error.into(),
            ParityError::Strategy(error) => error.into(),
            ParityError::NotSetUp(error) => error.into(),
            other => Self::Parity(other),
        }
    }
}

impl From<BootError> for CommandError {
    fn from(error: BootError) -> Self {
        match error {
            BootError::Board(error) => error.into(),
            other => Self::Boot(other),
        }
    }
}

impl From<NoRow> for CommandError {
    fn from(error: NoRow) -> Self {
        match error {
            NoRow::Strategy(error) => error.into(),
            NoRow::NotSetUp(error) => error.into(),
        }
    }
}

impl From<BuildError> for CommandError {
    fn from(error: BuildError) -> Self {
        Self::NotSetUp(error.into())
    }
}

/// The exit code of a command, with its last words.
#[must_use]
pub fn finish(done: Result<Done, CommandError>, io: Io) -> ExitCode {
    match done {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Failed) => ExitCode::from(1),
        Ok(Done::Status(status)) => ExitCode::from(status),
        Ok(Done::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            let palette = Palette::new(io.err_color);
            match &error {
                CommandError::Load(error) | CommandError::Profile(ProfileError::Load(error)) => {
                    output::say(error.render(io.err_color).trim_end(), palette);
                }
                error => {
                    output::say(&format!("{} {}", palette.bad("error:"), shown::text(&error.to_string())), palette);
                }
            }
            ExitCode::from(2)
        }
    }
}

/// What was typed was not understood, or asks for help or the version. The error quotes arguments: where a terminal would
/// obey one, there is no colour, so that all escapes in the text are the argument's.
#[must_use]
pub fn not_understood(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        error.exit();
    }
    let plain = std::env::args_os().all(|argument| !argument.to_string_lossy().contains(shown::is_hidden));
    let palette = Palette::new(plain && output::wants_color(Color::Auto, &io::stderr()));
    let bare = || Cli::command().styles(Styles::plain()).try_get_matches().err();
    let text = match bare().filter(|_| !plain) {
        Some(bare) => bare.render().ansi().to_string(),
        None => output::styled(&error.render(), palette),
    };
    output::say(text.trim_end(), palette);
    ExitCode::from(2)
}

/// The exit status of a process that was interrupted, as shells have it.
const INTERRUPTED: u8 = 130;

/// The first signal sets `stop`, for a clean end; the second ends the process.
fn stop_on_signals(stop: &'static AtomicBool) -> Result<(), CommandError> {
    ctrlc::set_handler(|| {
        if stop.swap(true, Ordering::Relaxed) {
            process::exit(INTERRUPTED.into());
        }
    })
    .map_err(|error| CommandError::Output(io::Error::other(error)))
}

fn load(source: &Source) -> Result<Scenario, CommandError> {
    let board = board_file(source.board.as_deref())?;
    Ok(Scenario::load_on(&source.scenario, board.as_ref(), &source.sets)?)
}

/// What `--board` names.
fn board_file(path: Option<&Path>) -> Result<Option<BoardFile>, CommandError> {
    Ok(path.map(BoardFile::read).transpose()?)
}

/// Writes a whole file, which is no directory and not standard output.
fn write_whole(path: &Path, text: &str) -> Result<(), String> {
    if path.as_os_str() == "-" {
        return Err("standard output has the text".into());
    }
    if path.is_dir() {
        return Err("it is a directory".into());
    }
    std::fs::write(path, shown::text(text).as_bytes()).map_err(|error| error.to_string())
}

/// Runs a scenario under the shipped strategy of that name, with nobody watching.
fn simulate_named(scenario: &Scenario, name: &str, seed: u64) -> Result<(Scenario, Report), CommandError> {
    Ok(simulate(scenario, name, &strategy::parse(name, scenario.settings)?, seed, ())?)
}

/// The position of the domain that `wanted` names, by name or by id.
fn position(scenario: &Scenario, wanted: &str) -> Result<Position, CommandError> {
    let domains = scenario.layout.domains();
    let found = domains.iter().position(|domain| domain.name == wanted || domain.id.0.to_string() == wanted);
    found.map(Position::new).ok_or_else(|| {
        let known: Vec<&str> = domains.iter().map(|domain| domain.name.as_str()).collect();
        CommandError::NoSuchDomain { wanted: wanted.into(), known: near::there_are(wanted, &known) }
    })
}

fn verdict(outcome: &Outcome) -> Done {
    if *outcome == Outcome::Completed { Done::Well } else { Done::Failed }
}

fn json(value: &impl serde::Serialize) -> Result<String, CommandError> {
    let mut text = shown::json(&serde_json::to_string_pretty(value)?).into_owned();
    text.push('\n');
    Ok(text)
}

/// Whether JSON was asked for.
fn wants_json(format: Format) -> bool {
    format == Format::Json
}
