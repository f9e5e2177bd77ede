//! The fixed schedule: who runs when, whatever else happens.

use crate::common::{builtin, channel, domain, ping, pong, repeat, span, step, thread_2022, world};
use sim_core::guest::steps::Op;
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::sched::arinc653::{MinorFrame, ScheduleError, check};
use sim_core::hyp::{Hypervisor, SetupError};
use sim_core::layout::{Layout, LayoutParts, PeId};
use sim_core::outcome::{Outcome, Report, Trap, WaitsFor};
use sim_core::world::Config;

/// The system of 2022 on one PE.
fn one_pe() -> LayoutParts {
    let mut parts = thread_2022();
    parts.board.pes = 1;
    parts.domains.iter_mut().for_each(|domain| domain.vcpus.iter_mut().for_each(|vcpu| vcpu.pe = PeId::PRIMARY));
    parts
}

const fn frame(domain: usize, runtime: u64) -> MinorFrame {
    MinorFrame { pe: PeId::PRIMARY, vcpu: Some((domain, 0)), runtime }
}

const fn idle(runtime: u64) -> MinorFrame {
    MinorFrame { pe: PeId::PRIMARY, vcpu: None, runtime }
}

fn config(frames: &[MinorFrame]) -> Config {
    Config { scheduler: Scheduler::Arinc653(frames.to_vec()), ..Config::default() }
}

fn ping_pong(strategy: &str, frames: &[MinorFrame], rounds: u64) -> Report {
    let config = Config { channels: vec![channel()], ..config(frames) };
    world(one_pe(), builtin(strategy), config, vec![(0, 0, ping(rounds)), (1, 0, pong(rounds))]).run()
}

const STRATEGIES: [&str; 7] = ["pin", "map-page", "switch-view", "hybrid", "enable-mask", "ku-window", "xen-pool"];

#[test]
fn every_event_waits_for_its_receiver_s_frame() {
    let frames = [frame(0, 3000), idle(500), frame(1, 2000)];
    for name in STRATEGIES {
        let report = ping_pong(name, &frames, 20);
        assert_eq!((report.outcome, report.hazards.len()), (Outcome::Completed, 0), "{name}");
        let told = (report.events.sent, report.events.delivered, report.events.lost);
        assert_eq!(told, (40, 40, 0), "{name}");
        // One of a pair of sends each way in a major frame: the clock goes on by 5,500 for each round.
        assert!((19 * 5500..21 * 5500).contains(&report.cycles), "{name}: {}", report.cycles);
        // Domain 2's answer waits for the end of its frame at least.
        let first = report.ports.iter().find(|port| port.domain == 0).unwrap();
        assert!(first.latency.percentile(50).unwrap() > 1000, "{name}: {:?}", first.latency);
    }
}

#[test]
fn the_same_schedule_gives_the_same_run() {
    let frames = [frame(0, 700), frame(1, 900)];
    assert_eq!(ping_pong("map-page", &frames, 50), ping_pong("map-page", &frames, 50));
}

#[test]
fn a_vcpu_has_its_share_and_no_more_though_the_rest_is_idle() {
    // Works 100,000 cycles in a tenth of the time at the most, since switching to it is at the expense of its frame.
    let steps = || vec![repeat(1000, [Op::Compute(100)])];
    let frames = [frame(0, 1000), idle(8000), frame(1, 1000)];
    let programs = vec![(0, 0, steps()), (1, 0, steps())];
    let report = world(one_pe(), builtin("map-page"), config(&frames), programs).run();
    assert_eq!(report.outcome, Outcome::Completed);
    assert!((1_000_000..1_250_000).contains(&report.cycles), "{}", report.cycles);
    // Two ends of a frame of somebody's in each major frame, and the end of the idle one.
    let interrupts = report.traps.get(&Trap::Interrupt).unwrap().calls;
    let majors = report.cycles / 10_000;
    assert!((3 * majors - 3..=3 * majors + 3).contains(&interrupts), "{interrupts} in {majors}");
}

#[test]
fn giving_way_and_blocking_hand_no_time_to_others() {
    // The first yields all the time; the second works. In the first's frames the second gets nothing.
    let frames = [frame(0, 5000), frame(1, 5000)];
    let work = vec![repeat(100, [Op::Compute(1000)])];
    let programs = vec![(0, 0, vec![repeat(200, [Op::Yield])]), (1, 0, work)];
    let report = world(one_pe(), builtin("map-page"), config(&frames), programs).run();
    assert_eq!(report.outcome, Outcome::Completed);
    assert!(report.cycles > 190_000, "half of the time is not the second's: {}", report.cycles);
}

