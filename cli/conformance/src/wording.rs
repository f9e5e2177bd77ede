//! Steps and differences in words: numbers of frames and addresses in hexadecimal, errors by their names.

use super::diff::{ABSENT, Difference};
use super::format::{Actor, Op, Outcome, RecordedStep, parse_step};
use evtchn::abi::{self, fifo, stat};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Write;

/// More ports than this of one difference are counted and not told.
const PORTS: usize = 8;
/// Arguments that are frames, words or limits, and no numbers that anybody counts.
const HEXADECIMAL: [&str; 9] =
    ["control_gfn", "array_gfn", "mfn", "gfn", "gpfn", "gfn_base", "value", "max_evtchn_port", "offset"];
/// Arguments that name a domain.
const DOMAINS: [&str; 3] = ["dom", "remote_dom", "target"];

/// A step with what it gives, without its number: `domain 1 vCPU 0: bind_ipi vcpu 0, gives port 1`.
#[must_use]
pub fn step(actor: Actor, op: &Op, given: &Outcome) -> String {
    let who = match actor {
        Actor::Hypervisor => "hypervisor".to_owned(),
        Actor::Guest { domain, vcpu } => format!("domain {domain} vCPU {vcpu}"),
    };
    let (name, arguments) = op.told();
    let arguments: Vec<String> = arguments.iter().filter_map(|(key, value)| argument(key, value)).collect();
    let arguments = arguments.join(", ");
    let given = if matches!(op, Op::Dump {}) { String::new() } else { format!(", gives {}", outcome(given)) };
    let blank = if arguments.is_empty() { "" } else { " " };
    format!("{who}: {name}{blank}{arguments}{given}")
}

/// A step's line of a file, in words if it is one.
pub(super) fn line(text: &str) -> Option<String> {
    let RecordedStep { actor, op, expected, .. } = parse_step(text).ok()?;
    Some(step(actor, &op, &expected))
}

fn argument(key: &str, value: &Value) -> Option<String> {
    Some(match (key, value) {
        (_, Value::Null) => return None,
        ("bad_arg", Value::String(how)) if how == "in" => "with a block that cannot be read".into(),
        ("bad_arg", _) => "with a block that can be read and not written".into(),
        (key, Value::Number(number)) => format!("{key} {}", counted(key, number.as_u64().unwrap_or(0))),
        (key, Value::String(text)) => format!("{key} {text}"),
        (key, value) => format!("{key} {value}"),
    })
}

fn counted(key: &str, number: u64) -> String {
    if DOMAINS.contains(&key) && number == u64::from(abi::DOMID_SELF) {
        "SELF".into()
    } else if HEXADECIMAL.contains(&key) || number > u64::from(abi::FIFO_PORTS) {
        format!("{number:#x}")
    } else {
        number.to_string()
    }
}

/// A result with its outputs, and who was told of it.
fn outcome(given: &Outcome) -> String {
    let mut text = if given.rc == 0 { String::new() } else { words::rc(given.rc) };
    let outputs = given.out.as_object().map(outputs).unwrap_or_default();
    for part in outputs {
        text.push_str(if text.is_empty() { "" } else { ", " });
        text.push_str(&part);
    }
    if text.is_empty() {
        text.push('0');
    }
    for (what, pairs) in [("the event interrupt for", &given.injected), ("the end of the poll of", &given.woken)] {
        if !pairs.is_empty() {
            // Writing to a string does not fail.
            let _ = write!(text, ", {what} {}", vcpus(pairs));
        }
    }
    text
}

fn outputs(out: &Map<String, Value>) -> Vec<String> {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        value => value.to_string(),
    };
    out.iter().map(|(key, value)| format!("{key} {}", plain(value))).collect()
}

fn vcpus(pairs: &[(u16, u32)]) -> String {
    let all: Vec<String> = pairs.iter().map(|(domain, vcpu)| format!("domain {domain} vCPU {vcpu}")).collect();
    all.join(" and ")
}

