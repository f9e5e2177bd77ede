//! What guests do to the memory they share with the hypervisor, and the dumps they take of it.

use super::super::live::StepError;
use super::live::{LiveSystem, VCPUS};
use evtchn::abi::{control_block, shared_info, vcpu_info};
use serde_json::{Map, Value, json};
use sim_core::layout::PAGE_SIZE;
use sim_core::platform::Width;

/// Words of the pending and mask arrays.
const BIT_WORDS: u64 = 64;
/// Words of event arrays that a dump looks at.
const DUMPED_WORDS: u64 = 9;
/// Queues of a control block.
const QUEUES: u64 = 16;
/// Event word: pending and linked, and the link.
const CONSUMED: u64 = 1 << 31 | 1 << 29 | 0x1_ffff;

fn hex(value: u64) -> Value {
    Value::String(format!("{value:#x}"))
}

impl LiveSystem {
    fn pending_word(&mut self, domain: u16, word: u64) -> Result<u64, StepError> {
        Ok(self.guest(domain)?.shared_info() + u64::from(shared_info::PENDING) + word * 8)
    }

    fn mask_word(&mut self, domain: u16, word: u64) -> Result<u64, StepError> {
        Ok(self.guest(domain)?.shared_info() + u64::from(shared_info::MASK) + word * 8)
    }

    fn infos(&mut self, domain: u16) -> Result<[Option<u64>; VCPUS], StepError> {
        Ok(self.guest(domain)?.infos)
    }

    /// The first vCPU's upcall byte, selector or both become 0.
    pub(super) fn clear_first_info(&mut self, domain: u16, upcall: bool, selector: bool) -> Result<(), StepError> {
        let [Some(info), _] = self.infos(domain)? else {
            return Ok(());
        };
        if selector {
            self.store(info + u64::from(vcpu_info::PENDING_SEL), Width::Double, 0)?;
        }
        if upcall {
            self.store(info + u64::from(vcpu_info::UPCALL_PENDING), Width::Byte, 0)?;
        }
        Ok(())
    }

    /// No two-level event is pending any more, on any vCPU.
    pub(super) fn clear_two_level(&mut self, domain: u16) -> Result<(), StepError> {
        for word in 0..BIT_WORDS {
            self.set_pending_word(domain, word, 0)?;
        }
        for info in self.infos(domain)?.into_iter().flatten() {
            self.store(info + u64::from(vcpu_info::PENDING_SEL), Width::Double, 0)?;
            self.store(info + u64::from(vcpu_info::UPCALL_PENDING), Width::Byte, 0)?;
        }
        Ok(())
    }

    /// Writes a word of pending bits.
    pub(super) fn set_pending_word(&mut self, domain: u16, word: u64, value: u64) -> Result<(), StepError> {
        let address = self.pending_word(domain, word)?;
        self.store(address, Width::Double, value)
    }

    /// Writes a word of mask bits.
    pub(super) fn set_mask_word(&mut self, domain: u16, word: u64, value: u64) -> Result<(), StepError> {
        let address = self.mask_word(domain, word)?;
        self.store(address, Width::Double, value)
    }

    /// Masks a port.
    pub(super) fn mask_port(&mut self, domain: u16, port: u32) -> Result<(), StepError> {
        let port = u64::from(port);
        let address = self.mask_word(domain, port / 64 % BIT_WORDS)?;
        let old = self.load(address, Width::Double)?;
        self.store(address, Width::Double, old | 1 << (port % 64))
    }

    /// Whether a port is pending, as its guest sees it.
    pub(super) fn port_pending(&mut self, domain: u16, port: u32) -> Result<bool, StepError> {
        let port = u64::from(port);
        let address = self.pending_word(domain, port / 64 % BIT_WORDS)?;
        Ok(self.load(address, Width::Double)? >> (port % 64) & 1 == 1)
    }

    /// Takes one event: the port's bit, and all of the first vCPU's upcall state.
    pub(super) fn take_port(&mut self, domain: u16, port: u32) -> Result<(), StepError> {
        let port = u64::from(port);
        let address = self.pending_word(domain, port / 64 % BIT_WORDS)?;
        let old = self.load(address, Width::Double)?;
        self.store(address, Width::Double, old & !(1 << (port % 64)))?;
        self.clear_first_info(domain, true, true)
    }

