//! `mpusim view`.

use super::{CommandError, Done, Io, json, load, position, under, wants_json, write_whole};
use crate::args::View;
use crate::{json as form, output, render, strategy};
use sim_core::hyp::plan::Plan;
use sim_core::hyp::strategy::Strategy;
use sim_core::outcome::ViewId;

/// Shows the region budget and the map of each view, or what does not fit; draws it where asked to.
pub fn view(args: &View, io: Io) -> Result<Done, CommandError> {
    let scenario = load(&args.source)?;
    let strategy = strategy::parse(&args.strategy, scenario.settings)?;
    let scenario = under(&scenario, &args.strategy, &strategy)?;
    let only = args.domain.as_deref().map(|wanted| position(&scenario, wanted)).transpose()?.map(ViewId::Guest);
    let plan = Plan::sketch(&scenario.layout, strategy.needs());
    if let Some(path) = &args.svg {
        let picture = render::picture::svg(&scenario, &args.strategy, &plan, only, "")?;
        write_whole(path, &picture).map_err(|why| CommandError::Picture { path: path.clone(), why })?;
    }
    let text = if wants_json(args.format) {
        json(&form::view(&scenario, &args.strategy, &plan, only))?
    } else {
        render::view::view(&scenario, &args.strategy, &plan, only, io.out)
    };
    output::print(&text, io.out)?;
    Ok(if plan.fits() { Done::Well } else { Done::Failed })
}
