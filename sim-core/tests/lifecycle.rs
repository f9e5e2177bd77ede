//! Domains that come, pause and go while the system runs.

use crate::common::{PORTS, builtin, channel, domain, ping, pong, send, setup, span, step, thread_2022, world};
use evtchn::{DomId, Errno, Policy, Port, Stop, Vcpu};
use mpu_model::{MpuReg, Region};
use sim_core::guest::steps::{Op, PortRef, StepGuest};
use sim_core::hyp::Hypervisor;
use sim_core::hyp::lifecycle::CreateError;
use sim_core::hyp::plan::GUEST_RAM;
use sim_core::hyp::sched::{Scheduler, VirqTimer};
use sim_core::hyp::strategy::{Builtin, Settings};
use sim_core::layout::{DomainLayout, EmulatedDevice, Layout, LayoutParts, Owner, PeId, SharedMemory};
use sim_core::machine::clock::Costs;
use sim_core::machine::{Cpu, Machine};
use sim_core::outcome::{Breach, BreachKind, Outcome, Refused, ViewId, WaitsFor};
use sim_core::platform::Vmid;
use sim_core::world::oracle::Oracle;
use sim_core::world::{Config, home, running};
use std::rc::Rc;

const RR: Scheduler = Scheduler::RoundRobin { quantum: 1000 };

/// A booted system and nobody running.
fn booted(parts: LayoutParts, strategy: &str) -> (Machine, Hypervisor<Builtin>) {
    booted_under(parts, builtin(strategy))
}

fn booted_under(parts: LayoutParts, strategy: Builtin) -> (Machine, Hypervisor<Builtin>) {
    booted_by(parts, strategy, RR)
}

fn booted_by(parts: LayoutParts, strategy: Builtin, scheduler: Scheduler) -> (Machine, Hypervisor<Builtin>) {
    let layout = Layout::new(parts).unwrap();
    let mut machine = Machine::new(&layout, mpu_model::Rules::default(), Costs::COUNTS);
    let mut hyp = Hypervisor::new(layout, strategy, scheduler, Policy::default()).unwrap();
    for pe in machine.pes().ids() {
        hyp.boot(&mut Cpu { machine: &mut machine, pe }).unwrap();
    }
    hyp.unpause_guests().unwrap();
    (machine, hyp)
}

fn newcomer() -> DomainLayout {
    domain(9, &[span(0x6000_0000, 0x10_0000)], &[0])
}

#[test]
fn a_new_domain_finds_its_memory_cleared() {
    for name in ["map-page", "switch-view", "hybrid"] {
        let mut parts = thread_2022();
        parts.heap = span(0x5000_0000, 0x1000_0000);
        let (mut machine, mut hyp) = booted(parts, name);
        for address in [0x6000_0000, 0x600f_fff8] {
            machine.put(address, 8, 0x5ec7_e700);
        }
        let position =
            hyp.create_domain(&mut Cpu { machine: &mut machine, pe: PeId::PRIMARY }, newcomer()).unwrap().unwrap();
        assert_eq!(position, 2, "{name}");
        assert_eq!([0x6000_0000, 0x600f_fff8].map(|address| machine.look_at(address, 8)), [0, 0], "{name}");
        assert_eq!(hyp.view_on(PeId::PRIMARY).current(), ViewId::Idle, "{name}");
        assert_eq!(machine.hazards(), [], "{name}");
    }
}

