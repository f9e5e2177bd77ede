//! A summary for people: the totals, and whatever went wrong in full.

use super::diff::Difference;
use super::mpu::{MpuMismatch, MpuSummary, MpuTotals};
use super::{FileResult, HypervisorFault, Mismatch, Outcome, Summary, Totals, wording};
use std::fmt::{self, Display, Write};
use words::{Palette, bytes, shown};

/// A line of a file is cut here; a dump can have thousands of characters.
const LINE: usize = 240;

/// What people read: every file that did not go as recorded, then the totals.
#[must_use]
pub fn render(summary: &Summary, palette: Palette) -> String {
    let mut text = String::new();
    for file in &summary.files {
        // Writing to a string does not fail.
        let _ = write_file(&mut text, file, palette);
    }
    if summary.strategy == "naive" && summary.totals.faults > 0 {
        text.push_str(
            "note: strategy naive reaches no memory outside the guest's view, so it faults by design; \
             replay with another, for example --strategy map-page\n\n",
        );
    }
    if let Some(first) = summary.files.iter().find_map(|file| file.own_hazard.as_ref()) {
        let count = counted(summary.totals.own_hazards, "file", "files");
        let _ = writeln!(
            text,
            "note: under strategy {} hardware may answer otherwise by design, in {count}; first: {first}\n",
            summary.strategy
        );
    }
    if summary.mpu.is_none() || summary.totals.files > 0 {
        let _ = writeln!(text, "{}", totals(&summary.totals));
    }
    if let Some(mpu) = &summary.mpu {
        let _ = write_mpu(&mut text, mpu, palette);
    }
    text
}

fn write_mpu(text: &mut String, summary: &MpuSummary, palette: Palette) -> fmt::Result {
    for MpuMismatch { path, line, probe, rules, access, differences } in &summary.mismatches {
        let what = palette.bad("mismatch");
        writeln!(text, "{}:{line}: {what} at probe {probe} by rules {rules}, {access}", shown::path(path))?;
        write_differences(text, differences, palette)?;
        writeln!(text)?;
    }
    writeln!(
        text,
        "{} of MPU accesses, {}",
        counted(summary.files, "file", "files"),
        counted(summary.probes, "access", "accesses")
    )?;
    for (name, MpuTotals { compared, ambiguous, mismatches }) in
        [("qemu-an536", summary.qemu), ("default", summary.default)]
    {
        let compared = counted(compared, "access", "accesses");
        let mismatches = counted(mismatches, "mismatch", "mismatches");
        let ambiguous = match ambiguous {
            0 => String::new(),
            some => format!(" ({} left out: sources disagree)", counted(some, "access", "accesses")),
        };
        writeln!(text, "  rules {name:10}  {compared} compared, {mismatches}{ambiguous}")?;
    }
    Ok(())
}

fn totals(totals: &Totals) -> String {
    let mut line = format!(
        "{}, {}, {}, {} skipped",
        counted(totals.files, "file", "files"),
        counted(totals.steps, "step", "steps"),
        counted(totals.mismatches, "mismatch", "mismatches"),
        totals.skipped,
    );
    for (count, one, more) in [
        (totals.faults, "hypervisor fault", "hypervisor faults"),
        (totals.hazards, "file with hazards", "files with hazards"),
    ] {
        if count > 0 {
            let _ = write!(line, ", {}", counted(count, one, more));
        }
    }
    if totals.others > 0 {
        let _ =
            write!(line, " ({} no event-channel vectors)", counted(totals.others, "other file is", "other files are"));
    }
    line
}

/// A number with its noun, digits in groups of three.
fn counted(count: usize, one: &str, more: &str) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {}", if count == 1 { one } else { more })
}

fn write_file(text: &mut String, file: &FileResult, palette: Palette) -> fmt::Result {
    let path = shown::path(&file.path);
    match &file.outcome {
        Outcome::Ok => Ok(()),
        Outcome::Skipped { reason } => writeln!(text, "{path}: skipped: {}\n", shown::line(reason)),
        Outcome::Mismatch(mismatch) => write_mismatch(text, &path, mismatch, palette),
        Outcome::HypervisorFault(fault) => write_fault(text, &path, fault, palette),
        Outcome::Hazard { first, count } => {
            let what = palette.bad("hazard");
            writeln!(text, "{path}: {what}: hardware may answer otherwise, {}", counted(*count, "time", "times"))?;
            writeln!(text, "  first: {first}\n")
        }
    }
}

fn write_mismatch(text: &mut String, path: &dyn Display, mismatch: &Mismatch, palette: Palette) -> fmt::Result {
    let Mismatch { line, step, op, differences, last_steps } = mismatch;
    writeln!(text, "{path}:{line}: {} at step {step}, {op}", palette.bad("mismatch"))?;
    for told in differences.iter().flat_map(|found| wording::difference(found, "the file")) {
        writeln!(text, "  {}", clipped(&told))?;
    }
    writeln!(text, "  last steps, each with what the file says it gives:")?;
    for (number, step) in (step + 1 - last_steps.len()..).zip(last_steps) {
        writeln!(text, "  {number:>6}  {}", clipped(&wording::line(step).unwrap_or_else(|| step.clone())))?;
    }
    writeln!(text)
}

fn write_differences(text: &mut String, differences: &[Difference], palette: Palette) -> fmt::Result {
    let width = differences.iter().map(|difference| difference.field.len()).max().unwrap_or(0);
    for difference in differences {
        let (field, blank) = (&difference.field, "");
        let expected = palette.good(clipped(&difference.expected));
        let got = palette.bad(clipped(&difference.got));
        writeln!(text, "  {field:width$}  expected {expected}")?;
        writeln!(text, "  {blank:width$}  got      {got}")?;
    }
    Ok(())
}

fn write_fault(text: &mut String, path: &dyn Display, fault: &HypervisorFault, palette: Palette) -> fmt::Result {
    let HypervisorFault { line, step, op, caller, access, esr, far, owner, object } = fault;
    let what = palette.bad("hypervisor fault");
    writeln!(text, "{path}:{line}: {what} at step {step}, {op}")?;
    let place = object.as_deref().map(|object| format!(", {object}")).unwrap_or_default();
    writeln!(text, "  {access} of {far}, memory of {owner}{place}; ESR_EL2 {esr}")?;
    match caller {
        Some((domain, vcpu)) => writeln!(text, "  on behalf of domain {domain}, vCPU {vcpu}\n"),
        None => writeln!(text, "  on its own behalf\n"),
    }
}

fn clipped(line: &str) -> String {
    let line = shown::line(line);
    match line.char_indices().nth(LINE) {
        Some((at, _)) => {
            format!("{} ... ({} in all)", line.get(..at).unwrap_or_default(), bytes(line.len() as u64))
        }
        None => line.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (count, text) in
            [(0, "0 x"), (1, "1 o"), (999, "999 x"), (1000, "1,000 x"), (62230, "62,230 x"), (1234567, "1,234,567 x")]
        {
            assert_eq!(counted(count, "o", "x"), text);
        }
    }

    #[test]
    fn the_totals_are_one_line() {
        let sums = Totals { files: 8, steps: 8535, ..Totals::default() };
        assert_eq!(totals(&sums), "8 files, 8,535 steps, 0 mismatches, 0 skipped");
        let sums = Totals { files: 1, steps: 1, mismatches: 1, others: 1, faults: 2, ..Totals::default() };
        let line =
            "1 file, 1 step, 1 mismatch, 0 skipped, 2 hypervisor faults (1 other file is no event-channel vectors)";
        assert_eq!(totals(&sums), line);
    }
}
