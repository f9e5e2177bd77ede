//! Steps of a race's file: which there are, and what each is given.

use evtchn::op::{Argument, Shape};
use scenario::Problem;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// A kind of step.
pub(super) struct Kind {
    word: &'static str,
    /// What it has to say.
    takes: Takes,
    /// Further keys.
    keys: &'static [&'static str],
}

/// What a word is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Nothing: it stands alone.
    Nothing,
    /// A number, or nothing.
    Maybe,
    /// Something.
    Something,
}

const fn kind(word: &'static str, takes: Takes, keys: &'static [&'static str]) -> Kind {
    Kind { word, takes, keys }
}

use Takes::{Maybe, Nothing, Something};

/// Steps of the set-up.
pub(super) const SETUP: &[Kind] = &[
    kind("two_level", Nothing, &[]),
    kind("fifo", Nothing, &[]),
    kind("shared_info", Nothing, &[]),
    kind("vcpu_info", Nothing, &[]),
    kind("control_block", Nothing, &[]),
    kind("event_words", Nothing, &[]),
    kind("quiet", Nothing, &[]),
    kind("channel", Something, &["to"]),
    kind("static_channel", Something, &["to"]),
    kind("xen_channel", Something, &["peer"]),
    kind("ipi", Something, &[]),
    kind("virq", Something, &["number"]),
    kind("port", Something, &["number", "peer"]),
    kind("send", Something, &[]),
    kind("mask", Something, &[]),
    kind("bind_vcpu", Something, &["vcpu"]),
    kind("set_priority", Something, &["priority"]),
    kind("pause", Something, &[]),
];

/// Steps of a PE.
pub(super) const ACTS: &[Kind] = &[
    kind("wait", Nothing, &[]),
    kind("shared_info", Maybe, &[]),
    kind("vcpu_info", Maybe, &[]),
    kind("control_block", Maybe, &[]),
    kind("event_words", Maybe, &[]),
    kind("mask", Something, &[]),
    kind("unmask", Something, &[]),
    kind("unmask_call", Something, &[]),
    kind("send", Something, &[]),
    kind("close", Something, &[]),
    kind("poll", Something, &[]),
    kind("bind_vcpu", Something, &["vcpu"]),
    kind("set_priority", Something, &["priority"]),
    kind("alloc_unbound", Something, &["domain"]),
    kind("bind_interdomain", Something, &["port"]),
    kind("bind_ipi", Something, &[]),
    kind("bind_virq", Something, &["vcpu"]),
    kind("reset", Maybe, &[]),
    kind("kill", Something, &[]),
    kind("create", Something, &[]),
    kind("pause", Something, &[]),
    kind("unpause", Something, &[]),
    kind("raise_virq", Something, &["domain", "vcpu"]),
    kind("notify", Something, &[]),
];

/// A step as it stands in the file.
pub(super) struct StepTable<'t, 'a> {
    pub(super) word: &'t str,
    pub(super) at: std::ops::Range<usize>,
    pub(super) given: Option<&'t Value<'a>>,
    keys: &'static [&'static str],
    table: Option<&'t DeTable<'a>>,
}

impl<'t, 'a> StepTable<'t, 'a> {
    pub(super) fn read(value: &'t Value<'a>, kinds: &'static [Kind]) -> Result<Self, Problem> {
        let find = |word: &str| kinds.iter().find(|kind| kind.word == word);
        match value.get_ref() {
            DeValue::String(word) => match find(word) {
                Some(Kind { takes: Something, .. }) => Err(Problem::new(format!("`{word}` stands alone"))
                    .at(value.span(), format!("expected a table such as `{{ {word} = ... }}`"))),
                Some(kind) => Ok(Self { word, at: value.span(), given: None, keys: kind.keys, table: None }),
                None => Err(unknown("step", word, value.span(), kinds.iter().map(|kind| kind.word))),
            },
            DeValue::Table(table) => {
                let mut kind = None;
                for key in table.keys() {
                    kind = kind.or(find(key.get_ref()).map(|kind| (kind, key)));
                }
                let Some((kind, key)) = kind else {
                    let first = table.keys().next();
                    let (word, at) = first.map_or(("", value.span()), |key| (key.get_ref().as_ref(), key.span()));
                    return Err(unknown("step", word, at, kinds.iter().map(|kind| kind.word)));
                };
                for other in table.keys().filter(|other| *other != key) {
                    if !kind.keys.contains(&other.get_ref().as_ref()) {
                        let known = kind.keys.iter().copied();
                        return Err(unknown(&format!("key of `{}`", kind.word), other.get_ref(), other.span(), known));
                    }
                }
                if kind.takes == Nothing {
                    return Err(Problem::new(format!("`{}` takes nothing", kind.word))
                        .at(key.span(), format!("expected \"{}\"", kind.word)));
                }
                Ok(Self {
                    word: key.get_ref(),
                    at: key.span(),
                    given: table.get(key.get_ref().as_ref()),
                    keys: kind.keys,
                    table: Some(table),
                })
            }
            other => Err(wrong(other, value.span(), "a step: a word or a table")),
        }
    }

