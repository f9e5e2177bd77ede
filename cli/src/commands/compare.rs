//! `mpusim compare`.

use super::{CommandError, Done, Io, json, load, simulate_named};
use crate::args::{Compare, CompareFormat};
use crate::comparison::Row;
use crate::{json as form, output, profile, render};

/// Runs a scenario under each strategy and prints them side by side. Faults and refusals are results.
pub fn compare(args: &Compare, io: Io) -> Result<Done, CommandError> {
    let mut scenario = load(&args.source)?.costing(profile::choose(&args.costs.profile)?);
    scenario.config.paranoid = args.paranoid;
    let mut rows = Vec::with_capacity(args.strategies.len());
    for name in &args.strategies {
        let (placed, report) = simulate_named(&scenario, name, args.seed)?;
        rows.push(Row { name: name.clone(), scenario: placed, report });
    }
    let text = match args.format {
        CompareFormat::Text => render::compare::compare(&scenario, args.seed, &rows, io.out),
        CompareFormat::Json => json(&form::comparison(&scenario, args.seed, &rows))?,
        CompareFormat::Csv => render::compare::csv(&scenario, args.seed, &rows)?,
        CompareFormat::Markdown => render::compare::markdown(&scenario, args.seed, &rows),
    };
    output::print(&text)?;
    Ok(Done::Well)
}
