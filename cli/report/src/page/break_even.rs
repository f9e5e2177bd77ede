//! From how many domains on does switching one region cost less than switching the view?
//!
//! The work of a send is what the sweep found, but for its barriers, which cost what the axis says: with that the answer
//! leans on one figure that nobody has published.

use super::chart::{Axis, Chart, Data, Series, Stretch, number};
use super::frame::{Barriers, Frame};
use super::panel::{Panel, at};
use campaign::sweep::Line;

/// Points along the axis, beside the one at 0.
const POINTS: u32 = 20;

impl Barriers {
    /// The mean cycles of a send if each barrier cost `cycles`.
    fn work(self, line: &Line<'_>, cycles: f64) -> Option<f64> {
        let (isb, dsb) = (line.number("send_isb")?, line.number("send_dsb")?);
        Some(line.number("send_work")? - isb * self.isb - dsb * self.dsb + (isb + dsb) * cycles)
    }
}

/// The least x from which on `one` costs less than `other`.
fn threshold(
    one: &[(f64, Line<'_>)],
    other: &[(f64, Line<'_>)],
    cost: impl Fn(&Line<'_>) -> Option<f64>,
) -> Option<f64> {
    let mut least = None;
    for (x, line) in one.iter().rev() {
        match (cost(line), at(other, *x).and_then(&cost)) {
            // Means are rounded to hundredths.
            (Some(mine), Some(theirs)) if theirs - mine > 0.05 => least = Some(*x),
            (Some(_), Some(_)) => return least,
            // One of the two does not run with so many.
            _ => {}
        }
    }
    least
}

/// The chart, if the panel has both ways and what barriers cost there is known.
pub(super) fn chart(frame: &Frame<'_>, panel: &Panel<'_>) -> Option<Chart> {
    let barriers = frame.barriers?;
    let of = |name: &str| {
        let named = |key: &&String| key.split(':').next() == Some(name);
        panel.strategies.keys().filter(named).cloned().collect::<Vec<_>>()
    };
    let region = of("map-page").into_iter().next()?;
    let step = (barriers.isb.max(barriers.dsb) / 10.0).ceil().max(1.0);
    let costs: Vec<f64> = (0..=POINTS).map(|point| f64::from(point) * step).collect();
    let mut series = Vec::new();
    for view in of("switch-view") {
        let (one, other) = (panel.strategies.get(&region)?, panel.strategies.get(&view)?);
        let found =
            |cycles: &f64| threshold(one, other, |line| barriers.work(line, *cycles)).map(|least| (*cycles, least));
        series.push(Series { style: frame.style(&view), points: costs.iter().filter_map(found).collect(), name: view });
    }
    let ran = series.iter().any(|series| !series.points.is_empty());
    let rows = costs.iter().map(|cycles| {
        let cells = series.iter().map(|series| {
            let found = series.points.iter().find(|(x, _)| x.total_cmp(cycles).is_eq());
            found.map_or_else(|| "never".to_owned(), |(_, least)| number(*least))
        });
        std::iter::once(number(*cycles)).chain(cells).collect()
    });
    let head =
        std::iter::once("ISB and DSB cost each".to_owned()).chain(series.iter().map(|series| series.name.clone()));
    let data = Data { head: head.collect(), rows: rows.collect() };
    ran.then(|| Chart {
        title: format!("Break-even of {region} against switching the view"),
        notes: vec![format!(
            "The least {} from which on a send under {region} costs less, as far as both run; where there is no line, it never \
             does. Everything but barriers costs what it cost in the sweep, where an ISB cost {} and a DSB {}.",
            panel.x,
            number(barriers.isb),
            number(barriers.dsb)
        )],
        x: Axis { title: "what an ISB and a DSB cost each (cycles)".into(), stretch: Stretch::Exact },
        y: Axis { title: format!("{} (least from which on {region} costs less)", panel.x), stretch: Stretch::FromZero },
        series,
        limits: Vec::new(),
        steps: true,
        data,
        command: frame.command.clone(),
    })
}
