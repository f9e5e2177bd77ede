//! `mpusim run`.

use super::{CommandError, Done, Io, json, load, simulate, verdict, wants_json};
use crate::args::Run;
use crate::{json as form, output, render};

/// Runs a scenario under one strategy and prints what came of it.
pub fn run(args: &Run, io: Io) -> Result<Done, CommandError> {
    let mut scenario = load(&args.source)?;
    scenario.config.paranoid = args.paranoid;
    let (scenario, report) = simulate(&scenario, &args.strategy, args.seed)?;
    let text = if wants_json(args.source.format) {
        json(&form::run(&scenario, &args.strategy, args.seed, &report))?
    } else {
        render::run::run(&scenario, &args.strategy, args.seed, &report, io.out)
    };
    output::print(&text)?;
    Ok(verdict(&report.outcome))
}
