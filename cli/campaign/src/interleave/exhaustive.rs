//! Every schedule of a case, those that only swap steps which commute counted once.
//!
//! Depth-first with sleep sets (P. Godefroid, *Partial-Order Methods for the Verification of Concurrent Systems*, 1996): a step
//! that was tried at a decision sleeps in what is tried there after it, until a step comes that it does not commute with.

use super::schedule::{Candidate, Pick};

/// A decision on the way to where the search is.
#[derive(Debug)]
struct Decision {
    can: Vec<Candidate>,
    /// Not to be tried: it would lead to what was seen.
    asleep: Vec<Candidate>,
    picked: usize,
}

impl Decision {
    /// The first at or behind `from` that is awake.
    fn awake(&self, from: usize) -> Option<usize> {
        (from..self.can.len()).find(|at| self.can.get(*at).is_some_and(|candidate| !self.asleep.contains(candidate)))
    }

    fn picked(&self) -> Option<Candidate> {
        self.can.get(self.picked).copied()
    }
}

/// The search: one schedule after the other.
#[derive(Debug, Default)]
pub struct Exhaustive {
    path: Vec<Decision>,
    /// Decisions of this schedule so far.
    depth: usize,
    /// What sleeps at the next decision.
    asleep: Vec<Candidate>,
    /// This schedule is cut short.
    seen: bool,
}

impl Exhaustive {
    /// Goes to the next schedule; false: there is none.
    pub fn advance(&mut self) -> bool {
        (self.depth, self.seen) = (0, false);
        self.asleep.clear();
        while let Some(last) = self.path.last_mut() {
            last.asleep.extend(last.picked());
            if let Some(picked) = last.awake(last.picked.saturating_add(1)) {
                last.picked = picked;
                return true;
            }
            self.path.pop();
        }
        false
    }
}

impl Pick for Exhaustive {
    fn pick(&mut self, can: &[Candidate]) -> Option<usize> {
        if self.seen {
            return None;
        }
        if self.depth == self.path.len() {
            let decision = Decision { can: can.to_vec(), asleep: core::mem::take(&mut self.asleep), picked: 0 };
            let Some(picked) = decision.awake(0) else {
                self.seen = true;
                return None;
            };
            self.path.push(Decision { picked, ..decision });
        }
        let decision = self.path.get(self.depth)?;
        self.depth += 1;
        let picked = decision.picked()?;
        let still = |other: &&Candidate| other.who != picked.who && other.footprint.commutes(picked.footprint);
        self.asleep = decision.asleep.iter().filter(still).copied().collect();
        Some(decision.picked)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]
mod tests {
    use super::super::schedule::Footprint;
    use super::*;
    use std::collections::BTreeSet;

    /// Two actors that write these words in order; which write won each word.
    fn winners(programs: [&[u64]; 2]) -> (BTreeSet<Vec<(u64, usize)>>, u64) {
        let mut search = Exhaustive::default();
        let (mut ends, mut schedules) = (BTreeSet::new(), 0);
        loop {
            let (mut at, mut order, mut whole) = ([0, 0], Vec::new(), true);
            loop {
                let next = |who: usize| {
                    let address = *programs[who].get(at[who])?;
                    Some(Candidate { who, footprint: Footprint::Memory { address, bytes: 1, writes: true } })
                };
                let can: Vec<Candidate> = [0, 1].into_iter().filter_map(next).collect();
                if can.is_empty() {
                    break;
                }
                let Some(picked) = search.pick(&can) else {
                    whole = false;
                    break;
                };
                let who = can[picked].who;
                order.push((programs[who][at[who]], who));
                at[who] += 1;
            }
            if whole {
                schedules += 1;
                order.sort_by_key(|(address, _)| *address);
                ends.insert(order);
            }
            if !search.advance() {
                return (ends, schedules);
            }
        }
    }

    #[test]
    fn steps_that_share_nothing_have_one_order() {
        let (ends, schedules) = winners([&[1, 2, 3], &[4, 5, 6]]);
        assert_eq!((ends.len(), schedules), (1, 1));
    }

    #[test]
    fn steps_that_share_all_have_every_order() {
        // Five choose two.
        assert_eq!(winners([&[1, 1, 1], &[1, 1]]).1, 10);
    }

    #[test]
    fn each_order_of_what_conflicts_comes_once() {
        let (ends, schedules) = winners([&[1, 2, 3], &[3, 9, 1]]);
        // Word 1: first by one or the other; word 3 likewise; both programs cannot come second in both.
        assert_eq!((ends.len(), schedules), (3, 3));
    }
}
