//! What charts have in common.

use indexmap::IndexSet;

/// What all charts of a sweep have in common.
pub(super) struct Frame<'a> {
    /// All strategies of the page, whose places are their looks.
    pub(super) looks: &'a IndexSet<String>,
    /// What makes the file.
    pub(super) command: String,
    /// What barriers cost in it, where that is known.
    pub(super) barriers: Option<Barriers>,
}

impl Frame<'_> {
    pub(super) fn style(&self, strategy: &str) -> usize {
        self.looks.get_index_of(strategy).unwrap_or(0)
    }
}

/// What an ISB and a DSB cost in the sweep, in cycles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Barriers {
    pub(super) isb: f64,
    pub(super) dsb: f64,
}
