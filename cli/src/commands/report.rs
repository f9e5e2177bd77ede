//! `mpusim report`.

use super::{CommandError, Done, load, write_whole};
use crate::args::{Report, Source};
use crate::output;
use ::report::page;
use ::report::page::{Compared, Input, ReportError, Selection};
use analysis::comparison::Row;
use campaign::sweep::Table;
use scenario::{profile, strategy};
use std::path::Path;
use words::Palette;

/// Reads sweeps, runs scenarios, and puts all on one page.
pub fn report(args: &Report) -> Result<Done, CommandError> {
    let selection = Selection::parse(args.x.as_deref(), &args.only)?;
    let mut inputs = Vec::with_capacity(args.files.len());
    for path in &args.files {
        inputs.push(match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv" | "jsonl") => Input::Sweep(Box::new(Table::read(path)?)),
            Some("toml") => Input::Scenario(Box::new(compared(args, path)?)),
            _ => return Err(ReportError::Kind { path: path.clone() }.into()),
        });
    }
    idle(args, &inputs)?;
    let page = page::page(&inputs, &selection)?;
    write_whole(&args.output, &page.html).map_err(|why| CommandError::Page { path: args.output.clone(), why })?;
    let (charts, maps, place) = (page.charts, page.maps, args.output.display());
    output::print(&format!("{charts} charts and {maps} region maps in {place}\n"), Palette::PLAIN)?;
    Ok(Done::Well)
}

/// Refuses arguments that no file takes.
fn idle(args: &Report, inputs: &[Input]) -> Result<(), ReportError> {
    let any = |sweep: bool| inputs.iter().any(|input| matches!(input, Input::Sweep(_)) == sweep);
    let refuse = |argument, why| Err(ReportError::Idle { argument, why });
    let (no_sweep, no_scenario) = ("no file is a sweep's", "no file is a scenario");
    match () {
        () if args.x.is_some() && !any(true) => refuse("--x", no_sweep),
        () if !args.only.is_empty() && !any(true) => refuse("--where", no_sweep),
        () if args.board.is_some() && !any(false) => refuse("--board", no_scenario),
        () if !args.sets.is_empty() && !any(false) => refuse("--set", no_scenario),
        () => Ok(()),
    }
}

fn compared(args: &Report, path: &Path) -> Result<Compared, CommandError> {
    let source = Source { scenario: path.into(), board: args.board.clone(), sets: args.sets.clone() };
    let scenario = load(&source)?.costing(profile::choose(&args.costs.profile)?);
    let mut rows = Vec::with_capacity(args.strategies.len());
    let mut strategies = Vec::with_capacity(args.strategies.len());
    for name in &args.strategies {
        let strategy = strategy::parse(name, scenario.settings)?;
        rows.push(Row::run(&scenario, name, &strategy, args.seed)?);
        strategies.push(strategy);
    }
    let sets = args.sets.iter().flat_map(|set| ["--set".to_owned(), set.clone()]);
    let board = args.board.iter().flat_map(|board| ["--board".to_owned(), board.display().to_string()]);
    let words = std::iter::once(path.display().to_string()).chain(board).chain(sets).collect();
    let profile = args.costs.profile.clone();
    Ok(Compared { scenario, seed: args.seed, rows, strategies, source: words, profile })
}
