//! `mpusim compare`, in the parts that a program with a strategy of its own puts together again (`examples/own-strategy`).

use super::{CommandError, Done, Io, json, load};
use crate::args::{Compare, CompareFormat};
use crate::output;
use ::report::json as form;
use analysis::comparison::{self, Row};
use report::render;
use scenario::{Scenario, profile};

/// Runs a scenario under each strategy and prints them side by side. Faults and refusals are results.
pub fn compare(args: &Compare, io: Io) -> Result<Done, CommandError> {
    let scenario = scenario(args)?;
    let rows = comparison::rows(&scenario, &args.strategies, args.seed)?;
    show(args, &scenario, &rows, io)
}

/// The scenario asked for, with the profile asked for.
pub fn scenario(args: &Compare) -> Result<Scenario, CommandError> {
    let mut scenario = load(&args.source)?.costing(profile::choose(&args.costs.profile)?);
    scenario.config.paranoid = args.paranoid;
    Ok(scenario)
}

/// Prints rows side by side, in the form asked for.
pub fn show(args: &Compare, scenario: &Scenario, rows: &[Row], io: Io) -> Result<Done, CommandError> {
    let text = match args.format {
        CompareFormat::Text => render::compare::compare(scenario, args.seed, rows, io.out),
        CompareFormat::Json => json(&form::comparison(scenario, args.seed, rows))?,
        CompareFormat::Csv => render::compare::csv(scenario, args.seed, rows)?,
        CompareFormat::Markdown => render::compare::markdown(scenario, args.seed, rows),
    };
    output::print(&text, io.out)?;
    Ok(Done::Well)
}
