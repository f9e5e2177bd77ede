//! One run of a scenario.

use crate::judgement::{NotSetUp, System};
use scenario::Scenario;
use sim_core::hyp::SetupError;
use sim_core::hyp::strategy::Strategy;
use sim_core::outcome::Report;
use sim_core::world::BuildError;
use sim_core::world::observer::Observer;

/// Runs a scenario under a strategy that is called `name`, which `observer` is told of: the scenario as that strategy runs it,
/// and what came of it. A system that does not fit is a result, not an error.
pub fn simulate<S: Strategy + Clone, W: Observer>(
    scenario: &Scenario,
    name: &str,
    strategy: &S,
    seed: u64,
    observer: W,
) -> Result<(Scenario, Report), NotSetUp> {
    let System { scenario, plan } = System::new(scenario, name, strategy)?;
    tracing::info!(scenario = scenario.name, strategy = name, seed, "run");
    match scenario.observed(strategy.clone(), seed, observer) {
        Ok(world) => Ok((scenario, world.run())),
        Err(BuildError::Setup(SetupError::Refused(refused))) => {
            Ok((scenario, sim_core::world::refused(refused, &plan)))
        }
        Err(error) => Err(error.into()),
    }
}
