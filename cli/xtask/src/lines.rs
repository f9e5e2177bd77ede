//! Lines of code and of tests: lines that hold a token, so neither blank lines nor comments.

use crate::error::Error;
use crate::modules::{attributes, only_tests};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;
use syn::Item;
use syn::spanned::Spanned;

/// What stands in one file.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lines {
    /// Outside of what only tests have.
    pub(crate) code: usize,
    /// Inside of it.
    pub(crate) tests: usize,
    /// All, blank lines and comments too.
    pub(crate) all: usize,
}

/// Counts a file's lines.
pub(crate) fn count(file: &Path, text: &str) -> Result<Lines, Error> {
    let parse = |error: syn::Error| Error::Parse {
        file: file.into(),
        line: error.span().start().line,
        message: error.to_string(),
    };
    let parsed = syn::parse_file(text).map_err(parse)?;
    let tokens: TokenStream = syn::parse_str(text).map_err(parse)?;
    let mut with_tokens = BTreeSet::new();
    lines_of(tokens, &mut with_tokens);
    // A doc comment is a token too.
    let comments: BTreeSet<usize> = (1..)
        .zip(text.lines())
        .filter(|(_, line)| line.trim_start().starts_with("//"))
        .map(|(number, _)| number)
        .collect();
    let mut tests = Vec::new();
    test_items(&parsed.items, &mut tests);
    let (tests, code): (Vec<usize>, Vec<usize>) = with_tokens
        .difference(&comments)
        .partition(|line| tests.iter().any(|range: &RangeInclusive<usize>| range.contains(line)));
    Ok(Lines { code: code.len(), tests: tests.len(), all: text.lines().count() })
}

fn lines_of(tokens: TokenStream, lines: &mut BTreeSet<usize>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                lines.insert(group.span_open().start().line);
                lines.insert(group.span_close().end().line);
                lines_of(group.stream(), lines);
            }
            other => lines.extend(other.span().start().line..=other.span().end().line),
        }
    }
}

fn test_items(items: &[Item], found: &mut Vec<RangeInclusive<usize>>) {
    for item in items {
        if only_tests(attributes(item)) {
            found.push(item.span().start().line..=item.span().end().line);
        } else if let Item::Mod(child) = item
            && let Some((_, items)) = &child.content
        {
            test_items(items, found);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_comments_and_tests_are_no_code() {
        let text = "//! A crate.\n\nuse a::b;\n\n/// Doc.\nfn f() -> &'static str {\n    // Why.\n    \"one\n\n    two\"\n}\n\n\
                    #[cfg(test)]\nmod tests {\n    #[test]\n    fn f() {}\n}\n";
        let lines = count(Path::new("x.rs"), text).unwrap();
        // A string's lines are its token's.
        assert_eq!(lines, Lines { code: 6, tests: 5, all: 17 });
    }
}