/// What differs between what came and what `source`, say "the model", has: a sentence for each thing, without its end.
#[must_use]
pub fn difference(found: &Difference, source: &str) -> Vec<String> {
    let Difference { field, expected, got } = found;
    match field.as_str() {
        "rc" => {
            let name = |text: &str| text.parse().map_or_else(|_| text.to_owned(), words::rc);
            vec![format!("it gives {}; {source} says {}", name(got), name(expected))]
        }
        "k" => {
            vec![format!("the event interrupt is injected for {}; {source} says for {}", listed(got), listed(expected))]
        }
        "w" => vec![format!("polls end of {}; {source} says of {}", listed(got), listed(expected))],
        _ => match field.strip_prefix("out.domains[id=").and_then(|rest| rest.split_once("].")) {
            Some((domain, key)) => state(domain, key, found, source),
            None => match field.strip_prefix("out.") {
                Some(key) => vec![format!("{key} is {got}; {source} says {expected}")],
                None => vec![format!("{field}: {got}; expected {expected}")],
            },
        },
    }
}

/// Pairs of domain and vCPU as they stand in a file.
fn listed(text: &str) -> String {
    match serde_json::from_str::<Vec<(u16, u32)>>(text) {
        Ok(pairs) if pairs.is_empty() => "nobody".into(),
        Ok(pairs) => vcpus(&pairs),
        Err(_) => text.to_owned(),
    }
}

/// A part of a domain's state.
fn state(domain: &str, key: &str, found: &Difference, source: &str) -> Vec<String> {
    let Difference { expected, got, .. } = found;
    let port = |list: &str| key.strip_prefix(list)?.strip_prefix("[port=")?.strip_suffix(']');
    if let "pending" | "masked" = key {
        return bits(domain, key, found, source).unwrap_or_default();
    }
    if let Some(port) = port("chan") {
        return vec![format!("domain {domain}'s port {port} is {}; {source} says {}", channel(got), channel(expected))];
    }
    if let Some(port) = port("words") {
        let word =
            |text: &str| serde_json::from_str::<(u32, String)>(text).ok().and_then(|(_, word)| parse_word(&word));
        let say = |text: &str| event_word(word(text).unwrap_or(0));
        return vec![format!(
            "the event word of domain {domain}'s port {port} is {}; {source} says {}",
            say(got),
            say(expected)
        )];
    }
    let key =
        match key.strip_prefix("vcpus[").or_else(|| key.strip_prefix("fifo[")).and_then(|rest| rest.split_once("].")) {
            Some((vcpu, key)) => format!("vCPU {vcpu}: {key}"),
            None => key.to_owned(),
        };
    vec![format!("domain {domain} {key} is {got}; {source} says {expected}")]
}

/// Bits of `shared_info` that differ, port by port.
fn bits(domain: &str, key: &str, found: &Difference, source: &str) -> Option<Vec<String>> {
    let ports = |text: &str| serde_json::from_str::<BTreeSet<u32>>(text).ok();
    let (expected, got) = (ports(&found.expected)?, ports(&found.got)?);
    let differ: Vec<u32> = expected.symmetric_difference(&got).copied().collect();
    let mut told: Vec<String> =
        differ.iter().take(PORTS).map(|port| bit(domain, *port, key, got.contains(port), source)).collect();
    if let Some(more) = differ.len().checked_sub(PORTS).filter(|more| *more > 0) {
        told.push(format!("and so are {more} more ports"));
    }
    Some(told)
}

/// A port's bit in `shared_info` that is not as it should be.
#[must_use]
pub fn bit(domain: &str, port: u32, key: &str, set: bool, source: &str) -> String {
    let (is, should) = if set { ("is", "is not") } else { ("is not", "is") };
    format!("domain {domain}'s port {port} {is} {key} in memory; {source} says it {should}")
}

/// A channel as a dump has it: port, status, vCPU, and with whom.
fn channel(text: &str) -> String {
    if text == ABSENT {
        return "closed".into();
    }
    let Ok(numbers) = serde_json::from_str::<Vec<u32>>(text) else { return text.to_owned() };
    let (vcpu, rest) = (numbers.get(2).copied().unwrap_or(0), numbers.get(3..).unwrap_or_default());
    let kind = match (numbers.get(1).copied(), rest) {
        (Some(stat::UNBOUND), [domain, ..]) => format!("unbound, for domain {domain}"),
        (Some(stat::INTERDOMAIN), [domain, port, ..]) => format!("connected to port {port} of domain {domain}"),
        (Some(stat::VIRQ), [virq, ..]) => format!("VIRQ {virq}"),
        (Some(stat::IPI), _) => "an IPI".into(),
        _ => return text.to_owned(),
    };
    format!("{kind}, vCPU {vcpu}")
}

