//! FIFO sends recounted by hand, and what becomes of their events.
//!
//! The receiver, domU2, keeps each structure in a page of its own: `vcpu_info`, control block, event words 0 to 1023 and 1024
//! to 2047. The sender, domU1, has two-level ports. A send makes these accesses at EL2: its argument (the caller's RAM);
//! in the event's word PENDING, a look at MASKED, LINKED; if the queue has a tail, a look at the tail's word, and a
//! compare-and-swap if that is still linked; else the head and the ready bit (control block) and the upcall byte's word.

use crate::common::{at, domain, expecting, send, setup, step, thread_2022, world};
use evtchn::op::Op as EventOp;
use evtchn::{Port, abi};
use sim_core::guest::steps::{Op, PortRef, Step};
use sim_core::hyp::StaticChannel;
use sim_core::hyp::strategy::{Builtin, Settings};
use sim_core::outcome::{Counts, Expected, Outcome, Report};
use sim_core::platform::Width;
use sim_core::world::Config;

const BLOCK: u64 = 0x2001_4000;
const WORDS: [u64; 2] = [0x2001_6000, 0x2001_8000];
/// Ports of domU2; domU1's ends have the next numbers.
const LOW: u32 = 10;
const LOW_TOO: u32 = 12;
const HIGH: u32 = 1500;

/// Writes, barriers and accesses of sends: PRBAR, PRLAR, PRENR, ISB, DSB, accesses at EL2.
type Row = [u64; 6];

fn row(report: &Report) -> Row {
    let cost = report.traps.iter().find(|(trap, _)| trap.is_send()).map(|(_, cost)| cost.counts);
    let Counts { el2, isb, dsb, el2_accesses, .. } = cost.unwrap_or_default();
    [el2.prbar, el2.prlar, el2.prenr, isb, dsb, el2_accesses]
}

fn number(port: u32) -> PortRef {
    PortRef::Number(port)
}

/// domU2 with its FIFO structures, its interrupts masked.
fn fifo_setup() -> Vec<Step> {
    let pages = WORDS.map(|at| Op::ExpandArray { at: Some(at) });
    let before = [Op::MapSharedInfo, Op::RegisterVcpuInfo, Op::InitControl { at: Some(BLOCK) }];
    before.into_iter().chain(pages).map(step).collect()
}

/// domU1 sends to these ports of domU2, which goes on with `rest` once it is set up.
fn run(windows: usize, sent_to: &[u32], rest: Vec<Step>) -> Report {
    let mut parts = thread_2022();
    parts.domains.iter_mut().for_each(|domain| domain.max_evtchn_port = 4095);
    let channels = [LOW, LOW_TOO, HIGH]
        .map(|port| StaticChannel { listener: (at(1), Port(port)), binder: (at(0), Port(port + 1)) })
        .to_vec();
    let mut sender = setup();
    sender.push(step(Op::Compute(50_000)));
    for port in sent_to {
        sender.extend([step(send(number(port + 1))), step(Op::Compute(1000))]);
    }
    let mut receiver = fifo_setup();
    receiver.extend(rest);
    let strategy = Builtin::from_name("map-page", Settings { windows, ..Settings::default() }).unwrap();
    let config = Config { channels, ..Config::default() };
    let report = world(parts, strategy, config, vec![(0, 0, sender), (1, 0, receiver)]).run();
    assert_eq!(report.outcome, Outcome::Completed);
    assert_eq!(report.hazards, []);
    report
}

/// What the last of these sends did.
fn last_send(windows: usize, ports: &[u32], rest: impl Fn(&[u32]) -> Vec<Step>) -> Row {
    let all = row(&run(windows, ports, rest(ports)));
    let (_, before) = ports.split_last().unwrap();
    let before = row(&run(windows, before, rest(before)));
    std::array::from_fn(|at| all.get(at).unwrap() - before.get(at).unwrap())
}

/// Nothing is taken off the queue.
fn asleep(_: &[u32]) -> Vec<Step> {
    vec![step(Op::Compute(100_000))]
}

/// Every event is taken off the queue before the next is sent.
fn awake(ports: &[u32]) -> Vec<Step> {
    let waits = ports.iter().map(|port| step(Op::Wait(number(*port))));
    std::iter::once(step(Op::EnableInterrupts)).chain(waits).collect()
}

#[test]
fn the_first_send_to_a_queue_touches_three_pages() {
    // Word, control block, vcpu_info. Map: PRBAR, PRLAR, DSB, ISB. Twice a remap: PRENR, DSB, ISB, PRBAR, PRLAR, DSB, ISB.
    // Close: PRENR, DSB. Accesses: argument, PENDING, MASKED, LINKED, head, ready, upcall.
    assert_eq!(last_send(1, &[LOW], asleep), [3, 3, 3, 5, 6, 7]);
    // Three maps, and one close for all.
    assert_eq!(last_send(4, &[LOW], asleep), [3, 3, 1, 3, 4, 7]);
}

