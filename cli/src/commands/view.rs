//! `mpusim view`.

use super::{CommandError, Done, Io, json, load, under, wants_json};
use crate::args::View;
use crate::scenario::Scenario;
use crate::{json as form, output, render, strategy};
use sim_core::hyp::plan::Plan;
use sim_core::hyp::strategy::Strategy;
use sim_core::outcome::ViewId;

/// Shows the region budget and the map of each view, or what does not fit.
pub fn view(args: &View, io: Io) -> Result<Done, CommandError> {
    let scenario = load(&args.source)?;
    let strategy = strategy::parse(&args.strategy, scenario.settings)?;
    let scenario = under(&scenario, &args.strategy, &strategy)?;
    let only = args.domain.as_deref().map(|wanted| position(&scenario, wanted)).transpose()?.map(ViewId::Guest);
    let plan = Plan::sketch(&scenario.layout, strategy.needs());
    let text = if wants_json(args.source.format) {
        json(&form::view(&scenario, &args.strategy, &plan, only))?
    } else {
        render::view::view(&scenario, &args.strategy, &plan, only, io.out)
    };
    output::print(&text)?;
    Ok(if plan.fits() { Done::Well } else { Done::Failed })
}

/// The domain that `wanted` names, by name or by id.
fn position(scenario: &Scenario, wanted: &str) -> Result<usize, CommandError> {
    let domains = scenario.layout.domains();
    let found = domains.iter().position(|domain| domain.name == wanted || domain.id.0.to_string() == wanted);
    found.ok_or_else(|| {
        let known: Vec<&str> = domains.iter().map(|domain| domain.name.as_str()).collect();
        CommandError::NoSuchDomain { wanted: wanted.into(), known: known.join(", ") }
    })
}
