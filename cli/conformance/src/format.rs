//! The format of a vector file: a header line, then a step per line, as typed values.
//!
//! Nothing is skipped: an unknown key, an unknown operation or a missing field is an error with its line.

use super::error::ReplayError;
use super::event;
pub use super::event::BadArg;
use evtchn::op::{Kind, Op as EventOp, Returns, SHAPES, Shape};
use serde::de::value::Error as Names;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, forward_to_deserialize_any};
use serde_json::{Map, Value};

/// Larger files are refused before they are read.
pub const MAX_FILE: u64 = 64 << 20;
/// More domains at once than this are no recording.
pub const MAX_DOMAINS: usize = 100;
const MAX_VCPUS: u64 = 128;

/// What a file may ask for beside the plain operations: argument blocks that can be read and not written, forced
/// preemption, guests that write arbitrary FIFO words; and what `mpusim fuzz` alone writes: domains that say where their
/// `shared_info` is to be, guests that change an event word while the hypervisor links it.
pub const FEATURES: [&str; 5] = ["bad_arg_out", "preempt", "tamper", "physmap", "race"];

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub v: u64,
    pub name: String,
    pub seed: u64,
    pub features: Vec<String>,
    // The key must be there; null is a value of it.
    #[serde(deserialize_with = "Option::deserialize")]
    pub hardware_domain: Option<u16>,
    pub domains: Vec<DomainHeader>,
}

/// A domain as the header has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainHeader {
    pub id: u16,
    pub vcpus: u64,
    pub privileged: bool,
    pub max_evtchn_port: u32,
    pub gfn_base: u64,
    pub nr_pages: u64,
    pub target: Option<u16>,
    /// False: its `shared_info` is the hypervisor's until `add_to_physmap` says where it is to be, unless there is a pool. No
    /// recording has this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_info_placed: Option<bool>,
}

/// Whom a raised VIRQ is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum VirqFor {
    #[serde(rename = "v")]
    Vcpu,
    #[serde(rename = "d")]
    Domain,
    #[serde(rename = "g")]
    Global,
}

/// How far a kill goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The domain is marked and nothing else.
    Begin,
}

/// A step's operation and its arguments. Numbers are as wide as JSON has them; they are cut to the width of the C field
/// where they are used, those of `event_channel_op` where they are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(clippy::enum_variant_names, reason = "the names are those of the format")]
#[rustfmt::skip]
pub enum Op {
    /// One of `event_channel_op`, which goes by its own name.
    #[serde(skip)]
    Event { op: EventOp, bad_arg: Option<BadArg> },
    RawOp { cmd: u64 },
    CompatOp { cmd: u64 },
    RegisterVcpuInfo { vcpuid: u64, mfn: u64, offset: u64, bad_arg: Option<BadArg> },
    VcpuOp { cmd: u64, vcpuid: u64 },
    AddToPhysmap { dom: u64, space: u64, idx: u64, gpfn: u64, bad_arg: Option<BadArg> },
    RemoveFromPhysmap { dom: u64, gpfn: u64, bad_arg: Option<BadArg> },
    Poll { ports: Vec<u64>, nr_ports: u64, timeout: u64, bad_arg: Option<BadArg> },

    RaiseVirq { kind: VirqFor, virq: u64, dom: u64, vcpu: u64 },
    SetVirqHandler { dom: u64, virq: u64 },
    VirqEnabled { dom: u64, vcpu: u64, virq: u64 },
    DomExcHandler {},
    Pause { dom: u64 },
    Unpause { dom: u64 },
    PollTimeout { dom: u64, vcpu: u64 },
    Preempt { n: u64 },
    DomainCreate {
        dom: u16, vcpus: u64, privileged: u64, max_evtchn_port: u32, gfn_base: u64, nr_pages: u64,
        target: Option<u16>, shared_info_placed: Option<bool>,
    },
    DomainKill { dom: u64, stage: Option<Stage> },
    XenAllocUnbound { dom: u64, vcpu: u64, remote_dom: u64, #[serde(rename = "fn")] handler: u64 },
    XenFree { dom: u64, port: u64 },
    XenNotify { dom: u64, port: u64 },
    StaticAllocUnbound { dom: u64, remote_dom: u64, port: u64 },
    StaticBindInterdomain { dom: u64, remote_dom: u64, remote_port: u64, lport: u64 },
    KeyE {},

    G2Mask { port: u64 },
    G2Unmask { port: u64 },
    G2SetPending { port: u64 },
    G2ClearPending { port: u64 },
    G2TakeSel {},
    G2Consume {},
    GAckUpcall {},
    GWriteUpcall { value: u64 },
    GWriteUpcallMask { value: u64 },
    GWriteSel { value: u64 },
    GZeroPage { gfn: u64 },
    GfMask { port: u64 },
    GfUnmask { port: u64 },
    GfClearPending { port: u64 },
    GfSetWord { port: u64, value: u64 },
    GfFlipWord { port: u64, times: u32 },
    GfTakeReady {},
    GfTakeOne { priority: u64 },
    GfConsume { max: u64 },

    Dump {},
}

impl Op {
    /// The domain that a step creates.
    #[must_use]
    pub fn created(&self) -> Option<DomainHeader> {
        match *self {
            Self::DomainCreate {
                dom,
                vcpus,
                privileged,
                max_evtchn_port,
                gfn_base,
                nr_pages,
                target,
                shared_info_placed,
            } => {
                let privileged = privileged != 0;
                let id = dom;
                Some(DomainHeader {
                    id,
                    vcpus,
                    privileged,
                    max_evtchn_port,
                    gfn_base,
                    nr_pages,
                    target,
                    shared_info_placed,
                })
            }
            _ => None,
        }
    }

