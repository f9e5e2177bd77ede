//! One scenario under several strategies: what is read off all the runs together.

use crate::judgement::NotSetUp;
use crate::sensitivity::Work;
use crate::simulate::simulate;
use scenario::Scenario;
use scenario::strategy::{self, StrategyError};
use sim_core::hyp::strategy::Strategy;
use sim_core::layout::Placement;
use sim_core::outcome::{Outcome, Report, Trap, TrapCost};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// One strategy's run.
#[derive(Clone, Debug)]
pub struct Row {
    /// The strategy, as it was asked for.
    pub name: String,
    /// The scenario as that strategy runs it; as it is in the file if the strategy cannot be set up.
    pub scenario: Scenario,
    /// What came of it, or why the strategy cannot be set up on the scenario. Both are outcomes.
    pub came: Result<Report, NotSetUp>,
}

/// Why there is no row.
#[derive(Clone, Debug, Error)]
pub enum NoRow {
    /// The strategy's name was not taken.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// No strategy can be set up on the scenario.
    #[error(transparent)]
    NotSetUp(#[from] NotSetUp),
}

/// Runs the scenario under each shipped strategy of these names.
pub fn rows(scenario: &Scenario, names: &[String], seed: u64) -> Result<Vec<Row>, NoRow> {
    let run = |name: &String| Row::run(scenario, name, &strategy::parse(name, scenario.settings)?, seed);
    names.iter().map(run).collect()
}

impl Row {
    /// Runs the scenario under one strategy, which tables call `name`. That the strategy cannot be set up is a result.
    ///
    /// # Errors
    ///
    /// [`NoRow::NotSetUp`] if no strategy can be set up on the scenario.
    pub fn run<S: Strategy + Clone>(scenario: &Scenario, name: &str, strategy: &S, seed: u64) -> Result<Self, NoRow> {
        let (scenario, came) = match simulate(scenario, name, strategy, seed, ()) {
            Ok((placed, report)) => (placed, Ok(report)),
            Err(why) if why.concerns_every_strategy() => return Err(why.into()),
            Err(why) => (scenario.clone(), Err(why)),
        };
        Ok(Self { name: name.into(), scenario, came })
    }

    /// Whether it ran to its end.
    #[must_use]
    pub fn completed(&self) -> bool {
        self.report().is_some_and(|report| report.outcome == Outcome::Completed)
    }

    /// The report, if the strategy could be set up.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.came.as_ref().ok()
    }

    /// Where `shared_info` and `vcpu_info` lay, or were to lie.
    #[must_use]
    pub fn placement(&self) -> Placement {
        match &self.came {
            Err(NotSetUp::Placement { placement, .. }) => *placement,
            _ => self.scenario.layout.parts().placement,
        }
    }

    /// What the entries to EL2 of one kind cost, if there were any.
    #[must_use]
    pub fn cost(&self, trap: Option<Trap>) -> Option<&TrapCost> {
        self.report()?.traps.get(&trap?).filter(|cost| cost.calls > 0)
    }
}

/// The entry to EL2 whose cost is compared: the send if there is one, else the one that most register writes went into,
/// over all strategies.
#[must_use]
pub fn measured(rows: &[Row]) -> Option<Trap> {
    let mut writes: BTreeMap<Trap, u64> = BTreeMap::new();
    for (trap, cost) in rows.iter().filter_map(Row::report).flat_map(|report| &report.traps) {
        *writes.entry(*trap).or_default() += cost.counts.el2_writes();
    }
    let send = writes.keys().find(|trap| trap.is_send()).copied();
    send.or_else(|| writes.into_iter().max_by_key(|(_, writes)| *writes).map(|(trap, _)| trap))
}

/// Why there is no ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unranked {
    /// No run sent an event: what was measured is no send, and says nothing of what one costs.
    NothingSent,
    /// Fewer than two strategies completed.
    TooFew,
}

/// Whether any run sent an event.
fn any_sent(rows: &[Row]) -> bool {
    rows.iter().filter_map(Row::report).any(|report| report.events.sent > 0)
}

/// Why the runs are not ranked; `None`: they are.
#[must_use]
pub fn unranked(rows: &[Row]) -> Option<Unranked> {
    match () {
        () if !any_sent(rows) => Some(Unranked::NothingSent),
        () if works(rows, measured(rows)).len() < 2 => Some(Unranked::TooFew),
        () => None,
    }
}

/// What each strategy that completed did in those entries.
#[must_use]
pub fn works(rows: &[Row], measured: Option<Trap>) -> Vec<Work> {
    let completed = rows.iter().filter(|row| row.completed() && any_sent(rows));
    let work = |row: &Row| {
        let cost = row.cost(measured)?;
        Some(Work { name: row.name.clone(), counts: cost.counts, calls: cost.calls })
    };
    completed.filter_map(work).collect()
}

/// A strategy that ran under another placement than the scenario's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved<'a> {
    /// The strategy.
    pub name: &'a str,
    /// The placement it ran under.
    pub placement: Placement,
    /// Entries to EL2 of which it made more or fewer than every strategy under the scenario's own placement; `None`: no
    /// such strategy completed, or this one did not, so there is nothing to hold it against.
    pub calls: Option<Vec<OtherCalls>>,
}

/// How often an entry to EL2 was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherCalls {
    /// Which.
    pub trap: Trap,
    /// Calls under the other placement.
    pub here: u64,
    /// The fewest and the most under the scenario's own.
    pub own: (u64, u64),
}

/// The strategies that ran under another placement than `own`, with the hypercalls they made more or less often.
#[must_use]
pub fn moved(rows: &[Row], own: Placement) -> Vec<Moved<'_>> {
    let set_up = rows.iter().filter(|row| row.report().is_some());
    let (stayed, moved): (Vec<&Row>, _) = set_up.partition(|row| row.placement() == own);
    let stayed: Vec<&Row> = stayed.into_iter().filter(|row| row.completed()).collect();
    let found = moved.into_iter().map(|row| Moved {
        name: &row.name,
        placement: row.placement(),
        calls: (row.completed() && !stayed.is_empty()).then(|| other_calls(row, &stayed)),
    });
    found.collect()
}

fn other_calls(row: &Row, stayed: &[&Row]) -> Vec<OtherCalls> {
    let calls = |row: &Row, trap: Trap| row.cost(Some(trap)).map_or(0, |cost| cost.calls);
    let all = stayed.iter().copied().chain([row]).filter_map(Row::report).flat_map(|report| report.traps.keys());
    let hypercalls: BTreeSet<Trap> = all.filter(|trap| matches!(trap, Trap::Hypercall(_))).copied().collect();
    let differing = hypercalls.into_iter().filter_map(|trap| {
        let (here, own) = (calls(row, trap), stayed.iter().map(|row| calls(row, trap)));
        let (fewest, most) = own.fold((u64::MAX, 0), |(low, high), calls| (low.min(calls), high.max(calls)));
        (!(fewest..=most).contains(&here)).then_some(OtherCalls { trap, here, own: (fewest, most) })
    });
    differing.collect()
}
