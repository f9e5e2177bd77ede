//! The FIFO ABI: an event word per port in pages the guest hands over, and sixteen queues per vcpu whose ready bits
//! and heads are in a control block. Source of facts: Xen's `event_fifo.c`.
//!
//! Here is what happens to words and queues; handing blocks and pages over is `fifo_control.rs`.

use core::fmt::Debug;

use crate::abi::control_block;
use crate::abi::fifo::{BUSY, LINK_MASK, LINKED, MASKED, PENDING};
use crate::domain::Domain;
use crate::fifo_state::Word;
use crate::{EventMemory, Host, Port, Vcpu, Withheld};

/// Also for free ports, when a page arrives that an event waited for.
pub(crate) fn set_pending<A: Copy + Debug, H: Host<Area = A>>(
    domain: &mut Domain<A>,
    h: &mut H,
    port: Port,
    vcpu: Vcpu,
) -> Result<(), H::Fault> {
    let (Some(fifo), Some(channel)) = (&mut domain.fifo, domain.ports.get_mut(port)) else {
        return Ok(());
    };
    let Some((page, offset)) = fifo.word(port.0) else {
        // Xen never takes this back, and later pages show it.
        channel.latched = true;
        h.event_withheld(domain.idx, port, Withheld::NoEventWord);
        return Ok(());
    };
    let priority = channel.priority;
    let (old_vcpu, old_priority) = (channel.last_vcpu, channel.last_priority);
    let Some(block) = fifo.vcpus.get(vcpu.0 as usize).and_then(|queues| queues.block) else {
        h.event_withheld(domain.idx, port, Withheld::NoControlBlock);
        return Ok(());
    };

    let was_pending = h.fetch_or(page, offset, PENDING)? & PENDING != 0;
    let mut linked = true;
    if h.load(page, offset)? & MASKED == 0 && h.fetch_or(page, offset, LINKED)? & LINKED == 0 {
        // A tail that moves elsewhere leaves an empty queue behind; were it kept, the next event of that queue
        // would be chained to this word.
        if fifo.tail(old_vcpu, old_priority) == Some(port.0) {
            fifo.set_tail(old_vcpu, old_priority, 0);
        }
        (channel.last_vcpu, channel.last_priority) = (vcpu, priority);
        linked = match fifo.tail(vcpu, priority).filter(|tail| *tail != 0).and_then(|tail| fifo.word(tail)) {
            Some(tail) => set_link(h, tail, port.0)?,
            None => false,
        };
        if !linked {
            h.store(block, control_block::HEAD + 4 * u32::from(priority), port.0)?;
        }
        fifo.set_tail(vcpu, priority, port.0);
    }
    if !linked {
        let ready = 1 << priority;
        if h.fetch_or(block, control_block::READY, ready)? & ready == 0 {
            domain.mark_upcall(h, vcpu)?;
        }
    }
    if !was_pending {
        domain.check_pollers(h, port);
    }
    Ok(())
}

/// Unlike two-level, this repeats: a pending word that is not on a queue is linked again each time.
pub(crate) fn unmask<A: Copy + Debug, H: Host<Area = A>>(
    domain: &mut Domain<A>,
    h: &mut H,
    port: Port,
    vcpu: Vcpu,
) -> Result<(), H::Fault> {
    let Some((page, offset)) = domain.fifo.as_ref().and_then(|fifo| fifo.word(port.0)) else {
        return Ok(());
    };
    h.fetch_and(page, offset, !MASKED)?;
    if h.load(page, offset)? & PENDING != 0 {
        set_pending(domain, h, port, vcpu)?;
    }
    Ok(())
}

/// How one attempt to chain a port to a tail ended.
enum Attempt {
    Linked,
    /// The guest has taken the tail off: the queue is empty.
    Drained,
    /// The guest changed the word under us; this is what it was.
    Changed(u32),
}