    /// The operation of that name with these arguments.
    fn read(name: &str, arguments: Map<String, Value>) -> Result<Self, serde_json::Error> {
        use serde::de::Error;
        if let Some(shape) = Shape::named(name) {
            return event::read(shape, arguments).map(|(op, bad_arg)| Self::Event { op, bad_arg });
        }
        let others = variants();
        if !others.contains(&name) {
            let known: Vec<&str> = SHAPES.iter().map(|shape| shape.name).chain(others.iter().copied()).collect();
            return Err(Error::custom(format_args!("unknown variant `{name}`, {}", event::expected(&known))));
        }
        // One key with its arguments: how serde names an enum's variant from outside.
        Self::deserialize(Value::Object(Map::from_iter([(name.to_owned(), Value::Object(arguments))])))
    }

    /// Its name and its arguments; those that it does not have are null, or not there.
    #[must_use]
    pub fn told(&self) -> (String, Map<String, Value>) {
        if let Self::Event { op, bad_arg } = self {
            return (op.name().to_owned(), event::arguments(op, *bad_arg));
        }
        // One key, the operation, with its arguments.
        let tagged = match serde_json::to_value(self) {
            Ok(Value::Object(tagged)) => tagged,
            _ => Map::new(),
        };
        match tagged.into_iter().next() {
            Some((name, Value::Object(arguments))) => (name, arguments),
            other => (other.unwrap_or_default().0, Map::new()),
        }
    }

    /// The port that it made, out of what it gave.
    #[must_use]
    pub fn made(&self, out: &Value) -> Option<u64> {
        let name = match self {
            Self::Event { op, .. } => match op.shape().returns {
                Returns::Port { name, .. } => name,
                _ => return None,
            },
            Self::StaticBindInterdomain { .. } => "local_port",
            _ => "port",
        };
        out.get(name)?.as_u64()
    }

    /// The frame that it hands over, if it is of those that hand one over.
    #[must_use]
    pub fn frame(&self) -> Option<u64> {
        match *self {
            Self::Event { op, .. } => op.value(Kind::Frame),
            Self::RegisterVcpuInfo { mfn: gfn, .. } | Self::AddToPhysmap { gpfn: gfn, .. } => Some(gfn),
            _ => None,
        }
    }
}

/// The names of the operations that [`Op`] has variants of their own for.
fn variants() -> &'static [&'static str] {
    /// Takes note of what serde asks an enum for, and gives nothing.
    struct Listing<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Listing<'_> {
        type Error = Names;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Names> {
            Err(serde::de::Error::custom("names alone"))
        }

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            variants: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Names> {
            *self.0 = variants;
            self.deserialize_any(visitor)
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
            seq tuple tuple_struct map struct identifier ignored_any
        }
    }

    let mut names: &[&str] = &[];
    // What it gives is an error, always.
    let _ = Op::deserialize(Listing(&mut names));
    names
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    d: i32,
    v: u32,
    op: String,
    #[serde(rename = "in")]
    arguments: Value,
    rc: i64,
    out: Value,
    #[serde(default)]
    k: Vec<(u16, u32)>,
    #[serde(default)]
    w: Vec<(u16, u32)>,
    /// Its number, from 1, where the file tells.
    #[serde(default)]
    n: Option<usize>,
}

