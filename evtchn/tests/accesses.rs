//! Number and order of word accesses: the simulator around this crate counts them and faults on them.

use crate::testing::Access::*;
use crate::testing::*;
use evtchn::abi::fifo;
use evtchn::{DomIdx, Port, Vcpu, abi};

/// Addresses of what a send to domain 2 may touch: pending, mask, selector, upcall, for ports of the first word.
fn places(rig: &Rig, dom: DomIdx) -> [u64; 4] {
    let shared = shared_info(dom);
    let info = rig.info(dom, 0);
    [shared + 48, shared + 560, info + 8, info]
}

fn connected() -> (Rig, Port, Port) {
    let mut rig = Rig::new();
    let (here, there) = rig.channel(rig.d1, rig.d2);
    (rig, here, there)
}

fn connected_fifo() -> (Rig, Port, Port) {
    let mut rig = Rig::fifo();
    let (here, there) = rig.channel(rig.d1, rig.d2);
    (rig, here, there)
}

#[test]
fn send_makes_three_bit_operations_and_reads_the_mask() {
    let (mut rig, here, _) = connected();
    let [pending, mask, selector, upcall] = places(&rig, rig.d2);
    rig.send(rig.d1, here).unwrap();
    assert_eq!(rig.mem.log, [Or(pending), Load(mask), Or(selector), Or(upcall)]);
}

#[test]
fn a_second_send_stops_at_the_pending_bit() {
    let (mut rig, here, _) = connected();
    let [pending, ..] = places(&rig, rig.d2);
    rig.send(rig.d1, here).unwrap();
    rig.mem.clear_signs();
    rig.send(rig.d1, here).unwrap();
    assert_eq!(rig.mem.log, [Or(pending)]);
}

#[test]
fn a_masked_send_stops_at_the_mask() {
    let (mut rig, here, there) = connected();
    let [pending, mask, ..] = places(&rig, rig.d2);
    rig.set_mask(rig.d2, there, true);
    rig.send(rig.d1, here).unwrap();
    assert_eq!(rig.mem.log, [Or(pending), Load(mask)]);
}

#[test]
fn a_send_into_a_selected_word_stops_at_the_selector() {
    let (mut rig, here, _) = connected();
    let [pending, mask, selector, _] = places(&rig, rig.d2);
    rig.mem.poke(selector, 1);
    rig.send(rig.d1, here).unwrap();
    assert_eq!(rig.mem.log, [Or(pending), Load(mask), Or(selector)]);
}

#[test]
fn the_words_are_those_that_hold_the_bits() {
    let mut rig = Rig::with(false, |cfg| cfg.max_evtchn_port = 4095);
    let (d1, d2) = (rig.d1, rig.d2);
    // Port 2083 is bit 3 of 32-bit word 65, and its selector bit is bit 0 of the upper half.
    rig.ec.static_alloc_unbound(&mut rig.mem, d2, evtchn::DomId(1), Some(Port(2083))).unwrap();
    let here = rig.interdomain(d1, 2, Port(2083)).unwrap();
    rig.mem.clear_signs();
    rig.send(d1, here).unwrap();
    let (shared, info) = (shared_info(d2), rig.info(d2, 0));
    assert_eq!(rig.mem.log, [Or(shared + 48 + 260), Load(shared + 560 + 260), Or(info + 12), Or(info)]);
    assert_eq!((rig.mem.peek(shared + 48 + 260), rig.mem.peek(info + 12)), (1 << 3, 1));
}

#[test]
fn a_registered_vcpu_info_is_used_instead_of_the_legacy_one() {
    let (mut rig, here, _) = connected();
    rig.register(rig.d2, 0, 3, 64).unwrap();
    rig.acknowledge(rig.d2, 0);
    rig.mem.clear_signs();
    let info = ram(rig.d2) + 3 * 4096 + 64;
    let shared = shared_info(rig.d2);
    rig.send(rig.d1, here).unwrap();
    assert_eq!(rig.mem.log, [Or(shared + 48), Load(shared + 560), Or(info + 8), Or(info)]);
}

