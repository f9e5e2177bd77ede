//! How runs end, and that they end alike each time.

use crate::common::{
    PORTS, builtin, channel, domain, expecting, ping, ping_pong, send, setup, span, step, thread_2022, world,
};
use evtchn::abi::DOMID_SELF;
use evtchn::op::Op as EventOp;
use evtchn::{Policy, Vcpu};
use sim_core::convention::nr;
use sim_core::guest::asynch::{AsyncGuest, Env};
use sim_core::guest::steps::{Op, Part, PortRef};
use sim_core::hyp::sched::{Scheduler, VirqTimer};
use sim_core::layout::{Layout, PeId};
use sim_core::outcome::{Expected, Limit, Outcome, Trap, WaitsFor};
use sim_core::platform::Width;
use sim_core::world::{Config, World, home};

#[test]
fn a_guest_that_waits_for_what_never_comes_is_a_deadlock() {
    let mut steps = setup();
    steps.push(step(Op::Wait(PortRef::Number(11))));
    steps.push(step(Op::Wait(PortRef::Number(11))));
    let config = Config { channels: vec![channel()], ..Config::default() };
    let report = world(thread_2022(), builtin("map-page"), config, vec![(0, 0, steps), (1, 0, setup())]).run();
    let Outcome::Deadlock(waiters) = &report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!(waiters.len(), 1);
    let waiter = waiters.first().unwrap();
    assert_eq!((waiter.vcpu.domain, waiter.waits_for), (0, WaitsFor::Event(11)));
}

#[test]
fn an_endless_guest_meets_the_limit() {
    let steps = vec![step(Op::Repeat { times: u64::MAX, steps: [step(Op::Compute(1))].into() })];
    let config = Config { step_limit: 1000, ..Config::default() };
    let report = world(thread_2022(), builtin("map-page"), config, vec![(0, 0, steps), (1, 0, Vec::new())]).run();
    assert_eq!(report.outcome, Outcome::Limit(Limit::Steps(1000)));
}

#[test]
fn an_empty_repetition_ends() {
    let steps = vec![step(Op::Repeat { times: u64::MAX, steps: [].into() })];
    let report = world(thread_2022(), builtin("map-page"), Config::default(), vec![(0, 0, steps), (1, 0, Vec::new())]);
    assert_eq!(report.run().outcome, Outcome::Completed);
}

#[test]
fn a_program_that_never_acts_meets_the_limit() {
    let none = step(Op::Repeat { times: 0, steps: [step(Op::Yield)].into() });
    let nothing = Part { weight: 1, steps: [].into() };
    let programs = [
        Op::Repeat { times: u64::MAX, steps: [none].into() },
        Op::Mix { times: u64::MAX, seed: 0, parts: [nothing].into() },
        Op::Mix { times: u64::MAX, seed: 0, parts: [].into() },
    ];
    for program in programs {
        let config = Config { step_limit: 100, ..Config::default() };
        let report = world(thread_2022(), builtin("map-page"), config, vec![(0, 0, vec![step(program)])]).run();
        assert_eq!(report.outcome, Outcome::Limit(Limit::Steps(100)));
    }
}

#[test]
fn a_mix_makes_as_many_rounds_as_it_says_and_all_of_what_it_draws() {
    let one = Part { weight: 3, steps: [step(Op::Yield)].into() };
    let two = Part { weight: 1, steps: [step(Op::Console("ab".into())), step(Op::Console("c".into()))].into() };
    let mix = step(Op::Mix { times: 1000, seed: 7, parts: [one, two].into() });
    let steps = vec![step(Op::Repeat { times: 2, steps: [mix].into() })];
    let report = world(thread_2022(), builtin("map-page"), Config::default(), vec![(0, 0, steps)]).run();
    assert_eq!(report.outcome, Outcome::Completed);
    let calls = |number: u64| -> u64 {
        let of = |trap: &Trap| matches!(trap, Trap::Hypercall(id) if id.nr == number);
        report.traps.iter().filter(|(trap, _)| of(trap)).map(|(_, cost)| cost.calls).sum()
    };
    let (yields, consoles) = (calls(nr::SCHED_OP), calls(nr::CONSOLE_IO));
    assert_eq!(yields + consoles / 2, 2000);
    assert!((1400..1600).contains(&yields), "{yields}");
    assert_eq!(report.console.replace("abc", ""), "", "rounds are not cut");
    assert_eq!(report.console.len() as u64 / 3, consoles / 2);
}

#[test]
fn an_unexpected_result_is_reported() {
    let steps = vec![step(send(PortRef::Number(77)))];
    let report = world(thread_2022(), builtin("map-page"), Config::default(), vec![(0, 0, steps), (1, 0, Vec::new())]);
    let Outcome::ExpectationFailed(failures) = report.run().outcome else { panic!("not noticed") };
    assert_eq!(failures.len(), 1);
}

