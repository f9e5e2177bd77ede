//! Errors of hypercalls are booked on the hypercall that returned them, whoever runs after it.

use crate::common::{builtin, expecting, repeat, send, step, thread_2022, world};
use sim_core::convention::nr;
use sim_core::guest::steps::{Op, PortRef, Step};
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::sched::arinc653::MinorFrame;
use sim_core::layout::PeId;
use sim_core::outcome::{Expected, HypercallId, Outcome, Report, Trap, TrapCost};
use sim_core::world::Config;

const EINVAL: i64 = -22;

fn fails() -> Step {
    expecting(send(PortRef::Number(77)), Expected::Rc(EINVAL))
}

/// Two vCPUs on one PE.
fn run(scheduler: &Scheduler, first: Vec<Step>, second: Vec<Step>) -> Report {
    let mut parts = thread_2022();
    parts.board.pes = 1;
    parts.domains.iter_mut().for_each(|domain| domain.vcpus.iter_mut().for_each(|vcpu| vcpu.pe = PeId::PRIMARY));
    let config = Config { scheduler: scheduler.clone(), ..Config::default() };
    let report = world(parts, builtin("map-page"), config, vec![(0, 0, first), (1, 0, second)]).run();
    assert_eq!(report.outcome, Outcome::Completed);
    report
}

fn cost(report: &Report, nr: u64, cmd: u32) -> &TrapCost {
    report.traps.get(&Trap::Hypercall(HypercallId { nr, cmd: Some(cmd) })).unwrap()
}

fn schedulers() -> impl Iterator<Item = Scheduler> {
    let turns = (20..60).map(|quantum| Scheduler::RoundRobin { quantum });
    let frame = |vcpu, runtime| MinorFrame { pe: PeId::PRIMARY, vcpu, runtime };
    let frames = (50..90).map(move |runtime| {
        Scheduler::Arinc653(vec![frame(Some((0, 0)), runtime), frame(None, 30), frame(Some((1, 0)), runtime)])
    });
    turns.chain(frames)
}

#[test]
fn giving_way_to_somebody_whose_last_call_failed_is_no_error() {
    let yields = vec![repeat(50, [Op::Yield, Op::Compute(3)])];
    let works = vec![fails(), repeat(1000, [Op::Compute(3)])];
    for scheduler in schedulers() {
        let report = run(&scheduler, yields.clone(), works.clone());
        assert_eq!(cost(&report, nr::SCHED_OP, 0).errors.len(), 0, "{scheduler:?}");
        let sends = cost(&report, nr::EVENT_CHANNEL_OP, evtchn::op::command::SEND);
        assert_eq!(sends.errors.get(&EINVAL), Some(&1), "{scheduler:?}");
    }
}

#[test]
fn an_error_counts_though_somebody_else_or_nobody_runs_after_it() {
    let program = || {
        let round = [fails(), step(Op::Compute(7))];
        vec![step(Op::Repeat { times: 50, steps: round.into() })]
    };
    for scheduler in schedulers() {
        let report = run(&scheduler, program(), program());
        let sends = cost(&report, nr::EVENT_CHANNEL_OP, evtchn::op::command::SEND);
        assert_eq!((sends.calls, sends.errors.get(&EINVAL)), (100, Some(&100)), "{scheduler:?}");
    }
}
