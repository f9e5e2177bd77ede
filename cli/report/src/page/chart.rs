//! Charts of lines: what they show, and the shapes that show it.

use super::scale::Scale;
use askama::Template;

/// Looks that the style sheet has; further series take them again, with dashes.
const STYLES: usize = 10;
/// A line with more points than this has a mark at some of them.
const MARKS: usize = 16;

/// What an axis shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stretch {
    /// Round values around all there are; 0 is one of them.
    FromZero,
    /// From the first to the last.
    Exact,
    /// Powers of ten.
    Logarithmic,
}

/// An axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// What it shows, with its unit.
    pub(super) title: String,
    pub(super) stretch: Stretch,
}

/// A line.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    /// Which look; the same strategy has the same in every chart of a page.
    pub(super) style: usize,
    /// By rising x.
    pub(super) points: Vec<(f64, f64)>,
}

/// A level that something ends at.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    pub(super) name: String,
    pub(super) at: f64,
}

/// A chart of lines.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    /// What it is of, and who is not in it.
    pub(super) notes: Vec<String>,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    pub(super) limits: Vec<Limit>,
    /// The value holds to the next point.
    pub(super) steps: bool,
    pub(super) data: Data,
    pub(super) command: String,
}

/// The numbers behind a chart.
#[derive(Clone, Debug, Default)]
pub(super) struct Data {
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// How large a chart is drawn: pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// For screens and paper.
pub(super) const WIDE: Size = Size { width: 600.0, height: 320.0 };
/// For phones.
pub(super) const NARROW: Size = Size { width: 360.0, height: 300.0 };

const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 50.0;
/// Width of a character of an axis.
const CHARACTER: f64 = 7.0;

#[derive(Debug, Template)]
#[template(path = "chart.html")]
struct Drawing {
    size: Size,
    title: String,
    x_title: String,
    y_title: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x_ticks: Vec<(f64, String)>,
    y_ticks: Vec<(f64, String)>,
    limits: Vec<(f64, f64, String)>,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    style: String,
    name: String,
    path: String,
    marks: String,
}

/// The class of a look.
pub(super) fn class(style: usize) -> String {
    let dashed = if style / STYLES % 2 == 1 { " dashed" } else { "" };
    format!("s{}{dashed}", style % STYLES)
}

/// The outline of a mark around a point, another for each look.
pub(super) fn mark(style: usize, x: f64, y: f64) -> String {
    let shape = match style % STYLES {
        0 => "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
        1 => "m-3.5 -3.5h7v7h-7z",
        2 => "m0 -4.5l4.5 8h-9z",
        3 => "m0 -5l5 5l-5 5l-5 -5z",
        4 => "m0 4.5l4.5 -8h-9z",
        5 => "m-4.5 0l8 -4.5v9z",
        6 => "m4.5 0l-8 -4.5v9z",
        7 => "m-2 -4.5h4v9h-4z",
        8 => "m-4.5 -2h9v4h-9z",
        _ => "m-4.5 -1.5h3v-3h3v3h3v3h-3v3h-3v-3h-3z",
    };
    format!("M{x} {y}{shape}")
}

/// A number of an axis or a table: thousands apart, at most two digits behind the point.
pub(super) fn number(value: f64) -> String {
    let hundredths = (value * 100.0).round();
    if !(0.0..1e17).contains(&hundredths) {
        return value.to_string();
    }
    #[allow(clippy::cast_sign_loss, reason = "looked at above")]
    let hundredths = hundredths as u64;
    let whole = words::number(hundredths / 100);
    match hundredths % 100 {
        0 => whole,
        part if part % 10 == 0 => format!("{whole}.{}", part / 10),
        part => format!("{whole}.{part:02}"),
    }
}

/// A count for a chart; past 2^53 its last digits are lost, which no pixel shows.
#[allow(clippy::cast_precision_loss, reason = "no pixel shows it")]
pub(super) fn whole(value: u64) -> f64 {
    value as f64
}

impl Chart {
    /// The chart as SVG.
    pub(super) fn svg(&self, size: Size) -> Result<String, askama::Error> {
        let points = || self.series.iter().flat_map(|series| series.points.iter().copied());
        let ys = || points().map(|(_, y)| y).chain(self.limits.iter().map(|limit| limit.at));
        let (right, bottom) = (size.width - RIGHT, size.height - BOTTOM);
        let x = scale(self.x.stretch, points().map(|(x, _)| x), (LEFT, right));
        let y = scale(self.y.stretch, ys(), (bottom, TOP));
        let x_ticks: Vec<(f64, String)> = x.ticks().into_iter().map(|tick| (x.at(tick), number(tick))).collect();
        let limits = self.limits.iter().map(|limit| {
            let at = y.at(limit.at);
            (at, at - 5.0, limit.name.clone())
        });
        let drawing = Drawing {
            size,
            title: self.title.clone(),
            x_title: self.x.title.clone(),
            y_title: self.y.title.clone(),
            left: LEFT,
            right,
            top: TOP,
            bottom,
            x_ticks: apart(x_ticks, size.width),
            y_ticks: y.ticks().into_iter().map(|tick| (y.at(tick), number(tick))).collect(),
            limits: limits.collect(),
            lines: self.series.iter().map(|series| self.line(series, &x, &y)).collect(),
        };
        drawing.render()
    }