#[test]
fn a_step_that_failed_is_the_outcome_even_if_somebody_waits_for_ever_after_it() {
    let steps = vec![step(send(PortRef::Number(77))), step(Op::Wait(PortRef::Number(77)))];
    let report = world(thread_2022(), builtin("map-page"), Config::default(), vec![(0, 0, steps), (1, 0, Vec::new())]);
    let outcome = report.run().outcome;
    let Outcome::ExpectationFailed(failures) = &outcome else { panic!("{outcome:?}") };
    assert_eq!(failures.len(), 1);
}

#[test]
fn silo_keeps_ordinary_domains_apart() {
    for (silo, rc) in [(false, 0), (true, -1)] {
        let config = Config { policy: Policy { silo, ..Policy::default() }, ..Config::default() };
        let offer =
            expecting(Op::making(EventOp::AllocUnbound { dom: DOMID_SELF, remote_dom: 2 }, 0), Expected::Rc(rc));
        let report = world(thread_2022(), builtin("map-page"), config, vec![(0, 0, vec![offer])]).run();
        assert_eq!(report.outcome, Outcome::Completed);
    }
}

#[test]
fn one_seed_one_run() {
    for seed in [0, 1, 42] {
        let run = || ping_pong(thread_2022(), builtin("map-page"), 100, Config { seed, ..Config::default() });
        assert_eq!(run(), run(), "seed {seed}");
    }
}

#[test]
fn an_idle_pe_s_timer_reaches_a_domain_under_all_but_naive() {
    let mut parts = thread_2022();
    parts.domains.truncate(1);
    let timer = VirqTimer { domain: 0, vcpu: Vcpu(0), virq: 0, every: Some(500) };
    let config = Config { timers: vec![(PeId::PRIMARY, 500, timer)], ..Config::default() };
    let mut steps = vec![step(Op::making(EventOp::BindVirq { virq: 0, vcpu: 0 }, 0))];
    steps.extend(setup());
    steps.extend((0..3).map(|_| step(Op::Wait(PortRef::Variable(0)))));
    for name in ["map-page", "switch-view", "hybrid"] {
        let report = world(parts.clone(), builtin(name), config.clone(), vec![(0, 0, steps.clone())]).run();
        assert_eq!(report.outcome, Outcome::Completed, "{name}");
        assert!(report.events.raised_delivered >= 3, "{name}");
    }
    let report = world(parts, builtin("naive"), config, vec![(0, 0, steps)]).run();
    let Outcome::HypervisorFault(fault) = &report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!(fault.on_behalf.trap, Trap::Interrupt);
    assert_eq!(fault.on_behalf.vcpu, None, "nobody ran");
    let idle = report.regions.views.first().unwrap();
    assert_eq!(idle.guest_bytes, 0);
}

#[test]
fn two_vcpus_of_one_domain_tell_each_other() {
    let mut parts = thread_2022();
    parts.domains.truncate(1);
    parts
        .domains
        .get_mut(0)
        .unwrap()
        .vcpus
        .push(sim_core::layout::VcpuLayout { pe: PeId::new(1), el1_regions: Vec::new() });
    let mut first = setup();
    first.push(step(Op::making(EventOp::BindIpi { vcpu: 1 }, 0)));
    first.push(step(send(PortRef::Variable(0))));
    let second = vec![step(Op::RegisterVcpuInfo), step(Op::EnableInterrupts), step(Op::Wait(PortRef::Number(1)))];
    let report = world(parts, builtin("map-page"), Config::default(), vec![(0, 0, first), (0, 1, second)]).run();
    assert_eq!(report.outcome, Outcome::Completed);
    assert_eq!(report.events.delivered, 1);
}

/// The pong side as an `async` program.
async fn pong(env: Env, home: sim_core::guest::Home, rounds: u64) {
    let frame = home.shared_info / 4096;
    for (offset, word) in (0..).step_by(4).zip([0x7ff0, 0, 0, 0, frame, 0]) {
        env.store(home.scratch + offset, Width::Word, word).await.unwrap();
    }
    assert_eq!(env.hypercall(nr::MEMORY_OP, [7, home.scratch, 0, 0, 0]).await, 0);
    for (offset, word) in (0..).step_by(4).zip([home.vcpu_info / 4096, 0, home.vcpu_info % 4096, 0]) {
        env.store(home.scratch + offset, Width::Word, word).await.unwrap();
    }
    assert_eq!(env.hypercall(nr::VCPU_OP, [10, 0, home.scratch, 0, 0]).await, 0);
    let pending = home.shared_info + 48;
    for _ in 0..rounds {
        while env.load(pending, Width::Word).await.unwrap() & (1 << PORTS.1) == 0 {
            // Masked, so that the interrupt cannot be taken between the look and the WFI; WFI wakes all the same.
            env.interrupts(true).await;
            env.interrupts(false).await;
            if env.load(pending, Width::Word).await.unwrap() & (1 << PORTS.1) == 0 {
                env.wait_for_interrupt().await;
            }
        }
        env.store(pending, Width::Word, 0).await.unwrap();
        env.store(home.scratch, Width::Word, u64::from(PORTS.1)).await.unwrap();
        assert_eq!(env.hypercall(nr::EVENT_CHANNEL_OP, [4, home.scratch, 0, 0, 0]).await, 0);
    }
}

