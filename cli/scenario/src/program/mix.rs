//! The step `mix`: rounds drawn from several lists of steps.

use super::{Compiler, Planned};
use crate::error::Problem;
use crate::number::{Number, given, optional, within};
use crate::raw_step::RawMix;
use sim_core::guest::steps::{Op, Part};

/// Rounds of one mix.
const MAX_ROUNDS: u64 = 10_000_000;
/// The weight of one part.
const MAX_WEIGHT: u64 = 1_000_000;

impl Compiler<'_, '_, '_> {
    pub(super) fn mix(&mut self, found: &RawMix, depth: usize) -> Result<Planned, Problem> {
        let times = within(&found.times, "times", 0..=MAX_ROUNDS)?;
        let seed = given(found.seed.as_ref(), Number(0)).0;
        if found.of.get_ref().is_empty() {
            let problem = Problem::new("a mix of nothing").at(found.of.span(), "expected at least one part");
            return Err(problem.help("a part is { weight = 3, steps = [..] }"));
        }
        let mut parts = Vec::with_capacity(found.of.get_ref().len());
        for part in found.of.get_ref() {
            let part = &part.get_ref().0;
            let weight = optional(part.weight.as_ref(), "weight", 1..=MAX_WEIGHT, 1)? as u32;
            parts.push(Part { weight, steps: self.steps(&part.steps, depth + 1)? });
        }
        Ok((Op::Mix { times, seed, parts: parts.into() }, None))
    }
}
