//! The whole state as a dump step lists it, looked at without touching it.

use super::guest::{hex, hex_word};
use super::rig::Rig;
use evtchn::abi::control_block::{HEAD, READY};
use evtchn::abi::fifo::{LINK_MASK, LINKED, QUEUES, WORDS_PER_PAGE};
use evtchn::abi::{TWO_LEVEL_PORTS, shared_info, vcpu_info};
use evtchn::{AbiKind, Binding, DomId, DomIdx, Life, Polling, UsedPort, Vcpu};
use serde_json::{Map, Value, json};
use sim_core::hyp::domain::RunState;

/// The longest list of a queue: tampered ones may go round.
const LONGEST_QUEUE: usize = 300;

impl Rig {
    /// Takes the dump. Counters of event interrupts start anew.
    pub fn dump(&mut self) -> Value {
        let all: Vec<(DomId, DomIdx)> = self.harness.hyp.channels.domains().collect();
        let domains: Vec<Value> = all.into_iter().map(|(id, dom)| self.dump_domain(id, dom)).collect();
        for vcpu in self.guests.values_mut().flat_map(|guest| &mut guest.vcpus) {
            vcpu.kicks = 0;
        }
        json!({ "domains": domains })
    }

    fn dump_domain(&self, id: DomId, dom: DomIdx) -> Value {
        let channels = &self.harness.hyp.channels;
        let fifo = channels.abi_kind(dom) == Some(AbiKind::Fifo);
        let counts = channels.port_counts(dom);
        let shared = channels.shared_info(dom).map_or(0, |area| area.address);
        let hits = self.guests.get(&id.0).map_or(0, |guest| guest.xen_hits);
        let ports: Vec<Value> = channels.channels(dom).map(|port| used_port(&port)).collect();
        let vcpus = 0..channels.vcpus(dom).unwrap_or(0);
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| out.insert(key.into(), value);
        put("id", json!(id.0));
        put("abi", json!(channels.abi_kind(dom).map(AbiKind::name)));
        put("dying", json!(u8::from(channels.life(dom) != Some(Life::Alive))));
        put("valid_evtchns", json!(counts.map(|counts| counts.valid)));
        put("active", json!(counts.map(|counts| counts.active)));
        put("xen", json!(counts.map(|counts| counts.xen)));
        put("xen_hits", json!(hits));
        put("pending", self.bits(shared + u64::from(shared_info::PENDING)));
        put("masked", self.bits(shared + u64::from(shared_info::MASK)));
        put("chan", json!(ports));
        put("vcpus", vcpus.clone().map(|vcpu| self.dump_vcpu(id, dom, vcpu)).collect());
        if fifo {
            put("words", self.words(dom));
            put("fifo", vcpus.map(|vcpu| self.dump_block(id, dom, vcpu)).collect());
        }
        Value::Object(out)
    }

    /// The set bits of an array of `shared_info`.
    fn bits(&self, address: u64) -> Value {
        let mut ports = Vec::new();
        for word in 0..u64::from(TWO_LEVEL_PORTS / 64) {
            let mut bits = self.harness.machine.look_at(address + word * 8, 8);
            while bits != 0 {
                ports.push(word * 64 + u64::from(bits.trailing_zeros()));
                bits &= bits - 1;
            }
        }
        json!(ports)
    }

