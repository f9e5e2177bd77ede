//! The report of one run.

use super::table::{Cell, Look, Table};
use super::{fault, profile, wrapped};
use scenario::Scenario;
use sim_core::outcome::{Counts, Distribution, Outcome, Report, Trap, TrapCost};
use std::fmt::Write;
use words::{Palette, shown, waiting};

/// The whole report.
#[must_use]
pub fn run(scenario: &Scenario, strategy: &str, seed: u64, report: &Report, palette: Palette) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", title(scenario, seed, palette));
    let _ = writeln!(out, "strategy {}: {}", palette.bold(strategy), verdict(report, palette));
    match &report.outcome {
        Outcome::HypervisorFault(cause) | Outcome::Hazard(Some(cause)) => {
            out.push('\n');
            out.push_str(&fault::crash(scenario, strategy, report, cause, palette));
        }
        Outcome::Refused(_) => {
            out.push('\n');
            out.push_str(&regions(scenario, report, palette));
            return out;
        }
        outcome => out.push_str(&details(scenario, outcome)),
    }
    if !report.hazards.is_empty() {
        let _ = writeln!(out, "\n{}", palette.bold("hazards (hardware may answer either way)"));
        for hazard in &report.hazards {
            let _ = writeln!(out, "  PE {}: {}", hazard.pe, words::hazard(&hazard.kind));
        }
    }
    let (events, regions) = (deliveries(scenario, report, palette), regions(scenario, report, palette));
    for part in [events, regions, costs(report, palette), masked(report, palette)] {
        out.push('\n');
        out.push_str(&part);
    }
    let _ = writeln!(
        out,
        "\n{} cycles in all, {} of them waiting for the hypervisor lock",
        words::number(report.cycles),
        words::number(report.lock_wait),
    );
    out.push_str(&profile::lines(&scenario.profile));
    if !report.console.is_empty() {
        let _ = writeln!(out, "\n{}", palette.bold("console"));
        report.console.lines().for_each(|line| {
            let _ = writeln!(out, "  | {}", shown::line(line));
        });
    }
    out
}

