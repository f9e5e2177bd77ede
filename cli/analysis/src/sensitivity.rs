//! What would change a ranking: at which value of a figure do strategies change places?
//!
//! As long as the counts stay as they are, the cycles of work per call are linear in every figure, so the place where two
//! strategies cross is computed and not searched for. Waiting for the hypervisor lock is no work: it hangs on who comes when.

use scenario::profile::{Key, Profile};
use sim_core::machine::clock::Costs;
use sim_core::outcome::Counts;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// The most cycles a figure is varied to: no operation of a core takes as long.
pub const MOST: u64 = 10_000;

/// What one strategy did in all calls of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The strategy.
    pub name: String,
    /// What was done.
    pub counts: Counts,
    /// In how many calls; not 0.
    pub calls: u64,
}

impl Work {
    /// The mean cycles of work per call against another's.
    #[must_use]
    pub fn compare(&self, other: &Self, costs: &Costs) -> Ordering {
        let mine = u128::from(costs.of(&self.counts)) * u128::from(other.calls);
        mine.cmp(&(u128::from(costs.of(&other.counts)) * u128::from(self.calls)))
    }
}

/// What is varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lever {
    /// A figure of the profile, in cycles.
    Figure(Key),
    /// The share of a fitted sum that the barriers take, in percent.
    BarrierShare,
}

/// On which side of its limit a change comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// At more than the limit.
    Above,
    /// At less than it.
    Below,
}

/// Somebody gets past somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overtaking {
    /// Position of the strategy that is cheaper beyond the limit.
    pub winner: usize,
    /// Position of the one that is cheaper now, or as cheap.
    pub loser: usize,
    /// They are equal now.
    pub tied: bool,
}

/// A change of places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where, seen from the limit.
    pub side: Side,
    /// At the limit itself the order of those who change places is still as it was, or they are equal.
    pub limit: u64,
    /// Who gets past whom, against the order now.
    pub overtakings: Vec<Overtaking>,
    /// The cheapest beyond the limit, if none of those that are cheapest now is among them.
    pub cheapest: Option<Vec<usize>>,
}

/// What one lever changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensitivity {
    /// The lever.
    pub lever: Lever,
    /// Where it stands.
    pub now: u64,
    /// On each side the first change of places, and the first change of the cheapest if that comes later; none: no value
    /// up to [`MOST`] changes the ranking.
    pub changes: Vec<Change>,
}

/// The strategies by mean cycles of work per call, cheapest first, equal ones together.
#[must_use]
pub fn ranking(works: &[Work], costs: &Costs) -> Vec<Vec<usize>> {
    let mut order: Vec<(usize, &Work)> = works.iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| a.compare(b, costs));
    let groups = order.chunk_by(|(_, a), (_, b)| a.compare(b, costs) == Ordering::Equal);
    groups.map(|group| group.iter().map(|(at, _)| *at).collect()).collect()
}

/// What each figure of the profile, and the barrier share of one that has it, would change.
#[must_use]
pub fn sensitivities(works: &[Work], profile: &Profile) -> Vec<Sensitivity> {
    let share = profile.fit().map(|fit| {
        let costs = |share| profile.with_barrier_share(share).unwrap_or_else(|| profile.clone()).costs();
        look(works, Lever::BarrierShare, fit.barrier_share, &(0..=100).collect(), &costs)
    });
    let figures = profile.figures().iter().map(|figure| {
        let costs = |cycles| profile.costs_with(figure.key, cycles);
        look(works, Lever::Figure(figure.key), figure.cycles, &crossings(works, &costs), &costs)
    });
    share.into_iter().chain(figures).collect()
}

/// The values just beyond each point where two strategies cross, on either side of it.
fn crossings(works: &[Work], costs: &impl Fn(u64) -> Costs) -> BTreeSet<u64> {
    let (zero, one) = (costs(0), costs(1));
    let line = |work: &Work| {
        let start = i128::from(zero.of(&work.counts));
        (start, i128::from(one.of(&work.counts)) - start, i128::from(work.calls))
    };
    let lines: Vec<_> = works.iter().map(line).collect();
    let mut found = BTreeSet::new();
    for (at, (start, slope, calls)) in lines.iter().enumerate() {
        for (other_start, other_slope, other_calls) in lines.iter().skip(at + 1) {
            // mine - other = gap + growth * value, both times both numbers of calls.
            let gap = start * other_calls - other_start * calls;
            let growth = slope * other_calls - other_slope * calls;
            if growth == 0 {
                continue;
            }
            let below = (-gap).div_euclid(growth);
            let exact = (-gap).rem_euclid(growth) == 0;
            // Rounded down to `floor`; the next value is beyond, and so is the one before if they meet exactly there.
            let floor = if growth > 0 || exact { below } else { below - 1 };
            let last = if exact { floor - 1 } else { floor };
            let values = [floor + 1, last].into_iter().filter_map(|value| u64::try_from(value).ok());
            found.extend(values.filter(|value| *value <= MOST));
        }
    }
    found
}

fn look(works: &[Work], lever: Lever, now: u64, values: &BTreeSet<u64>, costs: &impl Fn(u64) -> Costs) -> Sensitivity {
    let before = costs(now);
    let mut below: Vec<u64> = values.range(..now).copied().collect();
    below.reverse();
    let above: Vec<u64> = values.range(now.saturating_add(1)..).copied().collect();
    let mut changes = first(works, &before, &above, costs, Side::Above);
    changes.extend(first(works, &before, &below, costs, Side::Below));
    Sensitivity { lever, now, changes }
}

/// The first change of places along `values`, and the first change of the cheapest.
fn first(works: &[Work], before: &Costs, values: &[u64], costs: &impl Fn(u64) -> Costs, side: Side) -> Vec<Change> {
    let change = |value: u64| {
        let after = costs(value);
        let limit = match side {
            Side::Above => value.saturating_sub(1),
            Side::Below => value.saturating_add(1),
        };
        Change {
            side,
            limit,
            overtakings: overtakings(works, before, &after),
            cheapest: other_cheapest(works, before, &after),
        }
    };
    let mut changes = values.iter().map(|value| change(*value)).filter(|change| !change.overtakings.is_empty());
    let Some(next) = changes.next() else {
        return Vec::new();
    };
    if next.cheapest.is_some() {
        return vec![next];
    }
    std::iter::once(next).chain(changes.find(|change| change.cheapest.is_some())).collect()
}

fn overtakings(works: &[Work], before: &Costs, after: &Costs) -> Vec<Overtaking> {
    let mut found = Vec::new();
    for (winner, one) in works.iter().enumerate() {
        for (loser, other) in works.iter().enumerate() {
            let now = one.compare(other, before);
            if now != Ordering::Less && one.compare(other, after) == Ordering::Less {
                found.push(Overtaking { winner, loser, tied: now == Ordering::Equal });
            }
        }
    }
    found
}

fn other_cheapest(works: &[Work], before: &Costs, after: &Costs) -> Option<Vec<usize>> {
    let cheapest = |costs| ranking(works, costs).into_iter().next().unwrap_or_default();
    let (old, new) = (cheapest(before), cheapest(after));
    (!new.iter().any(|at| old.contains(at))).then_some(new)
}

#[cfg(test)]
mod tests;
