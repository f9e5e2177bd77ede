//! One scenario under several strategies: the table, what a barrier's cost changes, latencies, region maps.

use super::ReportError;
use super::chart::{Axis, Chart, Data, Series, Stretch, number, whole};
use super::frame::Frame;
use crate::render;
use crate::render::picture;
use analysis::comparison;
use analysis::comparison::Row;
use analysis::judgement::System;
use analysis::sensitivity::{MOST, Work};
use scenario::Scenario;
use scenario::profile::{Key, Profile};
use sim_core::hyp::strategy::Builtin;
use sim_core::machine::clock::Costs;
use sim_core::outcome::{Distribution, Report, Trap};

/// A scenario and its runs.
#[derive(Debug)]
pub struct Compared {
    /// As it was loaded.
    pub scenario: Scenario,
    /// How equals in time were told apart.
    pub seed: u64,
    /// One run per strategy.
    pub rows: Vec<Row>,
    /// The strategies of the rows.
    pub strategies: Vec<Builtin>,
    /// The arguments that say which scenario: the file, and `--set`.
    pub source: Vec<String>,
    /// The profile, as it was typed.
    pub profile: String,
}

/// Points of a line of latencies: more cannot be told apart.
const QUANTILES: u64 = 200;

/// A region map.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) strategy: String,
    /// Whether its board runs it, or what it lacks.
    pub(super) verdict: &'static str,
    pub(super) svg: String,
    pub(super) command: Vec<String>,
}

impl Compared {
    /// The words of the command that makes the comparison.
    pub(super) fn command(&self) -> Vec<String> {
        let names = self.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>().join(",");
        let mut command = self.call("compare");
        command.extend(["--strategies".to_owned(), names]);
        if self.profile != "counts" {
            command.extend(["--profile".to_owned(), self.profile.clone()]);
        }
        if self.seed != 0 {
            command.extend(["--seed".to_owned(), self.seed.to_string()]);
        }
        command
    }

    fn call(&self, command: &str) -> Vec<String> {
        ["mpusim", command].into_iter().map(str::to_owned).chain(self.source.iter().cloned()).collect()
    }

    /// The table of the comparison, with what stands under it.
    pub(super) fn table(&self) -> (Data, Vec<String>) {
        let measured = comparison::measured(&self.rows);
        let call = measured.map_or_else(|| "call".into(), words::trap);
        let head = [
            "strategy",
            "outcome",
            "placement",
            "regions needed",
            "of",
            "PRBAR",
            "PRLAR",
            "PRENR",
            "ISB",
            "DSB",
            "call p50",
            "call p99",
            "call max",
            "worst upcall",
            "exposed",
            "delivered",
        ];
        let rows = self.rows.iter().map(|row| Self::row(row, measured)).collect();
        let mut notes = vec![format!(
            "Per {call}: register writes and barriers (means), and cycles from trap to return, waiting included. Worst upcall: \
             most cycles from a send's trap to the receiver's handler. Exposed: most bytes of other domains within EL2's reach \
             at once while it worked for a domain. Regions needed: the larger of what boot and the views take."
        )];
        notes.extend(comparison::unranked(&self.rows).map(|why| crate::wording::unranked(why).to_owned()));
        notes.extend(
            self.rows.iter().filter_map(|row| Some(format!("{}: {}", row.name, render::compare::failure(row)?))),
        );
        (Data { head: head.map(str::to_owned).into(), rows }, notes)
    }

    fn row(row: &Row, measured: Option<Trap>) -> Vec<String> {
        let cell = |of: &dyn Fn(&Report) -> String| row.report().map_or_else(|| "-".into(), of);
        let cost = row.cost(measured);
        let mean = |of: fn(&sim_core::outcome::Counts) -> u64| {
            cost.map_or_else(|| "-".into(), |cost| render::run::per_call(of(&cost.counts), cost.calls))
        };
        let cycles = |percent| {
            let found = cost.and_then(|cost| cost.cycles.percentile(percent));
            found.map_or_else(|| "-".into(), words::number)
        };
        vec![
            row.name.clone(),
            row.report().map_or(words::REFUSED, |report| words::outcome(&report.outcome)).into(),
            words::placement(row.placement()).into(),
            cell(&|report| report.regions.needs.needed().to_string()),
            cell(&|report| report.regions.needs.available.to_string()),
            mean(|counts| counts.el2.prbar),
            mean(|counts| counts.el2.prlar),
            mean(|counts| counts.el2.prenr),
            mean(|counts| counts.isb),
            mean(|counts| counts.dsb),
            cycles(50),
            cycles(99),
            cycles(100),
            cell(&|report| report.send_to_upcall().max().map_or_else(|| "-".into(), words::number)),
            cell(&|report| words::bytes(report.regions.exposed)),
            cell(&|report| {
                format!("{} of {}", words::number(report.events.delivered), words::number(report.events.sent))
            }),
        ]
    }

