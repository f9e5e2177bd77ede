//! `mpusim fuzz`.

use std::sync::atomic::AtomicBool;

use super::{CommandError, Done, Io, json, wants_json};
use crate::args::Fuzz;
use crate::fuzz::{Campaign, End, Limit, Progress, Recipe, STRATEGIES, render};
use crate::output;
use crate::sweep::Shard;

/// Set by Ctrl-C and by signals that ask the process to end.
static STOP: AtomicBool = AtomicBool::new(false);

/// Cases played where nothing says how many.
const CASES: u64 = 10_000;

/// Plays random cases until one goes wrong.
pub fn fuzz(args: &Fuzz, io: Io) -> Result<Done, CommandError> {
    let shard = args.shard.as_deref().map(Shard::parse).transpose()?.unwrap_or(Shard::WHOLE);
    let named: Vec<&str> = args.strategies.iter().map(String::as_str).collect();
    let (first, others) = named.split_first().unwrap_or((&STRATEGIES[0], &STRATEGIES[1..]));
    let campaign = Campaign {
        recipe: Recipe::new(first, others, args.steps.into())?,
        seed: args.seed,
        first: args.first,
        limit: args.time.map_or(Limit::Cases(args.cases.unwrap_or(CASES)), Limit::Time),
        shard,
        jobs: args.jobs.unwrap_or(0),
        folder: args.output.clone(),
        stop: &STOP,
    };
    super::stop_on_signals(&STOP)?;
    // A panic is a result, told once the case is small.
    std::panic::set_hook(Box::new(|_| ()));
    let mut progress = Progress::new(args.quiet);
    let summary = campaign.run(&mut progress);
    drop(std::panic::take_hook());
    progress.finish();
    let summary = summary?;
    output::print(&if wants_json(args.format) { json(&summary.json())? } else { render(&summary, io.out) })?;
    Ok(match summary.end {
        End::Clean => Done::Well,
        End::Failed => Done::Failed,
        End::Interrupted => Done::Interrupted,
    })
}
