//! Values of steps that may be a number or a word.

use super::number::Number;
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::{Deserialize, de};
use std::fmt;

/// A port or a VIRQ, by number or by name.
#[derive(Clone, Debug)]
pub(super) enum NumberOrName {
    Number(Number),
    Name(String),
}

impl<'de> Deserialize<'de> for NumberOrName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = NumberOrName;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a name")
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<NumberOrName, E> {
                Number::deserialize(value.into_deserializer()).map(NumberOrName::Number)
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<NumberOrName, E> {
                Ok(NumberOrName::Number(Number(value)))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<NumberOrName, E> {
                Ok(NumberOrName::Name(value.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What a step is to give: a number or a word. What fits, depends on the step.
#[derive(Clone, Debug)]
pub(super) enum RawExpect {
    Number(i128),
    Word(String),
}

impl<'de> Deserialize<'de> for RawExpect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = RawExpect;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a word such as \"-EINVAL\" or \"fault\"")
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<RawExpect, E> {
                Ok(RawExpect::Number(value.into()))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<RawExpect, E> {
                Ok(RawExpect::Number(value.into()))
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<RawExpect, E> {
                Ok(RawExpect::Word(word.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
