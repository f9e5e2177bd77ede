//! A hypervisor in one array: guest memory as words, and signs of what it was asked to do.

use std::convert::Infallible;

use evtchn::{
    Caller, DomId, DomIdx, DomainConfig, Errno, EventChannels, EventMemory, Host, Object, Policy, Stop, Vcpu,
};

/// Words of one page.
pub(crate) const PAGE: usize = 1024;

/// Memory as one array of words. An area is the index of its first word; a guest's addresses are the array's.
pub(crate) struct Flat {
    pub(crate) words: Vec<u32>,
    /// Event interrupts so far.
    pub(crate) injected: u64,
}

impl Flat {
    pub(crate) fn new(pages: usize) -> Self {
        Self { words: vec![0; pages * PAGE], injected: 0 }
    }

    #[inline]
    fn word(&mut self, area: usize, offset: u32) -> &mut u32 {
        &mut self.words[area + offset as usize / 4]
    }
}

impl EventMemory for Flat {
    type Area = usize;
    type Fault = Infallible;

    #[inline]
    fn load(&mut self, area: usize, offset: u32) -> Result<u32, Infallible> {
        Ok(*self.word(area, offset))
    }

    #[inline]
    fn store(&mut self, area: usize, offset: u32, value: u32) -> Result<(), Infallible> {
        *self.word(area, offset) = value;
        Ok(())
    }

    #[inline]
    fn fetch_or(&mut self, area: usize, offset: u32, bits: u32) -> Result<u32, Infallible> {
        let word = self.word(area, offset);
        let old = *word;
        *word |= bits;
        Ok(old)
    }

    #[inline]
    fn fetch_and(&mut self, area: usize, offset: u32, bits: u32) -> Result<u32, Infallible> {
        let word = self.word(area, offset);
        let old = *word;
        *word &= bits;
        Ok(old)
    }

    #[inline]
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
    #[inline]
    fn read_guest(&mut self, _: DomIdx, ptr: u64, buf: &mut [u8]) -> Result<(), Stop<Infallible>> {
        let words = self.words.get(ptr as usize / 4..).ok_or(Errno::EFAULT)?;
        for (bytes, word) in buf.chunks_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
        }
        Ok(())
    }

    #[inline]
    fn write_guest(&mut self, _: DomIdx, ptr: u64, buf: &[u8]) -> Result<(), Stop<Infallible>> {
        let words = self.words.get_mut(ptr as usize / 4..).ok_or(Errno::EFAULT)?;
        for (word, bytes) in words.iter_mut().zip(buf.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Ok(())
    }

    fn map_area(&mut self, _: DomIdx, gaddr: u64, _: u32, _: Object) -> Result<usize, Stop<Infallible>> {
        let word = gaddr as usize / 4;
        if word < self.words.len() { Ok(word) } else { Err(Errno::EINVAL.into()) }
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

/// An empty table whose dummy `vcpu_info` is the first page.
pub(crate) fn channels() -> EventChannels<usize> {
    EventChannels::new(Policy { hardware_domain: None, silo: false }, 0)
}

/// Adds a domain of one vcpu; its `shared_info` is that page.
pub(crate) fn domain(channels: &mut EventChannels<usize>, id: u16, page: usize, max_evtchn_port: u32) -> Caller {
    let config = DomainConfig { id: DomId(id), vcpus: 1, privileged: false, max_evtchn_port, target: None };
    let dom = channels.create_domain(&config, page * PAGE).expect("the domain is sound");
    Caller { dom, vcpu: Vcpu(0) }
}
