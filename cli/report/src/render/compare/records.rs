//! A comparison as records: CSV, and a table for documents. `docs/json.md` describes the columns.

use analysis::comparison;
use analysis::comparison::Row;
use scenario::Scenario;
use sim_core::outcome::{Distribution, RegionUse, Report, Trap};
use words::shown;

/// What every record has: name, and value.
type Record = Vec<(&'static str, String)>;

/// Rows of comma-separated values under a header, with every digit.
pub fn csv(scenario: &Scenario, seed: u64, rows: &[Row]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (at, record) in records(scenario, seed, rows).iter().enumerate() {
        if at == 0 {
            writer.write_record(record.iter().map(|(name, _)| name))?;
        }
        writer.write_record(record.iter().map(|(_, value)| value))?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The same as a table for documents.
#[must_use]
pub fn markdown(scenario: &Scenario, seed: u64, rows: &[Row]) -> String {
    let records = records(scenario, seed, rows);
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut out = String::new();
    for (at, record) in records.iter().enumerate() {
        if at == 0 {
            out.push_str(&line(record.iter().map(|(name, _)| (*name).to_owned()).collect()));
            out.push_str(&line(record.iter().map(|_| "---".to_owned()).collect()));
        }
        out.push_str(&line(record.iter().map(|(_, value)| shown::markdown(value)).collect()));
    }
    out
}

fn records(scenario: &Scenario, seed: u64, rows: &[Row]) -> Vec<Record> {
    let measured = comparison::measured(rows);
    rows.iter().map(|row| record(scenario, seed, row, measured)).collect()
}

fn record(scenario: &Scenario, seed: u64, row: &Row, measured: Option<Trap>) -> Record {
    let mut record: Record = vec![
        ("scenario", scenario.name.clone()),
        ("profile", scenario.profile.name().into()),
        ("seed", seed.to_string()),
        ("strategy", row.name.clone()),
        ("placement", words::placement(row.placement()).into()),
    ];
    let report = row.report();
    // What nobody planned has no number of regions; what did not take place counts nothing.
    let planned =
        |of: fn(&RegionUse) -> usize| report.map(|report| of(&report.regions).to_string()).unwrap_or_default();
    let count = |of: fn(&Report) -> u64| report.map_or(0, of).to_string();
    record.extend([
        ("outcome", report.map_or(words::REFUSED, |report| words::outcome(&report.outcome)).into()),
        ("regions_required", planned(|regions| regions.needs.needed())),
        ("regions_available", planned(|regions| regions.needs.total.into())),
        ("regions_peak", planned(|regions| regions.peak)),
        ("exposed_bytes", count(|report| report.regions.exposed)),
        ("sent", count(|report| report.events.sent)),
        ("delivered", count(|report| report.events.delivered)),
        ("lost", count(|report| report.events.lost)),
        ("call", measured.map(words::trap).unwrap_or_default()),
    ]);
    let cost = row.cost(measured).cloned().unwrap_or_default();
    let counts = cost.counts;
    // Totals are exact; a mean per call is one of these by `calls`.
    let totals = [
        ("calls", cost.calls),
        ("prselr", counts.el2.prselr),
        ("prbar", counts.el2.prbar),
        ("prlar", counts.el2.prlar),
        ("prenr", counts.el2.prenr),
        ("sctlr", counts.el2.sctlr),
        ("mpu_reads", counts.el2.reads),
        ("isb", counts.isb),
        ("dsb", counts.dsb),
        ("el2_accesses", counts.el2_accesses),
        ("table_scans", counts.table_scans),
        ("work_cycles", scenario.config.costs.of(&counts)),
    ];
    record.extend(totals.map(|(name, value)| (name, value.to_string())));
    let call = ["cycles_min", "cycles_mean", "cycles_p50", "cycles_p99", "cycles_max"];
    record.extend(distribution(call, &cost.cycles));
    let upcall = ["upcall_min", "upcall_mean", "upcall_p50", "upcall_p99", "upcall_max"];
    record.extend(distribution(upcall, &report.map(Report::send_to_upcall).unwrap_or_default()));
    record.push(("total_cycles", count(|report| report.cycles)));
    record.push(("lock_wait_cycles", count(|report| report.lock_wait)));
    let masked = report.map(Report::masked).unwrap_or_default();
    let figure = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    record.push(("masked_p99", figure(masked.percentile(99))));
    record.push(("masked_max", figure(masked.max())));
    record.push(("failure", super::failure(row).unwrap_or_default()));
    record.push(("regions_boot", planned(|regions| regions.needs.boot)));
    record.push(("regions_views", planned(|regions| regions.needs.views)));
    record.push(("regions_to_use", planned(|regions| regions.needs.available.into())));
    record
}

/// Empty where there is nothing to distribute.
fn distribution(names: [&'static str; 5], values: &Distribution) -> Record {
    let mean = values.mean_hundredths().map(|mean| format!("{}.{:02}", mean / 100, mean % 100));
    let whole = |value: Option<u64>| value.map(|value| value.to_string());
    let found =
        [whole(values.min()), mean, whole(values.percentile(50)), whole(values.percentile(99)), whole(values.max())];
    names.into_iter().zip(found).map(|(name, value)| (name, value.unwrap_or_default())).collect()
}
