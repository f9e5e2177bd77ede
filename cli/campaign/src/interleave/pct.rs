//! Schedules drawn at random so that rare orders come up: PCT (S. Burckhardt and others, *A Randomized Scheduler with
//! Probabilistic Guarantees of Finding Bugs*, ASPLOS 2010).
//!
//! Actors get priorities at random and the most urgent that can go, goes; at d - 1 decisions drawn beforehand the one that goes
//! becomes the least urgent. A bug that takes d orderings is met with a chance of at least 1 in n k^(d-1), for n actors and
//! k decisions.

use super::schedule::{Candidate, Pick, Who};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One schedule.
#[derive(Debug)]
pub struct Pct {
    /// By actor; more is more urgent.
    priorities: Vec<usize>,
    /// Decisions at which the one that goes gives way, and what it becomes.
    changes: Vec<(u64, usize)>,
    decision: u64,
}

impl Pct {
    /// Schedule `number` under `seed`, of `depth` d, for that many actors and about that many decisions.
    #[must_use]
    pub fn new(seed: u64, number: u64, depth: usize, actors: usize, decisions: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        let depth = depth.max(1);
        let mut priorities: Vec<usize> = (depth..depth.saturating_add(actors)).collect();
        for at in (1..priorities.len()).rev() {
            priorities.swap(at, rng.random_range(0..=at));
        }
        let changes = (1..depth).map(|to| (rng.random_range(0..decisions.max(1)), to)).collect();
        Self { priorities, changes, decision: 0 }
    }

    fn most_urgent(&self, can: &[Candidate]) -> Option<(usize, Who)> {
        let places = can.iter().enumerate().map(|(at, candidate)| (at, candidate.who));
        places.max_by_key(|(_, who)| self.priorities.get(*who))
    }
}

impl Pick for Pct {
    fn pick(&mut self, can: &[Candidate]) -> Option<usize> {
        if can.len() > 1 {
            let due = self.changes.iter().filter(|(decision, _)| *decision == self.decision).map(|(_, to)| *to).min();
            if let (Some(to), Some((_, who))) = (due, self.most_urgent(can))
                && let Some(priority) = self.priorities.get_mut(who)
            {
                *priority = to;
            }
            self.decision += 1;
        }
        self.most_urgent(can).map(|(at, _)| at)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]
mod tests {
    use super::super::schedule::Footprint;
    use super::*;
    use std::collections::BTreeSet;

    fn order(number: u64, depth: usize) -> Vec<Who> {
        let mut pct = Pct::new(7, number, depth, 3, 12);
        let mut left = [4; 3];
        let mut order = Vec::new();
        while left != [0; 3] {
            let can: Vec<Candidate> =
                (0..3).filter(|who| left[*who] > 0).map(|who| Candidate { who, footprint: Footprint::Own }).collect();
            let who = can[pct.pick(&can).unwrap_or_default()].who;
            left[who] -= 1;
            order.push(who);
        }
        order
    }

    #[test]
    fn depth_one_is_one_after_the_other_in_every_order() {
        let orders: BTreeSet<Vec<Who>> = (0..100).map(|number| order(number, 1)).collect();
        assert_eq!(orders.len(), 6);
        assert!(orders.iter().all(|order| order.chunk_by(|a, b| a == b).count() == 3));
    }

    #[test]
    fn each_step_of_depth_is_one_change_more_and_numbers_repeat() {
        let changes = |order: Vec<Who>| order.chunk_by(|a, b| a == b).count() - 1;
        let most = |depth| (0..500).map(|number| changes(order(number, depth))).max();
        assert_eq!((most(1), most(2), most(3)), (Some(2), Some(3), Some(4)));
        assert_eq!(order(3, 3), order(3, 3));
    }
}
