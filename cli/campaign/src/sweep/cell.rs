//! One cell: a scenario with its values put in, run once, told in one row.

use super::SweepError;
use super::columns::{self, Row, Value};
use super::grid::Grid;
use analysis::judgement::NotSetUp;
use scenario::profile::Profile;
use scenario::{BoardFile, LoadError, Scenario, strategy};
use sim_core::outcome::{Outcome, Report};
use std::path::Path;

/// The outcome of a cell that is no system.
const INVALID: &str = "invalid";

/// Why a cell has nothing to tell.
#[derive(Clone, Debug)]
pub enum NoRun {
    /// It is no system.
    Invalid(String),
    /// Its strategy cannot be set up.
    NotSetUp(NotSetUp),
}

/// Runs a scenario under the strategy of a name with a seed, or says why it cannot be set up.
pub trait Simulate: Sync {
    /// The scenario as that strategy runs it, and what came of it.
    fn run(&self, scenario: &Scenario, strategy: &str, seed: u64) -> Result<(Scenario, Report), NoRun>;
}

impl<F> Simulate for F
where
    F: Fn(&Scenario, &str, u64) -> Result<(Scenario, Report), NoRun> + Sync,
{
    fn run(&self, scenario: &Scenario, strategy: &str, seed: u64) -> Result<(Scenario, Report), NoRun> {
        self(scenario, strategy, seed)
    }
}

/// Runs a scenario under the shipped strategy of a name.
pub fn simulate(scenario: &Scenario, name: &str, seed: u64) -> Result<(Scenario, Report), NoRun> {
    let strategy = strategy::parse(name, scenario.settings).map_err(|error| NoRun::Invalid(error.to_string()))?;
    analysis::simulate(scenario, name, &strategy, seed, ()).map_err(NoRun::NotSetUp)
}

/// What all cells have in common.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    /// The scenario file, for messages.
    pub path: &'a Path,
    /// Its text.
    pub text: &'a str,
    /// `--board`.
    pub board: Option<&'a BoardFile>,
    /// `--set`.
    pub sets: &'a [String],
    /// What operations cost in every cell.
    pub profile: &'a Profile,
    /// The grid.
    pub grid: &'a Grid,
}

impl Cells<'_> {
    /// Finds keys that the scenario does not have, and values that their keys do not take. Which values go together is
    /// found cell by cell.
    pub fn check(&self) -> Result<(), SweepError> {
        for axis in self.grid.axes().iter().filter(|axis| axis.is_of_scenario()) {
            if let Some(set) = self.sets.iter().find(|set| set.split('=').next().map(str::trim) == Some(&axis.key)) {
                return Err(SweepError::VariedAndSet { key: axis.key.clone(), set: set.clone() });
            }
            for value in &axis.values {
                let mut sets = self.sets.to_vec();
                sets.push(format!("{}={value}", axis.key));
                Scenario::check_keys(self.path, self.text, self.board, &sets).map_err(|error| SweepError::Key {
                    key: axis.key.clone(),
                    value: value.clone(),
                    error: Box::new(error),
                })?;
            }
        }
        Ok(())
    }

    /// The system that a cell runs, or why there is none.
    pub(super) fn system(&self, cell: u64) -> Result<Scenario, LoadError> {
        let varied = self.grid.values(cell).filter(|(axis, _)| axis.is_of_scenario());
        let varied = varied.map(|(axis, value)| format!("{}={value}", axis.key));
        let sets: Vec<String> = self.sets.iter().cloned().chain(varied).collect();
        Ok(Scenario::from_text_on(self.path, self.text, self.board, &sets)?.costing(self.profile.clone()))
    }

    /// Runs one cell of that system.
    pub(super) fn run(&self, cell: u64, system: &Result<Scenario, LoadError>, simulate: &impl Simulate) -> Row {
        let scenario = match system {
            Ok(scenario) => scenario,
            Err(error) => return self.unmeasured(cell, INVALID, error.to_string()),
        };
        match simulate.run(scenario, self.grid.strategy(cell), self.grid.seed(cell)) {
            Ok((placed, report)) => self.row(cell, &placed, &report),
            Err(NoRun::NotSetUp(why)) if !why.concerns_every_strategy() => {
                self.unmeasured(cell, words::REFUSED, words::refused(&why))
            }
            Err(NoRun::NotSetUp(why)) => self.unmeasured(cell, INVALID, why.to_string()),
            Err(NoRun::Invalid(why)) => self.unmeasured(cell, INVALID, why),
        }
    }

    /// Sets one cell up and runs it.
    #[must_use]
    pub fn one(&self, cell: u64, simulate: &impl Simulate) -> Row {
        self.run(cell, &self.system(cell), simulate)
    }

    fn row(&self, cell: u64, scenario: &Scenario, report: &Report) -> Row {
        let outcome = words::outcome(&report.outcome);
        let ran = !matches!(report.outcome, Outcome::Refused(_));
        let mut values = columns::asked(self.grid, cell);
        values.extend(columns::verdict(outcome, words::failed(&scenario.layout, report)));
        values.extend(columns::measured(report, &scenario.config.costs, ran));
        values.push(Value::Text(words::placement(scenario.layout.parts().placement).into()));
        values.push(Value::Text(scenario.profile.name().to_string()));
        values.extend(columns::masked(report));
        Row { cell, outcome, values }
    }

    fn unmeasured(&self, cell: u64, outcome: &'static str, why: String) -> Row {
        let mut values = columns::asked(self.grid, cell);
        values.extend(columns::verdict(outcome, Some(why)));
        values.extend(columns::unmeasured());
        values.extend([Value::Absent, Value::Absent, Value::Absent, Value::Absent]);
        Row { cell, outcome, values }
    }
}
