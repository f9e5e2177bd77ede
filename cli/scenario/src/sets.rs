//! `--set key=value`: edits of the parsed file, before anything is checked.

use super::diagnose;
use super::error::Problem;
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

type Value<'a> = Spanned<DeValue<'a>>;

/// One part of a dotted path, with its span.
struct Segment<'a> {
    name: &'a str,
    span: Range<usize>,
}

/// Applies one argument whose first byte has the offset `start`.
pub(super) fn apply<'a>(root: &mut DeTable<'a>, set: &'a str, start: usize) -> Result<(), Problem> {
    let whole = || start..start + set.len();
    let Some((path, value)) = set.split_once('=') else {
        let problem = Problem::new("--set without `=`").at(whole(), "expected key=value");
        return Err(problem.help("for example --set el2_regions=16 or --set domain.0.ram.0.size=0x1000"));
    };
    let value = parse(value, start + path.len() + 1)?;
    let mut offset = start;
    let mut segments = Vec::new();
    for part in path.split('.') {
        let name = part.trim();
        let span = offset..offset + part.len();
        offset = span.end + 1;
        if name.is_empty() {
            let span = span.start..span.end.max(span.start + 1);
            return Err(Problem::new("--set with an empty key").at(span, "expected a key or a position"));
        }
        segments.push(Segment { name, span });
    }
    if segments.len() > diagnose::MAX_LEVELS {
        return Err(diagnose::too_deep("the parts of a key").at(start..start + path.len(), "this key"));
    }
    let Some((last, way)) = segments.split_last() else {
        return Ok(());
    };
    match way.split_first() {
        None => {
            insert(root, last, value);
            Ok(())
        }
        Some((first, rest)) => {
            let mut at = child(root, first);
            let mut behind = first;
            for segment in rest {
                at = step(at, behind, segment)?;
                behind = segment;
            }
            put(at, behind, last, value)
        }
    }
}

/// The value as TOML, else the text itself.
fn parse(text: &str, start: usize) -> Result<Value<'_>, Problem> {
    let trimmed = text.trim();
    match DeValue::parse(trimmed) {
        Ok(value) => {
            let before = text.len() - text.trim_start().len();
            Ok(moved(value, start + before))
        }
        // What starts like more than a word was meant as TOML.
        Err(error) if trimmed.starts_with(['[', '{', '"', '\'']) => {
            if let Some(problem) = diagnose::nesting(&error, trimmed) {
                return Err(problem.at(start..start + text.len(), "this value"));
            }
            let span = error.span().unwrap_or(0..trimmed.len());
            let title = format!("--set value is not TOML: {}", error.message());
            Err(Problem::new(title).at(start + span.start..start + span.end, ""))
        }
        Err(_) => Ok(Spanned::new(start..start + text.len(), DeValue::String(Cow::Borrowed(trimmed)))),
    }
}

/// The value with its spans moved to where its text is in the common run.
fn moved(value: Value<'_>, by: usize) -> Value<'_> {
    let span = value.span();
    let inner = match value.into_inner() {
        DeValue::Array(array) => {
            let mut items = DeArray::new();
            array.into_iter().for_each(|item| items.push(moved(item, by)));
            DeValue::Array(items)
        }
        DeValue::Table(table) => {
            let mut items = DeTable::new();
            for (key, item) in table {
                let span = key.span();
                items.insert(Spanned::new(span.start + by..span.end + by, key.into_inner()), moved(item, by));
            }
            DeValue::Table(items)
        }
        plain => plain,
    };
    Spanned::new(span.start + by..span.end + by, inner)
}

/// Puts a board's file in the place of what the scenario says of its board; the text's first byte has the offset `start`.
pub(super) fn put_board<'a>(root: &mut DeTable<'a>, text: &'a str, start: usize) -> Result<(), Problem> {
    let board = document(text).map_err(|problem| problem.moved(start))?;
    let whole = board.span();
    let board = moved(Spanned::new(whole, DeValue::Table(board.into_inner())), start);
    insert(root, &Segment { name: "board", span: start..start }, board);
    Ok(())
}

fn insert<'a>(table: &mut DeTable<'a>, key: &Segment<'a>, value: Value<'a>) {
    // Removed first: an existing key would keep its own span.
    table.remove(key.name);
    table.insert(Spanned::new(key.span.clone(), Cow::Borrowed(key.name)), value);
}

/// The value of a key; a key that is not there yet gets a table, and whether it may be there is found out later.
fn child<'t, 'a>(table: &'t mut DeTable<'a>, key: &Segment<'a>) -> &'t mut Value<'a> {
    let new = || Spanned::new(key.span.clone(), DeValue::Table(DeTable::new()));
    table.entry(Spanned::new(key.span.clone(), Cow::Borrowed(key.name))).or_insert_with(new)
}

/// One step down the path.
fn step<'t, 'a>(at: &'t mut Value<'a>, behind: &Segment<'_>, key: &Segment<'a>) -> Result<&'t mut Value<'a>, Problem> {
    match at.get_mut() {
        DeValue::Table(table) => Ok(child(table, key)),
        DeValue::Array(array) => element(array, behind, key),
        other => Err(no_way(other, behind, key)),
    }
}

fn put<'a>(at: &mut Value<'a>, behind: &Segment<'_>, key: &Segment<'a>, value: Value<'a>) -> Result<(), Problem> {
    match at.get_mut() {
        DeValue::Table(table) => insert(table, key, value),
        DeValue::Array(array) => *element(array, behind, key)? = value,
        other => return Err(no_way(other, behind, key)),
    }
    Ok(())
}

fn element<'t, 'a>(
    array: &'t mut DeArray<'a>,
    behind: &Segment<'_>,
    key: &Segment<'_>,
) -> Result<&'t mut Value<'a>, Problem> {
    let len = array.len();
    let name = behind.name;
    let Ok(index) = key.name.parse::<usize>() else {
        let problem = Problem::new(format!("`{name}` is a list, and `{}` is not a position in it", key.name));
        let last = len.saturating_sub(1);
        return Err(problem.at(key.span.clone(), format!("expected 0 to {last}")));
    };
    let there = match len {
        0 => format!("`{name}` is empty"),
        1 => format!("`{name}` has 1 element, at position 0"),
        _ => format!("`{name}` has {len} elements, at positions 0 to {}", len - 1),
    };
    let problem = || Problem::new(format!("`{name}` has no element {index}")).at(key.span.clone(), there);
    array.get_mut(index).ok_or_else(problem)
}

fn no_way(found: &DeValue<'_>, behind: &Segment<'_>, key: &Segment<'_>) -> Problem {
    let title = format!("`{}` has no `{}` in it: it is a plain {}", behind.name, key.name, found.type_str());
    Problem::new(title).at(key.span.clone(), format!("expected `=` right behind `{}`", behind.name))
}

/// Parses the file.
pub fn document(text: &str) -> Result<Spanned<DeTable<'_>>, Problem> {
    // The parser has many words for what a NUL byte breaks; what it means is that this is no text.
    if let Some(at) = text.find('\0') {
        return Err(Problem::new("NUL byte: this is not a text file").at(at..at + 1, ""));
    }
    DeTable::parse(text).map_err(|error| diagnose::nesting(&error, text).unwrap_or_else(|| diagnose::problem(&error)))
}
