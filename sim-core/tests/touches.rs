//! Who touches whose memory: each row of the table in the docs of `hyp`, under `naive` (it faults where the memory is
//! another's) and under `map-page` (it works).

use crate::common::{PORTS, builtin, channel, domain, expecting, send, setup, span, step, thread_2022, world};
use evtchn::op::Op as EventOp;
use evtchn::{Caller, DomId, DomIdx, Port, Stop, Vcpu};
use sim_core::convention::{Frame, nr};
use sim_core::guest::steps::{Op, PortRef, Step};
use sim_core::hyp::hypercall::{Call, Done};
use sim_core::hyp::sched::{Scheduler, VirqTimer};
use sim_core::hyp::strategy::Builtin;
use sim_core::layout::{HypDevices, LayoutParts, Owner, PeId};
use sim_core::machine::{Cpu, Faulted};
use sim_core::outcome::{Expected, Outcome, Report, Trap, ViewId};
use sim_core::platform::{Platform, Width};
use sim_core::world::{Config, World};

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
    first.push(step(send(PortRef::Number(PORTS.0))));
    leaves_the_view(&thread_2022(), &with_channel(), &first, &setup(), Owner::Ram(1));
}

#[test]
fn unmask_touches_only_the_caller() {
    let mut first = setup();
    first.push(step(Op::Mask(PortRef::Number(PORTS.0))));
    first.push(step(Op::on(EventOp::Unmask { port: 0 }, PortRef::Number(PORTS.0))));
    stays_in_the_view(&first, &with_channel());
}