/// Chains `port` to the tail's word. False: the queue had drained. A guest that keeps changing the word loses, and
/// the port counts as linked.
fn set_link<H: EventMemory>(h: &mut H, tail: Word<H::Area>, port: u32) -> Result<bool, H::Fault> {
    let (page, offset) = tail;
    let seen = h.load(page, offset)?;
    match try_link(h, tail, seen, port)? {
        Attempt::Linked => return Ok(true),
        Attempt::Drained => return Ok(false),
        Attempt::Changed(_) => {}
    }
    // BUSY keeps a well-behaved guest from unmasking meanwhile.
    h.fetch_or(page, offset, BUSY)?;
    let mut seen = h.load(page, offset)?;
    for _ in 0..4 {
        match try_link(h, tail, seen, port)? {
            Attempt::Linked => return Ok(true),
            Attempt::Drained => {
                h.fetch_and(page, offset, !BUSY)?;
                return Ok(false);
            }
            Attempt::Changed(now) => seen = now,
        }
    }
    h.fetch_and(page, offset, !BUSY)?;
    Ok(true)
}

fn try_link<H: EventMemory>(
    h: &mut H,
    (page, offset): Word<H::Area>,
    seen: u32,
    port: u32,
) -> Result<Attempt, H::Fault> {
    if seen & LINKED == 0 {
        return Ok(Attempt::Drained);
    }
    let new = seen & !(BUSY | LINK_MASK) | port;
    Ok(match h.compare_exchange(page, offset, seen, new)? {
        Ok(_) => Attempt::Linked,
        Err(now) => Attempt::Changed(now),
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::testing::*;
    use crate::{DomIdx, Poll};

    /// Rig with `n` channels from domain 1 to domain 2: the ports to send on, and their ends.
    fn rig(n: usize) -> (Rig, Vec<Port>, Vec<Port>) {
        let mut rig = Rig::fifo();
        let (d1, d2) = (rig.d1, rig.d2);
        let pairs = (0..n).map(|_| rig.channel(d1, d2)).unzip();
        (rig, pairs.0, pairs.1)
    }

    fn block(rig: &Rig, dom: DomIdx) -> Area {
        rig.ec.control_block(dom, Vcpu(0)).unwrap()
    }

    fn head(rig: &Rig, dom: DomIdx, priority: u64) -> u32 {
        rig.mem.peek(block(rig, dom) + 8 + 4 * priority)
    }

    #[test]
    fn the_first_event_becomes_the_head_and_makes_the_queue_ready() {
        let (mut rig, from, to) = rig(1);
        let (d1, d2) = (rig.d1, rig.d2);
        rig.send(d1, from[0]).unwrap();
        assert_eq!(rig.word(d2, to[0]), PENDING | LINKED);
        assert_eq!((head(&rig, d2, 7), rig.mem.peek(block(&rig, d2))), (to[0].0, 1 << 7));
        assert_eq!(rig.mem.injected, [(d2, 0)]);
    }

    #[test]
    fn an_event_that_sets_no_bit_is_told() {
        let (mut rig, from, _) = rig(1);
        let (d0, d1, d2) = (rig.d0, rig.d1, rig.d2);
        // A two-level domain's events are never withheld; without its page, a FIFO domain's are.
        let (zero, there) = rig.channel(d2, d0);
        rig.send(d2, zero).unwrap();
        assert!(rig.mem.withheld.is_empty());
        rig.init_control(d0, 0).unwrap();
        rig.consume(d2, zero);
        rig.mem.clear_signs();
        rig.send(d2, zero).unwrap();
        rig.send(d2, zero).unwrap();
        assert_eq!(rig.mem.withheld, [(d0, there.0, Withheld::NoEventWord); 2]);
        assert!(rig.mem.log.is_empty());
        rig.expand(d0, 2).unwrap();
        assert!(rig.is_pending(d0, there));
        rig.ec.bind_vcpu(caller(d0), there, Vcpu(1)).unwrap();
        rig.mem.clear_signs();
        rig.send(d2, zero).unwrap();
        assert_eq!(rig.mem.withheld, [(d0, there.0, Withheld::NoControlBlock)]);
        assert!(rig.mem.log.is_empty());
        rig.send(d1, from[0]).unwrap();
        assert_eq!(rig.mem.withheld.len(), 1);
    }

    #[test]
    fn later_events_are_chained_to_the_tail_without_an_upcall() {
        let (mut rig, from, to) = rig(3);
        let (d1, d2) = (rig.d1, rig.d2);
        for port in &from {
            rig.send(d1, *port).unwrap();
        }
        assert_eq!(head(&rig, d2, 7), to[0].0);
        let links: Vec<_> = to.iter().map(|port| rig.word(d2, *port)).collect();
        assert_eq!(links, [PENDING | LINKED | to[1].0, PENDING | LINKED | to[2].0, PENDING | LINKED]);
        assert_eq!(rig.mem.injected.len(), 1);
    }

    #[test]
    fn a_drained_tail_means_a_new_head() {
        let (mut rig, from, to) = rig(2);
        let (d1, d2) = (rig.d1, rig.d2);
        rig.send(d1, from[0]).unwrap();
        // Consumed, but ready is still set: the consumer has not swapped it away yet.
        let addr = rig.word_addr(d2, to[0]);
        rig.mem.poke(addr, 0);
        rig.send(d1, from[1]).unwrap();
        assert_eq!((head(&rig, d2, 7), rig.word(d2, to[0])), (to[1].0, 0));
        assert_eq!(rig.mem.injected.len(), 1, "who finds ready set leaves the upcall");
    }

    #[test]
    fn a_masked_event_is_pending_and_nothing_else() {
        let (mut rig, from, to) = rig(1);
        let (d1, d2) = (rig.d1, rig.d2);
        rig.set_mask(d2, to[0], true);
        rig.unmask(d2, to[0]).unwrap();
        assert_eq!(rig.word(d2, to[0]), 0, "no event, nothing to raise");
        rig.set_mask(d2, to[0], true);
        rig.send(d1, from[0]).unwrap();
        assert_eq!(rig.word(d2, to[0]), PENDING | MASKED);
        assert!(rig.mem.injected.is_empty());
        rig.unmask(d2, to[0]).unwrap();
        assert_eq!(rig.word(d2, to[0]), PENDING | LINKED);
        assert_eq!(rig.mem.injected.len(), 1);
    }

    #[test]
    fn closing_takes_the_event_back_and_leaves_the_word_on_its_queue() {
        let (mut rig, from, to) = rig(1);
        let (d1, d2) = (rig.d1, rig.d2);
        rig.send(d1, from[0]).unwrap();
        rig.close(d2, to[0]).unwrap();
        assert_eq!(rig.word(d2, to[0]), LINKED);
    }

    #[test]
    fn only_an_event_that_is_new_ends_a_poll() {
        let (mut rig, from, to) = rig(1);
        let (d1, d2) = (rig.d1, rig.d2);
        // Masked, so that no interrupt ends it.
        rig.set_mask(d2, to[0], true);
        for woken in [&[(d2, 0)][..], &[]] {
            assert_eq!(rig.poll(d2, 0, &[], 0), Ok(Poll::Block { timeout: 0 }));
            rig.mem.clear_signs();
            rig.send(d1, from[0]).unwrap();
            assert_eq!(rig.mem.woken, woken);
        }
        assert_eq!(rig.poll(d2, 1, &[to[0].0], 0), Ok(Poll::Ready));
        rig.consume(d2, to[0]);
        assert_eq!(rig.poll(d2, 1, &[to[0].0], 0), Ok(Poll::Block { timeout: 0 }));
    }

    #[test]
    fn a_tail_that_changes_queues_leaves_an_empty_one() {
        let (mut rig, from, to) = rig(2);
        let (d1, d2) = (rig.d1, rig.d2);
        rig.send(d1, from[0]).unwrap();
        rig.consume(d2, to[0]);
        rig.ec.set_priority(caller(d2), to[0], 2).unwrap();
        rig.send(d1, from[0]).unwrap();
        assert_eq!((head(&rig, d2, 2), rig.mem.peek(block(&rig, d2))), (to[0].0, 1 << 2));
        // Queue 7's old tail is on queue 2 now; the next event of queue 7 must not be chained to it.
        rig.send(d1, from[1]).unwrap();
        assert_eq!(rig.word(d2, to[0]), PENDING | LINKED);
        assert_eq!(head(&rig, d2, 7), to[1].0);
    }

    #[test]
    fn a_new_priority_waits_for_the_next_linking() {
        let (mut rig, from, to) = rig(1);
        let (d1, d2) = (rig.d1, rig.d2);
        rig.send(d1, from[0]).unwrap();
        rig.ec.set_priority(caller(d2), to[0], 0).unwrap();
        rig.send(d1, from[0]).unwrap();
        assert_eq!((head(&rig, d2, 7), head(&rig, d2, 0)), (to[0].0, 0));
    }

    #[test]
    fn a_port_that_is_opened_again_has_the_default_priority() {
        let (mut rig, _, to) = rig(1);
        let d2 = rig.d2;
        rig.ec.set_priority(caller(d2), to[0], 2).unwrap();
        rig.close(d2, to[0]).unwrap();
        assert_eq!(rig.ipi(d2, 0), Ok(to[0]));
        rig.send(d2, to[0]).unwrap();
        assert_eq!((head(&rig, d2, 7), head(&rig, d2, 2)), (to[0].0, 0));
    }

    #[test]
    fn queues_are_per_vcpu() {
        let (mut rig, from, to) = rig(2);
        let (d1, d2) = (rig.d1, rig.d2);
        rig.ec.bind_vcpu(caller(d2), to[1], Vcpu(1)).unwrap();
        for port in &from {
            rig.send(d1, *port).unwrap();
        }
        let other = rig.ec.control_block(d2, Vcpu(1)).unwrap();
        assert_eq!((head(&rig, d2, 7), rig.mem.peek(other + 8 + 28)), (to[0].0, to[1].0));
        assert_eq!(rig.mem.peek(other), 1 << 7);
    }

    /// Sends twice while a guest changes the tail's word before each compare-exchange; the tail's word afterwards,
    /// and whether the second event was made the head.
    fn race(values: &[u32]) -> (u32, bool, usize) {
        let (mut rig, from, to) = rig(2);
        let (d1, d2) = (rig.d1, rig.d2);
        rig.send(d1, from[0]).unwrap();
        rig.mem.tamper = values.to_vec();
        rig.mem.log.clear();
        rig.send(d1, from[1]).unwrap();
        let tries = rig.mem.log.iter().filter(|access| matches!(access, Access::Cas(_))).count();
        assert_eq!(to[1].0, 2);
        (rig.word(d2, to[0]), head(&rig, d2, 7) == to[1].0, tries)
    }

    #[test]
    fn a_guest_that_masks_meanwhile_is_tried_again() {
        assert_eq!(race(&[PENDING | LINKED | MASKED]), (PENDING | LINKED | MASKED | 2, false, 2));
    }

    #[test]
    fn a_guest_that_takes_the_tail_off_meanwhile_leaves_an_empty_queue() {
        // What the first exchange saw is not judged; BUSY is set on whatever there is, and taken back.
        assert_eq!(race(&[0]), (0, true, 1));
        assert_eq!(race(&[LINKED, 0]), (0, true, 2));
    }

    #[test]
    fn a_guest_that_keeps_changing_the_tail_counts_as_linked() {
        let values = [LINKED | MASKED, LINKED, LINKED | MASKED, LINKED, LINKED | MASKED];
        assert_eq!(race(&values), (LINKED | MASKED, false, 5));
    }

    #[test]
    fn a_tail_changed_four_times_is_still_linked_at_the_fifth() {
        let values = [LINKED | MASKED, LINKED, LINKED | MASKED, LINKED];
        assert_eq!(race(&values), (LINKED | 2, false, 5));
    }
}
