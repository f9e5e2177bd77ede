//! Why an access is allowed or denied: the verdict, whose the address is, the slots tried, what would change the answer.

use super::table::{Cell, Look, Table};
use crate::wording as say;
use analysis::explain::{Answer, Refusal, Tried};
use analysis::judgement::System;
use mpu_model::{AccessKind, El, Slot, Stage};
use scenario::Scenario;
use sim_core::outcome::{Refused, VcpuRef, ViewId};
use std::fmt::Write;
use words::{Palette, registers};

/// The whole answer.
#[must_use]
pub fn explain(scenario: &Scenario, strategy: &str, answer: &Answer, palette: Palette) -> String {
    let view = words::view(&scenario.layout, answer.question.view);
    let mut out = format!("{}: strategy {strategy}, the {view} in force\n", palette.bold(&scenario.name));
    out.push_str(&verdict(scenario, answer, palette));
    out.push_str(&whose(scenario, answer));
    out.push_str(&stage1(scenario, answer, palette));
    let slots = answer.el2.slots.len();
    let _ = writeln!(out, "\n{}: {slots} slots of the {view}", say::mpu(Stage::Two));
    out.push_str(&tried(scenario, answer, &answer.el2, Stage::Two, palette));
    out.push_str(&changes(scenario, strategy, answer, palette));
    out
}

/// A system that its board refuses has no view in force.
#[must_use]
pub fn refused(system: &System, strategy: &str, refused: &Refused, palette: Palette) -> String {
    let (name, refusal) = (palette.bold(&system.scenario.name), palette.bad("refused"));
    format!("{name}: strategy {strategy}: {refusal}: {refused}\n")
}

fn verdict(scenario: &Scenario, answer: &Answer, palette: Palette) -> String {
    let asked = say::access(answer.question.access);
    match &answer.verdict {
        Ok(_) if answer.answers => format!("{asked}: {}\n", palette.good("allowed")),
        Ok(_) => {
            format!("{asked}: {}: allowed by the MPUs, and nothing answers there\n", palette.bad("external abort"))
        }
        Err(refusal) => {
            let (denied, mpu) = (palette.bad("denied"), say::mpu(refusal.stage));
            let device = answer.emulated.map(|device| words::emulated(&scenario.layout, device));
            format!("{asked}: {denied} by the {mpu}: {}\n{}", refusal.denial.kind, syndrome(scenario, refusal, device))
        }
    }
}

fn syndrome(scenario: &Scenario, refusal: &Refusal, device: Option<&str>) -> String {
    let (syndrome, pmsa) = (refusal.syndrome, scenario.pmsa());
    let fetch = refusal.denial.access.kind == AccessKind::Fetch;
    let code = if fetch { "IFSC" } else { "DFSC" };
    let mut out = format!(
        "  EC {:#04x} ({}), {code} {:#04x} ({})",
        syndrome.ec,
        syndrome.ec_name(),
        syndrome.fsc(),
        syndrome.fsc_name()
    );
    if !fetch {
        let _ = write!(out, ", WnR {}", u8::from(syndrome.wnr()));
    }
    let _ = write!(out, "\n  {}", registers::taken(pmsa, refusal.to, fetch, &syndrome));
    if let Some(hpfar) = refusal.hpfar {
        let _ = write!(out, ", {} {hpfar:#x}", registers::page(pmsa));
    }
    let _ = writeln!(out, "\n  {}", say::taker(refusal, device));
    out
}

fn whose(scenario: &Scenario, answer: &Answer) -> String {
    let layout = &scenario.layout;
    let at = answer.address();
    let mut out = format!("{at:#x} belongs to {}", words::owner(layout, answer.owner));
    if let Some(owned) = answer.owned {
        let _ = write!(out, ", {:#x}-{:#x}", owned.base(), owned.limit());
    }
    if let Some((area, offset)) = &answer.object {
        let _ = write!(out, ": {}", words::object(layout, area, *offset));
    }
    let rights: Vec<String> =
        answer.rights.iter().map(|level| format!("{} {}", level.el, say::rights(level))).collect();
    let _ = writeln!(out, "\nrights there in this view: {}", rights.join(", "));
    out
}

fn stage1(scenario: &Scenario, answer: &Answer, palette: Palette) -> String {
    let ViewId::Guest(domain) = answer.question.view else {
        return String::new();
    };
    if answer.question.access.el == El::El2 {
        return String::new();
    }
    let vcpu = u32::try_from(answer.question.vcpu).unwrap_or(u32::MAX);
    let mpu = format!("{} of {}", say::mpu(Stage::One), words::vcpu(&scenario.layout, VcpuRef { domain, vcpu }));
    match &answer.stage1 {
        None => format!("\n{mpu}: off, everything goes on to stage 2\n"),
        Some(found) => {
            let mut out = format!("\n{mpu}: {} slots\n", found.slots.len());
            out.push_str(&tried(scenario, answer, found, Stage::One, palette));
            out
        }
    }
}

fn tried(scenario: &Scenario, answer: &Answer, found: &Tried, stage: Stage, palette: Palette) -> String {
    let owners = |slot: Slot| {
        let tried = found.slots.iter().find(|tried| tried.slot == slot);
        tried.map(|tried| words::owners(&scenario.layout, &tried.owners)).unwrap_or_default()
    };
    let header: &[&str] = if stage == Stage::Two {
        &["slot", "range", "access", "owner", "this access"]
    } else {
        &["slot", "range", "access", "this access"]
    };
    let mut table = Table::new(header.len(), header);
    for slot in &found.slots {
        let on = slot.words.enabled();
        let range = registers::range(scenario.pmsa(), slot.words);
        let access = slot.words.attrs().at(say::level(stage)).to_string();
        let mut cells: Vec<Cell> = vec![
            slot.slot.to_string().into(),
            if on { range.into() } else { "-".into() },
            if on { access.into() } else { "-".into() },
        ];
        if stage == Stage::Two {
            cells.push(owners(slot.slot).into());
        }
        let look = match (slot.decides, answer.verdict.is_ok()) {
            (true, true) => Look::Good,
            (true, false) => Look::Bad,
            (false, _) => Look::Dim,
        };
        let how = say::how(slot, answer.question.access, &answer.verdict);
        cells.push(Cell::new(how, look));
        table.row(cells);
    }
    let whose = |slot| if stage == Stage::Two { format!(" ({})", owners(slot)) } else { String::new() };
    let mut out = table.render(2, palette);
    let _ = writeln!(out, "  nearest below: {}", say::neighbour(found.below.as_ref(), whose));
    let _ = writeln!(out, "  nearest above: {}", say::neighbour(found.above.as_ref(), whose));
    out
}

fn changes(scenario: &Scenario, strategy: &str, answer: &Answer, palette: Palette) -> String {
    let (title, none) = match answer.verdict {
        Ok(_) => ("what would deny it", "no other view: all allow it"),
        Err(_) if answer.answers => {
            ("what would let it through", "no other view, no strategy: nothing maps it for this access")
        }
        Err(_) => ("what would let it through", say::NOTHING_ANSWERS),
    };
    let mut out = format!("\n{}\n", palette.bold(title));
    for change in &answer.changes {
        let _ = writeln!(out, "  {}", say::change(scenario, strategy, change));
    }
    if answer.changes.is_empty() {
        let _ = writeln!(out, "  {none}");
    }
    out
}
