//! Events: from a port to a vcpu.

use alloc::vec::Vec;

use super::{Memory, Model};

const PENDING: u32 = 1 << 31;
const MASKED: u32 = 1 << 30;
const LINKED: u32 = 1 << 29;
const BUSY: u32 = 1 << 28;
const LINK: u32 = (1 << 17) - 1;

impl Model {
    /// Address of a vcpu's `vcpu_info`.
    #[must_use]
    pub fn info(&self, id: u16, vcpu: u32) -> u64 {
        let dom = &self.doms[&id];
        match dom.infos.get(&vcpu) {
            Some(info) => *info,
            None if vcpu == 0 => dom.config.shared_info,
            None => self.dummy,
        }
    }

    pub(super) fn upcall(&mut self, id: u16, vcpu: u32) {
        let info = self.info(id, vcpu);
        if self.memory.or(info, 1) & 1 == 0 {
            self.signs.kicks.push((id, vcpu));
            self.poll_timeout(id, vcpu);
        }
    }

    pub(super) fn select(&mut self, id: u16, port: u32, vcpu: u32) {
        let word = port / 64;
        let selector = self.info(id, vcpu) + 8 + u64::from(word / 32 * 4);
        if self.memory.or(selector, 1 << (word % 32)) & 1 << (word % 32) == 0 {
            self.upcall(id, vcpu);
        }
    }

    /// A poll is over, by its time or by an interrupt.
    pub fn poll_timeout(&mut self, dom: u16, vcpu: u32) {
        if self.doms.get_mut(&dom).unwrap().polls.remove(&vcpu).is_some() {
            self.signs.wakes.push((dom, vcpu));
        }
    }

    fn wake(&mut self, id: u16, port: u32) {
        let polls = &mut self.doms.get_mut(&id).unwrap().polls;
        let for_it = polls.iter().filter(|(_, wanted)| wanted.is_none_or(|wanted| wanted == port));
        let woken: Vec<u32> = for_it.map(|(vcpu, _)| *vcpu).collect();
        for vcpu in woken {
            polls.remove(&vcpu);
            self.signs.wakes.push((id, vcpu));
        }
    }

    pub(super) fn set_pending(&mut self, id: u16, port: u32, vcpu: u32) {
        let dom = &self.doms[&id];
        if dom.fifo.is_some() {
            self.set_pending_fifo(id, port, vcpu);
            return;
        }
        let (at, bit) = (dom.config.shared_info + u64::from(port / 32 * 4), 1 << (port % 32));
        if self.memory.or(at + 48, bit) & bit != 0 {
            return;
        }
        if self.memory.word(at + 560) & bit == 0 {
            self.select(id, port, vcpu);
        }
        self.wake(id, port);
    }

    fn set_pending_fifo(&mut self, id: u16, port: u32, vcpu: u32) {
        let (memory, dom) = (&mut self.memory, self.doms.get_mut(&id).unwrap());
        let Some(word) = dom.word(port) else {
            dom.chans[port as usize].latched = true;
            return;
        };
        let Some(block) = dom.blocks.get(&vcpu).copied() else {
            return;
        };
        let was_pending = memory.or(word, PENDING) & PENDING != 0;
        let mut first = false;
        if memory.word(word) & MASKED == 0 && memory.or(word, LINKED) & LINKED == 0 {
            let chan = &mut dom.chans[port as usize];
            let queue = (vcpu, chan.priority);
            let last_queue = core::mem::replace(&mut chan.last_queue, queue);
            let tails = dom.fifo.as_mut().unwrap();
            if tails.get(&last_queue) == Some(&port) {
                tails.remove(&last_queue);
            }
            let tail = tails.insert(queue, port).and_then(|tail| dom.word(tail));
            let linked = tail.is_some_and(|tail| chain(memory, tail, port, self.flips.get_mut(&tail)));
            if !linked {
                memory.set(block + 8 + u64::from(queue.1) * 4, port);
                first = memory.or(block, 1 << queue.1) & 1 << queue.1 == 0;
            }
        }
        if first {
            self.upcall(id, vcpu);
        }
        if !was_pending {
            self.wake(id, port);
        }
    }
}

/// Chains a port to the word of a queue's tail, as the ABI has it where the guest changes the word each time: one attempt, then with
/// BUSY set four more, then it counts as done. False: nothing is on the queue.
fn chain(memory: &mut Memory, tail: u64, port: u32, flips: Option<&mut u32>) -> bool {
    if memory.word(tail) & LINKED == 0 {
        return false;
    }
    let mut none = 0;
    let flips = flips.unwrap_or(&mut none);
    for attempt in 0..5 {
        if attempt == 1 {
            memory.or(tail, BUSY);
        }
        if *flips == 0 {
            let old = memory.word(tail);
            memory.set(tail, old & !BUSY & !LINK | port);
            return true;
        }
        *flips -= 1;
        let old = memory.word(tail);
        memory.set(tail, old ^ 1 << 17);
    }
    memory.and(tail, !BUSY);
    true
}
