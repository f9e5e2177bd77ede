//! Who touches whose memory: each row of the table in the docs of `hyp`, under `naive` (it faults where the memory is
//! another's) and under `map-page` (it works).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop")]

mod common;

use common::{PORTS, builtin, channel, expecting, setup, span, step, thread_2022, world};
use evtchn::Vcpu;
use sim_core::convention::nr;
use sim_core::guest::steps::{Op, PortRef, Step};
use sim_core::hyp::sched::VirqTimer;
use sim_core::layout::{HypDevices, LayoutParts, Owner};
use sim_core::outcome::{Expected, Outcome, Report, Trap};
use sim_core::platform::Width;
use sim_core::world::Config;

fn write(address: u64, value: u64) -> Step {
    step(Op::Write { address, width: Width::Double, value })
}

fn call(nr: u64, cmd: u64, arg: u64) -> Step {
    expecting(Op::Hypercall { imm: 0xea1, nr, args: [cmd, arg, 0, 0, 0] }, Expected::Rc(0))
}

/// domU1 is a control domain.
fn controlled() -> LayoutParts {
    let mut parts = thread_2022();
    parts.domains[0].privileged = true;
    parts
}

fn run(name: &str, parts: LayoutParts, config: Config, first: &[Step], second: &[Step]) -> Report {
    world(parts, builtin(name), config, vec![(0, 0, first.to_vec()), (1, 0, second.to_vec())]).run()
}

/// Under `naive` the operation faults in memory of `owner`; under `map-page` it completes.
fn leaves_the_view(parts: &LayoutParts, config: &Config, first: &[Step], second: &[Step], owner: Owner) {
    let report = run("naive", parts.clone(), config.clone(), first, second);
    let Outcome::HypervisorFault(fault) = &report.outcome else { panic!("naive: {:?}", report.outcome) };
    assert_eq!(fault.owner, owner);
    let report = run("map-page", parts.clone(), config.clone(), first, second);
    assert_eq!(report.outcome, Outcome::Completed);
    assert_eq!(report.hazards, []);
}

/// Under both strategies the operation completes, and writes no region.
fn stays_in_the_view(first: &[Step], config: &Config) {
    for name in ["naive", "map-page"] {
        let report = run(name, thread_2022(), config.clone(), first, &[]);
        assert_eq!(report.outcome, Outcome::Completed, "{name}");
        let hypercalls = report.traps.iter().filter(|(trap, _)| matches!(trap, Trap::Hypercall(_)));
        assert_eq!(hypercalls.map(|(_, cost)| cost.counts.el2_writes()).sum::<u64>(), 0, "{name}");
    }
}

fn with_channel() -> Config {
    Config { channels: vec![channel()], ..Config::default() }
}

#[test]
fn send_touches_the_receiver() {
    // The receiver places its pages first; until then they are in the hypervisor's heap.
    let mut first = vec![step(Op::Compute(100_000))];
    first.extend(setup());
    first.push(step(Op::Send(PortRef::Number(PORTS.0))));
    leaves_the_view(&thread_2022(), &with_channel(), &first, &setup(), Owner::Ram(1));
}

#[test]
fn unmask_touches_only_the_caller() {
    let mut first = setup();
    first.push(step(Op::Mask(PortRef::Number(PORTS.0))));
    first.push(step(Op::Unmask(PortRef::Number(PORTS.0))));
    stays_in_the_view(&first, &with_channel());
}

#[test]
fn bind_register_and_close_touch_only_the_caller() {
    let mut first = setup();
    first.push(step(Op::BindIpi { vcpu: 0, port: 0 }));
    first.push(step(Op::Close(PortRef::Variable(0))));
    // The peer's end becomes unbound; nothing of the peer's memory is needed for that.
    first.push(step(Op::Close(PortRef::Number(PORTS.0))));
    stays_in_the_view(&first, &with_channel());
}

#[test]
fn boot_binding_touches_the_binder() {
    let mut parts = thread_2022();
    for (domain, frame) in parts.domains.iter_mut().zip([0x7000_0000, 0x7010_0000]) {
        domain.shared_info_frame = Some(span(frame, 0x1000));
    }
    leaves_the_view(&parts, &with_channel(), &setup(), &setup(), Owner::Granted(0));
}

#[test]
fn a_timer_s_virq_touches_a_domain_that_does_not_run() {
    let timer = VirqTimer { domain: 0, vcpu: Vcpu(0), virq: 0, every: None };
    let config = Config { timers: vec![(0, 50_000, timer)], ..Config::default() };
    let mut first = vec![step(Op::BindVirq { virq: 0, vcpu: 0, port: 0 })];
    first.extend(setup());
    first.push(step(Op::Wait(PortRef::Variable(0))));
    leaves_the_view(&thread_2022(), &config, &first, &[], Owner::Ram(0));
}

#[test]
fn placing_another_domain_s_shared_info_touches_that_domain() {
    let block = 0x3000_8000;
    let first = vec![
        write(block, 2),
        write(block + 8, 0),
        write(block + 16, 0x2001_0000 / 4096),
        call(nr::MEMORY_OP, 7, block),
    ];
    leaves_the_view(&controlled(), &Config::default(), &first, &[], Owner::Ram(1));
}

#[test]
fn allocating_in_another_fifo_domain_reads_its_event_words() {
    // domU2 goes to FIFO: control block in one page, the event array in another.
    let block = 0x2000_8000;
    let second = vec![
        write(block, 0x2002_0000 / 4096),
        write(block + 8, 0),
        write(block + 16, 0),
        call(nr::EVENT_CHANNEL_OP, 11, block),
        write(block, 0x2003_0000 / 4096),
        call(nr::EVENT_CHANNEL_OP, 12, block),
    ];
    let block = 0x3000_8000;
    let first = vec![step(Op::Compute(100_000)), write(block, 2), call(nr::EVENT_CHANNEL_OP, 6, block)];
    leaves_the_view(&controlled(), &Config::default(), &first, &second, Owner::Ram(1));
}

#[test]
fn console_output_touches_the_uart() {
    let mut parts = thread_2022();
    parts.hyp_devices = HypDevices::Switched;
    leaves_the_view(&parts, &Config::default(), &[step(Op::Console("x".into()))], &[], Owner::Uart);
}