#[test]
fn a_send_to_an_empty_queue_with_a_tail_elsewhere_touches_four() {
    // Word, tail's word (not linked any more), control block, vcpu_info: a map, three remaps, a close.
    assert_eq!(last_send(1, &[LOW, HIGH], awake), [4, 4, 4, 7, 8, 8]);
    assert_eq!(last_send(4, &[LOW, HIGH], awake), [4, 4, 1, 4, 5, 8]);
}

#[test]
fn a_send_to_an_empty_queue_whose_tail_it_was_itself_touches_three() {
    // The port is the tail: the queue counts as empty without a look at the tail's word.
    assert_eq!(last_send(1, &[LOW, LOW], awake), [3, 3, 3, 5, 6, 7]);
    assert_eq!(last_send(4, &[LOW, LOW], awake), [3, 3, 1, 3, 4, 7]);
}

#[test]
fn a_send_to_a_queue_that_is_not_empty_touches_the_words_alone() {
    // Both words in one page: a map, a close. Accesses: argument, PENDING, MASKED, LINKED, tail, swap.
    assert_eq!(last_send(1, &[LOW, LOW_TOO], asleep), [1, 1, 1, 1, 2, 6]);
    assert_eq!(last_send(4, &[LOW, LOW_TOO], asleep), [1, 1, 1, 1, 2, 6]);
    // The tail's word in another page: a map, a remap, a close.
    assert_eq!(last_send(1, &[LOW, HIGH], asleep), [2, 2, 2, 3, 4, 6]);
    assert_eq!(last_send(4, &[LOW, HIGH], asleep), [2, 2, 1, 2, 3, 6]);
}

#[test]
fn events_of_one_queue_are_all_found() {
    let rest = |ports: &[u32]| {
        let mut steps = vec![step(Op::on(EventOp::SetPriority { port: 0, priority: 3 }, number(HIGH)))];
        steps.extend(asleep(ports));
        steps.extend(awake(ports));
        steps
    };
    let ports = [LOW, LOW_TOO, HIGH];
    let events = run(1, &ports, rest(&ports)).events;
    assert_eq!((events.sent, events.delivered, events.lost, events.coalesced), (3, 3, 0, 0));
}

#[test]
fn an_event_nobody_takes_is_lost_unless_it_is_masked() {
    let events = run(1, &[LOW, LOW], asleep(&[])).events;
    assert_eq!((events.sent, events.delivered, events.lost, events.coalesced), (2, 0, 1, 1));
    let masked = vec![step(Op::Mask(number(LOW))), step(Op::Compute(100_000))];
    let events = run(1, &[LOW, LOW], masked).events;
    assert_eq!((events.sent, events.delivered, events.lost, events.coalesced), (2, 0, 0, 1));
}

#[test]
fn the_mask_is_in_the_event_word_and_unmask_links_it() {
    let address = WORDS.first().unwrap() + u64::from(4 * LOW);
    let shows = |value: u32| expecting(Op::Read { address, width: Width::Word }, Expected::Value(value.into()));
    let rest = vec![
        step(Op::Mask(number(LOW))),
        step(Op::EnableInterrupts),
        step(Op::Compute(100_000)),
        shows(abi::fifo::PENDING | abi::fifo::MASKED),
        step(Op::on(EventOp::Unmask { port: 0 }, number(LOW))),
        step(Op::Wait(number(LOW))),
        shows(0),
    ];
    let events = run(1, &[LOW], rest).events;
    assert_eq!((events.sent, events.delivered, events.lost), (1, 1, 0));
}

#[test]
fn refused_structures_leave_the_guest_on_what_it_has() {
    let rest = vec![
        expecting(Op::InitControl { at: Some(BLOCK) }, Expected::Rc(-22)),
        expecting(Op::ExpandArray { at: Some(0x3001_0000) }, Expected::Rc(-22)),
        expecting(Op::on(EventOp::SetPriority { port: 0, priority: 16 }, number(LOW)), Expected::Rc(-22)),
        step(Op::EnableInterrupts),
        step(Op::Wait(number(HIGH))),
    ];
    assert_eq!(run(1, &[HIGH], rest).events.delivered, 1);
}

