//! What one event costs on flat memory: send, then the guest's consumption, two-level and FIFO.
//!
//! Then what a new port costs with few and with many in use.
//!
//! `cargo run --release -p evtchn --example flat_memory` prints nanoseconds, and each as a multiple of a calibration loop
//! of dependent multiply-adds run in between, since machines differ and clocks wander.

#![allow(clippy::indexing_slicing, clippy::expect_used, reason = "a measurement may stop")]

use evtchn::{
    Caller, DomId, DomIdx, DomainConfig, Errno, EventChannels, EventMemory, Host, Object, Policy, Port, Stop, Vcpu, abi,
};
use std::convert::Infallible;
use std::hint::black_box;
use std::time::Instant;

/// Memory as one array of words. An area is the index of its first word.
struct Flat {
    words: Vec<u32>,
    injected: u64,
}

impl Flat {
    fn word(&mut self, area: usize, offset: u32) -> &mut u32 {
        &mut self.words[area + offset as usize / 4]
    }
}

impl EventMemory for Flat {
    type Area = usize;
    type Fault = Infallible;

    fn load(&mut self, area: usize, offset: u32) -> Result<u32, Infallible> {
        Ok(*self.word(area, offset))
    }

    fn store(&mut self, area: usize, offset: u32, value: u32) -> Result<(), Infallible> {
        *self.word(area, offset) = value;
        Ok(())
    }

    fn fetch_or(&mut self, area: usize, offset: u32, bits: u32) -> Result<u32, Infallible> {
        let word = self.word(area, offset);
        let old = *word;
        *word |= bits;
        Ok(old)
    }

    fn fetch_and(&mut self, area: usize, offset: u32, bits: u32) -> Result<u32, Infallible> {
        let word = self.word(area, offset);
        let old = *word;
        *word &= bits;
        Ok(old)
    }

    fn compare_exchange(
        &mut self,
        area: usize,
        offset: u32,
        current: u32,
        new: u32,
    ) -> Result<Result<u32, u32>, Infallible> {
        let word = self.word(area, offset);
        let old = *word;
        if old == current {
            *word = new;
        }
        Ok(if old == current { Ok(old) } else { Err(old) })
    }
}

impl Host for Flat {
    fn read_guest(&mut self, _: DomIdx, ptr: u64, buf: &mut [u8]) -> Result<(), Stop<Infallible>> {
        let words = self.words.get(ptr as usize / 4..).ok_or(Errno::EFAULT)?;
        for (bytes, word) in buf.chunks_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
        }
        Ok(())
    }

    fn write_guest(&mut self, _: DomIdx, _: u64, _: &[u8]) -> Result<(), Stop<Infallible>> {
        Ok(())
    }

    fn map_area(&mut self, _: DomIdx, gaddr: u64, _: u32, _: Object) -> Result<usize, Stop<Infallible>> {
        Ok(gaddr as usize / 4)
    }

    fn unmap_area(&mut self, _: usize) {}

    fn inject(&mut self, _: DomIdx, _: Vcpu) {
        self.injected += 1;
    }

    fn unblock(&mut self, _: DomIdx, _: Vcpu) {}

    fn preemption_due(&mut self) -> bool {
        false
    }

    fn interrupt_deliverable(&mut self, _: DomIdx, _: Vcpu) -> bool {
        false
    }
}

/// Words of one page.
const PAGE: usize = 1024;
/// Pages: dummy, two `shared_info`, then the second domain's control block and event words.
const CONTROL: u64 = 4;
const ARRAY: u64 = 5;
const ROUNDS: u32 = 2_000_000;
/// Argument block of the sender, in its `shared_info` page behind the structure.
const BLOCK: u64 = 4096 + 2048;

struct Rig {
    channels: EventChannels<usize>,
    memory: Flat,
    sender: Caller,
    receiver: Caller,
    ports: (Port, Port),
}

fn rig() -> Rig {
    let mut memory = Flat { words: vec![0; 8 * PAGE], injected: 0 };
    let mut channels = EventChannels::new(Policy { hardware_domain: None, silo: false }, 0);
    let mut caller = |id: u16, page: usize| {
        let config = DomainConfig { id: DomId(id), vcpus: 1, privileged: false, max_evtchn_port: 1023, target: None };
        let dom = channels.create_domain(&config, page * PAGE).expect("the domain is sound");
        Caller { dom, vcpu: Vcpu(0) }
    };
    let (sender, receiver) = (caller(1, 1), caller(2, 2));
    let theirs = channels.alloc_unbound(&mut memory, receiver, DomId::SELF, DomId(1)).expect("a port is free");
    let ours = channels.bind_interdomain(&mut memory, sender, DomId(2), theirs).expect("the port is unbound");
    Rig { channels, memory, sender, receiver, ports: (ours, theirs) }
}

