//! Steps that are an operation of `event_channel_op`: a key for each of its arguments, `as` for the port that it makes, `expect`.

use super::number::Number;
use super::raw_value::{NumberOrName, RawExpect};
use super::table::Maybe;
use evtchn::op::command::BIND_VIRQ;
use evtchn::op::{Argument, Kind, Returns, Shape};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use std::fmt;
use toml::Spanned;

/// What an argument is given.
#[derive(Debug)]
pub(super) enum RawArgument {
    Number(Spanned<Number>),
    /// What may have a name: a port or a VIRQ.
    Named(Spanned<NumberOrName>),
}

/// The step as it is written.
#[derive(Debug)]
pub(super) struct RawEvent {
    pub(super) shape: &'static Shape,
    /// Arguments in order; none: nobody says it.
    pub(super) arguments: Vec<Option<RawArgument>>,
    pub(super) name: Maybe<String>,
    pub(super) expect: Maybe<RawExpect>,
}

/// An argument's key. A domain asks about its own ports, so `dom` has none.
pub(super) fn key(argument: &Argument) -> Option<&'static str> {
    match argument.name {
        "dom" => None,
        "remote_dom" => Some("remote"),
        "remote_port" => Some("port"),
        name => Some(name),
    }
}

/// What the step looks like.
pub(super) fn example(shape: &Shape) -> String {
    let keys = shape.arguments.iter().filter_map(|argument| {
        let value = match argument.kind {
            Kind::Domain => "2",
            Kind::Port | Kind::RemotePort => "1",
            Kind::Virq => "\"timer\"",
            Kind::Vcpu | Kind::Priority | Kind::Frame | Kind::Offset | Kind::Number => "0",
        };
        key(argument).map(|key| format!("{key} = {value}"))
    });
    let name = matches!(shape.returns, Returns::Port { .. }).then(|| "as = \"x\"".to_owned());
    let keys: Vec<String> = keys.chain(name).collect();
    format!("{{ {} = {{ {} }} }}", shape.name, keys.join(", "))
}

/// Reads the step that is this operation.
pub(super) struct EventOf(pub(super) &'static Shape);

/// What a key is about.
#[derive(Clone, Copy)]
enum About {
    Argument(usize, Kind),
    Name,
    Expect,
}

impl EventOf {
    fn keys(&self) -> Vec<(&'static str, About)> {
        let arguments = self.0.arguments.iter().enumerate();
        let arguments = arguments.filter_map(|(at, found)| Some((key(found)?, About::Argument(at, found.kind))));
        let name = matches!(self.0.returns, Returns::Port { .. }).then_some(("as", About::Name));
        arguments.chain(name).chain([("expect", About::Expect)]).collect()
    }
}

impl<'de> DeserializeSeed<'de> for EventOf {
    type Value = RawEvent;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawEvent, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EventOf {
    type Value = RawEvent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawEvent, A::Error> {
        let keys = self.keys();
        let mut arguments: Vec<Option<RawArgument>> = self.0.arguments.iter().map(|_| None).collect();
        let (mut name, mut expect) = (None, None);
        while let Some(about) = map.next_key_seed(OneOf(&keys))? {
            match about {
                About::Argument(at, kind) => {
                    let given = match kind {
                        Kind::Port | Kind::Virq => RawArgument::Named(map.next_value()?),
                        _ => RawArgument::Number(map.next_value()?),
                    };
                    if let Some(argument) = arguments.get_mut(at) {
                        *argument = Some(given);
                    }
                }
                About::Name => name = Some(map.next_value()?),
                About::Expect => expect = Some(map.next_value()?),
            }
        }
        for (argument, given) in self.0.arguments.iter().zip(&arguments) {
            // A VIRQ is the vCPU's own unless the file says otherwise.
            let may_lack = given.is_some() || self.0.command == BIND_VIRQ && argument.kind == Kind::Vcpu;
            if let Some(key) = key(argument).filter(|_| !may_lack) {
                return Err(A::Error::missing_field(key));
            }
        }
        Ok(RawEvent { shape: self.0, arguments, name, expect })
    }
}

/// A key out of these.
struct OneOf<'a>(&'a [(&'static str, About)]);

impl<'de> DeserializeSeed<'de> for OneOf<'_> {
    type Value = About;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<About, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for OneOf<'_> {
    type Value = About;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<About, E> {
        let found = self.0.iter().find(|(key, _)| *key == word);
        found.map(|(_, about)| *about).ok_or_else(|| {
            let known: Vec<&str> = self.0.iter().map(|(key, _)| *key).collect();
            // As `serde` says it, from which `diagnose` takes the names.
            E::custom(format_args!("unknown field `{word}`, expected one of `{}`", known.join("`, `")))
        })
    }
}