#[test]
fn async_guests_play_with_step_guests() {
    let layout = Layout::new(thread_2022()).unwrap();
    let config = Config { channels: vec![channel()], ..Config::default() };
    let mut world = World::new(layout.clone(), builtin("map-page"), config).unwrap();
    let place = home(&layout, 0, 0).unwrap();
    let steps = std::rc::Rc::from(ping(10));
    world.add_guest(0, 0, Box::new(sim_core::guest::steps::StepGuest::new(place, steps, 0)));
    let place = home(&layout, 1, 0).unwrap();
    let handler = move |env: Env| async move {
        let intid = env.acknowledge().await;
        env.store(place.vcpu_info, Width::Byte, 0).await.unwrap();
        env.store(place.vcpu_info + 8, Width::Double, 0).await.unwrap();
        env.end_of_interrupt(intid).await;
    };
    world.add_guest(1, 0, Box::new(AsyncGuest::new(move |env| pong(env, place, 10), handler)));
    let report = world.run();
    assert_eq!(report.outcome, Outcome::Completed);
    assert_eq!(report.events.sent, 20);
}

#[test]
fn round_robin_shares_a_pe() {
    let mut parts = thread_2022();
    parts.board.pes = 1;
    parts.domains.iter_mut().for_each(|domain| domain.vcpus.iter_mut().for_each(|vcpu| vcpu.pe = PeId::PRIMARY));
    let busy = || vec![step(Op::Repeat { times: 100, steps: [step(Op::Compute(100))].into() })];
    let config = Config { scheduler: Scheduler::RoundRobin { quantum: 250 }, ..Config::default() };
    let report = world(parts, builtin("map-page"), config, vec![(0, 0, busy()), (1, 0, busy())]).run();
    assert_eq!(report.outcome, Outcome::Completed);
    let ticks = report.traps.get(&Trap::Interrupt).unwrap().calls;
    assert!((30..=90).contains(&ticks), "20,000 cycles in quanta of 250: {ticks}");
}

#[test]
fn boot_reaches_a_granted_page_under_every_strategy() {
    // shared_info lies outside the heap from the start, so binding the channel at boot leaves the idle view.
    let mut parts = thread_2022();
    for (domain, frame) in parts.domains.iter_mut().zip([0x7000_0000, 0x7010_0000]) {
        domain.shared_info_frame = Some(span(frame, 0x1000));
    }
    for name in ["map-page", "switch-view", "hybrid"] {
        let report = ping_pong(parts.clone(), builtin(name), 10, Config::default());
        assert_eq!(report.outcome, Outcome::Completed, "{name}");
        assert_eq!(report.events.delivered, 20, "{name}");
    }
}

/// Two vCPUs on each of two PEs that take turns.
fn turns(strategy: &str, quantum: u64, seed: u64) -> Outcome {
    let mut parts = thread_2022();
    for (id, base) in [(3, 0x7000_0000), (4, 0x7800_0000)] {
        parts.domains.push(domain(id, &[span(base, 0x0100_0000)], &[u32::from(id) - 3]));
    }
    let config = Config { scheduler: Scheduler::RoundRobin { quantum }, seed, ..Config::default() };
    let program = || vec![step(Op::Repeat { times: 100, steps: [step(Op::Compute(1))].into() })];
    world(parts, builtin(strategy), config, (0..4).map(|domain| (domain, 0, program())).collect()).run().outcome
}

#[test]
fn a_quantum_in_which_no_guest_can_act_ends_the_run_and_one_cycle_more_does_not() {
    for strategy in ["pin", "map-page", "switch-view", "enable-mask", "xen-pool"] {
        for seed in [0, 5] {
            let outcome = turns(strategy, 1, seed);
            let Outcome::Limit(Limit::Quantum { quantum: 1, switch }) = outcome else {
                panic!("{strategy}, seed {seed}: {outcome:?}")
            };
            assert_eq!(turns(strategy, switch, seed), Outcome::Limit(Limit::Quantum { quantum: switch, switch }));
            assert_eq!(turns(strategy, switch + 1, seed), Outcome::Completed, "{strategy}, seed {seed}");
        }
    }
}

#[test]
fn a_step_limit_that_comes_first_is_what_is_told_of_a_quantum_too_short() {
    let mut parts = thread_2022();
    parts.board.pes = 1;
    parts.domains.iter_mut().for_each(|domain| domain.vcpus.iter_mut().for_each(|vcpu| vcpu.pe = PeId::PRIMARY));
    let config = Config { scheduler: Scheduler::RoundRobin { quantum: 1 }, step_limit: 500, ..Config::default() };
    let report = world(parts, builtin("map-page"), config, vec![(0, 0, setup()), (1, 0, setup())]).run();
    assert_eq!(report.outcome, Outcome::Limit(Limit::Steps(500)));
}
