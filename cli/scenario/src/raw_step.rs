//! Steps of programs as they are written.

use super::number::Number;
use super::raw_event::{self, EventOf, RawEvent};
use super::raw_poll::RawPoll;
pub(super) use super::raw_value::{NumberOrName, RawExpect};
use super::table::{Maybe, Table, choice};
use evtchn::op::{Argument, Kind as ArgumentKind, Op as EventOp, Returns, Shape};
use serde::Deserialize;
use serde::de::{self, Deserializer, IntoDeserializer, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use toml::Spanned;

choice!(
    /// What a step is called.
    Kind {
        Setup = "setup",
        MapSharedInfo = "map_shared_info",
        RegisterVcpuInfo = "register_vcpu_info",
        EnableIrqs = "enable_irqs",
        Yield = "yield",
        Halt = "halt",
        Send = "send",
        Wait = "wait",
        Mask = "mask",
        Unmask = "unmask",
        Close = "close",
        BindVcpu = "bind_vcpu",
        AllocUnbound = "alloc_unbound",
        BindInterdomain = "bind_interdomain",
        BindIpi = "bind_ipi",
        BindVirq = "bind_virq",
        InitControl = "init_control",
        ExpandArray = "expand_array",
        SetPriority = "set_priority",
        Poll = "poll",
        Compute = "compute",
        Console = "console",
        Hypercall = "hypercall",
        Read = "read",
        Write = "write",
        Execute = "execute",
        Repeat = "repeat",
        Mix = "mix",
    }
);

/// A step that is only a word, or a word with what is expected of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    Setup,
    MapSharedInfo,
    RegisterVcpuInfo,
    EnableIrqs,
    Yield,
    Halt,
}

/// A step that does something to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortOp {
    /// An operation whose only argument is the port, 0 here.
    Event(EventOp),
    Wait,
    Mask,
}

/// What a kind of step takes.
enum Takes {
    Nothing(Plain),
    Port(PortOp),
    Event(&'static Shape),
    Table,
}

impl Kind {
    fn word(self) -> &'static str {
        Self::WORDS.get(self as usize).copied().unwrap_or_default()
    }

    /// A step goes by the name of the operation that it is, if it is one.
    fn takes(self) -> Takes {
        match self {
            Self::Setup => Takes::Nothing(Plain::Setup),
            Self::MapSharedInfo => Takes::Nothing(Plain::MapSharedInfo),
            Self::RegisterVcpuInfo => Takes::Nothing(Plain::RegisterVcpuInfo),
            Self::EnableIrqs => Takes::Nothing(Plain::EnableIrqs),
            Self::Yield => Takes::Nothing(Plain::Yield),
            Self::Halt => Takes::Nothing(Plain::Halt),
            Self::Wait => Takes::Port(PortOp::Wait),
            Self::Mask => Takes::Port(PortOp::Mask),
            // After these a guest knows its pages: they say where.
            Self::InitControl | Self::ExpandArray => Takes::Table,
            _ => match Shape::named(self.word()) {
                Some(shape) => match (shape.arguments, shape.returns, shape.op(&[0])) {
                    ([Argument { kind: ArgumentKind::Port, .. }], Returns::Nothing, Some(op)) => {
                        Takes::Port(PortOp::Event(op))
                    }
                    _ => Takes::Event(shape),
                },
                None => Takes::Table,
            },
        }
    }

    fn example(self) -> Cow<'static, str> {
        if let Takes::Event(shape) = self.takes() {
            return raw_event::example(shape).into();
        }
        Cow::Borrowed(match self {
            Self::Poll => "{ poll = [1, 2] }, with ports' numbers or names",
            Self::Compute => "{ compute = 100 }",
            Self::Console => "{ console = \"text\\n\" }",
            Self::Hypercall => "{ hypercall = { nr = 32, args = [4, 0] } }",
            Self::Read => "{ read = { at = 0x1000, width = 4 } }",
            Self::Write => "{ write = { at = 0x1000, width = 4, value = 1 } }",
            Self::Execute => "{ execute = { at = 0x1000 } }",
            Self::Repeat => "{ repeat = { times = 10, steps = [\"yield\"] } }",
            Self::Mix => {
                "{ mix = { times = 10, of = [{ weight = 3, steps = [\"yield\"] }, { steps = [{ send = 1 }] }] } }"
            }
            _ => "{ send = 1 }, with a port's number or name",
        })
    }
}

/// One step.
#[derive(Debug)]
pub(super) enum RawStep {
    Plain(Plain, Maybe<RawExpect>),
    Port(PortOp, RawPortStep),
    Event(RawEvent),
    InitControl(RawInitControl),
    ExpandArray(RawExpandArray),
    Poll(RawPoll),
    Compute(Number),
    Console(RawConsole),
    Hypercall(RawHypercall),
    Read(RawRead),
    Write(RawWrite),
    Execute(RawExecute),
    Repeat(RawRepeat),
    Mix(RawMix),
}

impl<'de> Deserialize<'de> for RawStep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StepVisitor)
    }
}

struct StepVisitor;

