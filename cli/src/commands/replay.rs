//! `mpusim replay`.

use super::{CommandError, Done, Io, json as text_of, wants_json};
use crate::args::{ArchArg, PlacementArg, Replay, SyncArg};
use crate::output;
use conformance::{
    Form, Options, ReplayError, Setting, Summary, render, render_all, replay as run, replay_under_all, transcript,
};
use mpu_model::{Pmsa, SyncRule};
use serde_json::{Value, json};
use sim_core::hyp::strategy::{Builtin, Settings, Strategy};
use sim_core::layout::Placement;

/// Replays vectors and prints what differed.
pub fn replay(args: &Replay, io: Io) -> Result<Done, CommandError> {
    let strategy = scenario::strategy::parse(&args.strategy, Settings::default())?;
    if args.xen_transcript {
        if let Some(placement) = strategy.placement() {
            return Err(ReplayError::Transcript(strategy.name(), words::placement(placement)).into());
        }
        let summary = transcript::replay(&args.files, &strategy)?;
        let text = if wants_json(args.format) { text_of(&summary)? } else { transcript::render(&summary, io.out) };
        output::print(&text, io.out)?;
        return Ok(if summary.is_clean() { Done::Well } else { Done::Failed });
    }
    let options = Options { setting: setting(args, strategy)?, skip_unsupported: args.skip_unsupported };
    if args.every_strategy {
        let runs = replay_under_all(&args.files, &options)?;
        let text = if wants_json(args.format) { text_of(&all_json(&runs))? } else { render_all(&runs, io.out) };
        output::print(&text, io.out)?;
        let clean = runs.iter().filter_map(|(_, summary)| summary.as_ref()).all(Summary::is_clean);
        return Ok(if clean { Done::Well } else { Done::Failed });
    }
    let summary = run(&args.files, &options)?;
    let text = if wants_json(args.format) { text_of(&summary)? } else { render(&summary, io.out) };
    output::print(&text, io.out)?;
    Ok(if summary.is_clean() { Done::Well } else { Done::Failed })
}

/// A replay under every strategy, for programs.
fn all_json(runs: &[(Form, Option<Summary>)]) -> Value {
    let runs =
        runs.iter().map(|(form, summary)| json!({ "form": form.name, "cannot": form.cannot, "replay": summary }));
    json!({ "strategies": runs.collect::<Vec<_>>() })
}

fn setting(args: &Replay, strategy: Builtin) -> Result<Setting, ReplayError> {
    let mut setting = Setting { pes: args.pes.into(), ..Setting::of(strategy) };
    setting.sync = match args.sync {
        SyncArg::DsbCse => SyncRule::DsbThenContextSync,
        SyncArg::Cse => SyncRule::ContextSyncOnly,
    };
    setting.pmsa = match args.arch {
        ArchArg::V64 => Pmsa::V64,
        ArchArg::V32 => Pmsa::V32,
    };
    let asked = args.placement.map(|asked| match asked {
        PlacementArg::GuestRam => Placement::GuestRam,
        PlacementArg::Pool => Placement::Pool,
        PlacementArg::Heap => Placement::Heap,
    });
    if let Some(asked) = asked {
        if let Some(needed) = setting.strategy.placement().filter(|needed| *needed != asked) {
            return Err(ReplayError::Placement(setting.strategy.name(), words::placement(needed)));
        }
        setting.placement = asked;
    }
    Ok(setting)
}
