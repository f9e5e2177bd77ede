//! Mixes: rounds of steps that are drawn one after the other, so that a long mix takes no more memory than a short one.

use super::op::{Part, Step};
use crate::splitmix::{SplitMix64, mix64};
use alloc::rc::Rc;

/// What is drawn next.
#[derive(Clone, Debug)]
pub(super) struct Draws {
    parts: Rc<[Part]>,
    weights: u64,
    numbers: SplitMix64,
}

impl Draws {
    /// Draws that a mix's seed and the run's decide; with 0 for the run's, the mix's alone.
    pub(super) fn new(parts: Rc<[Part]>, seed: u64, run: u64) -> Self {
        let weights = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.weight.into()));
        Self { parts, weights, numbers: SplitMix64::new(seed.wrapping_add(mix64(run))) }
    }

    /// The steps of the next round; none if no part has a weight.
    pub(super) fn next(&mut self) -> Rc<[Step]> {
        // The high half of the product: below the sum of the weights, and even to a part in 2^32.
        let mut drawn = (u128::from(self.numbers.draw()) * u128::from(self.weights)) >> 64;
        for part in self.parts.iter() {
            match drawn.checked_sub(part.weight.into()) {
                Some(rest) => drawn = rest,
                None => return Rc::clone(&part.steps),
            }
        }
        Rc::from([])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::steps::Op;
    use crate::outcome::StepId;

    fn part(weight: u32, cycles: u64) -> Part {
        Part { weight, steps: Rc::from([Step { id: StepId(0), op: Op::Compute(cycles), expect: None }]) }
    }

    fn drawn(parts: &[Part], seed: u64, run: u64) -> [u32; 3] {
        let mut draws = Draws::new(Rc::from(parts), seed, run);
        let mut times = [0; 3];
        for _ in 0..8000 {
            if let Some(Op::Compute(at)) = draws.next().first().map(|step| step.op.clone())
                && let Some(times) = times.get_mut(at as usize)
            {
                *times += 1;
            }
        }
        times
    }

    #[test]
    fn weights_are_shares() {
        let parts = [part(5, 0), part(0, 1), part(3, 2)];
        for seed in 0..4 {
            let [five, none, three] = drawn(&parts, seed, 0);
            assert_eq!((none, five + three), (0, 8000));
            assert!((4800..5200).contains(&five), "seed {seed}: {five}");
        }
        assert_eq!(drawn(&[part(u32::MAX, 0), part(u32::MAX, 1)], 1, 0)[2], 0);
        assert_eq!(drawn(&[part(0, 0)], 1, 0), [0; 3]);
    }

    #[test]
    fn both_seeds_decide() {
        let parts = [part(1, 0), part(1, 1), part(1, 2)];
        assert_eq!(drawn(&parts, 7, 3), drawn(&parts, 7, 3));
        assert_ne!(drawn(&parts, 7, 0), drawn(&parts, 8, 0));
        assert_ne!(drawn(&parts, 7, 0), drawn(&parts, 7, 1));
    }
}