#[test]
fn bind_register_and_close_touch_only_the_caller() {
    let mut first = setup();
    first.push(step(Op::making(EventOp::BindIpi { vcpu: 0 }, 0)));
    first.push(step(Op::on(EventOp::Close { port: 0 }, PortRef::Variable(0))));
    // The peer's end becomes unbound; nothing of the peer's memory is needed for that.
    first.push(step(Op::on(EventOp::Close { port: 0 }, PortRef::Number(PORTS.0))));
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
    let config = Config { timers: vec![(PeId::PRIMARY, 50_000, timer)], ..Config::default() };
    let mut first = vec![step(Op::making(EventOp::BindVirq { virq: 0, vcpu: 0 }, 0))];
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

/// domU2's steps to FIFO: its control block, and a page of event words.
fn to_fifo() -> Vec<Step> {
    let mut steps = setup();
    steps.extend([step(Op::InitControl { at: None }), step(Op::ExpandArray { at: Some(0x2003_0000) })]);
    steps
}

#[test]
fn a_fifo_send_touches_the_receiver() {
    let mut first = vec![step(Op::Compute(100_000))];
    first.extend(setup());
    first.push(step(send(PortRef::Number(PORTS.0))));
    // The guest's pages come with every event masked.
    let mut second = to_fifo();
    second.push(step(Op::on(EventOp::Unmask { port: 0 }, PortRef::Number(PORTS.1))));
    leaves_the_view(&thread_2022(), &with_channel(), &first, &second, Owner::Ram(1));
}

#[test]
fn waking_who_polls_touches_no_more_than_the_send() {
    let mut first = vec![step(Op::Compute(100_000))];
    first.extend(setup());
    first.push(step(send(PortRef::Number(PORTS.0))));
    let mut second = setup();
    second.push(step(Op::Mask(PortRef::Number(PORTS.1))));
    second.push(step(Op::Poll { ports: [PortRef::Number(PORTS.1)].into(), timeout: 0 }));
    leaves_the_view(&thread_2022(), &with_channel(), &first, &second, Owner::Ram(1));
}

#[test]
fn registering_for_another_vcpu_touches_only_the_own_domain() {
    let mut parts = thread_2022();
    parts.board.pes = 3;
    parts.image = sim_core::layout::Image::at(parts.board.image_base, 3).unwrap();
    parts.domains[0].vcpus = domain(1, &[], &[0, 2]).vcpus;
    // struct vcpu_register_vcpu_info: mfn, offset.
    let block = 0x3000_8000;
    let register = Op::Hypercall { imm: 0xea1, nr: nr::VCPU_OP, args: [10, 1, block, 0, 0] };
    let mut first = setup();
    first.extend([write(block, 0x3004_0000 / 4096), write(block + 8, 0), step(register)]);
    for name in ["naive", "map-page"] {
        let report = run(name, parts.clone(), Config::default(), &first, &[]);
        assert_eq!(report.outcome, Outcome::Completed, "{name}");
    }
}

/// A control domain's work on domU2, whose `shared_info` has a frame of its own: it faults there under `naive` and is done
/// under `map-page`.
fn at_el2(work: impl Fn(&mut World<Builtin>) -> Result<(), Stop<Faulted>>, owner: Owner) {
    let mut parts = controlled();
    parts.heap = span(0x5000_0000, 0x1000_0000);
    let frames = [0x7000_0000, 0x7010_0000];
    for (domain, frame) in parts.domains.iter_mut().zip(frames) {
        domain.shared_info_frame = Some(span(frame, 0x1000));
    }
    for (name, faults) in [("naive", true), ("map-page", false)] {
        let config = Config { scheduler: Scheduler::RoundRobin { quantum: 1000 }, ..Config::default() };
        let mut world = world(parts.clone(), builtin(name), config, Vec::new());
        let dom = world.hyp.index(1).unwrap();
        let mut cpu = Cpu { machine: &mut world.machine, pe: PeId::PRIMARY };
        // A port of domU2's that it can lose; making it touches nothing.
        let (channels, mut host) = world.hyp.tables(&mut cpu);
        channels.static_alloc_unbound(&mut host, dom, DomId(1), Some(Port(3))).unwrap();
        assert_eq!(work(&mut world).is_err(), faults, "{name}");
        let far = world.machine.faults().0.map(|fault| fault.syndrome.far);
        assert_eq!(far.map(|far| world.hyp.layout().owner(far).0), faults.then_some(owner), "{name}");
    }
}

fn second(world: &World<Builtin>) -> DomIdx {
    world.hyp.index(1).unwrap()
}

#[test]
fn ending_a_domain_clears_the_pending_bits_of_its_ports() {
    let kill = |world: &mut World<Builtin>| {
        let dom = second(world);
        world.hyp.kill(&mut Cpu { machine: &mut world.machine, pe: PeId::PRIMARY }, dom)
    };
    at_el2(kill, Owner::Granted(1));
}

#[test]
fn resetting_another_domain_clears_the_pending_bits_of_its_ports() {
    let reset = |world: &mut World<Builtin>| {
        let (dom, block) = (second(world), 0x3000_8000);
        world.machine.put(block, 2, 2);
        let first = world.hyp.vcpu_id(0, 0).unwrap();
        let mut cpu = Cpu { machine: &mut world.machine, pe: PeId::PRIMARY };
        world.hyp.pause(&mut cpu, dom).unwrap();
        world.hyp.run_on(&mut cpu, first, &mut Frame::default()).unwrap();
        // The ERET into domU1 and its exception back.
        cpu.isb().unwrap();
        world.hyp.enter_unasked(&mut cpu).unwrap();
        let caller = world.hyp.caller(PeId::PRIMARY).unwrap();
        let call = Call { nr: nr::EVENT_CHANNEL_OP, args: [10, block, 0, 0, 0] };
        world.hyp.dispatch(&mut cpu, caller, call).map(|done| assert_eq!(done, Done::Rc(0)))
    };
    at_el2(reset, Owner::Granted(1));
}

#[test]
fn creating_a_domain_clears_its_memory() {
    let create = |world: &mut World<Builtin>| {
        let newcomer = domain(9, &[span(0x6000_0000, 0x10_0000)], &[0]);
        let made = world.hyp.create_domain(&mut Cpu { machine: &mut world.machine, pe: PeId::PRIMARY }, newcomer);
        made.map(|made| assert_eq!(made, Ok(2))).map_err(Stop::Fault)
    };
    at_el2(create, Owner::Ram(2));
}

#[test]
fn console_output_touches_the_uart() {
    let mut parts = thread_2022();
    parts.hyp_devices = HypDevices::Switched;
    leaves_the_view(&parts, &Config::default(), &[step(Op::Console("x".into()))], &[], Owner::Uart);
}

/// 2,000 ports of domU2's that are free but still linked lie in two pages of event words: whoever looks for a free one maps
/// each page once.
#[test]
fn a_search_among_linked_ports_maps_each_page_of_event_words_once() {
    const PORTS: u32 = 2000;
    let mut parts = controlled();
    parts.domains[1].max_evtchn_port = u32::MAX;
    let mut world = world(parts, builtin("map-page"), Config::default(), Vec::new());
    let dom = second(&world);
    let caller = Caller { dom, vcpu: Vcpu(0) };
    let mut cpu = Cpu { machine: &mut world.machine, pe: PeId::PRIMARY };
    world.hyp.enter_unasked(&mut cpu).unwrap();
    let (channels, mut host) = world.hyp.tables(&mut cpu);
    channels.init_control(&mut host, caller, Vcpu(0), 0x2002_0000 / 4096, 0).unwrap();
    for page in [0x2003_0000_u64, 0x2003_1000] {
        channels.expand_array(&mut host, caller, page / 4096).unwrap();
    }
    for port in 1..=PORTS {
        assert_eq!(channels.bind_ipi(&mut host, caller, Vcpu(0)), Ok(Port(port)));
    }
    for port in 1..=PORTS {
        channels.close(&mut host, caller, Port(port)).unwrap();
        // LINKED, as an event leaves it that the guest has not taken off its queue.
        host.p.machine.put(0x2003_0000 + u64::from(port) * 4, 4, 1 << 29);
    }
    world.hyp.leave_to(&mut cpu, ViewId::Idle).unwrap();
    cpu.isb().unwrap();

    let first = world.hyp.vcpu_id(0, 0).unwrap();
    world.hyp.run_on(&mut cpu, first, &mut Frame::default()).unwrap();
    cpu.isb().unwrap();
    cpu.machine.put(0x3000_8000, 8, 2);
    let before = cpu.machine.pe(PeId::PRIMARY).counts;
    world.hyp.enter_unasked(&mut cpu).unwrap();
    let caller = world.hyp.caller(PeId::PRIMARY).unwrap();
    let call = Call { nr: nr::EVENT_CHANNEL_OP, args: [6, 0x3000_8000, 0, 0, 0] };
    assert_eq!(world.hyp.dispatch(&mut cpu, caller, call), Ok(Done::Rc(0)));
    assert_eq!(cpu.machine.look_at(0x3000_8004, 4), u64::from(PORTS) + 1, "the port that Xen's walk would find");
    let made = cpu.machine.pe(PeId::PRIMARY).counts - before;
    assert_eq!(
        (made.el2.prbar, made.el2.prlar, made.el2.prenr),
        (2, 2, 1),
        "two windows, the first closed for the second"
    );
}
