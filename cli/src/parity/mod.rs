//! A scenario on the host and on a board: the same story, line by line.
//!
//! [`System`] and the programs of the guests go to the board as bytes; the story of the host's run comes from the same lines of
//! `sim-core` ([`Story`]) as the board's. [`Target`] knows the boards and starts the emulator. [`xen`] compares with Xen, of
//! which only what guests see can be told.

mod error;
mod fit;
mod target;
pub mod xen;

pub use error::ParityError;
pub use fit::load;
use scenario::{Scenario, strategy};
use sim_core::export::{Program, System};
use sim_core::guest::steps::{Op, Step};
use sim_core::guest::telling::Bank;
use sim_core::layout::{Layout, PeId};
use sim_core::outcome::Report;
use sim_core::story::{Seen, Story};
use sim_core::world::watch::{Told, Watch};
use sim_core::world::{self};
use std::rc::Rc;
pub use target::{Images, Target};

/// What a scenario is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// The same hypervisor on a board.
    Board(Target),
    /// Xen.
    Xen,
}

impl clap::ValueEnum for Beside {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Board(Target::Aarch64), Self::Board(Target::R52), Self::Board(Target::V8r), Self::Xen]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        match self {
            Self::Board(target) => target.to_possible_value(),
            Self::Xen => Some(
                clap::builder::PossibleValue::new("xen")
                    .help("Xen on AArch64 with page tables: QEMU's virt. Compares what guests do and are given"),
            ),
        }
    }
}

/// Where two texts part.
#[derive(Debug)]
pub struct Difference {
    /// Lines that are the same, from the start.
    pub same: usize,
    /// The first that differs: the host's and the board's, `None` where one has ended.
    pub differs: Option<(Option<String>, Option<String>)>,
    /// The lines before that.
    pub before: Vec<String>,
    /// The last line both have.
    pub last: String,
}

/// How the two stories compare.
#[derive(Debug)]
pub struct Compared {
    /// Where they part.
    pub difference: Difference,
    /// The board's crash report, if it made one.
    pub crash: Vec<String>,
    /// What the host's run came to.
    pub report: Report,
}

/// Lines shown before the first difference.
const CONTEXT: usize = 8;

/// A story to be read afterwards.
struct Listener(Story<String>);

impl Watch for Listener {
    fn tell(&mut self, _: u64, pe: PeId, what: Told) {
        if let Told::Unexpected(failure) = what {
            self.see(pe, Seen::Unexpected(failure.vcpu, failure.step));
        }
    }

    fn see(&mut self, pe: PeId, seen: Seen<'_>) {
        // A string takes every line.
        let _ = self.0.tell(pe, seen);
    }
}

/// Runs the scenario here and on the board.
pub fn compare(
    scenario: &Scenario,
    name: &str,
    seed: u64,
    target: Target,
    images: &Images,
) -> Result<Compared, ParityError> {
    let mut scenario = scenario.clone();
    target.adapt(&mut scenario)?;
    let rule = strategy::parse(name, scenario.settings)?;
    let mut listener = Listener(Story::new(String::new()));
    let (scenario, report) = analysis::simulate(&scenario, name, &rule, seed, &mut listener)?;
    let host = listener.0.into_inner();
    let board = target.run(&system(&scenario, name, seed)?, &programs(&scenario, seed), &scenario.layout, images)?;
    let crash = board.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect();
    let difference = first_difference(host.lines(), board.lines().filter(|line| !line.starts_with('#')));
    Ok(Compared { difference, crash, report })
}

/// Where what was expected and what came part.
fn first_difference<'a>(
    mut expected: impl Iterator<Item = &'a str>,
    mut lines: impl Iterator<Item = &'a str>,
) -> Difference {
    let mut before = Vec::new();
    let mut same = 0;
    let differs = loop {
        match (expected.next(), lines.next()) {
            (None, None) => break None,
            (Some(here), Some(there)) if here == there => {
                same += 1;
                before.push(here);
            }
            (here, there) => break Some((here.map(str::to_owned), there.map(str::to_owned))),
        }
    };
    let last = before.last().map(|line| (*line).to_owned()).unwrap_or_default();
    let shown = before.len().saturating_sub(CONTEXT);
    let before = before.into_iter().skip(shown).map(str::to_owned).collect();
    Difference { same, differs, before, last }
}

fn system(scenario: &Scenario, name: &str, seed: u64) -> Result<System, ParityError> {
    let (bare, settings) = strategy::settle(name, scenario.settings)?;
    let vcpus = (0..)
        .zip(scenario.layout.domains())
        .flat_map(|(domain, planned)| (0u32..).zip(&planned.vcpus).map(move |(vcpu, _)| (domain, vcpu)));
    let has = |at: &(usize, u32)| scenario.programs.iter().any(|program| (program.domain, program.vcpu) == *at);
    Ok(System {
        parts: scenario.layout.parts().clone(),
        strategy: bare.into(),
        settings,
        scheduler: scenario.config.scheduler.clone(),
        policy: scenario.config.policy,
        channels: scenario.config.channels.clone(),
        timers: scenario.config.timers.clone(),
        rules: scenario.config.rules,
        seed,
        step_limit: scenario.config.step_limit,
        off: vcpus.filter(|at| !has(at)).collect(),
    })
}

fn programs(scenario: &Scenario, seed: u64) -> Vec<Program> {
    let program = |program: &scenario::Program| {
        // A checked layout has a home for every vCPU.
        let home = world::home(&scenario.layout, program.domain, program.vcpu)?;
        let bank = bank(&scenario.layout, program.domain)?;
        let steps = Rc::clone(&program.steps);
        Some(Program { domain: program.domain, bank, home, steps, variables: program.variables, seed })
    };
    scenario.programs.iter().filter_map(program).collect()
}

/// The first program step that polls until a time, which neither a board nor Xen has like the simulator.
fn timed_poll(scenario: &Scenario) -> Option<String> {
    fn find(steps: &[Step]) -> Option<&Step> {
        steps.iter().find_map(|step| match &step.op {
            Op::Poll { timeout, .. } => (*timeout != 0).then_some(step),
            Op::Repeat { steps, .. } => find(steps),
            Op::Mix { parts, .. } => parts.iter().find_map(|part| find(&part.steps)),
            _ => None,
        })
    }
    let step = scenario.programs.iter().find_map(|program| find(&program.steps))?;
    scenario.step(step.id)
}

/// The first bank of a domain's RAM.
fn bank(layout: &Layout, domain: usize) -> Option<Bank> {
    let bank = layout.domains().get(domain)?.ram.first()?;
    Some(Bank { base: bank.base(), size: bank.size() })
}
