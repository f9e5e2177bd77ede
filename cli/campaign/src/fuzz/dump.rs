//! The state as a dump step should list it: the real one, with what the model says put in its place.

use evtchn::model::{Dom, Model};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `dump` corrected by the model.
pub(super) fn expected(model: &Model, handled: &BTreeMap<u16, u64>, mut dump: Value) -> Value {
    let domains = dump.get_mut("domains").and_then(Value::as_array_mut);
    for listed in domains.into_iter().flatten() {
        let id = listed.get("id").and_then(Value::as_u64).unwrap_or(0) as u16;
        if let Some(dom) = model.doms.get(&id) {
            domain(model, id, dom, listed);
            put(listed, "xen_hits", json!(handled.get(&id).copied().unwrap_or(0)));
        }
    }
    dump
}

fn domain(model: &Model, id: u16, dom: &Dom, listed: &mut Value) {
    let bits = |base: u64| -> Vec<u32> {
        let set = |port: &u32| model.memory.word(base + u64::from(port / 32 * 4)) >> (port % 32) & 1 != 0;
        (0..4096).filter(set).collect()
    };
    let shared = dom.config.shared_info;
    put(listed, "pending", json!(bits(shared + 48)));
    put(listed, "masked", json!(bits(shared + 560)));
    for (vcpu, state) in (0u32..).zip(listed.get_mut("vcpus").and_then(Value::as_array_mut).into_iter().flatten()) {
        put(state, "blocked", json!(dom.polls.contains_key(&vcpu)));
        if vcpu == 0 || dom.infos.contains_key(&vcpu) {
            let info = model.info(id, vcpu);
            let selector = u64::from(model.memory.word(info + 8)) | u64::from(model.memory.word(info + 12)) << 32;
            put(state, "evtchn_upcall_pending", json!(model.memory.word(info) & 0xff));
            put(state, "evtchn_pending_sel", json!(format!("{selector:#x}")));
        }
    }
    if dom.fifo.is_none() {
        return;
    }
    let ports = (0u32..).take(dom.pages.len() * 1024);
    let words = ports.filter_map(|port| Some((port, model.memory.word(dom.word(port)?))));
    let words: Vec<Value> =
        words.filter(|(_, word)| *word != 0).map(|(port, word)| json!([port, format!("{word:#010x}")])).collect();
    put(listed, "words", json!(words));
    for (vcpu, state) in (0u32..).zip(listed.get_mut("fifo").and_then(Value::as_array_mut).into_iter().flatten()) {
        if let Some(block) = dom.blocks.get(&vcpu) {
            let heads: Vec<u32> = (0..16).map(|queue| model.memory.word(block + 8 + queue * 4)).collect();
            // What hangs on the queues follows from memory, and this memory is not as it should be.
            state.as_object_mut().map(|state| state.remove("queues"));
            put(state, "ready", json!(model.memory.word(*block)));
            put(state, "head", json!(heads));
        }
    }
}

/// Puts a value in the place of the one that is there.
fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(place) = object.get_mut(key) {
        *place = value;
    }
}
