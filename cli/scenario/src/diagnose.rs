//! From what the TOML parser and `serde` say to what is wrong and what to do about it.

use super::error::Problem;
use words::near::known_names;

/// Levels of arrays, tables and parts of a key that go into each other: the parser's limit.
pub(super) const MAX_LEVELS: usize = 80;

/// What nests deeper than [`MAX_LEVELS`].
pub(super) fn too_deep(what: &str) -> Problem {
    let problem = Problem::new(format!("{what} are nested too deep: more than {MAX_LEVELS} levels"));
    problem.help("no scenario or profile needs as many; is this the right file?")
}

/// The parser's refusal of what nests too deep in `text`, at its place; `None`: `error` is another one.
pub(super) fn nesting(error: &toml::de::Error, text: &str) -> Option<Problem> {
    match error.message() {
        message if message.starts_with("cannot recurse further") => {
            Some(too_deep("arrays and tables").at(error.span().unwrap_or(0..0), "one level too many begins here"))
        }
        // This one comes without its place.
        "recursion limit" => {
            let parts = |line: &&str| line.split(['=', '"', '\'', '#']).next().unwrap_or_default().matches('.').count();
            let before = text.split_inclusive('\n').take_while(|line| parts(line) < MAX_LEVELS);
            let start = before.map(str::len).sum();
            Some(too_deep("the parts of a key").at(start..start + 1, "this key"))
        }
        _ => None,
    }
}

/// The tables of a file's text.
pub(crate) fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Problem> {
    toml::from_str(text).map_err(|error| nesting(&error, text).unwrap_or_else(|| problem(&error)))
}

/// A parser's or `serde`'s error, at its place.
pub(super) fn problem(error: &toml::de::Error) -> Problem {
    let message = error.message();
    // Both put what was wanted behind the last part of what was found.
    let (found, expected) = match message.split_once(", expected ") {
        Some((found, expected)) => (found, Some(expected)),
        None => (message, None),
    };
    let span = error.span().unwrap_or(0..0);
    let named = |prefix: &str| found.strip_prefix(prefix).map(|name| name.trim_matches('`').to_owned());
    if let Some(name) = named("unknown field ") {
        let known = quoted(expected.unwrap_or_default());
        let problem = Problem::new(format!("unknown key `{name}`")).at(span, "this key is not known here");
        return problem.help(known_names("keys", &name, &known));
    }
    if let Some(name) = named("unknown variant ") {
        let known = quoted(expected.unwrap_or_default());
        let problem = Problem::new(format!("unknown word `{name}`")).at(span, "this word is not known here");
        return problem.help(known_names("words", &name, &known));
    }
    if let Some(name) = named("missing field ") {
        let problem = Problem::new(format!("missing key `{name}`")).at(span, format!("`{name}` belongs in here"));
        return problem.help(missing(&name));
    }
    let title = match found.strip_prefix("invalid type: ") {
        Some(found) => format!("wrong type: {found}"),
        None => found.to_owned(),
    };
    let label = expected.map_or_else(String::new, |expected| format!("expected {expected}"));
    Problem::new(title).at(span, label)
}

/// What to write for a key that is needed.
fn missing(name: &str) -> String {
    let example = match name {
        "heap" => "heap = { base = 0x50000000, size = 0x20000000 }, memory for the hypervisor alone",
        "id" => "id = 1, the domain id",
        "base" => "base = 0x30000000, the first address",
        "size" => "size = 0x1000, in bytes",
        "domain" => "domain = 1, a domain's id",
        "domains" => "domains = [1, 2], ids of the domains that have it",
        "port" => "port = 10, a port of that domain",
        "times" => "times = 10",
        "at" => "at = 0x1000",
        "priority" => "priority = 7, from 0 (most urgent) to 15",
        "ports" => "ports = [1, 2]",
        "steps" => "steps = [\"yield\"]",
        "access" => "access = \"rw\" or access = \"ro\"",
        "execute" => "execute = true or execute = false",
        _ => return format!("add `{name} = ..`"),
    };
    format!("add {example}")
}

/// The names between backticks.
fn quoted(list: &str) -> Vec<String> {
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