fn parse_word(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// An event word: the number, and what its bits are called.
#[must_use]
pub fn event_word(word: u32) -> String {
    let names = [(fifo::PENDING, "PENDING"), (fifo::MASKED, "MASKED"), (fifo::LINKED, "LINKED"), (fifo::BUSY, "BUSY")];
    let mut told: Vec<String> =
        names.into_iter().filter(|(bit, _)| word & bit != 0).map(|(_, name)| name.to_owned()).collect();
    if word & fifo::LINK_MASK != 0 {
        told.push(format!("link to port {}", word & fifo::LINK_MASK));
    }
    if told.is_empty() { format!("{word:#x}") } else { format!("{word:#x} ({})", told.join(", ")) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop")]
mod tests {
    use super::*;

    #[test]
    fn steps_are_told_without_decimal_frames_or_bare_letters() {
        for (text, told) in [
            (
                r#"{"d":1,"v":2,"op":"send","in":{"port":4294967295,"bad_arg":"out"},"rc":-22,"out":{},"k":[[7,1]],"w":[[0,0],[2,1]]}"#,
                "domain 1 vCPU 2: send port 0xffffffff, with a block that can be read and not written, gives -EINVAL, the event \
                 interrupt for domain 7 vCPU 1, the end of the poll of domain 0 vCPU 0 and domain 2 vCPU 1",
            ),
            (
                r#"{"d":1,"v":0,"op":"register_vcpu_info","in":{"vcpuid":0,"mfn":262145,"offset":64},"rc":0,"out":{}}"#,
                "domain 1 vCPU 0: register_vcpu_info vcpuid 0, mfn 0x40001, offset 0x40, gives 0",
            ),
            (
                r#"{"d":0,"v":0,"op":"alloc_unbound","in":{"dom":32752,"remote_dom":2},"rc":0,"out":{"port":3}}"#,
                "domain 0 vCPU 0: alloc_unbound dom SELF, remote_dom 2, gives port 3",
            ),
            (r#"{"d":-1,"v":0,"op":"preempt","in":{"n":1},"rc":0,"out":{}}"#, "hypervisor: preempt n 1, gives 0"),
            (r#"{"d":-1,"v":0,"op":"dump","in":{},"rc":0,"out":{"domains":[]}}"#, "hypervisor: dump"),
        ] {
            assert_eq!(line(text).unwrap(), told);
        }
        assert_eq!(line("{}"), None);
    }

    #[test]
    fn differences_are_told_in_terms_of_domains() {
        let told = |field: &str, expected: &str, got: &str| {
            let found = Difference { field: field.into(), expected: expected.into(), got: got.into() };
            difference(&found, "the file")
        };
        let domain = "out.domains[id=1]";
        assert_eq!(told("rc", "0", "-22"), ["it gives -EINVAL; the file says 0"]);
        assert_eq!(
            told("k", "[[1,0]]", "[]"),
            ["the event interrupt is injected for nobody; the file says for domain 1 vCPU 0"]
        );
        assert_eq!(told("w", "[]", "[[1,0]]"), ["polls end of domain 1 vCPU 0; the file says of nobody"]);
        assert_eq!(told("out.port", "3", "4"), ["port is 4; the file says 3"]);
        assert_eq!(
            told(&format!("{domain}.pending"), "[1,2]", "[2,3]"),
            [
                "domain 1's port 1 is not pending in memory; the file says it is",
                "domain 1's port 3 is pending in memory; the file says it is not"
            ]
        );
        assert_eq!(
            told(&format!("{domain}.chan[port=3]"), "[3,2,0,2,5]", "(absent)"),
            ["domain 1's port 3 is closed; the file says connected to port 5 of domain 2, vCPU 0"]
        );
        assert_eq!(
            told(&format!("{domain}.words[port=3]"), r#"[3,"0xa0000005"]"#, "(absent)"),
            ["the event word of domain 1's port 3 is 0x0; the file says 0xa0000005 (PENDING, LINKED, link to port 5)"]
        );
        assert_eq!(
            told(&format!("{domain}.vcpus[0].blocked"), "true", "false"),
            ["domain 1 vCPU 0: blocked is false; the file says true"]
        );
        assert_eq!(
            told("isolation on PE 0", "kept", "PE 0 runs nobody"),
            ["isolation on PE 0: PE 0 runs nobody; expected kept"]
        );
        let many: Vec<u32> = (1..=20).collect();
        let found = told(&format!("{domain}.masked"), "[]", &serde_json::to_string(&many).unwrap());
        assert_eq!((found.len(), found.last().unwrap().as_str()), (9, "and so are 12 more ports"));
    }
}
