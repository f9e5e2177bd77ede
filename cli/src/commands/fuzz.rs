//! `mpusim fuzz`.

use super::{CommandError, Done, Io, json, wants_json};
use crate::args::Fuzz;
use crate::output;
use crate::progress::Fuzzed;
use campaign::fuzz::races::{Drawn, Races};
use campaign::fuzz::{Campaign, End, Limit, Recipe, STRATEGIES, panicked, races, render};
use campaign::sweep::Shard;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;

/// Set by Ctrl-C and by signals that ask the process to end.
static STOP: AtomicBool = AtomicBool::new(false);

/// Cases played where nothing says how many.
const CASES: u64 = 10_000;

/// Schedules of each large race that are drawn under each strategy where nothing says how many.
const SCHEDULES: u64 = 200;

/// Plays random cases until one goes wrong, or races in every order.
pub fn fuzz(args: &Fuzz, io: Io) -> Result<Done, CommandError> {
    let own = args.race.as_deref().map(races::Own::load).transpose()?;
    if let Some(token) = &args.replay {
        let replayed = guarded(args, |_| races::replay(token, own.as_ref()))??;
        let text =
            if wants_json(args.format) { json(&replayed.json())? } else { races::render_replay(&replayed, io.out) };
        output::print(&text, io.out)?;
        return Ok(if replayed.wrong.is_some() { Done::Failed } else { Done::Well });
    }
    if args.interleave {
        return race(args, own.as_ref(), io);
    }
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
    let summary = guarded(args, |progress| campaign.run(progress))??;
    output::print(&if wants_json(args.format) { json(&summary.json())? } else { render(&summary, io.out) }, io.out)?;
    Ok(done(summary.end))
}

/// Plays races.
fn race(args: &Fuzz, own: Option<&races::Own>, io: Io) -> Result<Done, CommandError> {
    let named: Vec<&str> = args.strategies.iter().map(String::as_str).collect();
    let drawn = args.time.map_or(Drawn::Each(args.cases.unwrap_or(SCHEDULES)), Drawn::Within);
    let which = (own, &args.case[..]);
    let races = Races::new(which, &named, (args.seed, drawn, args.jobs.unwrap_or(0)), &STOP)?;
    let summary = guarded(args, |progress| races.run(progress))??;
    output::print(
        &if wants_json(args.format) { json(&summary.json())? } else { races::render(&summary, io.out) },
        io.out,
    )?;
    Ok(done(summary.end))
}

/// Plays with progress told. A panic of what is played is a result, told when it is known how it comes about; any other is an error
/// with words; a signal ends it well.
fn guarded<T>(args: &Fuzz, work: impl FnOnce(&mut Fuzzed) -> T) -> Result<T, CommandError> {
    super::stop_on_signals(&STOP)?;
    std::panic::set_hook(Box::new(|_| ()));
    let mut progress = Fuzzed::new(args.quiet);
    let summary = catch_unwind(AssertUnwindSafe(|| work(&mut progress)));
    drop(std::panic::take_hook());
    progress.finish();
    summary.map_err(|payload| CommandError::Panicked {
        message: panicked(payload.as_ref()),
        so_far: progress.last().into(),
    })
}

fn done(end: End) -> Done {
    match end {
        End::Clean => Done::Well,
        End::Failed => Done::Failed,
        End::Interrupted => Done::Interrupted,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop")]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    #[test]
    fn a_panic_beside_the_cases_ends_the_process_with_words() {
        let Command::Fuzz(args) = Cli::try_parse_from(["mpusim", "fuzz", "--quiet"]).unwrap().command else {
            panic!("another command");
        };
        let error = guarded(&args, |_| -> () { panic!("out of cheese") }).unwrap_err();
        assert_eq!(error.to_string(), "a mistake in mpusim: out of cheese; nothing was played so far");
    }
}
