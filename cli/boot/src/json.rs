//! The report for programs. Keys are described in `docs/boot.md`.

use crate::fault::{Fault, Programmed};
use crate::report::{Cause, Caused, End, PeReport, Regions, Report};
use crate::wording;
use armv8r::machine::StopReason;
use serde_json::{Value, json};

fn hex(value: u64) -> String {
    format!("{value:#x}")
}

/// The report as JSON.
#[must_use]
pub fn json(report: &Report) -> Value {
    let exceptions = report.exceptions.iter().map(|(kind, count)| {
        let cause = wording::cause(kind.cause);
        json!({ "from": kind.from.to_string(), "to": kind.to.to_string(), "cause": cause, "count": count })
    });
    let code = match report.end {
        End::Machine(StopReason::Exit { code, .. }) => Some(code),
        _ => None,
    };
    json!({
        "image": report.image,
        "board": report.board.name,
        "outcome": wording::end_kind(&report.end),
        "reason": report.reason(),
        "status": report.status(),
        "exit_code": code,
        "time": report.time,
        "pes": report.pes.iter().map(pe).collect::<Vec<_>>(),
        "exceptions": exceptions.collect::<Vec<_>>(),
        "entries": report.entries.iter().map(|(cause, caused)| entry(*cause, caused)).collect::<Vec<_>>(),
        "hazards": report.hazards.iter().map(|hazard| wording::hazard_json(hazard, true)).collect::<Vec<_>>(),
        "hazards_beyond": report.hazards_beyond,
        "undefined_registers": report.undefined,
        "faults": report.faults,
        "fault": report.fault.as_ref().map(fault),
        "console": String::from_utf8_lossy(&report.console),
        "console_lost": report.console_lost,
    })
}

fn regions(regions: Regions) -> Value {
    json!({ "total": regions.total, "now": regions.now, "most": regions.most })
}

fn pe(pe: &PeReport) -> Value {
    let [el1, el2] = pe.regions;
    json!({
        "instructions": pe.instructions, "pc": hex(pe.pc), "el": pe.el.to_string(), "masked": wording::daif(pe.daif),
        "state": wording::power(pe.power), "el1_regions": regions(el1), "el2_regions": regions(el2),
    })
}

fn entry(cause: Cause, caused: &Caused) -> Value {
    json!({
        "cause": wording::cause(cause), "entries": caused.entries, "instructions": caused.instructions,
        "most_instructions": caused.most_instructions, "mpu_writes": caused.mpu_writes,
        "other_writes": caused.other_writes, "isb": caused.isb, "dsb": caused.dsb,
    })
}

fn slot(slot: &Programmed) -> Value {
    let words = slot.words;
    json!({
        "slot": slot.slot.number(), "base": hex(words.base()), "limit": hex(words.limit()),
        "prbar": hex(words.prbar), "prlar": hex(words.prlar), "rights": words::short_rights(words.attrs()),
    })
}

fn fault(fault: &Fault) -> Value {
    let (below, above) = fault.nearest;
    json!({
        "pe": fault.pe, "count": fault.count, "time": fault.time, "pc": hex(fault.pc), "el": "EL2",
        "cause": wording::cause(Cause::Class(fault.ec)), "ec": hex(fault.ec.into()), "esr": hex(fault.esr),
        "far": fault.far.map(hex), "access": fault.access.map(|access| access.to_string()), "code": wording::status(fault),
        "owner": fault.owner.as_ref().map(wording::owner), "kind": fault.denial.map(words::denial_kind),
        "why": fault.denial.map(|denial| denial.to_string()), "mpu_on": fault.mpu_on, "pending_writes": fault.pending,
        "slots": fault.slots.iter().map(slot).collect::<Vec<_>>(),
        "below": below.as_ref().map(slot), "above": above.as_ref().map(slot), "remedy": wording::remedy(fault),
        "more": fault.more,
        "last": fault.last.map(|(pc, far)| json!({ "pc": hex(pc), "far": far.map(hex) })), "returned": fault.returned,
    })
}
