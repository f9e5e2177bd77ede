//! The report for people.

use crate::fault::{Fault, Programmed};
use crate::report::{Cause, Regions, Report};
use crate::wording;
use std::fmt::Write as _;
use words::{Palette, number, shown};

/// A table: the first column to the left, others to the right as `left` does not say otherwise.
fn table(out: &mut String, left: &[usize], rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or_default();
    let widths: Vec<_> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            line.push_str("  ");
            // A string takes every character.
            let _ = if left.contains(&column) { write!(line, "{cell:width$}") } else { write!(line, "{cell:>width$}") };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(Into::into).to_vec()
}

/// The report as text.
#[must_use]
pub fn text(report: &Report, palette: Palette) -> String {
    let mut out = String::new();
    let well = report.status() == 0;
    let reason = report.reason();
    let reason = if well { palette.good(&reason) } else { palette.bad(&reason) };
    let _ = writeln!(
        out,
        "{} on {}: {reason}; exit status {}",
        shown::line(&report.image),
        shown::line(&report.board.name),
        report.status()
    );
    pes(&mut out, report);
    exceptions(&mut out, report);
    if !report.hazards.is_empty() {
        out.push_str("\nhazards: uses of an MPU whose outcome hangs on a write that may not be in force\n");
        for hazard in &report.hazards {
            let _ = writeln!(out, "  {}", wording::hazard(hazard));
        }
        if report.hazards_beyond > 0 {
            let _ = writeln!(out, "  and {} more, not told apart", number(report.hazards_beyond));
        }
    }
    if !report.undefined.is_empty() {
        let _ = writeln!(out, "\nsystem registers that were UNDEFINED: {}", report.undefined.join(", "));
    }
    if let Some(found) = &report.fault {
        fault(&mut out, report, found, palette);
    }
    out
}

fn regions(regions: Regions) -> String {
    format!("{}/{}/{}", regions.now, regions.most, regions.total)
}

fn pes(out: &mut String, report: &Report) {
    let _ = writeln!(
        out,
        "\ntime {} instructions; regions of each MPU: enabled now/at the most/there",
        number(report.time)
    );
    let mut rows = vec![row(["PE", "instructions", "PC", "level", "masked", "state", "EL2 regions", "EL1 regions"])];
    for (at, pe) in report.pes.iter().enumerate() {
        let [el1, el2] = pe.regions;
        rows.push(vec![
            at.to_string(),
            number(pe.instructions),
            format!("{:#x}", pe.pc),
            pe.el.to_string(),
            wording::daif(pe.daif),
            wording::power(pe.power).into(),
            regions(el2),
            regions(el1),
        ]);
    }
    table(out, &[3, 4, 5], &rows);
}

fn exceptions(out: &mut String, report: &Report) {
    if !report.exceptions.is_empty() {
        out.push('\n');
        let mut rows = vec![row(["exceptions", "from", "to", "count"])];
        for (kind, count) in &report.exceptions {
            rows.push(vec![wording::cause(kind.cause), kind.from.to_string(), kind.to.to_string(), number(*count)]);
        }
        table(out, &[0, 1, 2], &rows);
    }
    if !report.entries.is_empty() {
        out.push('\n');
        let mut rows = vec![row([
            "entries to EL2",
            "entries",
            "instructions",
            "most",
            "MPU writes",
            "other writes",
            "ISB",
            "DSB",
        ])];
        for (cause, caused) in &report.entries {
            let figures = [
                caused.entries,
                caused.instructions,
                caused.most_instructions,
                caused.mpu_writes,
                caused.other_writes,
                caused.isb,
                caused.dsb,
            ];
            rows.push([wording::cause(*cause)].into_iter().chain(figures.map(number)).collect());
        }
        table(out, &[0], &rows);
    }
}

fn slot(slot: &Programmed) -> Vec<String> {
    let words = slot.words;
    vec![slot.slot.to_string(), format!("{:#x}-{:#x}", words.base(), words.limit()), words::short_rights(words.attrs())]
}

fn fault(out: &mut String, report: &Report, fault: &Fault, palette: Palette) {
    let title =
        if fault.returned { "the last fault of EL2 to itself, returned from" } else { "a fault of EL2 to itself" };
    let _ = writeln!(out, "\n{}: {}", palette.bad(title), wording::fault_line(fault));
    let code = wording::status(fault).map(|code| format!(" ({code})")).unwrap_or_default();
    let far = fault.far.map(|far| format!(", FAR_EL2 {far:#018x}")).unwrap_or_default();
    let _ = writeln!(out, "  ESR_EL2 {:#010x}: {}{code}{far}", fault.esr, wording::cause(Cause::Class(fault.ec)));
    let _ = writeln!(
        out,
        "  after {} instructions of the PE, {} of such faults in all",
        number(fault.count),
        number(report.faults)
    );
    if let Some(owner) = &fault.owner {
        let _ = writeln!(out, "  the address belongs to {}", wording::owner(owner));
    }
    if let Some(denial) = fault.denial {
        let _ = writeln!(out, "  the MPU of EL2 denies it: {denial}");
    } else if fault.access.is_some() && !fault.mpu_on {
        out.push_str("  the MPU of EL2 is off (SCTLR_EL2.M), and denies nothing\n");
    }
    if fault.pending > 0 {
        let _ = writeln!(out, "  writes to the MPUs that are not in force yet: {}", fault.pending);
    }
    if fault.mpu_on && fault.far.is_some() {
        slots(out, fault);
    }
    let _ = writeln!(out, "  it would have gone through with {}", wording::remedy(fault));
    if let Some((pc, far)) = fault.last {
        let far = far.map(|far| format!(", FAR_EL2 {far:#x}")).unwrap_or_default();
        let _ = writeln!(
            out,
            "  {} followed before any exception return, the last by the instruction at {pc:#x}{far}",
            if fault.more == 1 { "one more".into() } else { format!("{} more", number(fault.more)) }
        );
    }
}

fn slots(out: &mut String, fault: &Fault) {
    if fault.slots.is_empty() {
        out.push_str("  no region of the MPU of EL2 is enabled\n");
        return;
    }
    let (below, above) = fault.nearest;
    let holds =
        |slot: &Programmed| fault.far.is_some_and(|far| (slot.words.base()..=slot.words.limit()).contains(&far));
    let near = |slot: &Programmed| {
        if holds(slot) {
            "<- holds the address"
        } else if below == Some(*slot) {
            "<- nearest below"
        } else if above == Some(*slot) {
            "<- nearest above"
        } else {
            ""
        }
    };
    let mut rows = vec![row(["  slot", "range", "rights", ""])];
    for each in &fault.slots {
        rows.push(slot(each).into_iter().chain([near(each).into()]).collect());
    }
    table(out, &[1, 2, 3], &rows);
}
