//! Why a run did not complete, in a line.

use crate::{REFUSED, abort, breach, limit, object, outcome, owner, pending, trap, vcpu, view};
use sim_core::layout::Layout;
use sim_core::outcome::{Outcome, Report};
use std::fmt::Display;

/// Why a strategy could not be set up.
#[must_use]
pub fn refused(why: &impl Display) -> String {
    format!("{REFUSED}: {why}")
}

/// Why a run did not complete.
#[must_use]
pub fn failed(layout: &Layout, report: &Report) -> Option<String> {
    let what = match &report.outcome {
        Outcome::Completed => return None,
        Outcome::HypervisorFault(cause) | Outcome::Hazard(Some(cause)) => {
            let what = match &cause.object {
                Some((area, offset)) => object(layout, area, *offset),
                None => owner(layout, cause.owner),
            };
            let why = match &cause.fault.hazard {
                Some(hazard) => pending(hazard),
                None => format!("the {} does not map it", view(layout, cause.view)),
            };
            let syndrome = cause.fault.syndrome;
            format!(
                "{} at EL2 ({} at {:#x}) in {} of {} on {what}; {why}",
                abort(syndrome.ec),
                cause.fault.access(),
                syndrome.far,
                trap(cause.on_behalf.trap),
                cause.on_behalf.vcpu.map_or_else(|| "an idle PE".into(), |of| vcpu(layout, of)),
            )
        }
        Outcome::Refused(refused) => refused.to_string(),
        Outcome::Hazard(None) => "the run leaned on register writes that no barrier had put in force".into(),
        Outcome::Deadlock(waiters) => format!("{} vCPUs wait for what never comes", waiters.len()),
        Outcome::ExpectationFailed(failures) => {
            format!("{} steps gave something else than expected", failures.len())
        }
        Outcome::IsolationBroken(found) => breach(layout, found),
        Outcome::Limit(reached) => limit(*reached),
    };
    Some(format!("{}: {what}", outcome(&report.outcome)))
}