/// What was run: scenario, board, placement.
#[must_use]
pub fn title(scenario: &Scenario, seed: u64, palette: Palette) -> String {
    let parts = scenario.layout.parts();
    let placement = words::placement(parts.placement);
    let (pes, domains) = (parts.board.pes, parts.domains.len());
    format!(
        "{}: {} domain{} on {pes} PE{} of {} ({} EL2 regions), placement {placement}, seed {seed}",
        palette.bold(&scenario.name),
        domains,
        plural(domains),
        plural(pes),
        parts.board.name,
        parts.board.el2_regions,
    )
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// The outcome in a few words.
#[must_use]
pub fn verdict(report: &Report, palette: Palette) -> String {
    let name = words::outcome(&report.outcome);
    match &report.outcome {
        Outcome::Completed => palette.good(name),
        Outcome::Refused(refused) => format!("{}: {refused}", palette.bad(name)),
        _ => palette.bad(name),
    }
}

fn details(scenario: &Scenario, outcome: &Outcome) -> String {
    let mut out = String::new();
    let at = |step| scenario.step(step).unwrap_or_default();
    match outcome {
        Outcome::Deadlock(waiters) => {
            out.push_str("nothing can happen any more:\n");
            for waiter in waiters {
                let _ = writeln!(out, "  {}", waiting::waiter(&scenario.layout, waiter));
                let _ = writeln!(out, "    at {}", waiter.step.map(at).unwrap_or_default());
                for told in waiting::events(waiter) {
                    out.push_str(&wrapped(&format!("    {told}"), "      "));
                }
            }
        }
        Outcome::ExpectationFailed(failures) => {
            for failure in failures {
                let _ = writeln!(out, "  {}", at(failure.step));
                let (expected, got) = (words::expected(failure.expected), words::got(failure.got));
                let _ = writeln!(out, "    {}: expected {expected}", words::vcpu(&scenario.layout, failure.vcpu));
                let _ = writeln!(out, "    got {got}");
            }
        }
        Outcome::IsolationBroken(breach) => {
            let _ = writeln!(out, "{}", words::breach(&scenario.layout, breach));
        }
        Outcome::Limit(limit) => {
            let _ = writeln!(out, "{}", words::limit(*limit));
        }
        _ => {}
    }
    out
}

fn deliveries(scenario: &Scenario, report: &Report, palette: Palette) -> String {
    if report.ports.is_empty() {
        return "no events\n".into();
    }
    let mut header =
        vec!["port", "sent", "delivered", "coalesced", "lost", "raised by Xen", "p50", "p99", "max cycles"];
    // Few guests mask ports and leave them so: the column stands where there is something in it.
    let held = report.events.held > 0;
    if held {
        header.insert(5, "held");
    }
    let mut table = Table::new(1, &header);
    for port in &report.ports {
        let totals = port.totals;
        let lost = Cell::new(words::number(totals.lost), if totals.lost > 0 { Look::Bad } else { Look::Plain });
        let mut row = vec![
            format!("{} port {}", words::domain(&scenario.layout, port.domain), port.port).into(),
            words::number(totals.sent).into(),
            words::number(totals.delivered).into(),
            words::number(totals.coalesced).into(),
            lost,
            words::number(totals.raised).into(),
        ];
        if held {
            row.insert(5, words::number(totals.held).into());
        }
        row.extend(latency(&port.latency));
        table.row(row);
    }
    let title = palette.bold("events (cycles from the trap of the send to the handler that finds the event)");
    format!("{title}\n{}", table.render(2, palette))
}

fn latency(values: &Distribution) -> [Cell; 3] {
    [values.percentile(50), values.percentile(99), values.max()].map(number)
}

fn number(value: Option<u64>) -> Cell {
    value.map_or_else(|| "-".into(), |value| words::number(value).into())
}

/// The region budget per view.
#[must_use]
pub fn regions(scenario: &Scenario, report: &Report, palette: Palette) -> String {
    let regions = &report.regions;
    let mut table = Table::new(1, &["view", "fixed", "windows", "kept", "own", "total", "guest bytes EL2 can touch"]);
    for view in &regions.views {
        let total = view.total();
        let look = if total > usize::from(regions.needs.available) { Look::Bad } else { Look::Plain };
        table.row(vec![
            words::view(&scenario.layout, view.view).into(),
            view.fixed.to_string().into(),
            view.windows.to_string().into(),
            view.kept.to_string().into(),
            view.own.to_string().into(),
            Cell::new(total.to_string(), look),
            words::bytes(view.guest_bytes).into(),
        ]);
    }
    let title = format!(
        "{} needed ({}); {} at the most enabled at once",
        words::regions_of(&regions.needs),
        words::region_parts(&regions.needs),
        regions.peak,
    );
    let exposed =
        format!("While it works for a domain, EL2 reaches at the most {} of others.\n", words::bytes(regions.exposed));
    format!("{}\n{}  {exposed}", palette.bold(title), table.render(2, palette))
}

fn costs(report: &Report, palette: Palette) -> String {
    let header = ["entry to EL2", "calls", "errors", "writes", "ISB", "DSB", "accesses", "p50", "p99", "max cycles"];
    let mut table = Table::new(1, &header);
    for (trap, cost) in &report.traps {
        table.row(cost_row(*trap, cost));
    }
    let mut out =
        format!("{}\n", palette.bold("cost per call (EL2 MPU register writes, barriers and accesses at EL2)"));
    out.push_str(&table.render(2, palette));
    let Counts { el2, isb, dsb, exceptions, erets, .. } = report.counts;
    let _ = writeln!(
        out,
        "  in all: PRSELR {}, PRBAR {}, PRLAR {}, PRENR {}, SCTLR {}; ISB {}, DSB {}; exceptions {}, ERET {}",
        words::number(el2.prselr),
        words::number(el2.prbar),
        words::number(el2.prlar),
        words::number(el2.prenr),
        words::number(el2.sctlr),
        words::number(isb),
        words::number(dsb),
        words::number(exceptions),
        words::number(erets),
    );
    out
}

/// How long interrupts waited at the most because EL2 was at work.
fn masked(report: &Report, palette: Palette) -> String {
    let mut table = Table::new(1, &["entry to EL2", "min", "mean", "p50", "p99", "max cycles"]);
    let mut row = |name: String, values: &Distribution| {
        let mut row = vec![name.into(), number(values.min()), per_call(values.sum(), values.count()).into()];
        row.extend(latency(values));
        table.row(row);
    };
    for (trap, cost) in &report.traps {
        row(words::trap(*trap), &cost.masked);
    }
    row("all".into(), &report.masked());
    let title = "interrupts masked at EL2 (cycles from exception to ERET, waiting for the lock included)";
    format!("{}\n{}", palette.bold(title), table.render(2, palette))
}

fn cost_row(trap: Trap, cost: &TrapCost) -> Vec<Cell> {
    let errors: u64 = cost.errors.values().sum();
    let mut row = vec![
        words::trap(trap).into(),
        words::number(cost.calls).into(),
        words::number(errors).into(),
        per_call(cost.counts.el2_writes(), cost.calls).into(),
        per_call(cost.counts.isb, cost.calls).into(),
        per_call(cost.counts.dsb, cost.calls).into(),
        per_call(cost.counts.el2_accesses, cost.calls).into(),
    ];
    row.extend(latency(&cost.cycles));
    row
}

/// A mean with two decimals, without trailing zeros: exact integers read as such.
#[must_use]
pub fn per_call(total: u64, calls: u64) -> String {
    per_call_to(total, calls, 2)
}

/// A mean with up to that many decimals, 18 at the most, cut off and without trailing zeros.
#[must_use]
pub fn per_call_to(total: u64, calls: u64, decimals: u32) -> String {
    let decimals = decimals.min(18);
    let unit = 10u128.pow(decimals);
    let Some(scaled) = (u128::from(total) * unit).checked_div(calls.into()) else {
        return "-".into();
    };
    let whole = words::number(u64::try_from(scaled / unit).unwrap_or(u64::MAX));
    let places = usize::try_from(decimals).unwrap_or(0);
    let part = format!("{:0places$}", scaled % unit);
    match part.trim_end_matches('0') {
        "" => whole,
        part => format!("{whole}.{part}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_short_and_exact_where_they_can_be() {
        assert_eq!(per_call(12_000, 2_000), "6");
        assert_eq!(per_call(5, 2), "2.5");
        assert_eq!(per_call(1, 3), "0.33");
        assert_eq!(per_call(1, 0), "-");
        assert_eq!(per_call(u64::MAX, 1), words::number(u64::MAX));
        assert_eq!(per_call_to(1, 16, 3), "0.062");
        assert_eq!(per_call_to(1, 2_000, 99), "0.0005");
        assert_eq!(per_call_to(7, 2, 0), "3");
    }
}