/// Who makes a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The hypervisor itself, or boot code.
    Hypervisor,
    /// A vCPU.
    Guest {
        /// Its domain.
        domain: u16,
        /// Its number.
        vcpu: u32,
    },
}

/// One step.
#[derive(Debug, Clone)]
pub struct RecordedStep {
    /// Its number, from 1, where its file tells.
    pub number: Option<usize>,
    pub actor: Actor,
    pub name: String,
    pub op: Op,
    pub expected: Outcome,
}

/// What a step gave, or is to give.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub rc: i64,
    pub out: Value,
    /// Event interrupts of visible vCPUs: domain id and vCPU.
    pub injected: Vec<(u16, u32)>,
    /// vCPUs that came out of a poll.
    pub woken: Vec<(u16, u32)>,
}

/// A file's lines, parsed.
#[derive(Debug)]
pub struct Vector {
    pub header: Header,
    pub steps: Vec<RecordedStep>,
}

/// Whether a first line is that of a vector file, of whatever version: a JSON object that lists domains. An error if it
/// is no JSON object at all.
pub fn looks_like_header(line: &str) -> Result<Recording, serde_json::Error> {
    let first: Map<String, Value> = serde_json::from_str(line)?;
    let has = |key| first.contains_key("v") && first.contains_key(key);
    Ok(match (has("domains"), has("arch")) {
        (true, _) => Recording::Events,
        (_, true) => Recording::Mpu,
        _ => Recording::Other,
    })
}

/// What a file records, by its first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// Steps of domains.
    Events,
    /// Accesses through MPUs.
    Mpu,
    /// Something else.
    Other,
}

/// Parses a whole file.
pub(super) fn parse(at: &super::error::Place<'_>, text: &str) -> Result<Vector, ReplayError> {
    let mut lines = text.lines();
    let header: Header = lines
        .next()
        .ok_or_else(|| at.bad(1, "a header line", "the file is empty"))
        .and_then(|line| serde_json::from_str(line).map_err(|error| at.bad(1, "a header line", error)))?;
    check_header(at, &header)?;
    let steps: Vec<RecordedStep> = lines
        .zip(2..)
        .map(|(line, number)| {
            let step = parse_step(line).map_err(|error| at.bad(number, "a step", error))?;
            match step.number.filter(|told| *told != number - 1) {
                Some(told) => Err(at.bad(number, format_args!("step {}", number - 1), format_args!("step {told}"))),
                None => Ok(step),
            }
        })
        .collect::<Result<_, _>>()?;
    if steps.is_empty() {
        return Err(at.bad(2, "a step", "there is none, so nothing would be compared"));
    }
    Ok(Vector { header, steps })
}

pub(super) fn parse_step(line: &str) -> Result<RecordedStep, serde_json::Error> {
    use serde::de::Error;
    let raw: RawStep = serde_json::from_str(line)?;
    let (Value::Object(arguments), Value::Object(_)) = (raw.arguments, &raw.out) else {
        return Err(Error::custom("\"in\" and \"out\" must be objects"));
    };
    let op = Op::read(&raw.op, arguments).map_err(|error| Error::custom(format_args!("op {:?}: {error}", raw.op)))?;
    let actor = match raw.d {
        -1 => Actor::Hypervisor,
        domain => Actor::Guest {
            domain: u16::try_from(domain).map_err(|_| Error::custom("\"d\" must be -1 or a domain id"))?,
            vcpu: raw.v,
        },
    };
    let expected = Outcome { rc: raw.rc, out: raw.out, injected: raw.k, woken: raw.w };
    Ok(RecordedStep { number: raw.n, actor, name: raw.op, op, expected })
}

fn check_header(at: &super::error::Place<'_>, header: &Header) -> Result<(), ReplayError> {
    if header.v != 1 {
        return Err(at.bad(1, "format version 1", format_args!("version {}", header.v)));
    }
    if header.domains.is_empty() || header.domains.len() > MAX_DOMAINS {
        let count = header.domains.len();
        return Err(at.bad(1, format_args!("1 to {MAX_DOMAINS} domains"), count));
    }
    header.domains.iter().try_for_each(|domain| check_domain(domain).map_err(|(what, got)| at.bad(1, what, got)))?;
    match header.features.iter().find(|name| !FEATURES.contains(&name.as_str())) {
        Some(name) => Err(at.unsupported(1, format_args!("feature {name:?}"))),
        None => Ok(()),
    }
}