#[test]
fn a_poll_ends_with_an_event_on_a_port_it_names() {
    let ports: std::rc::Rc<[PortRef]> = [number(LOW), number(HIGH)].into();
    let poll = Op::Poll { ports, timeout: 0 };
    let address = WORDS.get(1).unwrap() + u64::from(4 * (HIGH - 1024));
    let pending = u64::from(abi::fifo::PENDING | abi::fifo::LINKED);
    let rest = vec![
        // Blocks: the send comes later. Then once more with the event there already.
        step(poll.clone()),
        expecting(Op::Read { address, width: Width::Word }, Expected::Value(pending)),
        step(poll),
        step(Op::EnableInterrupts),
        step(Op::Wait(number(HIGH))),
        expecting(Op::Poll { ports: [number(4000)].into(), timeout: 0 }, Expected::Rc(-22)),
    ];
    let events = run(1, &[HIGH], rest).events;
    assert_eq!((events.sent, events.delivered, events.lost), (1, 1, 0));
}

/// Under placement `pool` the domains' FIFO structures are in their parts of the pool, with any number of vCPUs.
#[test]
fn placement_pool_has_room_for_fifo() {
    let mut parts = thread_2022();
    parts.placement = sim_core::layout::Placement::Pool;
    parts.domains[1].vcpus = domain(2, &[], &[1; 64]).vcpus;
    let layout = sim_core::layout::Layout::new(parts.clone()).unwrap();
    let home = |vcpu| sim_core::world::home(&layout, at(1), vcpu).unwrap();
    let own = layout.pages(at(1)).unwrap().own_pool.unwrap();
    let words = own.limit() + 1 - 0x1000;
    let mut taken: Vec<(u64, u64)> = vec![(own.base(), 4096), (words, 4096)];
    assert_eq!(home(0).event_words, words);
    taken.extend((0..64).flat_map(|vcpu| [(home(vcpu).vcpu_info, 48), (home(vcpu).control_block, 72)]));
    taken.sort_unstable();
    assert!(taken.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "{taken:x?}");
    assert!(taken.iter().all(|(base, size)| own.contains(*base) && own.contains(base + size - 1)));

    let channels = vec![StaticChannel { listener: (at(1), Port(LOW)), binder: (at(0), Port(LOW + 1)) }];
    let mut receiver: Vec<Step> =
        [Op::RegisterVcpuInfo, Op::InitControl { at: None }, Op::ExpandArray { at: None }, Op::EnableInterrupts]
            .map(step)
            .into();
    receiver.extend([step(Op::on(EventOp::Unmask { port: 0 }, number(LOW))), step(Op::Wait(number(LOW)))]);
    let sender = [Op::RegisterVcpuInfo, Op::Compute(200_000), send(number(LOW + 1))].map(step);
    let scheduler = sim_core::hyp::sched::Scheduler::RoundRobin { quantum: 1_000_000 };
    let config = Config { channels, scheduler, ..Config::default() };
    let builtin = Builtin::from_name("map-page", Settings::default()).unwrap();
    let report = world(parts, builtin, config, vec![(0, 0, sender.into()), (1, 0, receiver)]).run();
    assert_eq!(report.outcome, Outcome::Completed);
}

/// Sends that come after `init_control` and before the page of event words are one event, raised with the page; one for a
/// vCPU without a control block is lost. Books count them all.
#[test]
fn sends_before_the_page_are_delivered_with_it() {
    let channels = vec![StaticChannel { listener: (at(1), Port(LOW)), binder: (at(0), Port(LOW + 1)) }];
    let config = Config { channels, ..Config::default() };
    let mut parts = thread_2022();
    parts.domains.iter_mut().for_each(|domain| domain.max_evtchn_port = 4095);
    let mut receiver: Vec<Step> =
        [Op::MapSharedInfo, Op::RegisterVcpuInfo, Op::InitControl { at: Some(BLOCK) }, Op::Compute(100_000)]
            .map(step)
            .into();
    receiver.extend([step(Op::ExpandArray { at: Some(WORDS[0]) }), step(Op::EnableInterrupts)]);
    receiver.extend([step(Op::on(EventOp::Unmask { port: 0 }, number(LOW))), step(Op::Wait(number(LOW)))]);
    let mut sender = setup();
    sender.push(step(Op::Compute(20_000)));
    sender.extend([step(send(number(LOW + 1))), step(send(number(LOW + 1)))]);
    let builtin = Builtin::from_name("map-page", Settings::default()).unwrap();
    let report = world(parts, builtin, config, vec![(0, 0, sender), (1, 0, receiver)]).run();
    assert_eq!(report.outcome, Outcome::Completed);
    let events = report.events;
    assert_eq!((events.sent, events.coalesced, events.delivered, events.lost), (2, 1, 1, 0), "{events:?}");
}
