//! A scenario as a board takes it: with what that board has instead of what the file says.

use super::{ParityError, Target};
use scenario::{BoardFile, Scenario};
use sim_core::layout::PeId;
use sim_core::outcome::VcpuRef;
use std::path::Path;

/// Loads a scenario for a board: what that board has is put in first, then `sets`.
pub fn load(path: &Path, board: Option<&BoardFile>, sets: &[String], target: Target) -> Result<Scenario, ParityError> {
    let text = Scenario::text(path)?;
    if board.is_some() && !target.sets().is_empty() {
        return Err(target.unfit("it is a board of its own; leave --board out"));
    }
    let with = |has: &[&str]| {
        let all: Vec<String> = has.iter().map(|set| (*set).to_owned()).chain(sets.iter().cloned()).collect();
        Scenario::from_text_on(path, &text, board, &all)
    };
    let has = target.sets();
    let failed = match with(has) {
        Ok(scenario) => return one_pe(target, &scenario).map(|()| scenario),
        Err(failed) => failed,
    };
    if has.is_empty() {
        return Err(failed.into());
    }
    // A file that is a mistake in itself is told of as `run` would. One that is not, or that asks for PEs, is told what the
    // board has: advice to write into the file what stands there helps nobody.
    let other: Vec<&str> = has.iter().copied().filter(|set| !set.starts_with("pes=")).collect();
    let own = with(&[]);
    for scenario in with(&other).iter().chain(&own) {
        one_pe(target, scenario)?;
    }
    match own {
        Ok(_) => Err(target.unfit(format!("it has {}, and then: {failed}", has.join(", ")))),
        Err(_) => Err(failed.into()),
    }
}

/// Refuses a scenario with more PEs than a board has that is one processor.
fn one_pe(target: Target, scenario: &Scenario) -> Result<(), ParityError> {
    let pes = scenario.layout.board().pes;
    if target == Target::Aarch64 || pes == 1 {
        return Ok(());
    }
    let homes = scenario.layout.domains().iter().enumerate().flat_map(|(domain, planned)| {
        (0u32..).zip(&planned.vcpus).map(move |(vcpu, planned)| (VcpuRef { domain, vcpu }, planned.pe))
    });
    let far = homes.into_iter().find(|(_, pe)| *pe != PeId::PRIMARY);
    let who =
        far.map_or_else(String::new, |(vcpu, pe)| format!(", {} on PE {pe}", words::vcpu(&scenario.layout, vcpu)));
    Err(target.unfit(format!(
        "it has one PE, and the scenario {pes}{who}; put every vCPU on PE 0 under scheduler = \"rr\", or take --target aarch64"
    )))
}