#[test]
fn a_domain_that_is_gone_leaves_its_position_and_nothing_else() {
    let mut parts = thread_2022();
    parts.heap = span(0x5000_0000, 0x1000_0000);
    let (mut machine, mut hyp) = booted(parts, "map-page");
    let mut cpu = Cpu { machine: &mut machine, pe: PeId::PRIMARY };
    hyp.bind_static(&mut cpu, channel()).unwrap();
    hyp.arm(PeId::new(1), 10, VirqTimer { domain: 1, vcpu: Vcpu(0), virq: 0, every: None });
    let second = hyp.index(1).unwrap();
    hyp.kill(&mut cpu, second).unwrap();
    assert_eq!((hyp.index(1), hyp.channels.lookup(DomId(2))), (None, None));
    assert_eq!(hyp.layout().owner(0x2000_0000).0, Owner::Nobody);
    assert_eq!(hyp.state_of(PeId::new(1)).queue().deadline(), None, "its timer is gone");
    assert!(!hyp.state_of(PeId::new(1)).queue().contended(), "nobody of it waits");
    // The peer sees its end unbound.
    let first = hyp.index(0).unwrap();
    let left: Vec<_> = hyp.channels.channels(first).map(|used| (used.port, used.status)).collect();
    assert!(matches!(*left, [(Port(port), evtchn::PortStatus { .. })] if port == PORTS.0), "{left:?}");

    // Another takes the position, on another PE with more vCPUs; events find it, not who was there.
    let newcomer = domain(9, &[span(0x6000_0000, 0x10_0000)], &[0, 0]);
    assert_eq!(hyp.create_domain(&mut cpu, newcomer).unwrap(), Ok(1));
    assert_eq!(hyp.channels.lookup(DomId(9)), hyp.index(1));
    assert_eq!(hyp.index(1).unwrap().get(), 1, "position and index stay one");
    let vcpus: Vec<_> = (0..3).map(|vcpu| hyp.vcpu_id(1, vcpu)).collect();
    assert!(vcpus[0].is_some() && vcpus[2].is_none());
    let state = hyp.vcpu(vcpus[1].unwrap());
    assert_eq!((state.domain, state.index, state.pe), (1, 1, PeId::PRIMARY));
}

#[test]
fn a_newcomer_has_nothing_of_what_the_one_before_it_shared() {
    let mut parts = thread_2022();
    parts.heap = span(0x5000_0000, 0x1000_0000);
    parts.shared.push(SharedMemory { name: "ring".into(), span: span(0x7000_0000, 0x1000), domains: vec![0, 1] });
    parts.emulated.push(EmulatedDevice {
        name: "regs".into(),
        span: span(0x9000_0000, 0x1000),
        domains: vec![0, 1],
        console: None,
    });
    let (mut machine, mut hyp) = booted(parts, "map-page");
    let mut cpu = Cpu { machine: &mut machine, pe: PeId::PRIMARY };
    let first = hyp.index(0).unwrap();
    hyp.kill(&mut cpu, first).unwrap();
    assert_eq!(hyp.create_domain(&mut cpu, newcomer()).unwrap(), Ok(0));
    let ring = |view: &sim_core::hyp::plan::View| {
        view.regions.iter().any(|planned| planned.owners.contains(&Owner::Shared(0)))
    };
    let has = [0, 1].map(|position| {
        (
            ring(hyp.region_plan().view(ViewId::Guest(position))),
            hyp.layout().emulated(position, 0x9000_0000, 4).is_some(),
        )
    });
    assert_eq!(has, [(false, false), (true, true)]);
}

/// What the isolation oracle says of PE 0 when EL2 is left for whom its registers name.
fn breach_on_return(machine: &mut Machine, hyp: &Hypervisor<Builtin>) -> Option<Breach> {
    machine.resume(PeId::PRIMARY, true);
    Oracle::default().look(hyp.layout(), machine, PeId::PRIMARY, running(machine, PeId::PRIMARY), true)
}

