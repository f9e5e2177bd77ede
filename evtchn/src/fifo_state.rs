//! FIFO state of a domain: pages of event words, and each vcpu's control block and tails.

use alloc::vec::Vec;
use core::fmt::Debug;

use crate::abi::fifo::{LINKED, PENDING, QUEUES, WORDS_PER_PAGE};
use crate::{Host, Port, Vcpu};

/// FIFO state of a domain.
#[derive(Debug)]
pub(crate) struct Fifo<A> {
    /// Pages of event words, in the order they were handed over.
    pub(crate) pages: Vec<A>,
    /// One entry per vcpu.
    pub(crate) vcpus: Vec<VcpuQueues<A>>,
}

/// Queues of a vcpu.
#[derive(Debug, Clone)]
pub(crate) struct VcpuQueues<A> {
    /// None: events for this vcpu are lost.
    pub(crate) block: Option<A>,
    /// Last port of each queue; kept from the guest. 0: none.
    pub(crate) tails: [u32; QUEUES as usize],
}

/// An event word: its page and the offset in it.
pub(crate) type Word<A> = (A, u32);

impl<A: Copy + Debug> Fifo<A> {
    /// The event word of a port, if its page has been handed over.
    pub(crate) fn word(&self, port: u32) -> Option<Word<A>> {
        let page = self.pages.get((port / WORDS_PER_PAGE) as usize)?;
        Some((*page, port % WORDS_PER_PAGE * 4))
    }

    pub(crate) fn tail(&self, vcpu: Vcpu, priority: u8) -> Option<u32> {
        self.vcpus.get(vcpu.0 as usize)?.tails.get(usize::from(priority)).copied()
    }

    pub(crate) fn set_tail(&mut self, vcpu: Vcpu, priority: u8, port: u32) {
        let queues = self.vcpus.get_mut(vcpu.0 as usize);
        if let Some(tail) = queues.and_then(|queues| queues.tails.get_mut(usize::from(priority))) {
            *tail = port;
        }
    }

    /// Leaves the word LINKED: until the guest takes it off its queue, the port cannot be had again.
    pub(crate) fn clear_pending<H: Host<Area = A>>(&self, h: &mut H, port: Port) -> Result<(), H::Fault> {
        let Some((page, offset)) = self.word(port.0) else {
            return Ok(());
        };
        h.fetch_and(page, offset, !PENDING).map(|_| ())
    }

    pub(crate) fn is_pending<H: Host<Area = A>>(&self, h: &mut H, port: Port) -> Result<bool, H::Fault> {
        self.test(h, port, PENDING)
    }

    pub(crate) fn is_busy<H: Host<Area = A>>(&self, h: &mut H, port: Port) -> Result<bool, H::Fault> {
        self.test(h, port, LINKED)
    }

    fn test<H: Host<Area = A>>(&self, h: &mut H, port: Port, bit: u32) -> Result<bool, H::Fault> {
        let Some((page, offset)) = self.word(port.0) else {
            return Ok(false);
        };
        Ok(h.load(page, offset)? & bit != 0)
    }
}