#[test]
fn unmask_looks_no_further_than_it_must() {
    let (mut rig, here, there) = connected();
    let d2 = rig.d2;
    let [pending, mask, selector, upcall] = places(&rig, d2);
    rig.unmask(d2, there).unwrap();
    assert_eq!(rig.mem.log, [And(mask)], "was not masked");
    rig.set_mask(d2, there, true);
    rig.mem.clear_signs();
    rig.unmask(d2, there).unwrap();
    assert_eq!(rig.mem.log, [And(mask), Load(pending)], "nothing pending");
    rig.set_mask(d2, there, true);
    rig.send(rig.d1, here).unwrap();
    rig.mem.clear_signs();
    rig.unmask(d2, there).unwrap();
    assert_eq!(rig.mem.log, [And(mask), Load(pending), Or(selector), Or(upcall)]);
}

#[test]
fn binds_touch_memory_only_to_raise_the_new_port() {
    let mut rig = Rig::new();
    let (d1, d2) = (rig.d1, rig.d2);
    let there = rig.unbound(d2, 1).unwrap();
    rig.ipi(d1, 0).unwrap();
    rig.virq(d1, 0, 0).unwrap();
    assert!(rig.mem.log.is_empty());
    rig.interdomain(d1, 2, there).unwrap();
    let [pending, mask, selector, upcall] = places(&rig, d1);
    assert_eq!(rig.mem.log, [Or(pending), Load(mask), Or(selector), Or(upcall)]);
    rig.mem.clear_signs();
    rig.ec.bind_vcpu(caller(d2), there, Vcpu(1)).unwrap();
    rig.ec.status(caller(d2), evtchn::DomId::SELF, there).unwrap();
    assert!(rig.mem.log.is_empty());
}

#[test]
fn close_clears_one_bit() {
    let (mut rig, here, there) = connected();
    rig.close(rig.d1, here).unwrap();
    assert_eq!(rig.mem.log, [And(shared_info(rig.d1) + 48)]);
    rig.mem.clear_signs();
    rig.close(rig.d2, there).unwrap();
    assert_eq!(rig.mem.log, [And(shared_info(rig.d2) + 48)]);
}

#[test]
fn poll_reads_one_word_per_port_it_looks_at() {
    let (mut rig, here, there) = connected();
    let (_, other) = rig.channel(rig.d1, rig.d2);
    let pending = shared_info(rig.d2) + 48;
    rig.poll(rig.d2, 0, &[other.0, there.0], 0).unwrap();
    assert_eq!(rig.mem.log, [Load(pending), Load(pending)]);
    rig.send(rig.d1, here).unwrap();
    rig.mem.clear_signs();
    rig.poll(rig.d2, 0, &[there.0, other.0], 0).unwrap();
    assert_eq!(rig.mem.log, [Load(pending)], "the first pending one ends it");
}

#[test]
fn registering_copies_then_selects_everything_then_marks_the_upcall() {
    let mut rig = Rig::new();
    let d1 = rig.d1;
    rig.register(d1, 0, 3, 0).unwrap();
    let (old, new) = (shared_info(d1), ram(d1) + 3 * 4096);
    let mut expected: Vec<_> =
        (0..48).step_by(4).flat_map(|offset| [Load(old + offset), Store(new + offset)]).collect();
    expected.extend([Store(new + 8), Store(new + 12), Or(new)]);
    assert_eq!(rig.mem.log, expected);
    rig.mem.clear_signs();
    // The dummy is not read: a new vcpu_info starts from zero.
    rig.register(d1, 1, 3, 64).unwrap();
    let new = new + 64;
    let mut expected: Vec<_> = (0..48).step_by(4).map(|offset| Store(new + offset)).collect();
    expected.extend([Store(new + 8), Store(new + 12), Or(new)]);
    assert_eq!(rig.mem.log, expected);
}

#[test]
fn shared_info_is_copied_word_by_word() {
    let mut rig = Rig::new();
    let (old, new) = (shared_info(rig.d1), ram(rig.d1));
    rig.ec.set_shared_info(&mut rig.mem, rig.d1, new).unwrap();
    let expected: Vec<_> = (0..1088).step_by(4).flat_map(|offset| [Load(old + offset), Store(new + offset)]).collect();
    assert_eq!(rig.mem.log, expected);
}