#[test]
fn memory_of_domains_that_come_and_go_is_open_to_its_owner_alone() {
    for name in ["map-page", "switch-view", "hybrid"] {
        let mut parts = thread_2022();
        parts.heap = span(0x5000_0000, 0x1000_0000);
        parts.domains.iter_mut().flat_map(|domain| &mut domain.vcpus).for_each(|vcpu| vcpu.pe = PeId::PRIMARY);
        let (mut machine, mut hyp) = booted(parts, name);
        let home = home(hyp.layout(), 0, 0).unwrap();
        for position in 0..3 {
            let vmid = Vmid::of_domain(position).unwrap();
            machine.add_guest(vmid, 0, Box::new(StepGuest::new(home, Rc::from([]), 0)));
        }
        let mut frame = sim_core::convention::Frame::default();
        let mut run = |hyp: &mut Hypervisor<Builtin>, machine: &mut Machine, position: usize| {
            let id = hyp.vcpu_id(position, 0).unwrap();
            hyp.run_on(&mut Cpu { machine, pe: PeId::PRIMARY }, id, &mut frame).unwrap();
            assert_eq!(breach_on_return(machine, hyp), None, "{name}: domain {position} runs");
        };
        run(&mut hyp, &mut machine, 0);
        let position =
            hyp.create_domain(&mut Cpu { machine: &mut machine, pe: PeId::PRIMARY }, newcomer()).unwrap().unwrap();
        assert_eq!(breach_on_return(&mut machine, &hyp), None, "{name}: a domain came while another runs");
        run(&mut hyp, &mut machine, position);
        // The first one's memory is nobody's while the newcomer runs.
        let first = hyp.index(0).unwrap();
        assert_eq!(hyp.kill(&mut Cpu { machine: &mut machine, pe: PeId::PRIMARY }, first), Ok(()));
        assert_eq!(breach_on_return(&mut machine, &hyp), None, "{name}: a domain went while another runs");
        run(&mut hyp, &mut machine, 1);
        // The place of the first is given to one with other memory.
        let other = domain(7, &[span(0x3000_0000, 0x10_0000)], &[0]);
        let again = hyp.create_domain(&mut Cpu { machine: &mut machine, pe: PeId::PRIMARY }, other).unwrap().unwrap();
        assert_eq!((again, breach_on_return(&mut machine, &hyp)), (0, None), "{name}");
        run(&mut hyp, &mut machine, 0);
        // And a region of its neighbour's would be seen.
        let stays = Region::new(0x2000_0000, 0x2fff_ffff, GUEST_RAM).unwrap().words();
        let el2 = &mut machine.pe_mut(PeId::PRIMARY).el2;
        el2.write(MpuReg::Prselr, 16).unwrap();
        el2.context_sync();
        el2.write(MpuReg::Prbar, stays.prbar).unwrap();
        el2.write(MpuReg::Prlar, stays.prlar).unwrap();
        el2.dsb();
        let found = breach_on_return(&mut machine, &hyp).unwrap();
        assert_eq!((found.kind, found.owner, found.runs), (BreachKind::Exposed, Owner::Ram(1), Some(0)), "{name}");
    }
}

#[test]
fn a_domain_without_room_is_refused_and_nothing_changes() {
    let mut parts = thread_2022();
    parts.heap = span(0x5000_0000, 0x1000_0000);
    // text, rodata, data, heap, UART, GIC, two windows, and the two domains' banks merged into one.
    parts.board.el2_regions = 9;
    let windows = Settings { windows: 2, ..Settings::default() };
    let (mut machine, mut hyp) = booted_under(parts, Builtin::from_name("hybrid", windows).unwrap());
    let before = (format!("{hyp:?}"), format!("{:?}", machine.pes()));
    let mut cpu = Cpu { machine: &mut machine, pe: PeId::PRIMARY };
    let refused = hyp.create_domain(&mut cpu, newcomer()).unwrap().unwrap_err();
    let CreateError::Refused(Refused { needs, .. }) = &refused else { panic!("{refused:?}") };
    assert_eq!((needs.needed(), needs.available, needs.deciding_phase()), (10, 9, None));
    assert_eq!(refused.errno(), Errno::ENOMEM);
    let taken = domain(9, &[span(0x2000_0000, 0x1000)], &[0]);
    let refused = hyp.create_domain(&mut cpu, taken).unwrap().unwrap_err();
    assert!(matches!(refused, CreateError::Layout(_)) && refused.errno() == Errno::EINVAL);
    assert_eq!(before, (format!("{hyp:?}"), format!("{:?}", machine.pes())));
}