    fn dump_vcpu(&self, id: DomId, dom: DomIdx, vcpu: u32) -> Value {
        let channels = &self.harness.hyp.channels;
        let info = channels.vcpu_info(dom, Vcpu(vcpu));
        let hyp = &self.harness.hyp;
        let state = hyp.vcpu_id(dom.get(), vcpu).map(|id| hyp.vcpu(id));
        let polls_for = match channels.polling(dom, Vcpu(vcpu)) {
            Some(Polling::Any) => -1,
            Some(Polling::Port(port)) => i64::from(port.0),
            Some(Polling::No) | None => 0,
        };
        let guest = self.guests.get(&id.0).and_then(|guest| guest.vcpus.get(vcpu as usize));
        let place = info.filter(|_| self.visible(dom, vcpu)).map(|info| info.area().address);
        let read = |offset: u32, size| place.map(|place| self.harness.machine.look_at(place + u64::from(offset), size));
        json!({
            "reg": info.is_some_and(evtchn::VcpuInfoPlace::is_registered),
            "blocked": state.is_some_and(|state| state.run == RunState::Blocked),
            "poll_evtchn": polls_for,
            "evtchn_upcall_pending": read(vcpu_info::UPCALL_PENDING, 1),
            "evtchn_upcall_mask": read(vcpu_info::UPCALL_MASK_PAD, 1),
            "evtchn_pending_sel": read(vcpu_info::PENDING_SEL, 8).map(hex),
            "kicks": place.and(guest).map(|vcpu| vcpu.kicks),
        })
    }

    /// Every event word that is not zero.
    fn words(&self, dom: DomIdx) -> Value {
        let mut words = Vec::new();
        for (page, area) in (0u64..).zip(self.harness.hyp.channels.event_pages(dom)) {
            for pair in 0..u64::from(WORDS_PER_PAGE / 2) {
                let both = self.harness.machine.look_at(area.address + pair * 8, 8);
                if both == 0 {
                    continue;
                }
                let port = page * u64::from(WORDS_PER_PAGE) + pair * 2;
                for (port, word) in [(port, both as u32), (port + 1, (both >> 32) as u32)] {
                    if word != 0 {
                        words.push(json!([port, hex_word(word)]));
                    }
                }
            }
        }
        Value::Array(words)
    }

    fn dump_block(&self, id: DomId, dom: DomIdx, vcpu: u32) -> Value {
        let Some(block) = self.harness.hyp.channels.control_block(dom, Vcpu(vcpu)) else {
            return Value::Null;
        };
        let read = |offset: u32| self.harness.machine.look_at(block.address + u64::from(offset), 4) as u32;
        let heads: Vec<u32> = (0..QUEUES).map(|queue| read(HEAD + queue * 4)).collect();
        let guest = self.guests.get(&id.0).and_then(|guest| guest.vcpus.get(vcpu as usize));
        let held = guest.map(|vcpu| vcpu.heads).unwrap_or_default();
        let mut queues = Map::new();
        for (queue, (held, head)) in held.iter().zip(&heads).enumerate() {
            let ports = self.queue(dom, if *held == 0 { *head } else { *held });
            if !ports.is_empty() {
                queues.insert(queue.to_string(), json!(ports));
            }
        }
        json!({ "ready": read(READY), "head": heads, "queues": queues })
    }

    /// The ports of a queue from `port` on.
    fn queue(&self, dom: DomIdx, mut port: u32) -> Vec<u32> {
        let pages = self.harness.hyp.channels.event_pages(dom);
        let mut ports = Vec::new();
        while port != 0 && ports.len() < LONGEST_QUEUE {
            let Some(page) = pages.get((port / WORDS_PER_PAGE) as usize) else {
                break;
            };
            let word = self.harness.machine.look_at(page.address + u64::from(port % WORDS_PER_PAGE * 4), 4) as u32;
            if word & LINKED == 0 {
                break;
            }
            ports.push(port);
            port = word & LINK_MASK;
        }
        ports
    }
}

fn used_port(used: &UsedPort) -> Value {
    let (port, status, vcpu) = (used.port.0, used.status.binding.code(), used.status.vcpu.0);
    match used.status.binding {
        Binding::Unbound { dom } => json!([port, status, vcpu, dom.0]),
        Binding::Interdomain { dom, port: peer } => json!([port, status, vcpu, dom.0, peer.0]),
        Binding::Virq(virq) => json!([port, status, vcpu, virq]),
        Binding::Closed | Binding::Ipi => json!([port, status, vcpu]),
    }
}