/// What a domain must be to be built; else what was expected and what is there.
pub fn check_domain(domain: &DomainHeader) -> Result<(), (String, String)> {
    let id = domain.id;
    if domain.vcpus == 0 || domain.vcpus > MAX_VCPUS {
        return Err((format!("1 to {MAX_VCPUS} vcpus for domain {id}"), domain.vcpus.to_string()));
    }
    let pages = domain.gfn_base.checked_add(domain.nr_pages);
    // 40 bits of memory are what the machine can have.
    if domain.nr_pages == 0 || pages.is_none_or(|end| end > 1 << 27) {
        let got = format!("gfn_base {} and nr_pages {}", domain.gfn_base, domain.nr_pages);
        return Err((format!("frames below 2^27, and at least one, for domain {id}"), got));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop")]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_step_is_read() {
        let line = r#"{"d":1,"v":2,"op":"send","in":{"port":4294967295,"bad_arg":"out"},"rc":-22,"out":{},"k":[[7,1]],"w":[[0,0]]}"#;
        let step = parse_step(line).unwrap();
        assert_eq!(step.actor, Actor::Guest { domain: 1, vcpu: 2 });
        assert_eq!(step.op, Op::Event { op: EventOp::Send { port: 0xffff_ffff }, bad_arg: Some(BadArg::Out) });
        assert_eq!((step.expected.rc, step.name.as_str()), (-22, "send"));
        assert_eq!((step.expected.injected, step.expected.woken), (vec![(7, 1)], vec![(0, 0)]));
    }

    #[test]
    fn what_is_not_in_the_format_is_refused() {
        for (line, says) in [
            ("", "EOF"),
            ("[]", "invalid"),
            (
                r#"{"d":0,"v":0,"op":"fly","in":{},"rc":0,"out":{}}"#,
                "unknown variant `fly`, expected one of `bind_interdomain`, ",
            ),
            (r#"{"d":0,"v":0,"op":"fly","in":{},"rc":0,"out":{}}"#, "`reset_cont`, `raw_op`, "),
            (r#"{"d":0,"v":0,"op":"event","in":{},"rc":0,"out":{}}"#, "unknown variant `event`"),
            (r#"{"d":0,"v":0,"op":"send","in":{},"rc":0,"out":{}}"#, "op \"send\": missing field `port`"),
            (
                r#"{"d":0,"v":0,"op":"send","in":{"port":1,"x":1},"rc":0,"out":{}}"#,
                "unknown field `x`, expected `port` or `bad_arg`",
            ),
            (
                r#"{"d":0,"v":0,"op":"status","in":{"port":1,"x":1},"rc":0,"out":{}}"#,
                "unknown field `x`, expected one of `dom`, `port`, `bad_arg`",
            ),
            (r#"{"d":0,"v":0,"op":"send","in":{"port":1,"bad_arg":"no"},"rc":0,"out":{}}"#, "unknown variant `no`"),
            (
                r#"{"d":0,"v":0,"op":"send","in":{"port":"a"},"rc":0,"out":{}}"#,
                "invalid type: string \"a\", expected u64",
            ),
            (r#"{"d":0,"v":0,"op":"send","in":{"port":-1},"rc":0,"out":{}}"#, "invalid value"),
            (r#"{"d":0,"v":0,"op":"send","in":{"port":1},"out":{}}"#, "missing field `rc`"),
            (r#"{"d":0,"v":0,"op":"key_e","in":{"port":1},"rc":0,"out":{}}"#, "unknown field `port`"),
            (r#"{"d":0,"v":0,"op":"key_e","in":{},"rc":0,"out":3}"#, "must be objects"),
            (r#"{"d":-2,"v":0,"op":"key_e","in":{},"rc":0,"out":{}}"#, "domain id"),
            (r#"{"d":0,"v":0,"op":"key_e","in":{},"rc":0,"out":{},"z":0}"#, "unknown field `z`"),
        ] {
            let error = parse_step(line).unwrap_err().to_string();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn other_files_are_told_from_vectors() {
        assert_eq!(looks_like_header(r#"{"v":1,"domains":[]}"#).unwrap(), Recording::Events);
        assert_eq!(looks_like_header(r#"{"v":1,"arch":"pmsav8-32"}"#).unwrap(), Recording::Mpu);
        assert_eq!(looks_like_header(r#"{"v":1}"#).unwrap(), Recording::Other);
        assert!(looks_like_header("x").is_err());
    }
}
