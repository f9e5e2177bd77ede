//! `mpusim compare`, in the parts that a program with a strategy of its own puts together again (`examples/own-strategy`).

use super::{CommandError, Done, Io, json, load, simulate};
use crate::args::{Compare, CompareFormat};
use crate::comparison::Row;
use crate::scenario::Scenario;
use crate::{json as form, output, profile, render, strategy};
use sim_core::hyp::strategy::Strategy;

/// Runs a scenario under each strategy and prints them side by side. Faults and refusals are results.
pub fn compare(args: &Compare, io: Io) -> Result<Done, CommandError> {
    let scenario = scenario(args)?;
    let rows = rows(args, &scenario)?;
    show(args, &scenario, &rows, io)
}

/// The scenario asked for, with the profile asked for.
pub fn scenario(args: &Compare) -> Result<Scenario, CommandError> {
    let mut scenario = load(&args.source)?.costing(profile::choose(&args.costs.profile)?);
    scenario.config.paranoid = args.paranoid;
    Ok(scenario)
}

/// Runs the scenario under each shipped strategy asked for.
pub fn rows(args: &Compare, scenario: &Scenario) -> Result<Vec<Row>, CommandError> {
    let named = |name: &String| row(scenario, name, &strategy::parse(name, scenario.settings)?, args.seed);
    args.strategies.iter().map(named).collect()
}

/// Runs the scenario under one strategy, which the table calls `name`. That the strategy cannot be set up is a result.
///
/// # Errors
///
/// [`CommandError::NotSetUp`] if no strategy can be set up on the scenario.
pub fn row<S: Strategy + Clone>(scenario: &Scenario, name: &str, strategy: &S, seed: u64) -> Result<Row, CommandError> {
    let (scenario, came) = match simulate(scenario, name, strategy, seed, ()) {
        Ok((placed, report)) => (placed, Ok(report)),
        Err(why) if why.concerns_every_strategy() => return Err(why.into()),
        Err(why) => (scenario.clone(), Err(why)),
    };
    Ok(Row { name: name.into(), scenario, came })
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