    pub(super) fn key(&self, name: &str) -> Option<&'t Value<'a>> {
        self.table.and_then(|table| table.get(name))
    }

    /// The operation of `event_channel_op` that the word stands for. `_call` tells it from what a guest does by itself.
    pub(super) fn operation(&self) -> Option<&'static Shape> {
        Shape::named(self.word.strip_suffix("_call").unwrap_or(self.word))
    }

    /// What an argument of the operation is given, if anything: what stands behind its key, or, where the step has no such key,
    /// behind the word.
    pub(super) fn argument(&self, argument: &Argument) -> Option<&'t Value<'a>> {
        let key = key_of(argument);
        if self.keys.contains(&key) { self.key(key) } else { self.given }
    }

    /// What says that an argument is lacking.
    pub(super) fn lacks(&self, argument: &Argument) -> Problem {
        let key = key_of(argument);
        let (lacks, expected) = if self.keys.contains(&key) {
            (format!("`{}` lacks `{key}`", self.word), format!("expected `{key} = ...`"))
        } else {
            (format!("`{}` stands alone", self.word), "expected more".to_owned())
        };
        Problem::new(lacks).at(self.at.clone(), expected)
    }

    /// What a key says; it has to.
    pub(super) fn needed(&self, name: &str) -> Result<&'t Value<'a>, Problem> {
        self.key(name).ok_or_else(|| {
            Problem::new(format!("`{}` lacks `{name}`", self.word))
                .at(self.at.clone(), format!("expected `{name} = ...`"))
        })
    }

    /// What the word itself says; [`StepTable::read`] has looked that there is something where there has to be.
    pub(super) fn given(&self) -> Result<&'t Value<'a>, Problem> {
        self.given
            .ok_or_else(|| Problem::new(format!("`{}` stands alone", self.word)).at(self.at.clone(), "expected more"))
    }
}

/// The key of an argument.
fn key_of(argument: &Argument) -> &'static str {
    match argument.name {
        "dom" => "domain",
        "remote_dom" => "remote",
        "remote_port" => "port",
        name => name,
    }
}

pub(super) fn unknown<'k>(
    what: &str,
    found: &str,
    at: std::ops::Range<usize>,
    known: impl IntoIterator<Item = &'k str>,
) -> Problem {
    let known: Vec<&str> = known.into_iter().collect();
    let expected =
        if known.is_empty() { "expected no more".to_owned() } else { format!("expected {}", known.join(", ")) };
    Problem::new(format!("there is no {what} {found:?}")).at(at, expected)
}

pub(super) fn wrong(found: &DeValue<'_>, at: std::ops::Range<usize>, expected: &str) -> Problem {
    Problem::new(format!("{} where {expected} is due", found.type_str())).at(at, format!("expected {expected}"))
}

pub(super) fn text<'t>(value: &'t Value<'_>) -> Result<&'t str, Problem> {
    value.get_ref().as_str().ok_or_else(|| wrong(value.get_ref(), value.span(), "a text"))
}

pub(super) fn array<'t, 'a>(value: &'t Value<'a>) -> Result<Vec<&'t Value<'a>>, Problem> {
    let found = value.get_ref().as_array().ok_or_else(|| wrong(value.get_ref(), value.span(), "an array of steps"))?;
    Ok(found.iter().collect())
}

pub(super) fn table<'t, 'a>(value: &'t Value<'a>) -> Result<&'t DeTable<'a>, Problem> {
    value.get_ref().as_table().ok_or_else(|| wrong(value.get_ref(), value.span(), "a table"))
}

/// A number below `end`, which counts what there is of `what`.
pub(super) fn number(value: &Value<'_>, what: &str, end: u64) -> Result<u32, Problem> {
    let expected = format!("{what}, from 0 to {}", end.saturating_sub(1));
    let found = match value.get_ref() {
        DeValue::Integer(integer) => {
            u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| *number < end)
        }
        other => return Err(wrong(other, value.span(), &expected)),
    };
    let found = found.and_then(|number| u32::try_from(number).ok());
    found.ok_or_else(|| {
        Problem::new(format!("there is no such {what}")).at(value.span(), format!("expected {expected}"))
    })
}
