//! The hypercalls beside event channels, as a guest meets them.

use crate::common::{PORTS, builtin, channel, expecting, send, setup, step, thread_2022, world};
use evtchn::{DomId, Policy};
use sim_core::convention::nr;
use sim_core::guest::steps::{Op, PortRef, Step};
use sim_core::outcome::{Expected, Limit, Outcome, Report};
use sim_core::platform::Width;
use sim_core::world::Config;

/// Memory of domU1 that nothing else uses.
const BLOCK: u64 = 0x3000_8000;

fn write(offset: u64, value: u64) -> Step {
    step(Op::Write { address: BLOCK + offset, width: Width::Double, value })
}

fn reads(offset: u64, width: Width, value: u64) -> Step {
    expecting(Op::Read { address: BLOCK + offset, width }, Expected::Value(value))
}

fn call(nr: u64, args: [u64; 5], rc: i64) -> Step {
    expecting(Op::Hypercall { imm: 0xea1, nr, args }, Expected::Rc(rc))
}

/// Runs steps on domU1 under a strategy; domU2 only sets itself up.
fn run(name: &str, steps: Vec<Step>) -> Report {
    let config = Config { channels: vec![channel()], ..Config::default() };
    world(thread_2022(), builtin(name), config, vec![(0, 0, steps), (1, 0, setup())]).run()
}

fn completes(steps: &[Step]) {
    for name in ["map-page", "switch-view", "hybrid"] {
        assert_eq!(run(name, steps.to_vec()).outcome, Outcome::Completed, "{name}");
    }
}

#[test]
fn xen_version_tells_version_page_size_and_features() {
    let version = |cmd, rc| call(nr::XEN_VERSION, [cmd, BLOCK, 0, 0, 0], rc);
    completes(&[
        version(0, 0x4_0017),
        version(7, 4096),
        version(1, 0),
        reads(0, Width::Double, u64::from_le_bytes(*b"-mpusim\0")),
        write(0, 0),
        version(6, 0),
        // Submap 0: among others bit 15, RAM mapped one to one.
        reads(4, Width::Word, 0xe005),
        version(99, -38),
        call(nr::XEN_VERSION, [1, 0x2000_0000, 0, 0, 0], -14),
    ]);
}

#[test]
fn hvm_params_are_read_and_not_written() {
    let param = |op, rc| call(nr::HVM_OP, [op, BLOCK, 0, 0, 0], rc);
    let index = |index: u64| write(0, 0x7ff0 | (index << 32));
    completes(&[
        index(2),
        write(8, 77),
        param(1, 0),
        reads(8, Width::Double, 0),
        param(0, -1),
        index(39),
        param(1, -22),
        // Another domain's are nobody's business.
        write(0, 2),
        param(1, -1),
        write(0, 9),
        param(1, -3),
        param(7, -38),
    ]);
}

#[test]
fn a_multicall_does_each_call_and_writes_each_result() {
    let entry = |at: u64, nr: u64, a0: u64, a1: u64| {
        [write(at, nr), write(at + 8, 0xdead), write(at + 16, a0), write(at + 24, a1)]
    };
    let mut steps = setup();
    steps.extend(entry(0, nr::XEN_VERSION, 0, 0));
    steps.extend(entry(64, nr::MULTICALL, BLOCK, 1));
    steps.extend(entry(128, nr::EVENT_CHANNEL_OP, 4, BLOCK + 0x400));
    steps.push(step(Op::Write { address: BLOCK + 0x400, width: Width::Word, value: u64::from(PORTS.0) }));
    steps.extend([
        call(nr::MULTICALL, [BLOCK, 3, 0, 0, 0], 0),
        reads(8, Width::Double, 0x4_0017),
        reads(64 + 8, Width::Double, (-22i64).cast_unsigned()),
        reads(128 + 8, Width::Double, 0),
        call(nr::MULTICALL, [0x4eff_ffe0, 1, 0, 0, 0], -14),
    ]);
    completes(&steps);
    let report = run("map-page", steps);
    assert_eq!(report.ports.iter().find(|port| port.port == PORTS.1).unwrap().totals.raised, 1, "the send in the list");
}

