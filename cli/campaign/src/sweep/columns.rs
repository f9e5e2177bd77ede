//! What a row holds. The names are a contract, described in `docs/sweep.md`: columns are added, never renamed or dropped.

use super::grid::Grid;
use sim_core::machine::clock::Costs;
use sim_core::outcome::{Distribution, MpuCounts, Report, TrapCost};

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A word or a sentence, without line ends.
    Text(String),
    /// A number.
    Number(u64),
    /// A mean in hundredths, rounded down.
    Hundredths(u64),
    /// There is none.
    Absent,
}

impl From<Option<u64>> for Value {
    fn from(value: Option<u64>) -> Self {
        value.map_or(Self::Absent, Self::Number)
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The cell, from 0.
    pub cell: u64,
    /// The outcome, once more, for who counts them.
    pub outcome: &'static str,
    /// The values behind the cell's number, in the order of the columns.
    pub values: Vec<Value>,
}

/// The columns that do not depend on what is varied, behind those that do.
const RESULTS: [&str; 32] = [
    "strategy",
    "seed",
    "outcome",
    "message",
    "regions_required",
    "regions_available",
    "regions_views",
    "sends",
    "send_prselr",
    "send_prbar",
    "send_prlar",
    "send_prenr",
    "send_sctlr",
    "send_isb",
    "send_dsb",
    "send_work",
    "send_p50",
    "send_p99",
    "send_max",
    "upcall_p50",
    "upcall_p99",
    "upcall_max",
    "cycles",
    "sent",
    "delivered",
    "coalesced",
    "lost",
    "exposed",
    "placement",
    "profile",
    "masked_p99",
    "masked_max",
];

/// The name of every column: the cell, the varied keys of the scenario, and what came of it.
#[must_use]
pub fn columns(grid: &Grid) -> Vec<String> {
    let varied = grid.axes().iter().filter(|axis| axis.is_of_scenario()).map(|axis| axis.key.as_str());
    std::iter::once("cell").chain(varied).chain(RESULTS).map(str::to_owned).collect()
}

/// What a cell is: the values of the varied keys, the strategy, the seed.
pub(super) fn asked(grid: &Grid, cell: u64) -> Vec<Value> {
    let varied = grid.values(cell).filter(|(axis, _)| axis.is_of_scenario());
    let mut values: Vec<Value> = Vec::with_capacity(grid.axes().len() + RESULTS.len());
    values.extend(varied.map(|(_, value)| match value.parse() {
        Ok(number) => Value::Number(number),
        Err(_) => Value::Text(value.into()),
    }));
    values.push(Value::Text(grid.strategy(cell).into()));
    values.push(Value::Number(grid.seed(cell)));
    values
}

/// The outcome and what there is to say about it.
pub(super) fn verdict(outcome: &str, message: Option<String>) -> [Value; 2] {
    // A row is a line, whatever a message quotes.
    let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    [Value::Text(outcome.into()), message.map_or(Value::Absent, |text| Value::Text(one_line(text)))]
}

/// What was measured; the figures of a run that did not take place are absent.
pub(super) fn measured(report: &Report, costs: &Costs, ran: bool) -> Vec<Value> {
    let send = report.traps.iter().find(|(trap, _)| trap.is_send()).map(|(_, cost)| cost);
    let upcall = report.send_to_upcall();
    let some = |value: u64| if ran { Value::Number(value) } else { Value::Absent };
    let size = |regions: usize| Value::Number(u64::try_from(regions).unwrap_or(u64::MAX));
    let mut values = vec![
        size(report.regions.needs.needed()),
        Value::Number(report.regions.needs.total.into()),
        size(report.regions.needs.views),
        some(send.map_or(0, |cost| cost.calls)),
    ];
    let writes: [fn(&MpuCounts) -> u64; 5] =
        [|of| of.prselr, |of| of.prbar, |of| of.prlar, |of| of.prenr, |of| of.sctlr];
    values.extend(writes.map(|of| per_send(send, |cost| of(&cost.counts.el2))));
    values.push(per_send(send, |cost| cost.counts.isb));
    values.push(per_send(send, |cost| cost.counts.dsb));
    values.push(per_send(send, |cost| costs.of(&cost.counts)));
    values.extend(spread(send.map(|cost| &cost.cycles)));
    values.extend(spread(Some(&upcall)));
    let events = report.events;
    values.extend([report.cycles, events.sent, events.delivered, events.coalesced, events.lost].map(some));
    values.push(some(report.regions.exposed));
    values
}

/// How long interrupts were masked at EL2, behind what a cell is costed by: these columns came later.
pub(super) fn masked(report: &Report) -> [Value; 2] {
    let masked = report.masked();
    [masked.percentile(99).into(), masked.max().into()]
}

/// As many absent figures as [`measured`] gives.
pub(super) fn unmeasured() -> impl Iterator<Item = Value> {
    std::iter::repeat_n(Value::Absent, RESULTS.len() - 8)
}

fn per_send(send: Option<&TrapCost>, total: impl Fn(&TrapCost) -> u64) -> Value {
    let mean = send.and_then(|cost| total(cost).saturating_mul(100).checked_div(cost.calls));
    mean.map_or(Value::Absent, Value::Hundredths)
}

fn spread(values: Option<&Distribution>) -> [Value; 3] {
    let of = |percent| Value::from(values.and_then(|values| values.percentile(percent)));
    [of(50), of(99), of(100)]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn as_many_values_as_columns() {
        let path = std::path::Path::new("few.toml");
        let scenario = scenario::Scenario::from_text(path, "board = \"tiny\"\nel2_regions = 1\nheap = { base = 0x50000000, size = 0x20000000 }\n[[domain]]\nid = 1\nram = [{ base = 0x30000000, size = 0x10000000 }]\n[[domain.vcpu]]\n", &[]).unwrap();
        let (_, report) = analysis::simulate(&scenario, "naive", &sim_core::hyp::strategy::Naive, 0, ()).unwrap();
        assert!(matches!(report.outcome, sim_core::outcome::Outcome::Refused(_)));
        let figures = measured(&report, &Costs::COUNTS, false).len();
        assert_eq!(figures, unmeasured().count());
        // Strategy and seed, outcome and message before them; placement and profile behind, then the masked times.
        assert_eq!(figures + 6 + masked(&report).len(), RESULTS.len());
    }

    #[test]
    fn messages_are_one_line() {
        assert_eq!(verdict("x", Some("a\n  b\tc".into())).last(), Some(&Value::Text("a b c".into())));
    }
}