    fn line(&self, series: &Series, x: &Scale, y: &Scale) -> Line {
        let points: Vec<(f64, f64)> = series.points.iter().map(|(px, py)| (x.at(*px), y.at(*py))).collect();
        let path = points.iter().enumerate().map(|(at, (px, py))| match at {
            0 => format!("M{px} {py}"),
            _ if self.steps => format!("H{px}V{py}"),
            _ => format!("L{px} {py}"),
        });
        // Lines that lie on each other are told apart by marks at different places.
        let every = points.len().div_ceil(MARKS).max(1);
        let marked = points.iter().skip(every - 1 - series.style % every).step_by(every);
        let marks = marked.map(|(px, py)| mark(series.style, *px, *py)).collect();
        let path = path.collect();
        Line { style: class(series.style), name: series.name.clone(), path, marks }
    }
}

fn scale(stretch: Stretch, values: impl Iterator<Item = f64>, pixels: (f64, f64)) -> Scale {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
    match stretch {
        Stretch::FromZero => Scale::linear(0.0, high.max(1.0), pixels),
        Stretch::Exact => Scale::exact(low, high, pixels),
        Stretch::Logarithmic => Scale::logarithmic(low.max(1.0), high.max(1.0), pixels),
    }
}

/// Ticks whose words do not touch each other or the edge.
fn apart(ticks: Vec<(f64, String)>, edge: f64) -> Vec<(f64, String)> {
    let mut end = 0.0;
    let keep = |(x, text): &(f64, String)| {
        let half = text.chars().map(|_| CHARACTER).sum::<f64>() / 2.0;
        let fits = x - half >= end && x + half <= edge;
        if fits {
            end = x + half + CHARACTER;
        }
        fits
    };
    ticks.into_iter().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let cases =
            [(0.0, "0"), (1234.5, "1,234.5"), (0.25, "0.25"), (2.0, "2"), (1e6, "1,000,000"), (0.1 + 0.2, "0.3")];
        assert!(cases.into_iter().all(|(value, text)| number(value) == text));
    }

    #[test]
    fn words_of_an_axis_do_not_touch() {
        let ticks = (0..20).map(|at| (f64::from(at) * 20.0, "1,000".to_owned())).collect();
        let kept = apart(ticks, 360.0);
        assert!(kept.len() > 3);
        assert!(kept.windows(2).all(|pair| matches!(pair, [a, b] if b.0 - a.0 >= 5.0 * CHARACTER)));
        assert!(kept.iter().all(|(x, _)| *x + 2.5 * CHARACTER <= 360.0 && *x >= 2.5 * CHARACTER));
    }

    #[test]
    fn looks_repeat_with_dashes() {
        assert_eq!([class(3), class(13), class(23)], ["s3", "s3 dashed", "s3"]);
    }
}
