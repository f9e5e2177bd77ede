//! What events and ports cost on flat memory.
//!
//! `cargo run --release -p evtchn --example flat_memory` prints nanoseconds of a send by raw hypercall with the guest's
//! consumption, and of an allocation beside ports in use. Sends come also as multiples of a calibration loop of dependent
//! multiply-adds, since machines differ and clocks wander.
//!
//! `flat_memory two-level 1000` (or `fifo`) makes a thousand sends and nothing else, for a counter of instructions;
//! `count-instructions` beside the crate's manifest does the sum.

#![allow(clippy::indexing_slicing, clippy::expect_used, reason = "a measurement may stop")]

mod flat;

use std::hint::black_box;
use std::time::Instant;

use evtchn::abi::{TWO_LEVEL_PORTS, control_block, fifo as word, shared_info, vcpu_info};
use evtchn::op::command;
use evtchn::{Caller, DomId, EventChannels, Port, Vcpu};
use flat::{Flat, PAGE};

/// Pages: dummy, two `shared_info`, then the second domain's control block and event words.
const RECEIVER: usize = 2;
const CONTROL: usize = 4;
const ARRAY: usize = 5;
/// Argument block of the sender, in its `shared_info` page behind the structure.
const BLOCK: usize = 4096 + 2048;
/// First page of event words of the domain whose ports are counted.
const FIRST_EVENT_PAGE: usize = 8;
/// Rounds of a sample, samples of a median, medians of which the best is shown.
const SAMPLE: u32 = 10_000;
const SAMPLES: usize = 51;
const RUNS: usize = 5;

struct Pair {
    channels: EventChannels<usize>,
    memory: Flat,
    sender: Caller,
    receiver: Caller,
    handled: u64,
}

impl Pair {
    fn new() -> Self {
        let mut memory = Flat::new(8);
        let mut channels = flat::channels();
        let sender = flat::domain(&mut channels, 1, 1, 1023);
        let receiver = flat::domain(&mut channels, 2, RECEIVER, 1023);
        let theirs = channels.alloc_unbound(&mut memory, receiver, DomId::SELF, DomId(1)).expect("a port is free");
        let ours = channels.bind_interdomain(&mut memory, sender, DomId(2), theirs).expect("the port is unbound");
        memory.words[BLOCK / 4] = ours.0;
        Self { channels, memory, sender, receiver, handled: 0 }
    }

    fn fifo() -> Self {
        let mut rig = Self::new();
        let Self { channels, memory, receiver, .. } = &mut rig;
        channels.init_control(memory, *receiver, Vcpu(0), CONTROL as u64, 0).expect("the block is accepted");
        channels.expand_array(memory, *receiver, ARRAY as u64).expect("the page is accepted");
        rig
    }

    /// A send through the raw hypercall, argument block and all.
    fn send(&mut self) {
        let cmd = black_box(command::SEND);
        let done = self.channels.event_channel_op(&mut self.memory, self.sender, cmd, BLOCK as u64);
        assert!(done.is_ok());
    }

    /// The receiver's handler, as a two-level guest writes it: upcall byte, selector, then each word's events.
    fn consume_two_level(&mut self) {
        let page = &mut self.memory.words[RECEIVER * PAGE..][..PAGE];
        if std::mem::take(&mut page[vcpu_info::UPCALL_PENDING as usize / 4]) & 1 == 0 {
            return;
        }
        for half in 0..2 {
            let mut selected = std::mem::take(&mut page[vcpu_info::PENDING_SEL as usize / 4 + half]);
            while selected != 0 {
                let first = 2 * (32 * half + selected.trailing_zeros() as usize);
                selected &= selected - 1;
                for word in [first, first + 1] {
                    let mask = page[shared_info::MASK as usize / 4 + word];
                    let pending = &mut page[shared_info::PENDING as usize / 4 + word];
                    while *pending & !mask != 0 {
                        *pending &= !(1 << (*pending & !mask).trailing_zeros());
                        self.handled += 1;
                    }
                }
            }
        }
    }

    /// The receiver's handler, as a FIFO guest writes it: upcall byte, ready bits, then each queue from its head.
    fn consume_fifo(&mut self) {
        let words = &mut self.memory.words;
        if std::mem::take(&mut words[RECEIVER * PAGE]) & 1 == 0 {
            return;
        }
        let mut ready = std::mem::take(&mut words[CONTROL * PAGE + control_block::READY as usize / 4]);
        while ready != 0 {
            let queue = ready.trailing_zeros() as usize;
            let mut port = words[CONTROL * PAGE + control_block::HEAD as usize / 4 + queue];
            while port != 0 {
                let word = &mut words[ARRAY * PAGE + port as usize];
                port = *word & word::LINK_MASK;
                *word &= !(word::LINKED | word::LINK_MASK);
                if *word & (word::PENDING | word::MASKED) == word::PENDING {
                    *word &= !word::PENDING;
                    self.handled += 1;
                }
            }
            ready &= ready - 1;
        }
    }
}

