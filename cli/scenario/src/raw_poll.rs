//! The step `poll` as it is written: a list of ports, or a table with that and more.

use super::number::Number;
use super::raw_value::{NumberOrName, RawExpect};
use super::table::Maybe;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LongPoll {
    ports: Vec<Spanned<NumberOrName>>,
    timeout: Maybe<Number>,
    expect: Maybe<RawExpect>,
}

/// The ports, with what the long form adds.
#[derive(Debug)]
pub(super) struct RawPoll {
    pub(super) ports: Vec<Spanned<NumberOrName>>,
    pub(super) timeout: Maybe<Number>,
    pub(super) expect: Maybe<RawExpect>,
}

impl<'de> Deserialize<'de> for RawPoll {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawPoll;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of ports, or a table with `ports`")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<RawPoll, A::Error> {
                let ports = Vec::deserialize(SeqAccessDeserializer::new(seq))?;
                Ok(RawPoll { ports, timeout: None, expect: None })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawPoll, A::Error> {
                let LongPoll { ports, timeout, expect } = LongPoll::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawPoll { ports, timeout, expect })
            }
        }
        deserializer.deserialize_any(Either)
    }
}
