//! What is looked at after a step beside its result: memory, who sleeps.

use super::play::Player;
use conformance::wording as replayed;
use evtchn::Object;
use evtchn::abi::{self, shared_info};
use sim_core::hyp::domain::RunState;
use sim_core::layout::PAGE_SIZE;

impl Player<'_> {
    /// The first word that hypervisor and guests share and the model has otherwise, in a sentence. Only pages written since the
    /// last look can have any.
    pub(super) fn memory(&mut self) -> Option<String> {
        static ZEROS: [u8; PAGE_SIZE as usize] = [0; PAGE_SIZE as usize];
        for (address, page) in self.written() {
            let real = self.live.harness.machine.memory().page(address).unwrap_or(&ZEROS);
            if real != page {
                let at = real.iter().zip(page).position(|(real, page)| real != page).unwrap_or(0);
                let word = |bytes: &[u8]| {
                    let bytes = bytes.get(at / 4 * 4..).and_then(<[u8]>::first_chunk).copied();
                    u32::from_le_bytes(bytes.unwrap_or_default())
                };
                return Some(self.word(address + at as u64 / 4 * 4, word(page), word(real)));
            }
        }
        self.looked = (self.model.memory.writes(), self.live.harness.machine.memory().writes());
        None
    }

    /// That a word is not as the model has it.
    fn word(&self, at: u64, expected: u32, got: u32) -> String {
        let hyp = &self.live.harness.hyp;
        let Some((area, offset)) = hyp.object_at(at) else {
            return format!("the word at {at:#x} is {got:#x}; the model says {expected:#x}");
        };
        let domain = area.domain.and_then(|position| hyp.index(position)).and_then(|dom| hyp.channels.id_of(dom));
        let differs = (expected ^ got).trailing_zeros();
        let bit = |array: u32, key| {
            let port = (offset.checked_sub(array.into())? * 8) as u32 + differs;
            let domain = domain?.0.to_string();
            (port < abi::TWO_LEVEL_PORTS).then(|| {
                format!("{} ({at:#x})", replayed::bit(&domain, port, key, got >> differs & 1 != 0, "the model"))
            })
        };
        let told = match area.object {
            Object::SharedInfo => bit(shared_info::PENDING, "pending").or_else(|| bit(shared_info::MASK, "masked")),
            Object::EventArray(_) => {
                let (got, expected) = (replayed::event_word(got), replayed::event_word(expected));
                let what = words::object(hyp.layout(), &area, offset);
                Some(format!("{what}, at {at:#x}, is {got}; the model says {expected}"))
            }
            Object::VcpuInfo(_) | Object::ControlBlock(_) => None,
        };
        told.unwrap_or_else(|| {
            let what = words::object(hyp.layout(), &area, offset);
            format!("{what}, at {at:#x}, is {got:#x}; the model says {expected:#x}")
        })
    }

    /// The model's pages that it or the system wrote to since both were found the same.
    pub(super) fn written(&self) -> impl Iterator<Item = (u64, &[u8; PAGE_SIZE as usize])> {
        let (model, real) = self.looked;
        let ram = self.live.harness.machine.memory();
        let pages = self.model.memory.written();
        let pages = pages.filter(move |(address, _, written)| *written > model || ram.written(*address) > real);
        pages.map(|(address, page, _)| (address, page))
    }

    /// A domain in which the handler of Xen's own ports ran too often or not often enough.
    pub(super) fn handler(&self) -> Option<String> {
        self.live.handler_runs().find_map(|(id, runs)| {
            let expected = self.handled.get(&id).copied().unwrap_or(0);
            let told =
                || format!("Xen's handler of its own ports in domain {id} ran {runs} times; the model says {expected}");
            (runs != expected).then(told)
        })
    }

    /// A vCPU that sleeps and should not, or the reverse.
    pub(super) fn sleep(&self) -> Option<String> {
        let vcpus = self.live.harness.hyp.vcpus().filter(|(_, vcpu)| vcpu.run != RunState::Offline);
        for (_, vcpu) in vcpus {
            let dom =
                self.live.harness.hyp.index(vcpu.domain).and_then(|dom| self.live.harness.hyp.channels.id_of(dom));
            let Some(id) = dom.map(|id| id.0) else { continue };
            let polls = self.model.doms.get(&id).is_some_and(|dom| dom.polls.contains_key(&vcpu.index));
            if polls != (vcpu.run == RunState::Blocked) {
                let say = |polls| if polls { "sleeps" } else { "is awake" };
                let (got, expected) = (say(!polls), say(polls));
                return Some(format!("domain {id} vCPU {} {got}; the model says it {expected}", vcpu.index));
            }
        }
        None
    }
}
