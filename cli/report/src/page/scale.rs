//! Axes: where values go, and which of them are named.

/// A scale from values to pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// The pixels of `low` and `high`.
    pixels: (f64, f64),
}

/// Values that a scale names, about this many.
const TICKS: f64 = 5.0;

impl Scale {
    /// A linear scale over round values that hold `low` and `high`.
    pub(super) fn linear(low: f64, high: f64, pixels: (f64, f64)) -> Self {
        let step = step(low, high);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self { low, high: if high > low { high } else { low + step }, logarithmic: false, pixels }
    }

    /// A linear scale from `low` to `high` and no further.
    pub(super) fn exact(low: f64, high: f64, pixels: (f64, f64)) -> Self {
        Self { low, high: if high > low { high } else { low + 1.0 }, logarithmic: false, pixels }
    }

    /// A logarithmic scale over powers of ten that hold `low` and `high`, both above 0.
    pub(super) fn logarithmic(low: f64, high: f64, pixels: (f64, f64)) -> Self {
        let (mut bottom, mut top) = (1.0, 10.0);
        while bottom * 10.0 <= low {
            bottom *= 10.0;
        }
        while top < high {
            top *= 10.0;
        }
        Self { low: bottom, high: if top > bottom { top } else { bottom * 10.0 }, logarithmic: true, pixels }
    }

    /// The pixel of a value, in tenths.
    pub(super) fn at(&self, value: f64) -> f64 {
        let part = if self.logarithmic {
            (value.max(self.low) / self.low).log10() / (self.high / self.low).log10()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        let pixel = self.pixels.0 + part * (self.pixels.1 - self.pixels.0);
        (pixel * 10.0).round() / 10.0
    }

    /// Values to name, in order.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let mut ticks = Vec::new();
        if self.logarithmic {
            let mut power = self.low;
            // Within one or two decades a tenth is too coarse to read a value off.
            let between: &[f64] = if self.high / self.low > 150.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
            while power <= self.high {
                ticks.extend(between.iter().map(|factor| factor * power).filter(|tick| *tick <= self.high));
                power *= 10.0;
            }
        } else {
            let step = step(self.low, self.high);
            let mut tick = (self.low / step).ceil() * step;
            while tick <= self.high + step / 1000.0 {
                ticks.push(tick);
                tick += step;
            }
        }
        ticks
    }
}

/// The distance of ticks: 1, 2 or 5 times a power of ten, so that about [`TICKS`] of them lie between.
fn step(low: f64, high: f64) -> f64 {
    let rough = ((high - low) / TICKS).max(f64::MIN_POSITIVE);
    let mut power = 1.0;
    while power > rough {
        power /= 10.0;
    }
    while power * 10.0 <= rough {
        power *= 10.0;
    }
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough).unwrap_or(10.0);
    factor * power
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the values are exact")]
mod tests {
    use super::*;

    #[test]
    fn round_values_are_named() {
        assert_eq!(Scale::linear(0.0, 23.0, (0.0, 100.0)).ticks(), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]);
        assert_eq!(Scale::exact(2.0, 60.0, (0.0, 100.0)).ticks(), [20.0, 40.0, 60.0]);
        assert_eq!(
            Scale::logarithmic(30.0, 900.0, (0.0, 100.0)).ticks(),
            [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]
        );
        assert_eq!(Scale::logarithmic(3.0, 2e4, (0.0, 1.0)).ticks(), [1.0, 10.0, 100.0, 1e3, 1e4, 1e5]);
    }

    #[test]
    fn ends_are_where_they_belong() {
        let scale = Scale::linear(0.0, 23.0, (300.0, 20.0));
        assert_eq!((scale.at(0.0), scale.at(25.0), scale.at(12.5)), (300.0, 20.0, 160.0));
        let scale = Scale::logarithmic(10.0, 1000.0, (0.0, 200.0));
        assert_eq!((scale.at(10.0), scale.at(100.0), scale.at(1000.0)), (0.0, 100.0, 200.0));
    }

    #[test]
    fn a_scale_without_extent_still_has_one() {
        let scale = Scale::linear(0.0, 0.0, (0.0, 10.0));
        assert!(scale.at(0.0).is_finite());
        let scale = Scale::exact(7.0, 7.0, (0.0, 10.0));
        assert_eq!(scale.at(7.0), 0.0);
        assert!(Scale::logarithmic(1.0, 1.0, (0.0, 10.0)).at(1.0).is_finite());
    }
}