impl<'de> Visitor<'de> for StepVisitor {
    type Value = RawStep;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a step such as \"setup\" or { send = 1 }")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<RawStep, E> {
        let kind = Kind::deserialize(word.into_deserializer())?;
        match kind.takes() {
            Takes::Nothing(plain) => Ok(RawStep::Plain(plain, None)),
            _ if kind == Kind::InitControl => Ok(RawStep::InitControl(RawInitControl { at: None, expect: None })),
            _ if kind == Kind::ExpandArray => Ok(RawStep::ExpandArray(RawExpandArray { at: None, expect: None })),
            _ => Err(E::custom(format!("step `{word}` needs to be told more, expected {}", kind.example()))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawStep, A::Error> {
        let Some(kind) = map.next_key::<Kind>()? else {
            return Err(de::Error::custom("an empty table is not a step, expected one such as { send = 1 }"));
        };
        let step = value(&mut map, kind)?;
        match map.next_key::<String>()? {
            None => Ok(step),
            Some(other) => {
                let first = kind.word();
                let text = format!("`{first}` and `{other}` in one table, expected one step in each table");
                Err(de::Error::custom(text))
            }
        }
    }
}

/// What stands behind the step's name.
fn value<'de, A: MapAccess<'de>>(map: &mut A, kind: Kind) -> Result<RawStep, A::Error> {
    match kind.takes() {
        Takes::Nothing(plain) => {
            return Ok(RawStep::Plain(plain, map.next_value::<Table<RawPlain>>()?.0.expect));
        }
        Takes::Port(op) => return Ok(RawStep::Port(op, map.next_value()?)),
        Takes::Event(shape) => return Ok(RawStep::Event(map.next_value_seed(EventOf(shape))?)),
        Takes::Table => {}
    }
    Ok(match kind {
        Kind::InitControl => RawStep::InitControl(map.next_value::<Table<_>>()?.0),
        Kind::ExpandArray => RawStep::ExpandArray(map.next_value::<Table<_>>()?.0),
        Kind::Poll => RawStep::Poll(map.next_value()?),
        Kind::Console => RawStep::Console(map.next_value()?),
        Kind::Hypercall => RawStep::Hypercall(map.next_value::<Table<_>>()?.0),
        Kind::Read => RawStep::Read(map.next_value::<Table<_>>()?.0),
        Kind::Write => RawStep::Write(map.next_value::<Table<_>>()?.0),
        Kind::Execute => RawStep::Execute(map.next_value::<Table<_>>()?.0),
        Kind::Repeat => RawStep::Repeat(map.next_value::<Table<_>>()?.0),
        Kind::Mix => RawStep::Mix(map.next_value::<Table<_>>()?.0),
        _ => RawStep::Compute(map.next_value()?),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlain {
    expect: Maybe<RawExpect>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LongPort {
    port: Spanned<NumberOrName>,
    expect: Maybe<RawExpect>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LongConsole {
    text: String,
    expect: Maybe<RawExpect>,
}

/// A port, with what is expected in the long form.
#[derive(Debug)]
pub(super) struct RawPortStep {
    pub(super) port: Spanned<NumberOrName>,
    pub(super) expect: Maybe<RawExpect>,
}

impl<'de> Deserialize<'de> for RawPortStep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The span of the short form is known only once the whole value was read.
        let form = Spanned::<OrTable<NumberOrName, LongPort>>::deserialize(deserializer)?;
        let span = form.span();
        Ok(match form.into_inner() {
            OrTable::Short(port) => Self { port: Spanned::new(span, port), expect: None },
            OrTable::Long(LongPort { port, expect }) => Self { port, expect },
        })
    }
}

/// Text, with what is expected in the long form.
#[derive(Debug)]
pub(super) struct RawConsole {
    pub(super) text: String,
    pub(super) expect: Maybe<RawExpect>,
}

impl<'de> Deserialize<'de> for RawConsole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match OrTable::<String, LongConsole>::deserialize(deserializer)? {
            OrTable::Short(text) => Self { text, expect: None },
            OrTable::Long(LongConsole { text, expect }) => Self { text, expect },
        })
    }
}

/// A plain value, or a table with more to say.
enum OrTable<S, L> {
    Short(S),
    Long(L),
}

impl<'de, S: Deserialize<'de>, L: Deserialize<'de>> Deserialize<'de> for OrTable<S, L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<S, L>(PhantomData<(S, L)>);
        impl<'de, S: Deserialize<'de>, L: Deserialize<'de>> Visitor<'de> for Either<S, L> {
            type Value = OrTable<S, L>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a plain value, or a table with that and `expect`")
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
                S::deserialize(value.into_deserializer()).map(OrTable::Short)
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
                S::deserialize(value.into_deserializer()).map(OrTable::Short)
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
                S::deserialize(value.into_deserializer()).map(OrTable::Short)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                L::deserialize(de::value::MapAccessDeserializer::new(map)).map(OrTable::Long)
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

macro_rules! step {
    ($($name:ident { $($(#[$attr:meta])* $field:ident: $type:ty),+ $(,)? })+) => {
        $(
            #[derive(Debug, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(super) struct $name { $($(#[$attr])* pub(super) $field: $type),+ }
        )+
    };
}

step! {
    RawInitControl { at: Maybe<Number>, expect: Maybe<RawExpect> }
    RawExpandArray { at: Maybe<Number>, expect: Maybe<RawExpect> }
    RawHypercall {
        nr: Spanned<Number>,
        #[serde(default)]
        args: Vec<Spanned<Number>>,
        imm: Maybe<Number>,
        expect: Maybe<RawExpect>,
    }
    RawRead { at: Spanned<Number>, width: Maybe<Number>, expect: Maybe<RawExpect> }
    RawWrite { at: Spanned<Number>, width: Maybe<Number>, value: Spanned<Number>, expect: Maybe<RawExpect> }
    RawExecute { at: Spanned<Number>, expect: Maybe<RawExpect> }
    RawRepeat { times: Number, steps: Vec<Spanned<RawStep>> }
    RawMix { times: Spanned<Number>, seed: Maybe<Number>, of: Spanned<Vec<Spanned<Table<RawPart>>>> }
    RawPart { weight: Maybe<Number>, steps: Vec<Spanned<RawStep>> }
}
