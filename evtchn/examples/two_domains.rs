//! Two domains and one channel: raw hypercalls, a guest that takes its events off, then the same channel as FIFO.
//!
//! `cargo run -p evtchn --example two_domains`

#![allow(clippy::indexing_slicing, clippy::expect_used, reason = "an example may stop")]

mod flat;

use std::convert::Infallible;

use evtchn::abi::{control_block, fifo, shared_info, vcpu_info};
use evtchn::op::command;
use evtchn::{AbiKind, Caller, DomId, Done, EventChannels, Stop};
use flat::{Flat, PAGE};

/// Pages of the array: the dummy `vcpu_info`, each domain's `shared_info`, its argument blocks, and what Bob hands over.
const ALICE: usize = 1;
const BOB: usize = 2;
const ALICE_ARGS: usize = 3;
const BOB_ARGS: usize = 4;
const CONTROL: usize = 5;
const ARRAY: usize = 6;

/// `event_channel_op` with its block in a page of the guest's; gives the block as the hypervisor leaves it.
fn hypercall<const N: usize>(
    channels: &mut EventChannels<usize>,
    memory: &mut Flat,
    caller: Caller,
    (cmd, page): (u32, usize),
    block: [u32; N],
) -> Result<[u32; N], Stop<Infallible>> {
    memory.words[page * PAGE..][..N].copy_from_slice(&block);
    let done = channels.event_channel_op(memory, caller, cmd, page as u64 * 4096)?;
    assert_eq!(done, Done::Rc(0));
    let mut block = [0; N];
    block.copy_from_slice(&memory.words[page * PAGE..][..N]);
    Ok(block)
}

/// Bob's interrupt handler in two-level days: upcall byte, selector, pending bits that are not masked.
fn take_two_level(memory: &mut Flat) -> Vec<u32> {
    let page = &mut memory.words[BOB * PAGE..][..PAGE];
    page[vcpu_info::UPCALL_PENDING as usize / 4] = 0;
    // His ports are all below 64 here, which is bit 0 of the selector.
    let selected = std::mem::take(&mut page[vcpu_info::PENDING_SEL as usize / 4]);
    if selected & 1 == 0 {
        return vec![];
    }
    let ready = page[shared_info::PENDING as usize / 4] & !page[shared_info::MASK as usize / 4];
    page[shared_info::PENDING as usize / 4] &= !ready;
    (0..32).filter(|port| ready >> port & 1 != 0).collect()
}

/// And with FIFO: upcall byte, ready bits, each queue from its head on.
fn take_fifo(memory: &mut Flat) -> Vec<u32> {
    let words = &mut memory.words;
    words[BOB * PAGE] = 0;
    let ready = std::mem::take(&mut words[CONTROL * PAGE + control_block::READY as usize / 4]);
    let mut taken = vec![];
    for queue in (0..fifo::QUEUES as usize).filter(|queue| ready >> queue & 1 != 0) {
        let mut port = words[CONTROL * PAGE + control_block::HEAD as usize / 4 + queue];
        while port != 0 {
            taken.push(port);
            let word = &mut words[ARRAY * PAGE + port as usize];
            port = *word & fifo::LINK_MASK;
            *word &= !(fifo::PENDING | fifo::LINKED | fifo::LINK_MASK);
        }
    }
    taken
}

fn main() -> Result<(), Stop<Infallible>> {
    let (mut memory, mut channels) = (Flat::new(7), flat::channels());
    let alice = flat::domain(&mut channels, 1, ALICE, 1023);
    let bob = flat::domain(&mut channels, 2, BOB, 1023);

    // Two 16-bit numbers share a word: the port's domain, and who may bind.
    let doms = u32::from(DomId::SELF.0) | 1 << 16;
    let [_, theirs] = hypercall(&mut channels, &mut memory, bob, (command::ALLOC_UNBOUND, BOB_ARGS), [doms, 0])?;
    let [.., ours] =
        hypercall(&mut channels, &mut memory, alice, (command::BIND_INTERDOMAIN, ALICE_ARGS), [2, theirs, 0])?;
    println!("Alice's port {ours} and Bob's port {theirs} are connected");

    hypercall(&mut channels, &mut memory, alice, (command::SEND, ALICE_ARGS), [ours])?;
    let taken = take_two_level(&mut memory);
    println!("Bob takes {taken:?} off; interrupts so far: {}", memory.injected);
    assert_eq!((taken, memory.injected), (vec![theirs], 2));

    // A control block for his vcpu, then a page of event words.
    let control = [CONTROL as u32, 0, 0, 0, 0, 0];
    let block = hypercall(&mut channels, &mut memory, bob, (command::INIT_CONTROL, BOB_ARGS), control)?;
    hypercall(&mut channels, &mut memory, bob, (command::EXPAND_ARRAY, BOB_ARGS), [ARRAY as u32, 0])?;
    assert_eq!(channels.abi_kind(bob.dom), Some(AbiKind::Fifo));
    println!("Bob is on FIFO now, links of {} bits", block[4]);

    hypercall(&mut channels, &mut memory, alice, (command::SEND, ALICE_ARGS), [ours])?;
    let taken = take_fifo(&mut memory);
    println!("Bob takes {taken:?} off; interrupts so far: {}", memory.injected);
    assert_eq!((taken, memory.injected), (vec![theirs], 3));
    Ok(())
}

#[test]
fn it_runs() {
    assert_eq!(main(), Ok(()));
}
