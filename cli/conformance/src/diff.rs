//! Where what came differs from what was recorded.

use super::format::Outcome;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What differs: `rc`, `out.port`, `out.domains[id=1].pending`, `k`, `w`.
    pub field: String,
    /// As recorded.
    pub expected: String,
    /// As it came.
    pub got: String,
}

/// What stands for a value that is not there.
pub(super) const ABSENT: &str = "(absent)";
/// More differences than this of one step tell nothing more.
const MOST: usize = 64;

/// The differences of a step, none if it went as recorded.
#[must_use]
pub fn compare(expected: &Outcome, got: &Outcome) -> Vec<Difference> {
    let mut found = Vec::new();
    if expected.rc != got.rc {
        add(&mut found, "rc", &expected.rc, &got.rc);
    }
    if expected.out != got.out {
        walk(&mut found, "out", &expected.out, &got.out);
    }
    for (field, expected, got) in [("k", &expected.injected, &got.injected), ("w", &expected.woken, &got.woken)] {
        if expected != got {
            add(&mut found, field, &pairs(expected), &pairs(got));
        }
    }
    found
}

fn add(found: &mut Vec<Difference>, field: &str, expected: &impl ToString, got: &impl ToString) {
    if found.len() < MOST {
        let (expected, got) = (expected.to_string(), got.to_string());
        found.push(Difference { field: field.into(), expected, got });
    }
}

fn pairs(list: &[(u16, u32)]) -> Value {
    list.iter().map(|(domain, vcpu)| serde_json::json!([domain, vcpu])).collect()
}

fn walk(found: &mut Vec<Difference>, field: &str, expected: &Value, got: &Value) {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (key, expected) in expected {
                match got.get(key) {
                    Some(got) => walk(found, &format!("{field}.{key}"), expected, got),
                    None => add(found, &format!("{field}.{key}"), expected, &ABSENT),
                }
            }
            for (key, got) in got.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                // Derived from memory, so a recording may leave it out.
                if key != "queues" {
                    add(found, &format!("{field}.{key}"), &ABSENT, got);
                }
            }
        }
        (Value::Array(expected), Value::Array(got)) if structured(expected) && structured(got) => {
            elements(found, field, expected, got);
        }
        _ if expected != got => add(found, field, expected, got),
        _ => {}
    }
}

/// Lists of numbers are told whole; lists of something larger, element by element.
fn structured(list: &[Value]) -> bool {
    list.iter().all(|element| element.is_object() || element.is_array() || element.is_null())
}

fn elements(found: &mut Vec<Difference>, field: &str, expected: &[Value], got: &[Value]) {
    if let (Some(ours), Some(theirs)) = (by_key(expected), by_key(got)) {
        let names = expected.iter().filter_map(key);
        let more = got.iter().filter_map(key).filter(|name| !ours.contains_key(name));
        for name in names.chain(more) {
            let field = format!("{field}[{name}]");
            either(found, &field, ours.get(&name).copied(), theirs.get(&name).copied());
        }
        return;
    }
    for index in 0..expected.len().max(got.len()) {
        either(found, &format!("{field}[{index}]"), expected.get(index), got.get(index));
    }
}

fn either(found: &mut Vec<Difference>, field: &str, expected: Option<&Value>, got: Option<&Value>) {
    match (expected, got) {
        (Some(expected), Some(got)) => walk(found, field, expected, got),
        (Some(expected), None) => add(found, field, expected, &ABSENT),
        (None, Some(got)) => add(found, field, &ABSENT, got),
        (None, None) => {}
    }
}

/// The elements of a list by what each is known by, if every one is known by something of its own.
fn by_key(list: &[Value]) -> Option<BTreeMap<String, &Value>> {
    let named: Option<BTreeMap<_, _>> = list.iter().map(|element| Some((key(element)?, element))).collect();
    named.filter(|named| named.len() == list.len())
}

/// What an element of a list is known by: a domain by its id, a channel or a word by its port.
fn key(element: &Value) -> Option<String> {
    match element {
        Value::Object(domain) => domain.get("id").map(|id| format!("id={id}")),
        Value::Array(channel) => channel.first().map(|port| format!("port={port}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(expected: Value, got: Value) -> Vec<(String, String, String)> {
        let (expected, got) =
            (Outcome { out: expected, ..Outcome::default() }, Outcome { out: got, ..Outcome::default() });
        let differences = compare(&expected, &got);
        differences.into_iter().map(|difference| (difference.field, difference.expected, difference.got)).collect()
    }

    fn row(field: &str, expected: &str, got: &str) -> (String, String, String) {
        (field.into(), expected.into(), got.into())
    }

    #[test]
    fn equal_outcomes_have_none() {
        assert_eq!(found(json!({"a": [1], "b": null}), json!({"b": null, "a": [1]})), []);
    }

    #[test]
    fn domains_are_known_by_id_and_channels_by_port() {
        let domain = |chan: Value| json!({"domains": [{"id": 3, "chan": chan, "pending": [1, 2]}]});
        assert_eq!(
            found(domain(json!([[1, 2], [7, 5]])), domain(json!([[7, 4], [9, 1]]))),
            [
                row("out.domains[id=3].chan[port=1]", "[1,2]", "(absent)"),
                row("out.domains[id=3].chan[port=7]", "[7,5]", "[7,4]"),
                row("out.domains[id=3].chan[port=9]", "(absent)", "[9,1]"),
            ]
        );
    }

    #[test]
    fn a_list_without_elements_differs_from_one_with() {
        assert_eq!(found(json!({"ports": []}), json!({"ports": [4]})), [row("out.ports", "[]", "[4]")]);
        assert_eq!(
            found(json!({"chan": []}), json!({"chan": [[4, 1]]})),
            [row("out.chan[port=4]", "(absent)", "[4,1]")]
        );
    }

    #[test]
    fn queues_may_be_left_out_of_a_recording_and_must_not_differ() {
        assert_eq!(found(json!({}), json!({"queues": {"7": [1]}})), []);
        assert_eq!(found(json!({"queues": {}}), json!({"queues": {"7": [1]}})).len(), 1);
    }
}