#[test]
fn the_view_changes_with_the_frame() {
    // The oracle looks on at each exit; here it is counted that each boundary loads a view.
    let frames = [frame(0, 1000), frame(1, 1000)];
    let steps = || vec![repeat(100, [Op::Compute(200)])];
    let programs = vec![(0, 0, steps()), (1, 0, steps())];
    let report = world(one_pe(), builtin("map-page"), config(&frames), programs).run();
    assert_eq!(report.outcome, Outcome::Completed);
    let cost = report.traps.get(&Trap::Interrupt).unwrap();
    assert!(cost.calls >= 38, "{}", cost.calls);
    assert!(cost.counts.el2.prbar >= cost.calls - 2, "{} of {}", cost.counts.el2.prbar, cost.calls);
}

#[test]
fn nobody_left_to_wake_is_a_deadlock_and_no_endless_ticking() {
    let steps = vec![step(Op::Wait(sim_core::guest::steps::PortRef::Number(9)))];
    let report =
        world(one_pe(), builtin("map-page"), config(&[frame(0, 100), frame(1, 100)]), vec![(0, 0, steps)]).run();
    let Outcome::Deadlock(waiters) = &report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!(waiters.first().map(|waiter| waiter.waits_for), Some(WaitsFor::Event(9)));
    assert!(report.steps < 100);
}

#[test]
fn a_program_longer_than_any_frame_is_cut_and_goes_on() {
    let steps = || vec![repeat(40, [Op::Yield, Op::Compute(90)])];
    let programs = vec![(0, 0, steps()), (1, 0, steps())];
    // Frames so short that entries to EL2 run over them.
    let report = world(one_pe(), builtin("switch-view"), config(&[frame(0, 40), frame(1, 30)]), programs).run();
    assert_eq!(report.outcome, Outcome::Completed);
}

#[test]
fn pes_have_frames_of_their_own() {
    let frames = [
        MinorFrame { pe: PeId::new(1), vcpu: Some((1, 0)), runtime: 700 },
        MinorFrame { pe: PeId::PRIMARY, vcpu: Some((0, 0)), runtime: 500 },
        MinorFrame { pe: PeId::new(1), vcpu: None, runtime: 100 },
    ];
    let config = Config { channels: vec![channel()], ..config(&frames) };
    let programs = vec![(0, 0, ping(30)), (1, 0, pong(30))];
    let report = world(thread_2022(), builtin("map-page"), config, programs).run();
    assert_eq!((report.outcome, report.events.delivered), (Outcome::Completed, 60));
}

#[test]
fn what_is_wrong_with_a_schedule_is_said() {
    let layout = Layout::new(thread_2022()).unwrap();
    let other = MinorFrame { pe: PeId::new(1), vcpu: Some((1, 0)), runtime: 1 };
    let wrong = |frames: &[MinorFrame]| check(&layout, frames).unwrap_err();
    assert_eq!(wrong(&[frame(0, 0)]), ScheduleError::Empty { frame: 0 });
    assert_eq!(
        wrong(&[MinorFrame { pe: PeId::new(2), ..idle(1) }]),
        ScheduleError::NoSuchPe { frame: 0, pe: PeId::new(2), pes: 2 }
    );
    assert_eq!(
        wrong(&[frame(0, 1), frame(1, 1)]),
        ScheduleError::OtherPe { frame: 1, pe: PeId::PRIMARY, lives: PeId::new(1) }
    );
    assert_eq!(wrong(&[frame(2, 1)]), ScheduleError::NoSuchVcpu { frame: 0, vcpu: 0 });
    assert_eq!(wrong(&[frame(0, u64::MAX), idle(1)]), ScheduleError::TooLong { frame: 1, pe: PeId::PRIMARY });
    assert_eq!(wrong(&[other]), ScheduleError::NoFrame { domain: 0, vcpu: 0, pe: PeId::PRIMARY });
    assert_eq!(check(&layout, &[frame(0, u64::MAX), other]), Ok(()));
    let scheduler = Scheduler::Arinc653(vec![other]);
    let set_up = Hypervisor::new(layout, builtin("map-page"), scheduler, evtchn::Policy::default());
    assert!(matches!(set_up, Err(SetupError::Schedule(ScheduleError::NoFrame { .. }))));
}

#[test]
fn a_domain_that_comes_later_has_no_frame() {
    let mut parts = one_pe();
    parts.domains.truncate(1);
    let world = world(parts, builtin("map-page"), config(&[frame(0, 100)]), vec![(0, 0, Vec::new())]);
    let (mut machine, mut hyp) = (world.machine, world.hyp);
    let late = domain(2, &[span(0x1000_0000, 0x10_0000)], &[0]);
    let mut cpu = sim_core::machine::Cpu { machine: &mut machine, pe: PeId::PRIMARY };
    let refused = hyp.create_domain(&mut cpu, late).unwrap().unwrap_err();
    assert_eq!(refused, sim_core::hyp::lifecycle::CreateError::NoFrame);
}