#[test]
fn a_guest_cannot_keep_the_hypervisor_with_a_long_list() {
    // As long as the rest of its RAM: nothing but calls that there are none of.
    const LIST: u64 = 0x3100_0000;
    let last = LIST + 199 * 64 + 8;
    let mut steps = setup();
    steps.extend([
        call(nr::MULTICALL, [LIST, 200, 0, 0, 0], 0),
        expecting(Op::Read { address: last, width: Width::Double }, Expected::Value((-38i64).cast_unsigned())),
        expecting(Op::Read { address: last + 64, width: Width::Double }, Expected::Value(0)),
    ]);
    let report = run("map-page", steps);
    assert_eq!(report.outcome, Outcome::Completed);
    let parts = report.traps.iter().find(|(trap, _)| format!("{trap:?}").contains("nr: 13")).unwrap().1;
    assert_eq!(parts.calls, 4, "64 and 64 and 64 and 8");

    let mut steps = setup();
    steps.push(call(nr::MULTICALL, [LIST, 0xffff_ffff, 0, 0, 0], -14));
    let config = Config { channels: vec![channel()], step_limit: 1000, ..Config::default() };
    let system = vec![(0, 0, steps), (1, 0, setup())];
    let outcome = world(thread_2022(), builtin("map-page"), config, system).run().outcome;
    assert_eq!(outcome, Outcome::Limit(Limit::Steps(1000)), "each part is a step");
}

#[test]
fn long_text_is_printed_in_parts_and_each_byte_once() {
    // 150 chunks of 128 bytes and one byte more.
    const LENGTH: u64 = 150 * 128 + 1;
    const TEXT: u64 = BLOCK + 0x1000;
    let parts_of = |report: &Report, nr: u64| {
        report.traps.iter().find(|(trap, _)| format!("{trap:?}").contains(&format!("nr: {nr}"))).unwrap().1.calls
    };
    let printed = |report: &Report| {
        assert_eq!(report.outcome, Outcome::Completed);
        assert_eq!(report.console.len() as u64, LENGTH);
        assert!(report.console.starts_with("begin...\0") && report.console.ends_with("\0...end!"));
    };
    let mut steps = setup();
    steps.extend([
        write(0x1000, u64::from_le_bytes(*b"begin...")),
        write(0x1000 + LENGTH - 7, u64::from_le_bytes(*b"...end!?")),
    ]);
    let mut alone = steps.clone();
    alone.push(call(nr::CONSOLE_IO, [0, LENGTH, TEXT, 0, 0], 0));
    let report = run("map-page", alone);
    printed(&report);
    assert_eq!(parts_of(&report, nr::CONSOLE_IO), 3, "64 and 64 and 23");

    // In a list, the call that follows waits for the last part.
    for (at, value) in [(0, nr::CONSOLE_IO), (16, 0), (24, LENGTH), (32, TEXT), (64, nr::XEN_VERSION), (64 + 16, 0)] {
        steps.push(write(at, value));
    }
    steps.extend([
        write(8, 0xdead),
        call(nr::MULTICALL, [BLOCK, 2, 0, 0, 0], 0),
        reads(8, Width::Double, 0),
        reads(64 + 8, Width::Double, 0x4_0017),
    ]);
    let report = run("map-page", steps);
    printed(&report);
    assert_eq!(parts_of(&report, nr::MULTICALL), 3);
}

/// A list of calls in memory, each a number and two arguments, and the call of all of them.
fn list(calls: &[[u64; 3]], rc: i64) -> Vec<Step> {
    let mut steps = Vec::new();
    for (at, [nr, a0, a1]) in (0..).step_by(64).zip(calls) {
        steps.extend([write(at, *nr), write(at + 16, *a0), write(at + 24, *a1)]);
    }
    steps.push(call(nr::MULTICALL, [BLOCK, calls.len() as u64, 0, 0, 0], rc));
    steps
}

#[test]
fn a_domain_that_shut_down_in_a_list_stays_so() {
    const REASON: u64 = BLOCK + 0x400;
    const POLL: u64 = BLOCK + 0x500;
    let shutdown = [nr::SCHED_OP, 2, REASON];
    let again = [[nr::SCHED_OP, 1, 0], [nr::SCHED_OP, 3, POLL]];
    for sleep in again {
        for last in [sleep, shutdown] {
            let mut steps = setup();
            steps.push(write(0x500 + 16, 50_000));
            steps.extend(list(&[shutdown, sleep, last], 0));
            // Never done.
            steps.push(step(send(PortRef::Number(77))));
            assert_eq!(run("map-page", steps).outcome, Outcome::Completed, "{sleep:?}, {last:?}");
        }
    }
}

#[test]
fn a_list_goes_on_once_a_vcpu_that_went_to_sleep_in_it_is_awake() {
    const POLL: u64 = BLOCK + 0x500;
    let poll = [nr::SCHED_OP, 3, POLL];
    let mut steps = setup();
    // Without ports, and over at a time that goes by.
    steps.push(write(0x500 + 16, 50_000));
    steps.extend(list(&[poll, [nr::XEN_VERSION, 0, 0], [nr::SCHED_OP, 0, 0]], 0));
    steps.push(reads(64 + 8, Width::Double, 0x4_0017));
    let report = run("map-page", steps);
    assert_eq!(report.outcome, Outcome::Completed);
    assert!(report.cycles >= 50_000, "{}", report.cycles);
}

