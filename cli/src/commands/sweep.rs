//! `mpusim sweep` and `mpusim sweep merge`.

use super::{CommandError, Done};
use crate::args::{Merge, Sweep, SweepCommand};
use crate::output;
use crate::progress::Swept;
use campaign::sweep::{self, About, Asked, Axis, Cells, End, Grid, Open, Output, STRATEGY, Shard, SweepError, Target};
use scenario::{BoardFile, Scenario, profile};
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use words::Palette;

/// Set by Ctrl-C and by signals that ask the process to end.
static STOP: AtomicBool = AtomicBool::new(false);

/// Runs a grid, or merges the files of its shards.
pub fn sweep(args: &Sweep) -> Result<Done, CommandError> {
    match (&args.command, &args.grid) {
        (Some(SweepCommand::Merge(merge)), _) => self::merge(merge),
        (None, Some(grid)) => match run(grid) {
            // A reader that went away (`| head`) is no error.
            Err(CommandError::Sweep(SweepError::Write { error, .. })) if error.kind() == io::ErrorKind::BrokenPipe => {
                Ok(Done::Well)
            }
            done => done,
        },
        (None, None) => Ok(Done::Well),
    }
}

fn run(args: &crate::args::SweepGrid) -> Result<Done, CommandError> {
    let target = Target::parse(&args.output)?;
    let grid = grid(args)?;
    let text = Scenario::text(&args.scenario)?;
    let profile = profile::choose(&args.profile)?;
    let board = super::board_file(args.board.as_deref())?;
    let (path, sets) = (&args.scenario, &args.sets);
    let cells = Cells { path, text: &text, board: board.as_ref(), sets, profile: &profile, grid: &grid };
    cells.check()?;
    let shard = shard(args)?;
    let about = about(args, &grid, (&text, board.as_ref()), shard);
    let sweep = sweep::Sweep { cells, shard, jobs: args.jobs.unwrap_or(0), stop: &STOP };
    let open = match (args.resume, args.force) {
        (true, _) => Open::Resume,
        (false, true) => Open::Replace,
        (false, false) => Open::New,
    };
    let mut output = Output::open(target, open, &about, sweep::columns(&grid), sweep.mine())?;
    let left = (sweep.mine().count() as u64).saturating_sub(output.kept());
    let mut progress = Swept::new(left, args.quiet);
    // The first signal ends the sweep at the end of the cells under way.
    super::stop_on_signals(&STOP)?;
    let end = sweep.run(&mut output, &mut progress, &sweep::simulate);
    let place = output.target().path().display().to_string();
    let end = end.and_then(|end| output.sync().map(|()| end)).inspect_err(|_| progress.finish("before the error"))?;
    match end {
        End::Done => {
            progress.finish(&format!("to {place}"));
            Ok(Done::Well)
        }
        End::Interrupted => {
            progress.finish(&format!("to {place}, then interrupted; --resume goes on"));
            Ok(Done::Interrupted)
        }
    }
}

/// The axes as typed; strategies change fastest unless they are varied by name.
fn grid(args: &crate::args::SweepGrid) -> Result<Grid, SweepError> {
    let mut axes = args.vary.iter().map(|argument| Axis::parse(argument)).collect::<Result<Vec<_>, _>>()?;
    if !axes.iter().any(|axis| axis.key == STRATEGY) {
        axes.push(Axis::strategies(&args.strategies)?);
    }
    Grid::new(axes)
}

/// The part that is asked for: by the argument, else by a batch system.
fn shard(args: &crate::args::SweepGrid) -> Result<Shard, SweepError> {
    if let Some(text) = &args.shard {
        return Shard::parse(text);
    }
    let found = Shard::from_environment(|name| std::env::var(name).ok())?;
    Ok(found.map_or(Shard::WHOLE, |(shard, name)| {
        if !args.quiet {
            output::say(&format!("sweep: shard {shard}, as {name} says; --shard 1/1 runs all"), Palette::PLAIN);
        }
        shard
    }))
}

fn about(args: &crate::args::SweepGrid, grid: &Grid, (text, board): (&str, Option<&BoardFile>), shard: Shard) -> About {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let strategies = grid.axes().iter().find(|axis| axis.key == STRATEGY).map(|axis| axis.values.join(","));
    let varied = args.vary.iter().filter(|argument| !argument.trim_start().starts_with("strategy=")).cloned();
    let vary = varied.chain(strategies.map(|names| format!("{STRATEGY}={names}"))).collect();
    // A profile that is a file is part of the sweep by its name; its figures are in no row but as what they add up to.
    let profile = args.profile.clone();
    let (scenario, set) = (name(&args.scenario), args.sets.clone());
    let asked = Asked { scenario, board: board.map(|board| name(board.path())), set, vary, profile };
    About::new(asked, grid, grid.id(text, board.map(BoardFile::text), &args.sets), shard)
}

fn merge(args: &Merge) -> Result<Done, CommandError> {
    let merged = sweep::merge(&args.files, &args.output, args.force)?;
    let text = format!("{} rows of {} shards in {}\n", merged.rows, merged.shards, args.output.display());
    output::print(&text, Palette::PLAIN)?;
    Ok(Done::Well)
}
