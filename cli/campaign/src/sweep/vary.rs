//! Axes: what `--vary key=range` says.

use super::SweepError;
use scenario::strategy;
use sim_core::hyp::strategy::Settings;

/// The key whose values are strategies.
pub const STRATEGY: &str = "strategy";
/// The key whose values are seeds.
pub(super) const SEED: &str = "seed";

/// Values of one axis: more are a mistake.
const MAX_VALUES: usize = 1 << 20;

/// A key and the values it takes, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The key, as `--set` takes it, or `strategy`, or `seed`.
    pub key: String,
    /// The values, as `--set` takes them; at least one, none twice.
    pub values: Vec<String>,
}

impl Axis {
    /// An axis from `key=range`. `range` is `1..16` (both ends belong to it), `2..64:2` (in steps of 2), `a,b,c`, or several of
    /// these with commas between them.
    pub fn parse(argument: &str) -> Result<Self, SweepError> {
        let wrong = |why: String| SweepError::Vary { argument: argument.into(), why };
        let (key, range) = argument.split_once('=').ok_or_else(|| wrong("expected key=range".into()))?;
        let key = key.trim();
        if key.is_empty() {
            return Err(wrong("expected a key in front of `=`".into()));
        }
        let mut values = Vec::new();
        for part in split(range) {
            add(part.trim(), &mut values).map_err(&wrong)?;
        }
        let axis = Self { key: key.into(), values };
        axis.check().map_err(wrong)?;
        Ok(axis)
    }

    /// The axis of strategies.
    pub fn strategies(names: &[String]) -> Result<Self, SweepError> {
        let axis = Self { key: STRATEGY.into(), values: names.iter().map(|name| name.trim().into()).collect() };
        axis.check().map_err(|why| SweepError::Strategies { why })?;
        Ok(axis)
    }

    /// Whether the key is a key of the scenario.
    #[must_use]
    pub fn is_of_scenario(&self) -> bool {
        self.key != STRATEGY && self.key != SEED
    }

    fn check(&self) -> Result<(), String> {
        let mut sorted: Vec<&str> = self.values.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find_map(|pair| (pair.first() == pair.last()).then(|| pair.first())) {
            return Err(format!("the value {:?} is there twice", twice.copied().unwrap_or_default()));
        }
        for value in &self.values {
            match self.key.as_str() {
                STRATEGY => {
                    strategy::parse(value, Settings::default()).map_err(|error| error.to_string())?;
                }
                SEED if value.parse::<u64>().is_err() => {
                    return Err(format!("{value:?} is not a seed, expected a number from 0 to 2^64 - 1"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The parts between commas; commas inside brackets and quotes belong to a value.
fn split(range: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quote) = (Vec::new(), 0, 0usize, None);
    for (at, char) in range.char_indices() {
        match (quote, char) {
            (Some(open), _) => quote = quote.filter(|_| open != char),
            (None, '"' | '\'') => quote = Some(char),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(range.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    parts.push(range.get(start..).unwrap_or_default());
    parts
}

/// Adds the values of one part.
fn add(part: &str, values: &mut Vec<String>) -> Result<(), String> {
    if part.is_empty() {
        return Err("expected a value; between commas, and at the ends, there must be one".into());
    }
    let Some((first, rest)) = part.split_once("..").filter(|_| !part.starts_with(['[', '{', '"', '\''])) else {
        values.push(part.into());
        return Ok(());
    };
    let (last, step) = rest.split_once(':').map_or((rest, "1"), |(last, step)| (last, step));
    let number = |text: &str, what: &str| {
        let expected = || format!("{text:?} is not a number, expected {what} of a range such as 2..64 or 2..64:2");
        scenario::number(text.trim()).ok_or_else(expected)
    };
    let (first, last) = (number(first, "the first value")?, number(last.trim_start_matches('='), "the last value")?);
    let step = usize::try_from(number(step, "the step")?).unwrap_or(usize::MAX);
    if step == 0 {
        return Err("a step of 0 never ends, expected at least 1".into());
    }
    if first > last {
        return Err(format!("{first}..{last} holds nothing, as {first} is above {last}"));
    }
    if (last - first) / u64::try_from(step).unwrap_or(u64::MAX) >= MAX_VALUES as u64 {
        return Err(format!("{part} holds more than {MAX_VALUES} values"));
    }
    values.extend((first..=last).step_by(step).map(|value| value.to_string()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Result<Vec<String>, String> {
        Axis::parse(text).map(|axis| axis.values).map_err(|error| error.to_string())
    }

    #[test]
    fn ranges_steps_lists_and_mixtures() {
        let cases: [(&str, &[&str]); 9] = [
            ("k=1..4", &["1", "2", "3", "4"]),
            ("k=2..9:3", &["2", "5", "8"]),
            ("k=5..5", &["5"]),
            ("k=0x10..18", &["16", "17", "18"]),
            ("k=16,20,24", &["16", "20", "24"]),
            ("k=1..2,8,10..12:2", &["1", "2", "8", "10", "12"]),
            ("k= a , b", &["a", "b"]),
            ("k=[1,2],\"a,b\",{ base = 1, size = 2 }", &["[1,2]", "\"a,b\"", "{ base = 1, size = 2 }"]),
            ("k=18446744073709551615..18446744073709551615", &["18446744073709551615"]),
        ];
        for (text, expected) in cases {
            assert_eq!(values(text).as_deref(), Ok(&expected.map_to_strings()[..]), "{text}");
        }
    }

    trait Strings {
        fn map_to_strings(&self) -> Vec<String>;
    }

    impl Strings for &[&str] {
        fn map_to_strings(&self) -> Vec<String> {
            self.iter().map(|text| (*text).to_owned()).collect()
        }
    }

    #[test]
    fn impossible_ranges_name_the_argument() {
        let cases = [
            ("k", "expected key=range"),
            ("=1", "expected a key"),
            ("k=", "expected a value"),
            ("k=1,,2", "expected a value"),
            ("k=4..1", "holds nothing"),
            ("k=1..4:0", "never ends"),
            ("k=1..x", "\"x\" is not a number"),
            ("k=..4", "\"\" is not a number"),
            ("k=-1..4", "\"-1\" is not a number"),
            ("k=0..18446744073709551615", "holds more than"),
            ("k=1,2,1", "\"1\" is there twice"),
            ("strategy=pin-all", "there is no strategy \"pin-all\""),
            ("seed=-1", "not a seed"),
        ];
        for (text, why) in cases {
            let error = values(text).err().unwrap_or_default();
            assert!(error.contains(why) && error.contains(text), "{text}: {error}");
        }
    }
}