#[test]
fn the_control_domain_is_told_once_that_a_domain_shut_down() {
    let mut parts = thread_2022();
    parts.domains[0].id = DomId(0);
    parts.domains[0].privileged = true;
    // VIRQ 3 of vCPU 0 on port 1.
    let mut control = setup();
    control.extend([
        write(0, 3),
        call(nr::EVENT_CHANNEL_OP, [1, BLOCK, 0, 0, 0], 0),
        reads(8, Width::Word, 1),
        step(Op::Wait(PortRef::Number(1))),
    ]);
    let other = vec![step(Op::Compute(20_000)), call(nr::SCHED_OP, [2, parts.domains[1].ram[0].base(), 0, 0, 0], 0)];
    let config = Config { policy: Policy { hardware_domain: Some(DomId(0)), silo: false }, ..Config::default() };
    let report = world(parts, builtin("map-page"), config, vec![(0, 0, control), (1, 0, other)]).run();
    assert_eq!(report.outcome, Outcome::Completed);
    assert_eq!(report.ports.iter().find(|port| port.port == 1).unwrap().totals.raised, 1);
}

#[test]
fn shared_info_can_be_taken_back_and_placed_anew() {
    let remove = |rc| call(nr::MEMORY_OP, [15, BLOCK, 0, 0, 0], rc);
    let place = |rc| call(nr::MEMORY_OP, [7, BLOCK + 64, 0, 0, 0], rc);
    completes(&[
        step(Op::MapSharedInfo),
        expecting(Op::MapSharedInfo, Expected::Rc(-16)),
        write(0, 0x7ff0),
        write(8, 0x3001_0000 / 4096),
        remove(0),
        // It is not there any more; the frame is RAM like any other.
        remove(-95),
        write(8, 0x2001_0000 / 4096),
        remove(-22),
        // Where the hypervisor keeps it meanwhile is nothing a guest is told.
        write(8, 0x5000_1000 / 4096),
        remove(-22),
        write(64, 0x7ff0),
        write(64 + 8, 0),
        write(64 + 16, 0x3002_0000 / 4096),
        place(0),
        // The binder's event was raised before anything was placed and came along both times.
        expecting(Op::Read { address: 0x3002_0000 + 48, width: Width::Double }, Expected::Value(1 << PORTS.0)),
    ]);
}

#[test]
fn a_poll_ends_with_the_event_or_with_its_timeout() {
    let poll = |timeout: u64| {
        vec![
            write(0, BLOCK + 64),
            write(8, 1),
            write(16, timeout),
            step(Op::Write { address: BLOCK + 64, width: Width::Word, value: u64::from(PORTS.0) }),
            call(nr::SCHED_OP, [3, BLOCK, 0, 0, 0], 0),
        ]
    };
    // Interrupts stay masked, so only the port or the timer ends the poll. The binder's own event is pending: at once.
    let mut steps = vec![step(Op::MapSharedInfo)];
    steps.extend(poll(0));
    // Taken; now nothing is pending, and the timer ends the wait.
    steps.push(step(Op::Write { address: 0x3001_0000 + 48, width: Width::Double, value: 0 }));
    steps.extend(poll(50_000));
    for name in ["map-page", "switch-view", "hybrid"] {
        let report = run(name, steps.clone());
        assert_eq!(report.outcome, Outcome::Completed, "{name}");
        assert!(report.cycles >= 50_000, "{name}");
    }
    // Without a timer it waits for the peer's send.
    let mut steps = vec![step(Op::MapSharedInfo)];
    steps.push(step(Op::Write { address: 0x3001_0000 + 48, width: Width::Double, value: 0 }));
    steps.extend(poll(0));
    let mut peer = setup();
    peer.push(step(Op::Compute(20_000)));
    peer.push(step(send(PortRef::Number(PORTS.1))));
    let config = Config { channels: vec![channel()], ..Config::default() };
    let report = world(thread_2022(), builtin("map-page"), config, vec![(0, 0, steps.clone()), (1, 0, peer)]).run();
    assert_eq!(report.outcome, Outcome::Completed);
    assert!(report.cycles > 20_000);
    assert!(matches!(run("map-page", steps).outcome, Outcome::Deadlock(_)), "nobody sends");
}

#[test]
fn shutdown_wants_a_reason_it_can_read() {
    let shutdown = |ptr, rc| call(nr::SCHED_OP, [2, ptr, 0, 0, 0], rc);
    let say = |text: &str| step(Op::Console(text.into()));
    let report = run("map-page", vec![shutdown(0x2000_0000, -14), say("on"), shutdown(BLOCK, 0), say("off")]);
    assert_eq!((report.outcome, report.console.as_str()), (Outcome::Completed, "on"));
}