/// Events, each sent and handled before the next.
fn two_level(rig: &mut Pair, rounds: u32) {
    let before = rig.handled;
    for _ in 0..rounds {
        rig.send();
        rig.consume_two_level();
    }
    assert_eq!(rig.handled - before, u64::from(rounds), "every event arrives");
}

fn fifo(rig: &mut Pair, rounds: u32) {
    let before = rig.handled;
    for _ in 0..rounds {
        rig.send();
        rig.consume_fifo();
    }
    assert_eq!(rig.handled - before, u64::from(rounds), "every event arrives");
}

/// Dependent multiply-adds, one per round: about four cycles each.
fn calibration(value: &mut u64, rounds: u32) {
    for _ in 0..rounds {
        *value = black_box(*value).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    }
}

/// A domain with `used` ports in use, and beyond them `linked` free ones whose old events are still on a queue.
struct Ports {
    channels: EventChannels<usize>,
    memory: Flat,
    caller: Caller,
}

impl Ports {
    fn new(used: u32, linked: Option<u32>) -> Self {
        let (mut memory, mut channels) = (Flat::new(256), flat::channels());
        let caller = flat::domain(&mut channels, 1, 1, u32::MAX);
        if linked.is_some() {
            channels.init_control(&mut memory, caller, Vcpu(0), 2, 0).expect("the block is accepted");
            for page in 0..128 {
                channels
                    .expand_array(&mut memory, caller, FIRST_EVENT_PAGE as u64 + page)
                    .expect("the page is accepted");
            }
        }
        let linked = linked.unwrap_or(0);
        for _ in 0..used + linked {
            channels.bind_ipi(&mut memory, caller, Vcpu(0)).expect("a port is free");
        }
        for port in used + 1..=used + linked {
            channels.close(&mut memory, caller, Port(port)).expect("the port is open");
            memory.words[FIRST_EVENT_PAGE * PAGE + port as usize] = word::LINKED;
        }
        Self { channels, memory, caller }
    }

    fn bind_and_close(&mut self, rounds: u32) {
        for _ in 0..rounds {
            let port = self.channels.bind_ipi(&mut self.memory, self.caller, Vcpu(0)).expect("a port is free");
            self.channels.close(&mut self.memory, self.caller, black_box(port)).expect("the port is open");
        }
    }
}

/// Nanoseconds per round: the median of many samples, the best of a few of those.
fn time(mut rounds: impl FnMut(u32)) -> f64 {
    let mut sample = || {
        let start = Instant::now();
        rounds(SAMPLE);
        start.elapsed().as_secs_f64() * 1e9 / f64::from(SAMPLE)
    };
    let mut median = || {
        let mut samples: Vec<f64> = (0..SAMPLES).map(|_| sample()).collect();
        samples.sort_by(f64::total_cmp);
        samples[SAMPLES / 2]
    };
    (0..RUNS).map(|_| median()).fold(f64::INFINITY, f64::min)
}

fn measure() {
    let mut value = 1;
    let unit = time(|rounds| calibration(&mut value, rounds));
    black_box(value);
    println!("calibration              {unit:6.2} ns");
    let (mut plain, mut queued) = (Pair::new(), Pair::fifo());
    let costs = [
        ("two-level send + consume", time(|rounds| two_level(&mut plain, rounds))),
        ("FIFO send + consume", time(|rounds| fifo(&mut queued, rounds))),
    ];
    for (name, cost) in costs {
        println!("{name:24} {cost:6.2} ns, {:5.1} times the calibration loop", cost / unit);
    }
    println!("\nbind + close, with ports in use:\n    ports  two-level     FIFO");
    for used in [10, 500, 4_000, 100_000] {
        let cost = |linked| {
            let mut ports = Ports::new(used, linked);
            time(|rounds| ports.bind_and_close(rounds))
        };
        // Two-level ends at 4,096.
        let two_level = if used < TWO_LEVEL_PORTS { format!("{:6.1} ns", cost(None)) } else { "-".into() };
        println!("{used:9}  {two_level:>9}  {:6.1} ns", cost(Some(0)));
    }
    println!("\nbind + close in FIFO, 500 ports in use, with free ones still linked:\n   linked");
    for linked in [0, 10, 100, 1_000] {
        let mut ports = Ports::new(500, Some(linked));
        println!("{linked:9}  {:6.1} ns", time(|rounds| ports.bind_and_close(rounds)));
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let Some(which) = args.next() else { return measure() };
    let rounds = args.next().and_then(|text| text.parse().ok()).expect("a number of rounds");
    match which.as_str() {
        "two-level" => two_level(&mut Pair::new(), rounds),
        "fifo" => fifo(&mut Pair::fifo(), rounds),
        _ => panic!("two-level or fifo"),
    }
}
