//! The minor frames of scheduler `arinc653`.

use super::domains::Ids;
use super::error::Problem;
use super::number::{Number, given};
use super::place;
use super::raw::{RawFrame, RawScenario};
use super::table::{Key, Table};
use sim_core::hyp::sched::arinc653::{MinorFrame, ScheduleError, check};
use sim_core::layout::{Layout, PeId};
use std::ops::Range;
use toml::Spanned;

/// The frames of the file, checked against the system.
pub(super) fn schedule(raw: &RawScenario, ids: &Ids, layout: &Layout) -> Result<Vec<MinorFrame>, Problem> {
    let frames: Result<Vec<_>, _> = raw.frame.iter().map(|found| frame(&found.get_ref().0, ids, layout)).collect();
    let frames = frames?;
    check(layout, &frames).map_err(|error| problem(raw, layout, error))?;
    Ok(frames)
}

/// What the check finds is looked up in the table again.
fn frame(raw: &RawFrame, ids: &Ids, layout: &Layout) -> Result<MinorFrame, Problem> {
    let number = |key: Key<'_, Number>| given(key, Number(0)).0;
    let vcpu = match (&raw.domain, &raw.vcpu) {
        (None, None) => None,
        (Some(domain), vcpu) => {
            let vcpu = u32::try_from(number(vcpu.as_ref())).unwrap_or(u32::MAX);
            Some((ids.position(domain)?, vcpu))
        }
        (None, Some(vcpu)) => {
            let problem = Problem::new("a frame names a vCPU and no domain");
            return Err(problem
                .at(vcpu.span(), "whose?")
                .help("add domain = .., or leave vcpu out: the PE is idle then"));
        }
    };
    let lives =
        vcpu.and_then(|(domain, vcpu)| Some(layout.domains().get(domain)?.vcpus.get(usize::try_from(vcpu).ok()?)?.pe));
    // No board has so many that the check would find the last number right.
    let named = |pe: &Spanned<Number>| PeId::new(u32::try_from(pe.get_ref().0).unwrap_or(u32::MAX));
    let pe = raw.pe.as_ref().map_or_else(|| lives.unwrap_or(PeId::PRIMARY), named);
    Ok(MinorFrame { pe, vcpu, runtime: raw.runtime.get_ref().0 })
}

fn problem(raw: &RawScenario, layout: &Layout, error: ScheduleError) -> Problem {
    let table = |frame: usize| raw.frame.get(frame);
    let key = |frame: usize, of: fn(&RawFrame) -> Key<'_, Number>| -> Range<usize> {
        let found = table(frame);
        let named = found.and_then(|found| of(&found.get_ref().0)).map(Spanned::span);
        named.or_else(|| found.map(place::header)).unwrap_or_default()
    };
    let runtime = |raw: &'_ RawFrame| -> Range<usize> { raw.runtime.span() };
    let runtime = |frame| table(frame).map(|found| runtime(&found.get_ref().0)).unwrap_or_default();
    match error {
        ScheduleError::Empty { frame } => {
            let problem = Problem::new("a frame of 0 cycles").at(runtime(frame), "expected at least 1");
            problem.help("leave it out, or give it some time")
        }
        ScheduleError::NoSuchPe { frame, pes, .. } => {
            let pe = given(table(frame).and_then(|found| found.get_ref().0.pe.as_ref()), Number(0)).0;
            let problem = Problem::new(format!("a frame on PE {pe}, and the board has {pes}"));
            problem.at(key(frame, |raw| raw.pe.as_ref()), format!("expected 0 to {}", pes.saturating_sub(1)))
        }
        ScheduleError::NoSuchVcpu { frame, vcpu } => {
            let problem = Problem::new(format!("a frame for vCPU {vcpu} of a domain that has none of that number"));
            problem.at(key(frame, |raw| raw.vcpu.as_ref()), "no such vCPU")
        }
        ScheduleError::OtherPe { frame, pe, lives } => {
            let problem = Problem::new(format!("a frame on PE {pe} for a vCPU that runs on PE {lives}"));
            let problem = problem.at(key(frame, |raw| raw.pe.as_ref()), format!("expected {lives}"));
            problem.help("leave pe out: a frame is on its vCPU's PE then")
        }
        ScheduleError::TooLong { frame, pe } => {
            let problem = Problem::new(format!("the runtimes of PE {pe} do not fit in 64 bits"));
            problem.at(runtime(frame), "the one that is too much")
        }
        ScheduleError::NoFrame { domain, vcpu, .. } => no_frame(raw, layout, domain, vcpu),
    }
}

fn no_frame(raw: &RawScenario, layout: &Layout, domain: usize, vcpu: u32) -> Problem {
    let found: Option<&Spanned<Table<_>>> = raw.domain.get(domain).and_then(|domain| {
        let at = usize::try_from(vcpu).ok()?;
        domain.get_ref().vcpu.get(at)
    });
    let (name, id) = layout.domains().get(domain).map_or(("", 0), |planned| (planned.name.as_str(), planned.id.0));
    let problem = Problem::new(format!("vCPU {vcpu} of {name} has no frame and would never run"));
    let problem = match found {
        Some(found) => problem.at(place::header(found), "this vCPU"),
        None => problem,
    };
    problem.help(format!("add a [[frame]] with domain = {id}, vcpu = {vcpu} and a runtime in cycles"))
}