#[test]
fn a_fifo_send_to_an_empty_queue() {
    let (mut rig, here, there) = connected_fifo();
    let word = rig.word_addr(rig.d2, there);
    let block = rig.ec.control_block(rig.d2, Vcpu(0)).unwrap();
    let info = rig.info(rig.d2, 0);
    rig.send(rig.d1, here).unwrap();
    // Pending, masked?, linked, head of queue 7, ready, upcall.
    let expected = [Or(word), Load(word), Or(word), Store(block + 8 + 28), Or(block), Or(info)];
    assert_eq!(rig.mem.log, expected);
    rig.mem.clear_signs();
    rig.send(rig.d1, here).unwrap();
    assert_eq!(rig.mem.log, [Or(word), Load(word), Or(word)], "linked already");
}

#[test]
fn a_fifo_send_behind_another_event() {
    let (mut rig, here, there) = connected_fifo();
    let (next, tail) = rig.channel(rig.d1, rig.d2);
    rig.send(rig.d1, here).unwrap();
    rig.mem.clear_signs();
    rig.send(rig.d1, next).unwrap();
    let (word, old) = (rig.word_addr(rig.d2, tail), rig.word_addr(rig.d2, there));
    assert_eq!(rig.mem.log, [Or(word), Load(word), Or(word), Load(old), Cas(old)]);
}

#[test]
fn a_fifo_send_behind_a_guest_that_interferes() {
    let (mut rig, here, there) = connected_fifo();
    let (next, tail) = rig.channel(rig.d1, rig.d2);
    rig.send(rig.d1, here).unwrap();
    rig.mem.clear_signs();
    rig.mem.tamper = vec![fifo::LINKED | fifo::MASKED];
    rig.send(rig.d1, next).unwrap();
    let (word, old) = (rig.word_addr(rig.d2, tail), rig.word_addr(rig.d2, there));
    let expected = [Or(word), Load(word), Or(word), Load(old), Cas(old), Or(old), Load(old), Cas(old)];
    assert_eq!(rig.mem.log, expected);
}

#[test]
fn a_masked_fifo_send_and_its_unmask() {
    let (mut rig, here, there) = connected_fifo();
    let word = rig.word_addr(rig.d2, there);
    let block = rig.ec.control_block(rig.d2, Vcpu(0)).unwrap();
    let info = rig.info(rig.d2, 0);
    rig.set_mask(rig.d2, there, true);
    rig.send(rig.d1, here).unwrap();
    assert_eq!(rig.mem.log, [Or(word), Load(word)]);
    rig.mem.clear_signs();
    rig.unmask(rig.d2, there).unwrap();
    let link = [Or(word), Load(word), Or(word), Store(block + 36), Or(block), Or(info)];
    assert_eq!(rig.mem.log, [&[And(word), Load(word)][..], &link].concat());
    rig.consume(rig.d2, there);
    rig.mem.clear_signs();
    rig.unmask(rig.d2, there).unwrap();
    assert_eq!(rig.mem.log, [And(word), Load(word)], "nothing pending");
}

#[test]
fn looking_for_a_fifo_port_reads_the_words_of_candidates_only() {
    let (mut rig, here, there) = connected_fifo();
    let d2 = rig.d2;
    rig.send(rig.d1, here).unwrap();
    rig.close(d2, there).unwrap();
    rig.mem.clear_signs();
    assert_eq!(rig.ipi(d2, 0), Ok(Port(2)));
    let words = [1, 2].map(|port| Load(rig.word_addr(d2, Port(port))));
    assert_eq!(rig.mem.log, words, "port 1 is still linked");
    for _ in 3..64 {
        rig.ipi(d2, 0).unwrap();
    }
    rig.mem.clear_signs();
    assert_eq!(rig.ipi(d2, 0), Ok(Port(64)));
    assert_eq!(rig.mem.log, [words[0]], "a port of a new bucket is not looked at");
}

#[test]
fn switching_to_fifo_reads_a_pending_bit_per_port() {
    let mut rig = Rig::new();
    rig.init_control(rig.d1, 0).unwrap();
    let pending = shared_info(rig.d1) + u64::from(abi::shared_info::PENDING);
    let expected: Vec<_> = (1..64).map(|port| Load(pending + port / 32 * 4)).collect();
    assert_eq!(rig.mem.log, expected);
    rig.mem.clear_signs();
    rig.init_control(rig.d1, 1).unwrap();
    assert!(rig.mem.log.is_empty(), "only the first time");
}
