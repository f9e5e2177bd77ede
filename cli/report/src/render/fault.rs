//! The crash report: what failed, for whom, whose address, the view in force, what would have let it through.

use super::table::{Cell, Look, Table};
use crate::wording as say;
use analysis::judgement;
use analysis::judgement::Way;
use mpu_model::{Denial, El};
use scenario::{Scenario, strategy};
use sim_core::convention::ec;
use sim_core::outcome::{FaultKind, HypervisorFault, Outcome, Report, SlotLine};
use std::fmt::Write;
use words::{Palette, registers};

/// The report of a hypervisor fault.
#[must_use]
pub fn crash(
    scenario: &Scenario,
    strategy: &str,
    report: &Report,
    cause: &HypervisorFault,
    palette: Palette,
) -> String {
    let mut out = String::new();
    out.push_str(&what(scenario, cause, palette));
    out.push_str(&for_whom(scenario, cause));
    out.push_str(&whose(scenario, cause));
    out.push_str(&view_in_force(scenario, cause, palette));
    out.push_str(&remedies(scenario, strategy, report, cause, palette));
    let path = scenario.path.display();
    let _ = writeln!(out, "more: mpusim view {path} --strategy {strategy}; mpusim run {path} -vv");
    out
}

fn denial(cause: &HypervisorFault) -> Option<&Denial> {
    match &cause.fault.kind {
        FaultKind::Access(denial) | FaultKind::OwnImage(denial) => Some(denial),
        FaultKind::External { .. } => None,
    }
}

fn what(scenario: &Scenario, cause: &HypervisorFault, palette: Palette) -> String {
    let syndrome = cause.fault.syndrome;
    let mut out = String::new();
    let headline = format!(
        "{} at EL2, on PE {}: {} at {:#x}",
        words::abort(syndrome.ec),
        cause.fault.pe,
        cause.fault.access(),
        syndrome.far
    );
    let _ = writeln!(out, "{} {headline}", palette.bad("hypervisor fault:"));
    let _ = writeln!(
        out,
        "  EC {:#04x} ({}), DFSC {:#04x} ({}), WnR {}, S1PTW {}, {}",
        syndrome.ec,
        syndrome.ec_name(),
        syndrome.fsc(),
        syndrome.fsc_name(),
        u8::from(syndrome.wnr()),
        u8::from(syndrome.s1ptw()),
        registers::far(scenario.pmsa(), El::El2, u64::from(syndrome.ec) == ec::INSTRUCTION_ABORT_SAME, &syndrome),
    );
    if let Some(denial) = denial(cause) {
        let _ = writeln!(out, "  {}", denial.kind);
    }
    if let FaultKind::OwnImage(_) = cause.fault.kind {
        let _ = writeln!(
            out,
            "  the view lost what the running hypervisor needs; its exception vector would fault likewise"
        );
    }
    if let Some(second) = &cause.recursive {
        let _ = writeln!(
            out,
            "  {} while the hypervisor printed its last words: {} at {:#x}",
            palette.bad("recursive"),
            words::abort(second.syndrome.ec),
            second.syndrome.far
        );
    }
    out
}

fn for_whom(scenario: &Scenario, cause: &HypervisorFault) -> String {
    let on_behalf = &cause.on_behalf;
    let vcpu =
        on_behalf.vcpu.map_or_else(|| "nobody: the PE was idle".into(), |vcpu| words::vcpu(&scenario.layout, vcpu));
    let mut out = format!("on behalf of {vcpu}, in {}", words::trap(on_behalf.trap));
    if let Some([x0, x1, x2, ..]) = on_behalf.args {
        let _ = write!(out, " (x0={x0:#x} x1={x1:#x} x2={x2:#x})");
    }
    out.push('\n');
    if let Some(step) = on_behalf.step.and_then(|step| scenario.step(step)) {
        let _ = writeln!(out, "  {step}");
    }
    out
}

fn whose(scenario: &Scenario, cause: &HypervisorFault) -> String {
    let owner = words::owner(&scenario.layout, cause.owner);
    let mut out = format!("the address belongs to {owner}");
    if let Some((area, offset)) = &cause.object {
        let _ = write!(out, ": {}", words::object(&scenario.layout, area, *offset));
    }
    out.push('\n');
    out
}

fn view_in_force(scenario: &Scenario, cause: &HypervisorFault, palette: Palette) -> String {
    let mut table = Table::new(4, &["slot", "range", "access", "owner"]);
    for line in &cause.slots {
        table.row(slot_row(scenario, line, Look::Plain));
    }
    let mut out = format!("in force: the {}, {} slots\n", words::view(&scenario.layout, cause.view), cause.slots.len());
    out.push_str(&table.render(2, palette));
    let near = |line: &Option<SlotLine>| line.as_ref().map_or_else(|| "nothing".into(), |line| near(scenario, line));
    let _ = writeln!(out, "  nearest below: {}; nearest above: {}", near(&cause.below), near(&cause.above));
    out
}

fn near(scenario: &Scenario, line: &SlotLine) -> String {
    let owners = words::owners(&scenario.layout, &line.owners);
    format!("slot {} ({owners}), {:#x}-{:#x}", line.slot, line.words.base(), line.words.limit())
}

fn slot_row(scenario: &Scenario, line: &SlotLine, look: Look) -> Vec<Cell> {
    vec![
        line.slot.to_string().into(),
        registers::range(scenario.pmsa(), line.words).into(),
        line.words.attrs().at(mpu_model::Level::El2).to_string().into(),
        Cell::new(words::owners(&scenario.layout, &line.owners), look),
    ]
}

/// What would have let the access through, with the regions it takes.
fn remedies(scenario: &Scenario, strategy: &str, report: &Report, cause: &HypervisorFault, palette: Palette) -> String {
    let mut out = format!("{}\n", palette.bold("what would let it through"));
    if matches!(report.outcome, Outcome::Hazard(_)) {
        if let Some(hazard) = cause.fault.hazard {
            let _ = writeln!(out, "  {}", words::pending(&hazard));
        }
        return out;
    }
    if let FaultKind::OwnImage(_) = cause.fault.kind {
        let _ = writeln!(out, "  a view that keeps the hypervisor's text, rodata and stack at every step");
        return out;
    }
    if let FaultKind::External { .. } = cause.fault.kind {
        let _ = writeln!(out, "  {}", say::NOTHING_ANSWERS);
        return out;
    }
    let ways = ways(scenario, strategy, cause);
    for way in &ways {
        let _ = writeln!(out, "  {}", say::way(scenario, way));
    }
    if ways.is_empty() {
        let _ = writeln!(out, "  no other strategy and no other placement");
    }
    out
}

/// Every other way under which the access that failed gets through; none where it is not the view that kept it from it.
#[must_use]
pub fn ways(scenario: &Scenario, strategy: &str, cause: &HypervisorFault) -> Vec<Way> {
    match (&cause.fault.kind, strategy::parse(strategy, scenario.settings)) {
        (FaultKind::Access(denial), Ok(strategy)) if cause.fault.hazard.is_none() => {
            judgement::ways(scenario, &strategy, cause.view, denial.access)
        }
        _ => Vec::new(),
    }
}
