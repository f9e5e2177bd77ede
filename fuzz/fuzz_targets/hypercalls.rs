//! Any registers and any argument bytes as hypercalls of two guests, through the real trap entry: the hypervisor never
//! faults, never panics, never leans on a write that is not in force, and lets nobody at memory of others.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use scenario::Scenario;
use sim_core::convention::{nr, psci};
use sim_core::guest::steps::{Op, Step, StepGuest};
use sim_core::layout::Position;
use sim_core::outcome::{Outcome, StepId};
use sim_core::platform::Width;
use sim_core::world::{World, home};
use std::path::Path;

const SYSTEM: &str = include_str!("../../examples/scenarios/thread-2022.toml");

/// Those that reach all memory of other domains and come without a known hazard.
const STRATEGIES: [&str; 8] =
    ["map-page", "map-page:2", "pin", "switch-view", "switch-view:lazy", "hybrid", "enable-mask", "static-map"];

/// Where lists of calls are, from the begin of the guest's memory on, and how many calls one has at most.
const LIST: u64 = 0x2_0000;
const LIST_MOST: usize = 16;

/// A register's value: raw, or a pointer into the guest's own memory.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Value {
    Small(u8),
    Own(u16),
    Raw(u64),
}

#[derive(Arbitrary, Debug)]
enum Action {
    Hypercall {
        nr: u8,
        imm: Option<u16>,
        args: [Value; 5],
    },
    EventChannelOp {
        cmd: u8,
        words: [u32; 6],
    },
    /// A list of calls in one trap: numbers and arguments.
    List(Vec<(u8, [Value; 3])>),
    /// The vCPU turns itself off, or its domain.
    Off {
        domain: bool,
    },
    Poke {
        at: u16,
        value: u64,
    },
    Compute(u8),
}

#[derive(Arbitrary, Debug)]
struct Input {
    strategy: u8,
    actions: [Vec<Action>; 2],
}

fn steps(base: u64, scratch: u64, actions: &[Action]) -> Vec<Step> {
    let value = |value: Value| match value {
        Value::Small(value) => u64::from(value),
        Value::Own(offset) => base + u64::from(offset),
        Value::Raw(value) => value,
    };
    let step = |op| Step { id: StepId(0), op, expect: None };
    let mut all: Vec<Step> = [Op::MapSharedInfo, Op::RegisterVcpuInfo, Op::EnableInterrupts].map(step).into();
    for action in actions {
        match action {
            Action::Hypercall { nr, imm, args } => {
                all.push(step(Op::Hypercall { imm: imm.unwrap_or(0xea1), nr: u64::from(*nr), args: args.map(value) }))
            }
            Action::EventChannelOp { cmd, words } => {
                for (offset, word) in (0..).step_by(4).zip(words) {
                    let address = scratch + offset;
                    all.push(step(Op::Write { address, width: Width::Word, value: u64::from(*word) }));
                }
                let args = [u64::from(cmd % 16), scratch, 0, 0, 0];
                all.push(step(Op::Hypercall { imm: 0xea1, nr: 32, args }));
            }
            Action::List(calls) => {
                let calls = &calls[..calls.len().min(LIST_MOST)];
                for (entry, (nr, args)) in (base + LIST..).step_by(64).zip(calls) {
                    let words = [(0, u64::from(*nr))].into_iter().chain((16..).step_by(8).zip(args.map(value)));
                    for (offset, value) in words {
                        all.push(step(Op::Write { address: entry + offset, width: Width::Double, value }));
                    }
                }
                let args = [base + LIST, calls.len() as u64, 0, 0, 0];
                all.push(step(Op::Hypercall { imm: 0xea1, nr: nr::MULTICALL, args }));
            }
            Action::Off { domain } => {
                let id = if *domain { psci::SYSTEM_OFF } else { psci::CPU_OFF };
                all.push(step(Op::Hypercall { imm: 0, nr: 0, args: [id, 0, 0, 0, 0] }));
            }
            Action::Poke { at, value } => {
                let address = base + (u64::from(*at) & !7);
                all.push(step(Op::Write { address, width: Width::Double, value: *value }));
            }
            Action::Compute(cycles) => all.push(step(Op::Compute(u64::from(*cycles)))),
        }
    }
    all
}

fuzz_target!(|case: Input| {
    let Ok(mut scenario) = Scenario::from_text(Path::new("thread-2022.toml"), SYSTEM, &[]) else {
        panic!("the scenario must load");
    };
    scenario.config.step_limit = 2_000;
    scenario.config.paranoid = true;
    let name = STRATEGIES[usize::from(case.strategy) % STRATEGIES.len()];
    let Ok(strategy) = scenario::strategy::parse(name, scenario.settings) else { panic!("{name}") };
    let Ok(mut world) = World::new(scenario.layout.clone(), strategy, scenario.config.clone()) else {
        panic!("the system must fit");
    };
    for (position, (domain, actions)) in Position::all().zip(scenario.layout.domains().iter().zip(&case.actions)) {
        let Some(home) = home(&scenario.layout, position, 0) else { panic!("no home") };
        let base = domain.ram[0].base();
        let program = steps(base, home.scratch, actions).into();
        world.add_guest(position, 0, Box::new(StepGuest::new(home, program, 0)));
    }
    let report = world.run();
    assert!(
        !matches!(report.outcome, Outcome::HypervisorFault(_) | Outcome::Hazard(_) | Outcome::IsolationBroken(_)),
        "{name}: {:?}",
        report.outcome
    );
    assert!(report.hazards.is_empty(), "{:?}", report.hazards);
});