    /// Fills the first `bytes` of a vCPU's control block page with 0.
    pub(super) fn clear_block(&mut self, domain: u16, number: u64, bytes: u64) -> Result<(), StepError> {
        let page = self.guest(domain)?.block_page(number);
        for offset in (0..bytes.min(PAGE_SIZE)).step_by(8) {
            self.store(page + offset, Width::Double, 0)?;
        }
        Ok(())
    }

    /// Where a port's event word is. Only ports of the first array page are written to.
    fn event_word(&mut self, domain: u16, port: u32) -> Result<u64, StepError> {
        let offset = u64::from(port) * 4;
        if offset >= PAGE_SIZE {
            return Err(StepError::Step(format!("port {port} has no word in the first array page")));
        }
        Ok(self.guest(domain)?.array_page(0) + offset)
    }

    /// Writes a port's event word.
    pub(super) fn set_event_word(&mut self, domain: u16, port: u32, value: u64) -> Result<(), StepError> {
        let address = self.event_word(domain, port)?;
        self.store(address, Width::Word, value)
    }

    /// Takes the one event of the default queue.
    pub(super) fn consume_fifo(&mut self, domain: u16, port: u32) -> Result<(), StepError> {
        let address = self.event_word(domain, port)?;
        let word = self.load(address, Width::Word)?;
        self.store(address, Width::Word, word & !CONSUMED)?;
        self.clear_block(domain, 0, 8 + QUEUES * 4)?;
        self.clear_first_info(domain, true, false)
    }

    /// The dump of `shared_info` and of every `vcpu_info`; words that are 0 are left out.
    pub(super) fn dump_shared(&mut self, domain: u16, vcpu: u32) -> Result<Map<String, Value>, StepError> {
        let mut out = Map::new();
        for word in 0..BIT_WORDS {
            let (pending, mask) = (self.pending_word(domain, word)?, self.mask_word(domain, word)?);
            for (name, address) in [("pending", pending), ("mask", mask)] {
                let bits = self.load(address, Width::Double)?;
                if bits != 0 {
                    out.insert(format!("evtchn_{name}[{word}]"), hex(bits));
                }
            }
        }
        self.dump_infos(domain, true, &mut out)?;
        self.dump_interrupt(domain, vcpu, &mut out)?;
        Ok(out)
    }

    /// The dump of control blocks and the first event words; heads and words that are 0 are left out.
    pub(super) fn dump_fifo(&mut self, domain: u16, vcpu: u32) -> Result<Map<String, Value>, StepError> {
        let mut out = Map::new();
        for number in 0..VCPUS as u64 {
            let block = self.guest(domain)?.block_page(number);
            let ready = self.load(block + u64::from(control_block::READY), Width::Word)?;
            out.insert(format!("cb{number}.ready"), hex(ready));
            for queue in 0..QUEUES {
                let head = self.load(block + u64::from(control_block::HEAD) + queue * 4, Width::Word)?;
                if head != 0 {
                    out.insert(format!("cb{number}.head[{queue}]"), json!(head));
                }
            }
        }
        let words = self.guest(domain)?.array_page(0);
        for port in 0..DUMPED_WORDS {
            let word = self.load(words + port * 4, Width::Word)?;
            if word != 0 {
                out.insert(format!("word[{port}]"), hex(word));
            }
        }
        self.dump_infos(domain, false, &mut out)?;
        self.dump_interrupt(domain, vcpu, &mut out)?;
        Ok(out)
    }

    fn dump_infos(&mut self, domain: u16, selector: bool, out: &mut Map<String, Value>) -> Result<(), StepError> {
        for (number, info) in self.infos(domain)?.into_iter().enumerate() {
            let Some(info) = info else {
                continue;
            };
            let upcall = self.load(info + u64::from(vcpu_info::UPCALL_PENDING), Width::Byte)?;
            out.insert(format!("vcpu_info[{number}].evtchn_upcall_pending"), json!(upcall));
            if selector {
                let selector = self.load(info + u64::from(vcpu_info::PENDING_SEL), Width::Double)?;
                out.insert(format!("vcpu_info[{number}].evtchn_pending_sel"), hex(selector));
            }
        }
        Ok(())
    }

    fn dump_interrupt(&mut self, domain: u16, vcpu: u32, out: &mut Map<String, Value>) -> Result<(), StepError> {
        let isr = self.guest(domain)?.gic(vcpu).map_or(0, |gic| gic.isr());
        out.insert("isr_el1".into(), hex(isr));
        Ok(())
    }
}