#[test]
fn the_null_scheduler_takes_one_vcpu_per_pe() {
    let mut parts = thread_2022();
    parts.heap = span(0x5000_0000, 0x1000_0000);
    let (mut machine, mut hyp) = booted_by(parts, builtin("map-page"), Scheduler::Null);
    let refused = hyp.create_domain(&mut Cpu { machine: &mut machine, pe: PeId::PRIMARY }, newcomer()).unwrap();
    assert_eq!(refused, Err(CreateError::PeTaken { pe: PeId::PRIMARY }));
}

#[test]
fn who_runs_elsewhere_is_kicked_before_the_end() {
    let (mut machine, mut hyp) = booted(thread_2022(), "map-page");
    let second = hyp.vcpu_id(1, 0).unwrap();
    let mut frame = sim_core::convention::Frame::default();
    hyp.run_on(&mut Cpu { machine: &mut machine, pe: PeId::new(1) }, second, &mut frame).unwrap();
    let dom = hyp.index(1).unwrap();
    let stop = hyp.kill(&mut Cpu { machine: &mut machine, pe: PeId::PRIMARY }, dom).unwrap_err();
    assert_eq!(stop, Stop::Errno(Errno::ERESTART));
    assert!(machine.pe(PeId::new(1)).next_interrupt().is_some(), "PE 1 was kicked");
    // The kick takes it out of the guest; then it can end.
    let irq = sim_core::convention::Cause::Irq;
    let next = hyp.enter(&mut Cpu { machine: &mut machine, pe: PeId::new(1) }, irq, &mut frame).unwrap();
    assert_eq!(next, sim_core::hyp::entry::Next::Idle);
    assert_eq!(hyp.kill(&mut Cpu { machine: &mut machine, pe: PeId::PRIMARY }, dom), Ok(()));
}

#[test]
fn a_paused_domain_does_not_run_until_every_pause_is_taken_back() {
    let run = |unpauses: usize| {
        let config = Config { channels: vec![channel()], ..Config::default() };
        let mut world = world(thread_2022(), builtin("map-page"), config, vec![(0, 0, ping(3)), (1, 0, pong(3))]);
        let dom = world.hyp.index(1).unwrap();
        let mut cpu = Cpu { machine: &mut world.machine, pe: PeId::PRIMARY };
        world.hyp.pause(&mut cpu, dom).unwrap();
        world.hyp.pause(&mut cpu, dom).unwrap();
        (0..unpauses).for_each(|_| world.hyp.unpause(&mut cpu, dom).unwrap());
        world.run().outcome
    };
    assert_eq!(run(2), Outcome::Completed);
    let Outcome::Deadlock(waiters) = run(1) else { panic!("it ran") };
    let waits = waiters.iter().map(|waiter| (waiter.vcpu.domain, waiter.waits_for));
    assert!(waits.eq([(0, WaitsFor::Event(PORTS.0)), (1, WaitsFor::Turn)]));
}

/// Found by the isolation oracle: a vCPU that was turned off while it waited for its turn was given it all the same.
#[test]
fn a_vcpu_turned_off_while_it_waits_gets_no_turn() {
    let mut parts = thread_2022();
    parts.domains[0].vcpus = domain(1, &[], &[0, 0]).vcpus;
    let reason = parts.domains[0].ram[0].base();
    let shut_down = Op::Hypercall { imm: 0xea1, nr: sim_core::convention::nr::SCHED_OP, args: [2, reason, 0, 0, 0] };
    let config = Config { scheduler: RR, ..Config::default() };
    let mut second = setup();
    second.push(step(send(PortRef::Number(77))));
    let programs = vec![(0, 0, vec![step(shut_down)]), (0, 1, second), (1, 0, Vec::new())];
    let report = world(parts, builtin("map-page"), config, programs).run();
    assert_eq!(report.outcome, Outcome::Completed, "vCPU 1 would fail at its send");
}
