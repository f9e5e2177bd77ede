//! `pin`: pages that keep their region, and what happens when there is none left.

use crate::common::{builtin, channel, expecting, ping, pong, setup, step, thread_2022, world};
use sim_core::convention::nr;
use sim_core::guest::steps::{Op, Step};
use sim_core::hyp::sched::Scheduler;
use sim_core::layout::{LayoutParts, PeId};
use sim_core::outcome::{Expected, Outcome, Report};
use sim_core::platform::Width;
use sim_core::world::Config;

/// Memory of domU1 for argument blocks.
const BLOCK: u64 = 0x3000_8000;

/// Hands over a FIFO control block at a page of domU1's that no layout names.
fn init_control(gfn: u64, rc: i64) -> Vec<Step> {
    let write = |offset: u64, value: u64| step(Op::Write { address: BLOCK + offset, width: Width::Double, value });
    let call = Op::Hypercall { imm: 0xea1, nr: nr::EVENT_CHANNEL_OP, args: [11, BLOCK, 0, 0, 0] };
    vec![write(0, gfn), write(8, 0), write(16, 0), expecting(call, Expected::Rc(rc))]
}

fn run(parts: LayoutParts, steps: Vec<Step>) -> Report {
    let config = Config { channels: vec![channel()], ..Config::default() };
    world(parts, builtin("pin"), config, vec![(0, 0, steps), (1, 0, setup())]).run()
}

fn with_regions(regions: u8) -> LayoutParts {
    let mut parts = thread_2022();
    parts.board.el2_regions = regions;
    parts
}

#[test]
fn a_page_nobody_announced_takes_what_is_left_or_is_refused() {
    // 11 regions hold what the layout knows; the control block's page wants a twelfth.
    let steps = |rc| [setup(), init_control(0x3_0020, rc)].concat();
    assert_eq!(run(with_regions(12), steps(0)).outcome, Outcome::Completed);
    assert_eq!(run(with_regions(11), steps(-12)).outcome, Outcome::Completed);
}

#[test]
fn a_refused_page_changes_nothing_and_the_system_goes_on() {
    let mut steps = setup();
    steps.extend(init_control(0x3_0020, -12));
    // Two-level as before: the domain goes on to ping.
    steps.extend(ping(5).split_off(setup().len()));
    let config = Config { channels: vec![channel()], ..Config::default() };
    let report = world(with_regions(11), builtin("pin"), config, vec![(0, 0, steps), (1, 0, pong(5))]).run();
    assert_eq!((report.outcome, report.events.delivered), (Outcome::Completed, 10));
}

#[test]
fn two_structures_in_one_page_share_a_pin() {
    let mut parts = thread_2022();
    for (domain, base) in parts.domains.iter_mut().zip([0x3001_0000, 0x2001_0000]) {
        domain.vcpu_info = vec![base + 0x800];
    }
    let report = run(parts, setup());
    assert_eq!((report.outcome, report.regions.needs.needed()), (Outcome::Completed, 9));
}

/// Both domains on one PE: each change of view turns the pins of the one that comes off and those of the other on.
#[test]
fn a_domain_s_own_pins_are_off_in_its_view() {
    let mut parts = thread_2022();
    parts.board.pes = 1;
    parts.domains[1].vcpus[0].pe = PeId::PRIMARY;
    let config =
        Config { channels: vec![channel()], scheduler: Scheduler::RoundRobin { quantum: 1000 }, ..Config::default() };
    let report = world(parts, builtin("pin"), config, vec![(0, 0, ping(20)), (1, 0, pong(20))]).run();
    assert_eq!((report.outcome, report.events.delivered), (Outcome::Completed, 40));
    // Six fixed, the guest's RAM, and the two pages of the other.
    assert_eq!(report.regions.peak, 10, "idle: six fixed and all four pins");
}
