//! An address axis with breaks: 4 KiB pages and 1 GiB banks side by side, nothing out of order.
//!
//! The ranges to be shown cut the address space into *stretches*. A stretch that some range covers gets a height that
//! grows with the logarithm of its size, from [`Scale::least`] up; one that none covers, a *gap*, gets the same small
//! height whatever its size. What lies below the first range or above the last is not on the axis.

use sim_core::layout::Span;

/// Heights in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Of the smallest stretch; no range is ever lower.
    pub least: u32,
    /// Added for each doubling of the size above one granule.
    pub per_doubling: u32,
    /// Of a gap.
    pub gap: u32,
}

/// A piece of the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The addresses.
    pub span: Span,
    /// Whether any range covers it; then one covers it whole.
    pub used: bool,
    /// Pixels from the top of the axis to its lowest address.
    pub top: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// The axis: stretches from the lowest address down the page, without holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Axis {
    stretches: Vec<Stretch>,
}

impl Axis {
    /// The axis that shows `spans`, which may overlap and come in any order.
    #[must_use]
    pub fn new(spans: &[Span], scale: Scale) -> Self {
        let mut top = 0u32;
        let mut stretches = Vec::new();
        for (span, used) in cut(spans) {
            let height = if used { height(span, scale) } else { scale.gap };
            stretches.push(Stretch { span, used, top, height });
            top = top.saturating_add(height);
        }
        Self { stretches }
    }

    /// The stretches in address order.
    #[must_use]
    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    /// The height of the whole.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.stretches.last().map_or(0, |last| last.top.saturating_add(last.height))
    }

    /// Top and height of a range that the axis was made for; `None` for one that is not on it from end to end.
    #[must_use]
    pub fn band(&self, span: Span) -> Option<(u32, u32)> {
        let at = |address| self.stretches.partition_point(|stretch| stretch.span.limit() < address);
        let first = self.stretches.get(at(span.base())).filter(|first| first.span.base() == span.base())?;
        let last = self.stretches.get(at(span.limit())).filter(|last| last.span.limit() == span.limit())?;
        let bottom = last.top.saturating_add(last.height);
        bottom.checked_sub(first.top).filter(|height| *height > 0).map(|height| (first.top, height))
    }
}

/// The stretches of the address space between the ends of `spans`, each with whether any covers it.
fn cut(spans: &[Span]) -> Vec<(Span, bool)> {
    // The end of a range that reaches the top of the address space needs a 65th bit.
    let end = |span: &Span| u128::from(span.limit()) + 1;
    let mut ends: Vec<(u128, i64)> =
        spans.iter().flat_map(|span| [(u128::from(span.base()), 1), (end(span), -1)]).collect();
    ends.sort_unstable();
    let mut open = 0i64;
    let mut cut = Vec::new();
    for pair in ends.windows(2) {
        let [(from, change), (to, _)] = pair else {
            continue;
        };
        open += change;
        let span = to.checked_sub(1).and_then(|last| {
            let (base, limit) = (u64::try_from(*from).ok()?, u64::try_from(last).ok()?);
            Span::new(base, limit)
        });
        cut.extend(span.map(|span| (span, open > 0)));
    }
    cut
}

fn height(span: Span, scale: Scale) -> u32 {
    let doublings = span.size().ilog2().saturating_sub(mpu_model::GRANULE.ilog2());
    scale.least.saturating_add(scale.per_doubling.saturating_mul(doublings))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "a test may stop")]

    use super::*;
    use proptest::prelude::*;

    const SCALE: Scale = Scale { least: 20, per_doubling: 2, gap: 14 };

    fn span(base: u64, size: u64) -> Span {
        Span::with_size(base, size).unwrap_or_else(|| unreachable!("{base:#x} and {size:#x} make a range"))
    }

    #[test]
    fn a_page_and_a_bank_are_both_seen() {
        let (page, bank) = (span(0x1000, 0x1000), span(0x4000_0000, 1 << 30));
        let axis = Axis::new(&[bank, page], SCALE);
        assert_eq!(axis.band(page), Some((0, 32)));
        assert_eq!(axis.band(bank), Some((46, 68)));
        assert_eq!(axis.height(), 114);
        let used: Vec<bool> = axis.stretches().iter().map(|stretch| stretch.used).collect();
        assert_eq!(used, [true, false, true]);
    }

    #[test]
    fn neighbours_have_no_gap_and_nothing_is_no_axis() {
        let axis = Axis::new(&[span(0, 64), span(64, 64)], SCALE);
        assert_eq!(axis.stretches().len(), 2);
        assert_eq!(axis.height(), 40);
        assert_eq!(Axis::new(&[], SCALE), Axis::default());
        assert_eq!(axis.band(span(0, 32)), None, "it ends where nothing ends");
    }

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        let any = prop_oneof![0..4096u64, any::<u64>(), Just(u64::MAX)];
        let one = (any.clone(), any).prop_filter_map("in order", |(a, b)| Span::new(a.min(b), a.max(b)));
        proptest::collection::vec(one, 1..12)
    }

    proptest! {
        #[test]
        fn order_is_kept_everything_is_seen_and_nothing_overlaps(spans in spans()) {
            let axis = Axis::new(&spans, SCALE);
            let mut next = 0;
            for pair in axis.stretches().windows(2) {
                prop_assert_eq!(pair[0].span.limit().checked_add(1), Some(pair[1].span.base()));
            }
            for stretch in axis.stretches() {
                prop_assert_eq!(stretch.top, next);
                prop_assert!(stretch.height >= SCALE.gap);
                let covered = |at| spans.iter().any(|span| span.contains(at));
                prop_assert_eq!(stretch.used, covered(stretch.span.base()));
                prop_assert_eq!(stretch.used, covered(stretch.span.limit()));
                next = stretch.top + stretch.height;
            }
            prop_assert_eq!(axis.height(), next);
            let bands: Vec<_> = spans.iter().map(|span| (*span, axis.band(*span))).collect();
            for (a, band) in &bands {
                prop_assert!(band.is_some_and(|(_, height)| height >= SCALE.least), "{a} at {band:?}");
                for (b, other) in &bands {
                    let (Some((top, height)), Some((next, _))) = (band, other) else { continue };
                    if a.limit() < b.base() {
                        prop_assert!(top + height <= *next, "{} before {}", a, b);
                    }
                    if a.base() < b.base() {
                        prop_assert!(top < next, "{} starts before {}", a, b);
                    }
                }
            }
        }
    }
}
