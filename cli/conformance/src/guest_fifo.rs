//! The guest's side of the FIFO ABI.

use super::format::Op;
use super::guest::{Out, hex_word};
use super::live::{LiveSystem, StepError};
use evtchn::abi::control_block::{HEAD, READY};
use evtchn::abi::fifo::{LINK_MASK, LINKED, MASKED, PENDING, WORDS_PER_PAGE};
use serde_json::{Value, json};
use sim_core::guest::AtomicOp;
use sim_core::platform::Width;

/// More than a FIFO has ports, and an end where a tampered queue has none.
const MOST_TAKEN: u64 = 1 << 20;

/// What taking the first event of a queue came to.
struct Taken {
    port: u32,
    handled: bool,
}

impl LiveSystem {
    pub(super) fn fifo_step(&mut self, caller: (u16, u32), op: &Op) -> Option<Out> {
        Some(match *op {
            Op::GfMask { port } => self.change_word(caller, port, AtomicOp::Or(MASKED.into())),
            Op::GfUnmask { port } => self.change_word(caller, port, AtomicOp::And((!MASKED).into())),
            Op::GfClearPending { port } => self.change_word(caller, port, AtomicOp::And((!PENDING).into())),
            Op::GfSetWord { port, value } => self.change_word(caller, port, AtomicOp::Swap(value)),
            Op::GfFlipWord { port, times } => Ok(self.flip_word(caller, port, times)),
            Op::GfTakeReady {} => self.take_ready(caller),
            Op::GfTakeOne { priority } => self.take_one(caller, priority),
            Op::GfConsume { max } => self.consume(caller, max),
            _ => return None,
        })
    }

    /// Address of a port's event word, if its page was handed over.
    fn word(&self, domain: u16, port: u64) -> Option<u64> {
        let page = usize::try_from(port / u64::from(WORDS_PER_PAGE)).ok()?;
        let page = self.guests.get(&domain)?.pages.get(page)?;
        Some(page + port % u64::from(WORDS_PER_PAGE) * 4)
    }

    fn change_word(&mut self, (domain, _): (u16, u32), port: u64, op: AtomicOp) -> Out {
        let Some(address) = self.word(domain, port) else {
            return Ok(json!({ "word": null }));
        };
        let old = self.atomic(address, Width::Word, op)?;
        Ok(json!({ "word": hex_word(op.apply(old) as u32) }))
    }

    /// From now on another vCPU of the domain changes a bit of the word that means nothing, whenever the hypervisor is about to
    /// compare and exchange it, so many times.
    fn flip_word(&mut self, (domain, _): (u16, u32), port: u64, times: u32) -> Value {
        let Some(address) = self.word(domain, port) else {
            return json!({ "word": null });
        };
        self.forced.tamper.flips.insert(address, times);
        json!({})
    }

    /// `r |= swap(ready, 0)`.
    fn fetch_ready(&mut self, caller: (u16, u32), block: u64) -> Result<u32, StepError> {
        let ready = self.atomic(block + u64::from(READY), Width::Word, AtomicOp::Swap(0))? as u32;
        let vcpu = self.guest_vcpu(caller)?;
        vcpu.ready |= ready;
        Ok(vcpu.ready)
    }

    fn take_ready(&mut self, caller: (u16, u32)) -> Out {
        let Some(block) = self.guest_vcpu(caller)?.block else {
            return Ok(json!({ "ready": null }));
        };
        self.ack_upcall(caller)?;
        let ready = self.fetch_ready(caller, block)?;
        Ok(json!({ "ready": ready }))
    }

    fn take_one(&mut self, caller: (u16, u32), priority: u64) -> Out {
        let Some(block) = self.guest_vcpu(caller)?.block else {
            return Ok(json!({ "port": null }));
        };
        let queue = usize::try_from(priority).ok();
        let Some(queue) = queue.filter(|queue| *queue < evtchn::abi::fifo::QUEUES as usize) else {
            return Err(StepError::Step(format!("there is no queue {priority}")));
        };
        let taken = self.take(caller, block, queue)?;
        let vcpu = self.guest_vcpu(caller)?;
        let next = vcpu.heads.get(queue).copied();
        Ok(json!({ "port": taken.port, "handled": taken.handled, "ready": vcpu.ready, "next": next }))
    }

    fn consume(&mut self, caller: (u16, u32), max: u64) -> Out {
        if max > MOST_TAKEN {
            return Err(StepError::Step(format!("max is {max}; at most {MOST_TAKEN} events are taken in one step")));
        }
        let Some(block) = self.guest_vcpu(caller)?.block else {
            return Ok(json!({ "ports": null }));
        };
        self.ack_upcall(caller)?;
        let mut ready = self.fetch_ready(caller, block)?;
        let mut ports = Vec::new();
        for _ in 0..max {
            if ready == 0 {
                break;
            }
            let taken = self.take(caller, block, ready.trailing_zeros() as usize)?;
            if taken.handled {
                ports.push(taken.port);
            }
            ready = self.fetch_ready(caller, block)?;
        }
        Ok(json!({ "ports": ports, "left": ready }))
    }

    /// Takes the first event off a queue.
    fn take(&mut self, caller: (u16, u32), block: u64, queue: usize) -> Result<Taken, StepError> {
        let held = self.guest_vcpu(caller)?.heads.get(queue).copied().unwrap_or(0);
        let port =
            if held == 0 { self.load(block + u64::from(HEAD) + queue as u64 * 4, Width::Word)? as u32 } else { held };
        let word = if port == 0 { None } else { self.word(caller.0, port.into()) };
        let Some(address) = word else {
            self.go_on(caller, queue, 0)?;
            return Ok(Taken { port, handled: false });
        };
        let unlink = AtomicOp::And((!(LINKED | LINK_MASK)).into());
        let old = self.atomic(address, Width::Word, unlink)? as u32;
        self.go_on(caller, queue, old & LINK_MASK)?;
        let handled = old & PENDING != 0 && old & MASKED == 0;
        if handled {
            self.atomic(address, Width::Word, AtomicOp::And((!PENDING).into()))?;
        }
        Ok(Taken { port, handled })
    }

    /// Remembers where a queue goes on; 0: nowhere, so it is not ready any more.
    fn go_on(&mut self, caller: (u16, u32), queue: usize, next: u32) -> Result<(), StepError> {
        let vcpu = self.guest_vcpu(caller)?;
        if let Some(head) = vcpu.heads.get_mut(queue) {
            *head = next;
        }
        if next == 0 {
            // A guest's own word may have any bit set; 32 of them are a word.
            vcpu.ready &= !1u32.checked_shl(queue as u32).unwrap_or(0);
        }
        Ok(())
    }
}