    /// The charts.
    pub(super) fn charts(&self, frame: &Frame<'_>) -> Vec<Chart> {
        let measured = comparison::measured(&self.rows);
        let call = measured.map_or_else(|| "call".into(), words::trap);
        let works = comparison::works(&self.rows, measured);
        let completed = || self.rows.iter().filter(|row| row.completed());
        let calls = completed().filter_map(|row| Some((row.name.as_str(), row.cost(measured)?.cycles.clone())));
        let upcalls = completed().filter_map(|row| Some((row.name.as_str(), row.report()?.send_to_upcall())));
        let title = format!("Latency of {call}");
        [
            barriers(frame, &works, &self.scenario.profile, &call),
            latency(frame, title, "cycles from trap to return, waiting included", calls.collect()),
            latency(frame, "Latency from send to upcall".into(), "cycles from trap to handler", upcalls.collect()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The region map of each strategy that can be set up, with ids that begin with `id`.
    pub(super) fn maps(&self, id: &str) -> Result<Vec<Map>, ReportError> {
        let map = |(at, (row, strategy)): (usize, (&Row, &Builtin))| {
            let System { plan, .. } = System::placed(row.scenario.clone(), strategy);
            let mut command = self.call("view");
            command.extend(["--strategy".to_owned(), row.name.clone()]);
            let svg = picture::svg(&row.scenario, &row.name, &plan, None, &format!("{id}-map-{at}-"))?;
            Ok(Map { strategy: row.name.clone(), verdict: words::fits(plan.shortage()), svg, command })
        };
        let rows = self.rows.iter().zip(&self.strategies).enumerate();
        rows.filter(|(_, (row, _))| row.report().is_some()).map(map).collect()
    }
}

/// The mean work of a call as barriers cost more: straight lines, since the counts stay as they are.
fn barriers(frame: &Frame<'_>, works: &[Work], profile: &Profile, call: &str) -> Option<Chart> {
    if works.is_empty() {
        return None;
    }
    let costs = |barrier| profile.with_figure(Key::Isb, barrier).with_figure(Key::Dsb, barrier).costs();
    let cost = |work: &Work, barrier: u64| {
        // Hundredths, rounded down, as every mean.
        let hundredths = costs(barrier).of(&work.counts).saturating_mul(100).checked_div(work.calls).unwrap_or(0);
        words::hundredths(hundredths)
    };
    let now = profile.figures().iter().filter(|figure| figure.key.is_barrier()).map(|figure| figure.cycles).max();
    let crossings = crossings(works, &costs);
    let farthest = crossings.iter().map(|crossing| crossing.0).max().unwrap_or(0);
    let end = (now.unwrap_or(1) * 2).max(farthest + farthest / 4).clamp(10, MOST);
    let series = works.iter().map(|work| Series {
        name: work.name.clone(),
        style: frame.style(&work.name),
        points: [0, end].map(|barrier| (whole(barrier), cost(work, barrier))).into(),
    });
    let head = std::iter::once("ISB and DSB cost each".to_owned()).chain(works.iter().map(|work| work.name.clone()));
    let rows = (0..=10).map(|tenth| end * tenth / 10).map(|barrier| {
        std::iter::once(words::number(barrier)).chain(works.iter().map(|work| number(cost(work, barrier)))).collect()
    });
    let mut notes = vec![format!(
        "The counts stay as they are, every other figure as profile {} has it; ISB and DSB cost {} there.",
        profile.name(),
        now.map_or_else(|| "nothing".into(), words::number)
    )];
    notes.push(if crossings.is_empty() {
        format!("No two strategies change places between 0 and {} cycles.", words::number(MOST))
    } else {
        let said = crossings
            .iter()
            .map(|(at, winner, loser)| format!("above {} cycles {winner} costs less than {loser}", words::number(*at)));
        format!("Places change: {}.", said.collect::<Vec<_>>().join("; "))
    });
    Some(Chart {
        title: format!("What a barrier's cost does to {call}"),
        notes,
        x: Axis { title: "what an ISB and a DSB cost each (cycles)".into(), stretch: Stretch::Exact },
        y: Axis { title: "cycles of work per call, mean".into(), stretch: Stretch::FromZero },
        series: series.collect(),
        limits: Vec::new(),
        steps: false,
        data: Data { head: head.collect(), rows: rows.collect() },
        command: frame.command.clone(),
    })
}

/// Up to which cost of a barrier one strategy is no cheaper than another, and is beyond.
fn crossings<'a>(works: &'a [Work], costs: &impl Fn(u64) -> Costs) -> Vec<(u64, &'a str, &'a str)> {
    let mut found = Vec::new();
    for (at, one) in works.iter().enumerate() {
        for other in works.iter().skip(at + 1) {
            let cheaper = |winner: &Work, loser: &Work, barrier| winner.compare(loser, &costs(barrier)).is_lt();
            for (winner, loser) in [(one, other), (other, one)] {
                if !cheaper(winner, loser, 0) && cheaper(winner, loser, MOST) {
                    // Lines cross once, so half the distance is enough to know on which side.
                    let (mut below, mut above) = (0, MOST);
                    while above - below > 1 {
                        let middle = u64::midpoint(below, above);
                        if cheaper(winner, loser, middle) { above = middle } else { below = middle }
                    }
                    found.push((below, winner.name.as_str(), loser.name.as_str()));
                }
            }
        }
    }
    found.sort_unstable();
    found
}

/// How many of all calls took at most so long.
fn latency(frame: &Frame<'_>, title: String, unit: &str, found: Vec<(&str, Distribution)>) -> Option<Chart> {
    let found: Vec<(&str, Distribution)> = found.into_iter().filter(|(_, values)| values.count() > 0).collect();
    if found.is_empty() {
        return None;
    }
    let series = found.iter().map(|(name, values)| Series {
        name: (*name).to_owned(),
        style: frame.style(name),
        points: shares(values),
    });
    let rows = found.iter().map(|(name, values)| {
        let of = |percent| values.percentile(percent).map_or_else(String::new, words::number);
        let mean = values.mean_hundredths().map(|mean| number(words::hundredths(mean))).unwrap_or_default();
        let min = values.min().map_or_else(String::new, words::number);
        vec![(*name).to_owned(), words::number(values.count()), min, mean, of(50), of(90), of(99), of(100)]
    });
    let head = ["strategy", "count", "min", "mean", "p50", "p90", "p99", "max"].map(str::to_owned);
    Some(Chart {
        title,
        notes: vec!["How many percent of all took at most so many cycles; a line ends at the worst case.".into()],
        x: Axis { title: unit.into(), stretch: Stretch::Logarithmic },
        y: Axis { title: "percent of all".into(), stretch: Stretch::FromZero },
        series: series.collect(),
        limits: Vec::new(),
        steps: true,
        data: Data { head: head.into(), rows: rows.collect() },
        command: frame.command.clone(),
    })
}

/// Values, and the percent of all that do not exceed them; at most [`QUANTILES`] points beside the ends.
fn shares(values: &Distribution) -> Vec<(f64, f64)> {
    let count = values.count().max(1);
    let mut points = Vec::new();
    let (mut seen, mut shown) = (0u64, None);
    for (value, times) in values.iter() {
        let start = seen;
        seen = seen.saturating_add(times);
        let bucket = seen.saturating_mul(QUANTILES) / count;
        if points.is_empty() {
            points.push((whole(value), whole(start)));
        }
        if shown != Some(bucket) || seen == count {
            points.push((whole(value), whole(seen.saturating_mul(10_000) / count) / 100.0));
            shown = Some(bucket);
        }
    }
    points
}
