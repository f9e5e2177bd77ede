//! Numbers as scenario files write them.

use super::error::Problem;
use super::table::Key;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::fmt;
use std::ops::RangeInclusive;
use toml::Spanned;

/// A number from 0 to 2^64 - 1: a TOML integer in any base, or a string that holds one, since TOML's integers need only
/// go to 2^63 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number such as 4096, 0x1000 or \"0x1_0000\"")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
        self.visit_i128(value.into())
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Number, E> {
        u64::try_from(value).map(Number).map_err(|_| too_big(&value))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Number, E> {
        match u128::try_from(value) {
            Ok(value) => self.visit_u128(value),
            Err(_) => Err(negative(&value)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
        if text.starts_with('-') && parse(text.trim_start_matches('-')).is_some() {
            return Err(negative(&text));
        }
        match parse(text) {
            Some(value) => self.visit_u128(value),
            None => Err(E::custom(format!("{text:?} is not a number, expected one such as \"0x1_0000\""))),
        }
    }
}

fn negative<E: de::Error>(value: &dyn fmt::Display) -> E {
    E::custom(format!("{value} is negative, expected a number from 0 up"))
}

fn too_big<E: de::Error>(value: &dyn fmt::Display) -> E {
    E::custom(format!("{value} does not fit in 64 bits, expected at most 0xffff_ffff_ffff_ffff"))
}

/// The number a string holds.
#[must_use]
pub fn text(text: &str) -> Option<u64> {
    u64::try_from(parse(text)?).ok()
}

/// A number in TOML's notation.
fn parse(text: &str) -> Option<u128> {
    let (digits, radix) = match text.get(..2) {
        Some("0x") => (text.get(2..)?, 16),
        Some("0o") => (text.get(2..)?, 8),
        Some("0b") => (text.get(2..)?, 2),
        _ => (text, 10),
    };
    // `from_str_radix` would take a sign of its own.
    let plain = digits.starts_with(|char: char| char.is_digit(radix));
    plain.then(|| u128::from_str_radix(&digits.replace('_', ""), radix).ok()).flatten()
}

/// The number, if it lies in `range`.
pub(crate) fn within(number: &Spanned<Number>, what: &str, range: RangeInclusive<u64>) -> Result<u64, Problem> {
    let value = number.get_ref().0;
    if range.contains(&value) {
        return Ok(value);
    }
    let (low, high) = (range.start(), range.end());
    let expected = match *high {
        u64::MAX => format!("expected at least {low}"),
        _ => format!("expected {low} to {high}"),
    };
    Err(Problem::new(format!("{what} is {value}, which is out of range")).at(number.span(), expected))
}

/// The value of a key, or what it is without one.
pub(super) fn given<T: Copy>(key: Key<'_, T>, default: T) -> T {
    key.map_or(default, |value| *value.get_ref())
}

/// The number of a key if it lies in `range`, or what it is without the key.
pub(super) fn optional(
    key: Key<'_, Number>,
    what: &str,
    range: RangeInclusive<u64>,
    default: u64,
) -> Result<u64, Problem> {
    key.map_or(Ok(default), |number| within(number, what, range))
}

/// The number as 32 bits.
pub(super) fn word(number: &Spanned<Number>, what: &str) -> Result<u32, Problem> {
    within(number, what, 0..=u32::MAX.into()).map(|value| value as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_hold_numbers_in_every_base() {
        let cases = [("0x1_0000", 65536), ("0b101", 5), ("0o17", 15), ("12_3", 123), ("0xffffffffffffffff", u64::MAX)];
        for (text, value) in cases {
            assert_eq!(parse(text), Some(value.into()), "{text}");
        }
        for text in ["", "0x", "+1", "0x+1", "1 ", "_1", "0X10", "ten", "ö", "1g"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
