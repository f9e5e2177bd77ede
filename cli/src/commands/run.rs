//! `mpusim run`.

use super::{CommandError, Done, Io, json, load, simulate_named, verdict, wants_json};
use crate::args::Run;
use crate::output;
use report::trace::{Form, Of, Trace};
use report::{json as form, render};
use scenario::{Scenario, profile, strategy};
use sim_core::outcome::Report;
use std::path::Path;

/// Runs a scenario under one strategy and prints what came of it.
pub fn run(args: &Run, io: Io) -> Result<Done, CommandError> {
    let mut scenario = load(&args.source)?.costing(profile::choose(&args.costs.profile)?);
    scenario.config.paranoid = args.paranoid;
    let (scenario, report) = match &args.trace {
        None => simulate_named(&scenario, &args.strategy, args.seed)?,
        Some(path) => traced(&scenario, args, path)?,
    };
    let text = if wants_json(args.format) {
        json(&form::run(&scenario, &args.strategy, args.seed, &report))?
    } else {
        render::run::run(&scenario, &args.strategy, args.seed, &report, io.out)
    };
    output::print(&text, io.out)?;
    Ok(verdict(&report.outcome))
}

fn traced(scenario: &Scenario, args: &Run, path: &Path) -> Result<(Scenario, Report), CommandError> {
    let form = Form::of(path)?;
    let strategy = strategy::parse(&args.strategy, scenario.settings)?;
    let of = Of { scenario, strategy: &args.strategy, seed: args.seed };
    let mut trace = Trace::open(path, form, of)?;
    let done = analysis::simulate(scenario, &args.strategy, &strategy, args.seed, &mut trace)?;
    trace.finish(&done.1)?;
    Ok(done)
}
