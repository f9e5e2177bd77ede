//! From what the TOML parser and `serde` say to what is wrong and what to do about it.

use super::error::Problem;

/// Names longer than this are not compared: nobody mistyped them.
const COMPARED: usize = 32;

/// A parser's or `serde`'s error, at its place.
pub(crate) fn problem(error: &toml::de::Error) -> Problem {
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

/// What is known, nearest first if something is near.
pub(crate) fn known_names(what: &str, name: &str, known: &[String]) -> String {
    let all = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`? Known {what}: {all}"),
        None => format!("known {what}: {all}"),
    }
}

/// The names between backticks.
fn quoted(list: &str) -> Vec<String> {
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The known name that takes the fewest edits, if they are few for its length.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    if name.len() > COMPARED {
        return None;
    }
    let near = known.iter().map(|known| (edits(name, known), known.as_str())).min()?;
    (near.0 * 3 <= name.len().max(near.1.len())).then_some(near.1)
}

/// Insertions, deletions, replacements and swaps of neighbours from one to the other (optimal string alignment).
fn edits(from: &str, to: &str) -> usize {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    // `rows[i][j]`: edits from the first i bytes to the first j.
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    let cell = |rows: &[Vec<usize>], i: usize, j: usize| rows.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    for (i, a) in from.iter().enumerate() {
        rows.push(vec![i + 1]);
        for (j, b) in to.iter().enumerate() {
            let mut best = (cell(&rows, i, j) + usize::from(a != b)).min(cell(&rows, i, j + 1) + 1);
            best = best.min(cell(&rows, i + 1, j) + 1);
            let swapped = i > 0 && j > 0 && from.get(i - 1) == Some(b) && to.get(j - 1) == Some(a);
            if swapped {
                best = best.min(cell(&rows, i - 1, j - 1) + 1);
            }
            if let Some(row) = rows.last_mut() {
                row.push(best);
            }
        }
    }
    cell(&rows, from.len(), to.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("same", "same"), 0);
        assert_eq!(edits("setpu", "setup"), 1);
    }

    #[test]
    fn only_near_names_are_proposed() {
        let known = ["board".to_owned(), "pes".to_owned()];
        assert_eq!(nearest("bord", &known), Some("board"));
        assert_eq!(nearest("x", &known), None);
        assert_eq!(known_names("keys", "bord", &known), "did you mean `board`? Known keys: board, pes");
    }
}