/// A send through the raw hypercall, argument block and all.
fn send(rig: &mut Rig) {
    let cmd = black_box(abi::op::SEND);
    let done = rig.channels.event_channel_op(&mut rig.memory, rig.sender, cmd, BLOCK);
    assert!(done.is_ok());
}

fn two_level() -> f64 {
    let mut rig = rig();
    rig.memory.words[BLOCK as usize / 4] = rig.ports.0.0;
    let (page, port) = (2 * PAGE, rig.ports.1.0);
    let pending = page + abi::shared_info::PENDING as usize / 4;
    let selector = page + abi::vcpu_info::PENDING_SEL as usize / 4;
    time(|| {
        send(&mut rig);
        let words = &mut rig.memory.words;
        words[page] = 0;
        let selected = std::mem::take(&mut words[selector]);
        let word = pending + selected.trailing_zeros() as usize * 2;
        words[word] &= !(1 << black_box(port));
    })
}

fn fifo() -> f64 {
    let mut rig = rig();
    rig.memory.words[BLOCK as usize / 4] = rig.ports.0.0;
    let receiver = rig.receiver;
    rig.channels.init_control(&mut rig.memory, receiver, Vcpu(0), CONTROL, 0).expect("the block is accepted");
    rig.channels.expand_array(&mut rig.memory, receiver, ARRAY).expect("the page is accepted");
    let (control, array, page) = (CONTROL as usize * PAGE, ARRAY as usize * PAGE, 2 * PAGE);
    time(|| {
        send(&mut rig);
        let words = &mut rig.memory.words;
        words[page] = 0;
        let ready = std::mem::take(&mut words[control]);
        let port = words[control + abi::control_block::HEAD as usize / 4 + ready.trailing_zeros() as usize];
        words[array + port as usize] &= !(abi::fifo::LINKED | abi::fifo::LINK_MASK | abi::fifo::PENDING);
    })
}

/// Dependent multiply-adds, as many per round as cost about a nanosecond each on a core of 4 GHz.
fn calibration() -> f64 {
    let mut value = 1u64;
    let elapsed = time(|| value = black_box(value).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    black_box(value);
    elapsed
}

/// Nanoseconds per round, the best of five.
fn time(mut round: impl FnMut()) -> f64 {
    (0..5)
        .map(|_| {
            let start = Instant::now();
            (0..ROUNDS).for_each(|_| round());
            start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
        })
        .fold(f64::INFINITY, f64::min)
}

/// Binding and closing a port of a domain that has `used` in use below it.
fn allocation(used: u32, is_fifo: bool) -> f64 {
    let mut memory = Flat { words: vec![0; 256 * PAGE], injected: 0 };
    let mut channels = EventChannels::new(Policy { hardware_domain: None, silo: false }, 0);
    let config = DomainConfig { id: DomId(1), vcpus: 1, privileged: false, max_evtchn_port: u32::MAX, target: None };
    let dom = channels.create_domain(&config, PAGE).expect("the domain is sound");
    let caller = Caller { dom, vcpu: Vcpu(0) };
    if is_fifo {
        channels.init_control(&mut memory, caller, Vcpu(0), CONTROL, 0).expect("the block is accepted");
        for page in 0..128 {
            channels.expand_array(&mut memory, caller, ARRAY + page).expect("the page is accepted");
        }
    }
    for _ in 0..used {
        channels.bind_ipi(&mut memory, caller, Vcpu(0)).expect("a port is free");
    }
    time(|| {
        let port = channels.bind_ipi(&mut memory, caller, Vcpu(0)).expect("a port is free");
        channels.close(&mut memory, caller, port).expect("the port is open");
    })
}

fn main() {
    let unit = calibration();
    println!("calibration        {unit:6.2} ns");
    for (name, cost) in [("two-level send + consume", two_level()), ("FIFO send + consume", fifo())] {
        println!("{name:26} {cost:6.2} ns, {:5.1} times the calibration loop", cost / unit);
    }
    println!("\nbind + close, by ports in use");
    for (used, is_fifo) in [(10, false), (500, false), (4000, false), (10, true), (4000, true), (100_000, true)] {
        let abi = if is_fifo { "FIFO" } else { "two-level" };
        let cost = allocation(used, is_fifo);
        println!("{used:8} {abi:10} {cost:6.2} ns, {:5.1} times the calibration loop", cost / unit);
    }
}
