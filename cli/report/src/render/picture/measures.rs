//! Sizes in pixels, and the parts that regions are drawn in.

use sim_core::hyp::plan::PlannedRegion;
use sim_core::layout::{Layout, Owner, Span};

/// Room around everything.
pub(super) const MARGIN: u32 = 20;
/// The picture is no narrower.
pub(super) const LEAST_WIDTH: u32 = 1000;
/// Width of an axis with its labels.
pub(super) const AXIS: u32 = 160;
/// Width of a column, at least and at most.
pub(super) const COLUMN: (u32, u32) = (122, 262);
/// Between columns.
pub(super) const GUTTER: u32 = 8;
/// Columns that share an axis: as many as 1,000 pixels hold.
pub(super) const SHARE: usize = 6;
/// A picture grows with the square of its columns; with more than these it is of no use to anybody.
pub(super) const MOST_COLUMNS: usize = 256;
/// Height of a window's box.
pub(super) const WINDOW: u32 = 20;
/// More windows than these share one box.
pub(super) const WINDOWS_SHOWN: usize = 4;
/// Height of a line of text.
pub(super) const LINE: u32 = 15;

/// The parts of a region by owner; the whole, where there is one.
pub(super) fn parts(layout: &Layout, planned: &PlannedRegion) -> Vec<(Span, Owner)> {
    let Some(whole) = Span::new(planned.region.base(), planned.region.limit()) else {
        return Vec::new();
    };
    if let [owner] = planned.owners.as_slice() {
        return vec![(whole, *owner)];
    }
    let all = layout.owners();
    let first = all.partition_point(|(span, _)| span.limit() < whole.base());
    let inside = all.iter().skip(first).take_while(|(span, _)| span.base() <= whole.limit());
    inside.filter_map(|(span, owner)| Some((span.intersection(&whole)?, *owner))).collect()
}
