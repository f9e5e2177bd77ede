//! `mpusim compare`.

use super::{CommandError, Done, Io, json, load, simulate, wants_json};
use crate::args::Compare;
use crate::render::compare::Row;
use crate::{json as form, output, render};

/// Runs a scenario under each strategy and prints them side by side. Faults and refusals are results.
pub fn compare(args: &Compare, io: Io) -> Result<Done, CommandError> {
    let mut scenario = load(&args.source)?;
    scenario.config.paranoid = args.paranoid;
    let mut rows = Vec::with_capacity(args.strategies.len());
    for name in &args.strategies {
        let (placed, report) = simulate(&scenario, name, args.seed)?;
        rows.push(Row { name: name.clone(), scenario: placed, report });
    }
    let text = if wants_json(args.source.format) {
        let runs: Vec<_> = rows.iter().map(|row| form::run(&row.scenario, &row.name, args.seed, &row.report)).collect();
        json(&form::Comparison { scenario: scenario.name.clone(), seed: args.seed, runs })?
    } else {
        render::compare::compare(&scenario, args.seed, &rows, io.out)
    };
    output::print(&text)?;
    Ok(Done::Well)
}
