//! `mpusim view`.

use super::{CommandError, Done, Io, json, load, position, wants_json, write_whole};
use crate::args::View;
use crate::output;
use analysis::judgement::System;
use report::{json as form, render};
use scenario::strategy;
use sim_core::outcome::ViewId;

/// Shows the region budget and the map of each view, or what does not fit; draws it where asked to.
pub fn view(args: &View, io: Io) -> Result<Done, CommandError> {
    let scenario = load(&args.source)?;
    let strategy = strategy::parse(&args.strategy, scenario.settings)?;
    let system = System::new(&scenario, &args.strategy, &strategy)?;
    let only = args.domain.as_deref().map(|wanted| position(&system.scenario, wanted)).transpose()?.map(ViewId::Guest);
    if let Some(path) = &args.svg {
        let picture = render::picture::svg(&system.scenario, &args.strategy, &system.plan, only, "")?;
        write_whole(path, &picture).map_err(|why| CommandError::Picture { path: path.clone(), why })?;
    }
    let text = if wants_json(args.format) {
        json(&form::view(&system, &args.strategy, only))?
    } else {
        render::view::view(&system, &args.strategy, only, io.out)
    };
    output::print(&text, io.out)?;
    Ok(if system.plan.fits() { Done::Well } else { Done::Failed })
}
