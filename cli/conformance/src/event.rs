//! Operations of `event_channel_op` as JSON has them: arguments and outputs go by the names that `evtchn::op` has for them.

use evtchn::op::{Op, Output, Returns, Shape};
use evtchn::{Binding, PortStatus};
use serde::de::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The argument beside those of the operation.
const BAD_ARG: &str = "bad_arg";

/// How an argument block is spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BadArg {
    /// It cannot be read.
    In,
    /// It can be read and not written.
    Out,
}

/// The operation with these arguments, each cut to the width of its C field, and how its block is spoilt.
pub(super) fn read(shape: &Shape, found: Map<String, Value>) -> Result<(Op, Option<BadArg>), serde_json::Error> {
    let mut numbers = vec![None; shape.arguments.len()];
    let mut bad = None;
    for (key, value) in found {
        let at = shape.arguments.iter().position(|argument| argument.name == key);
        match at.and_then(|at| numbers.get_mut(at)) {
            Some(number) => *number = Some(u64::deserialize(value)?),
            None if key == BAD_ARG => bad = Option::deserialize(value)?,
            None => {
                let known: Vec<&str> = shape.arguments.iter().map(|argument| argument.name).chain([BAD_ARG]).collect();
                return Err(Error::custom(format_args!("unknown field `{key}`, {}", expected(&known))));
            }
        }
    }
    let lacking = shape.arguments.iter().zip(&numbers).find(|(_, number)| number.is_none());
    let numbers: Vec<u64> = numbers.iter().flatten().copied().collect();
    match (lacking, shape.op(&numbers)) {
        (None, Some(op)) => Ok((op, bad)),
        (lacking, _) => Err(Error::missing_field(lacking.map_or("", |(argument, _)| argument.name))),
    }
}

/// Names that there are, as serde says them.
pub(super) fn expected(names: &[&str]) -> String {
    match names {
        [] => "there are no fields".into(),
        [name] => format!("expected `{name}`"),
        [one, other] => format!("expected `{one}` or `{other}`"),
        names => format!("expected one of `{}`", names.join("`, `")),
    }
}

/// An operation's arguments, in order, and how its block is spoilt if it is.
pub(super) fn arguments(op: &Op, bad: Option<BadArg>) -> Map<String, Value> {
    let names = op.shape().arguments.iter().map(|argument| argument.name.to_owned());
    let numbers = names.zip(op.arguments().map(Value::from));
    numbers.chain(bad.map(|bad| (BAD_ARG.to_owned(), json!(bad)))).collect()
}

/// What an operation gave.
#[must_use]
pub fn output(op: &Op, output: Output) -> Value {
    match (output, op.shape().returns) {
        (Output::Port(port), Returns::Port { name, .. }) => json!({ name: port.0 }),
        (Output::LinkBits(bits), _) => json!({ "link_bits": bits }),
        (Output::Status(PortStatus { binding, vcpu }), _) => {
            let (status, vcpu) = (binding.code(), vcpu.0);
            let with = |of: Value| json!({ "status": status, "vcpu": vcpu, "u": of });
            match binding {
                Binding::Unbound { dom } => with(json!({ "unbound": { "dom": dom.0 } })),
                Binding::Interdomain { dom, port } => with(json!({ "interdomain": { "dom": dom.0, "port": port.0 } })),
                Binding::Virq(virq) => with(json!({ "virq": virq })),
                Binding::Closed | Binding::Ipi => json!({ "status": status, "vcpu": vcpu }),
            }
        }
        _ => json!({}),
    }
}
