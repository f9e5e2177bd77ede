//! `mpusim replay`.

use super::{CommandError, Done, Io, json, wants_json};
use crate::args::Replay;
use crate::replay::{Options, ReplayError, render, replay as run, transcript};
use crate::{output, words};
use sim_core::hyp::strategy::{Settings, Strategy};

/// Replays vectors and prints what differed.
pub fn replay(args: &Replay, io: Io) -> Result<Done, CommandError> {
    let strategy = crate::strategy::parse(&args.strategy, Settings::default())?;
    if let Some(placement) = strategy.placement() {
        return Err(ReplayError::Placement(strategy.name(), words::placement(placement)).into());
    }
    if args.xen_transcript {
        let summary = transcript::replay(&args.files, &strategy)?;
        let text = if wants_json(args.format) { json(&summary)? } else { transcript::render(&summary, io.out) };
        output::print(&text)?;
        return Ok(if summary.is_clean() { Done::Well } else { Done::Failed });
    }
    let options = Options { strategy, skip_unsupported: args.skip_unsupported };
    let summary = run(&args.files, &options)?;
    let text = if wants_json(args.format) { json(&summary)? } else { render(&summary, io.out) };
    output::print(&text)?;
    Ok(if summary.is_clean() { Done::Well } else { Done::Failed })
}
