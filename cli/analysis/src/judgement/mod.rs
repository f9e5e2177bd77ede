//! What strategies and placements make of a system: the one place that says whether it can be set up, how many EL2 regions it
//! needs, whether it is refused, and whether an access of the hypervisor's gets through.
//!
//! `run`, `compare`, `explain`, `view`, `sweep` and `report` all say what is found here. [`System`] is a scenario as one
//! strategy runs it. [`attempt`] makes one access there, by the strategy's own code; [`ways`] does so under every other strategy and
//! placement. `structures` says where the same thing lies under another placement.

mod structures;
mod ways;

use evtchn::Errno;
use scenario::Scenario;
use sim_core::hyp::SetupError;
use sim_core::hyp::plan::Plan;
use sim_core::hyp::strategy::Strategy;
use sim_core::layout::{LayoutError, Placement};
use sim_core::outcome::{Refused, RegionNeeds};
use sim_core::world::BuildError;
pub use structures::{Structure, holds, structures};
use thiserror::Error;
pub use ways::{Other, Ruling, Way, answers, attempt, ways};

/// Why a strategy cannot be set up on a scenario, for another reason than its regions.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotSetUp {
    /// The layout has no room for what the strategy needs.
    #[error(
        "strategy {strategy} keeps shared_info and vcpu_info elsewhere (placement {}), and there: {error}",
        words::placement(*placement)
    )]
    Placement {
        /// The strategy.
        strategy: String,
        /// Where it keeps them.
        placement: Placement,
        /// What stands in the way.
        error: Box<LayoutError>,
    },
    /// The hypervisor or its channels cannot be set up.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl NotSetUp {
    /// Whether it lies in the scenario alone, so that no strategy can be set up on it.
    #[must_use]
    pub const fn concerns_every_strategy(&self) -> bool {
        match self {
            Self::Placement { .. } => false,
            Self::Build(error) => match error {
                BuildError::Setup(error) => matches!(
                    error,
                    SetupError::TooManyVcpus { .. } | SetupError::Schedule(_) | SetupError::Domain { .. }
                ),
                // -ENOMEM is that of a strategy that has no slot left.
                BuildError::Channel { errno, .. } => !matches!(errno, Errno::ENOMEM),
                BuildError::NotBooted(_) => false,
            },
        }
    }
}

/// A scenario as one strategy runs it, and its region plan, which may not fit.
#[derive(Clone, Debug)]
pub struct System {
    /// The scenario, with `shared_info` and `vcpu_info` where the strategy needs them.
    pub scenario: Scenario,
    /// The plan.
    pub plan: Plan,
}

impl System {
    /// The system that `strategy`, which is called `name`, makes of a scenario.
    ///
    /// # Errors
    ///
    /// [`NotSetUp::Placement`] if the layout has no room for the placement that the strategy needs.
    pub fn new<S: Strategy>(scenario: &Scenario, name: &str, strategy: &S) -> Result<Self, NotSetUp> {
        let placed = scenario.under(strategy).map_err(|error| NotSetUp::Placement {
            strategy: name.into(),
            placement: strategy.placement().unwrap_or(scenario.own_placement),
            error,
        })?;
        Ok(Self::placed(placed, strategy))
    }

    /// The system of a scenario that is placed as it shall be.
    #[must_use]
    pub fn placed<S: Strategy>(scenario: Scenario, strategy: &S) -> Self {
        let plan = Plan::sketch(&scenario.layout, strategy.needs());
        Self { scenario, plan }
    }

    /// The EL2 regions it needs, and those there are.
    #[must_use]
    pub fn needs(&self) -> RegionNeeds {
        self.plan.region_needs()
    }

    /// Why its board refuses it; `None` if it does not.
    #[must_use]
    pub fn refusal(&self) -> Option<Refused> {
        self.plan.refusal(&self.scenario.layout)
    }
}
