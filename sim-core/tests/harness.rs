//! Systems whose vCPUs are driven from outside.

use crate::common::{builtin, thread_2022};
use evtchn::op::command;
use evtchn::{DomId, Errno, Policy, Stop};
use sim_core::convention::{Cause, nr};
use sim_core::guest::Action;
use sim_core::harness::{AccessOf, Harness, Interference};
use sim_core::hyp::Hypervisor;
use sim_core::hyp::domain::RunState;
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::strategy::Builtin;
use sim_core::layout::{Layout, PeId};
use sim_core::machine::clock::Costs;
use sim_core::machine::{Cpu, Machine};
use sim_core::platform::{Event, Width};
use sim_core::world::oracle::Oracle;

const FIRST: PeId = PeId::new(0);
const SECOND: PeId = PeId::new(1);

/// Each domain of `thread_2022` has one vCPU, on the PE of the same number.
fn booted(strategy: Builtin) -> Harness<Builtin> {
    let layout = Layout::new(thread_2022()).unwrap();
    let machine = Machine::new(&layout, mpu_model::Rules::default(), Costs::COUNTS);
    let scheduler = Scheduler::RoundRobin { quantum: u64::MAX };
    let hyp = Hypervisor::new(layout, strategy, scheduler, Policy::default()).unwrap();
    let mut harness = Harness::new(machine, hyp);
    harness.boot().unwrap();
    harness.hyp.unpause_guests().unwrap();
    harness
}

fn placed(strategy: Builtin) -> Harness<Builtin> {
    let mut harness = booted(strategy);
    for (domain, pe) in [FIRST, SECOND].into_iter().enumerate() {
        let id = harness.hyp.vcpu_id(domain, 0).unwrap();
        harness.place(&mut (), pe, id).unwrap();
    }
    harness
}

/// Somebody who notes what the hypervisor does, and stops its long operations.
#[derive(Default)]
struct Notes {
    barriers: usize,
    accesses: Vec<(u64, AccessOf)>,
    events: Vec<Event>,
    stops: bool,
}

impl Interference for Notes {
    fn before_barrier(&mut self, _: &mut Cpu<'_>) {
        self.barriers += 1;
    }

    fn before_access(&mut self, _: &mut Cpu<'_>, address: u64, access: AccessOf) {
        self.accesses.push((address, access));
    }

    fn preemption_due(&mut self, _: &mut Cpu<'_>) -> bool {
        self.stops
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

#[test]
fn a_vcpu_is_placed_with_its_view() {
    let mut harness = booted(builtin("map-page"));
    assert_eq!((harness.runs(FIRST), harness.runs(SECOND)), (None, None));
    let id = harness.hyp.vcpu_id(1, 0).unwrap();
    harness.place(&mut (), SECOND, id).unwrap();
    assert_eq!((harness.runs(FIRST), harness.runs(SECOND)), (None, Some((1, 0))));
    let ram = harness.hands_over(1)[0];
    let store = |address| Action::Store { address, width: Width::Word, value: 7 };
    let mut oracle = Oracle::default();
    assert_eq!(harness.access(SECOND, store(ram.base())), Ok(0));
    assert_eq!(harness.breach(&mut oracle, SECOND), None);
    let others = harness.hands_over(0)[0].base();
    assert!(harness.access(SECOND, store(others)).is_err());
}

#[test]
fn a_hypercall_is_seen_by_whoever_interferes() {
    let mut harness = placed(builtin("map-page"));
    let arguments = harness.hands_over(0)[0].base();
    // Port 0 is nobody's.
    harness.machine.put(arguments, 4, 0);
    let mut notes = Notes::default();
    let send = [u64::from(command::SEND), arguments, 0, 0, 0];
    let rc = harness.hypercall(&mut notes, FIRST, nr::EVENT_CHANNEL_OP, send).unwrap();
    assert_eq!(rc, Some(Errno::EINVAL.rc()));
    assert_eq!(notes.accesses, [(arguments, AccessOf::Load(Width::Word))]);
    assert_eq!(
        (notes.barriers, notes.events),
        (0, vec![Event::TableScan]),
        "its own memory is in the view that is in force"
    );
}

#[test]
fn a_hypercall_that_is_stopped_is_to_be_executed_again() {
    let mut harness = placed(builtin("map-page"));
    let arguments = harness.hands_over(0)[0].base();
    let call = |harness: &mut Harness<Builtin>, command: u32, block: [u32; 3], stops| {
        for (address, word) in (arguments..).step_by(4).zip(block) {
            harness.machine.put(address, 4, word.into());
        }
        let args = [command.into(), arguments, 0, 0, 0];
        harness.hypercall(&mut Notes { stops, ..Notes::default() }, FIRST, nr::EVENT_CHANNEL_OP, args).unwrap()
    };
    for _ in 0..130 {
        let own = u32::from(evtchn::abi::DOMID_SELF) * 0x1_0001;
        assert_eq!(call(&mut harness, command::ALLOC_UNBOUND, [own, 0, 0], false), Some(0));
    }
    let reset = [u32::from(evtchn::abi::DOMID_SELF), 0, 0];
    assert_eq!(call(&mut harness, command::RESET, reset, true), None);
    assert_eq!(harness.result(FIRST), None);
    harness.trap_again(FIRST).unwrap();
    harness.enter(&mut (), FIRST, Cause::Sync).unwrap();
    assert_eq!(harness.result(FIRST), Some(0));
}

#[test]
fn a_wfi_blocks_and_a_kick_is_delivered() {
    let mut harness = placed(builtin("enable-mask"));
    let (here, there) = (harness.hyp.index(0).unwrap(), harness.hyp.index(1).unwrap());
    let bound = harness.on_its_own(&mut (), FIRST, |channels, mut host| {
        let far = channels.static_alloc_unbound(&mut host, there, DomId(1), None)?;
        channels.static_bind_interdomain(&mut host, here, there, far, None)
    });
    let port = bound.unwrap().unwrap();
    harness.trap_wfi(SECOND).unwrap();
    harness.enter(&mut (), SECOND, Cause::Sync).unwrap();
    assert_eq!((harness.on_pe(SECOND).unwrap().run, harness.is_kicked(SECOND)), (RunState::Blocked, false));
    assert!(!harness.interrupted(SECOND).unwrap());

    let arguments = harness.hands_over(0)[0].base();
    harness.machine.put(arguments, 4, port.0.into());
    let mut notes = Notes::default();
    let send = [u64::from(command::SEND), arguments, 0, 0, 0];
    assert_eq!(harness.hypercall(&mut notes, FIRST, nr::EVENT_CHANNEL_OP, send), Ok(Some(0)));
    assert!(notes.barriers > 0, "an entry changes the enabled regions");
    assert!(notes.events.contains(&Event::Injected { domain: 1, vcpu: 0 }), "{:?}", notes.events);
    assert!(harness.is_kicked(SECOND));
    harness.deliver(&mut (), SECOND).unwrap();
    assert_eq!((harness.on_pe(SECOND).unwrap().run, harness.is_kicked(SECOND)), (RunState::Runnable, false));
    assert!(harness.machine.pe(SECOND).virtual_interrupt());
}

#[test]
fn what_the_hypervisor_does_on_its_own_leaves_the_view_that_was_in_force() {
    let mut harness = placed(builtin("map-page"));
    let done = harness.on_its_own(&mut (), FIRST, |_, _| Err::<(), _>(Stop::Errno(Errno::ENOENT)));
    assert_eq!(done, Ok(Err(Errno::ENOENT)));
    assert_eq!(harness.runs(FIRST), Some((0, 0)));
}
