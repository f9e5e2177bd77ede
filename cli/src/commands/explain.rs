//! `mpusim explain`.

use super::{CommandError, Done, Io, json, load, position, wants_json};
use crate::args::{Explain, KnownView};
use crate::output;
use analysis::explain as why;
use analysis::explain::Question;
use analysis::judgement::System;
use mpu_model::{Access, El};
use report::{json as form, render};
use scenario::{Scenario, strategy};
use sim_core::hyp::strategy::{Builtin, Strategy};
use sim_core::layout::Position;
use sim_core::outcome::ViewId;

/// Tells why an access is allowed (well), or denied or not answered (failed).
pub fn explain(args: &Explain, io: Io) -> Result<Done, CommandError> {
    let scenario = load(&args.source)?;
    let strategy = strategy::parse(&args.strategy, scenario.settings)?;
    let system = System::new(&scenario, &args.strategy, &strategy)?;
    let question = question(args, &system.scenario, &strategy)?;
    let as_json = wants_json(args.format);
    if let Some(refused) = system.refusal() {
        let text = if as_json {
            json(&form::refused(&system, &args.strategy, &refused))?
        } else {
            render::explain::refused(&system, &args.strategy, &refused, io.out)
        };
        output::print(&text, io.out)?;
        return Ok(Done::Failed);
    }
    let answer = why::explain(&system, &strategy, question)?;
    let text = if as_json {
        json(&form::explain(&system.scenario, &args.strategy, &answer))?
    } else {
        render::explain::explain(&system.scenario, &args.strategy, &answer, io.out)
    };
    output::print(&text, io.out)?;
    Ok(if answer.succeeds() { Done::Well } else { Done::Failed })
}

fn question(args: &Explain, scenario: &Scenario, strategy: &Builtin) -> Result<Question, CommandError> {
    let el = match args.el {
        0 => El::El0,
        1 => El::El1,
        _ => El::El2,
    };
    let view = match (&args.domain, args.view) {
        (Some(wanted), _) => ViewId::Guest(position(scenario, wanted)?),
        (None, Some(KnownView::Idle)) => ViewId::Idle,
        (None, Some(KnownView::Hypervisor)) => ViewId::Hypervisor,
        (None, None) if scenario.layout.domains().is_empty() => ViewId::Idle,
        (None, None) => ViewId::Guest(Position::new(0)),
    };
    if view == ViewId::Hypervisor && !strategy.needs().hypervisor_view {
        return Err(CommandError::NoHypervisorView { strategy: args.strategy.clone() });
    }
    let vcpus = match view {
        ViewId::Guest(position) => scenario.layout.domain(position).map_or(0, |domain| domain.vcpus.len()),
        ViewId::Idle | ViewId::Hypervisor if el == El::El2 => 0,
        ViewId::Idle | ViewId::Hypervisor => {
            return Err(CommandError::NoGuest { view: words::view(&scenario.layout, view), el: args.el });
        }
    };
    let vcpu = args.vcpu.unwrap_or(0);
    if args.vcpu.is_some() && vcpu >= vcpus {
        return Err(CommandError::NoSuchVcpu { view: words::view(&scenario.layout, view), vcpu, count: vcpus });
    }
    let last = args.address.saturating_add(args.size.saturating_sub(1));
    let board = scenario.layout.board();
    if last > board.address_limit() {
        let (bits, limit) = (words::board::address_bits(board), board.address_limit());
        let board = board.name.clone();
        return Err(CommandError::WideAddress { address: args.address, size: args.size, board, bits, limit });
    }
    let access = Access { addr: args.address, size: args.size, kind: args.access.kind(), el };
    Ok(Question { access, view, vcpu })
}
