//! Ranges of addresses.

use super::error::Problem;
use super::number::Number;
use super::table::{Key, Table};
use serde::Deserialize;
use sim_core::layout::Span;
use toml::Spanned;

/// A range as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRange {
    pub(super) base: Spanned<Number>,
    pub(super) size: Spanned<Number>,
}

/// The addresses of a range; not empty, and inside 64 bits.
pub(super) fn span(what: &str, base: &Spanned<Number>, size: &Spanned<Number>) -> Result<Span, Problem> {
    let (from, bytes) = (base.get_ref().0, size.get_ref().0);
    Span::with_size(from, bytes).ok_or_else(|| match bytes {
        0 => Problem::new(format!("{what} has size 0")).at(size.span(), "expected at least 64 bytes"),
        _ => Problem::new(format!("{what} runs past the end of the address space"))
            .at(size.span(), format!("{from:#x} + {bytes:#x} does not fit in 64 bits"))
            .and(base.span(), "from here"),
    })
}

pub(super) fn range(what: &str, range: &Spanned<Table<RawRange>>) -> Result<Span, Problem> {
    let range = &range.get_ref().0;
    span(what, &range.base, &range.size)
}

pub(super) fn maybe_range(what: &str, key: Key<'_, Table<RawRange>>) -> Result<Option<Span>, Problem> {
    key.map(|found| range(what, found)).transpose()
}
