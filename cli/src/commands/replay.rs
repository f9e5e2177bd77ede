//! `mpusim replay`.

use super::{CommandError, Done, Io, json, wants_json};
use crate::args::{ArchArg, PlacementArg, Replay, SyncArg};
use crate::replay::{Options, ReplayError, Setting, render, replay as run, transcript};
use crate::{output, words};
use mpu_model::{Pmsa, SyncRule};
use sim_core::hyp::strategy::{Builtin, Settings, Strategy};
use sim_core::layout::Placement;

/// Replays vectors and prints what differed.
pub fn replay(args: &Replay, io: Io) -> Result<Done, CommandError> {
    let strategy = crate::strategy::parse(&args.strategy, Settings::default())?;
    if args.xen_transcript {
        if let Some(placement) = strategy.placement() {
            return Err(ReplayError::Transcript(strategy.name(), words::placement(placement)).into());
        }
        let summary = transcript::replay(&args.files, &strategy)?;
        let text = if wants_json(args.format) { json(&summary)? } else { transcript::render(&summary, io.out) };
        output::print(&text, io.out)?;
        return Ok(if summary.is_clean() { Done::Well } else { Done::Failed });
    }
    let options = Options { setting: setting(args, strategy)?, skip_unsupported: args.skip_unsupported };
    let summary = run(&args.files, &options)?;
    let text = if wants_json(args.format) { json(&summary)? } else { render(&summary, io.out) };
    output::print(&text, io.out)?;
    Ok(if summary.is_clean() { Done::Well } else { Done::Failed })
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
