//! The result of a campaign for people and for programs.

use super::pairs::Pair;
use super::play::Wrong;
use super::summary::{End, Failure, Summary};
use conformance::wording::difference;
use serde_json::{Value, json};
use std::fmt::Write;
use words::Palette;

impl Summary {
    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let (unreachable, missed): (Vec<Pair>, Vec<Pair>) =
            self.reached.pairs(false).partition(|pair| pair.unreachable.is_some());
        let reached: Vec<Pair> = self.reached.pairs(true).collect();
        let failure = self.failure.as_ref().map(|failure| {
            json!({
                "case": failure.case,
                "kind": failure.wrong.name(),
                "what": what(&failure.wrong),
                "steps": failure.steps.0,
                "shrunk_to": failure.steps.1,
                "unshrunk": failure.unshrunk,
                "setting": failure.setting,
                "story": failure.in_words,
                "after": failure.after,
                "file": failure.file,
                "command": failure.command,
            })
        });
        let outcome = match self.end {
            End::Clean => "clean",
            End::Failed => "failed",
            End::Interrupted => "interrupted",
        };
        json!({
            "outcome": outcome,
            "seed": self.seed,
            "first": self.first,
            "cases": self.cases,
            "steps": self.steps,
            "failure": failure,
            "pairs": { "reached": reached, "missed": missed, "unreachable": unreachable },
        })
    }
}

/// What people read.
#[must_use]
pub fn render(summary: &Summary, palette: Palette) -> String {
    let mut text = String::new();
    let Summary { seed, cases, steps, .. } = summary;
    let found = match summary.end {
        End::Clean => "nothing found".to_owned(),
        End::Failed => palette.bad("failed"),
        End::Interrupted => "nothing found until interrupted".to_owned(),
    };
    // Writing to a string does not fail.
    let _ = writeln!(text, "seed {seed}: {cases} cases, {steps} steps, {found}");
    if let Some(found) = &summary.failure {
        text.push_str(&failure(found));
    }
    let reached = summary.reached.pairs(true).count();
    let missed: Vec<Pair> = summary.reached.pairs(false).collect();
    let all = reached + missed.len();
    let _ = writeln!(text, "{reached} of {all} pairs of operation and result came up");
    // Beside a finding they are no news.
    let lists: &[(&str, bool)] =
        if summary.failure.is_some() { &[] } else { &[("not yet", false), ("no case can have", true)] };
    for (title, unreachable) in lists.iter().copied() {
        let of_kind: Vec<&Pair> = missed.iter().filter(|pair| pair.unreachable.is_some() == unreachable).collect();
        if !of_kind.is_empty() {
            let _ = writeln!(text, "{title}:");
        }
        for Pair { operation, result, unreachable } in of_kind {
            let why = unreachable.map(|why| format!(": {why}")).unwrap_or_default();
            let _ = writeln!(text, "  {operation} {result}{why}");
        }
    }
    text
}

/// What differs, then the steps, then the command.
pub(super) fn failure(failure: &Failure) -> String {
    let Failure { case, wrong, steps: (before, after), tried, command, setting, in_words, .. } = failure;
    let mut text = String::new();
    let when = failure.after.map(|step| format!(" at step {step}")).unwrap_or_default();
    let _ = writeln!(text, "case {case}: {}{when}", wrong.name());
    for line in what(wrong) {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "steps under {setting}, each with what the model says it gives:");
    for line in in_words {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "replay them with\n  {command}");
    let _ = writeln!(text, "the case had {before} steps, shrunk to {after} in {tried} runs");
    if let Some(why) = &failure.unshrunk {
        let _ = writeln!(text, "shrinking ended early by a mistake in mpusim: {why}");
    }
    text
}

/// What is wrong, in sentences without their ends.
fn what(wrong: &Wrong) -> Vec<String> {
    match wrong {
        Wrong::Differs(differences) => differences.iter().flat_map(|found| difference(found, "the model")).collect(),
        Wrong::Memory(text) | Wrong::Sleep(text) | Wrong::Handler(text) | Wrong::Fault(text) | Wrong::Stuck(text) => {
            vec![text.clone()]
        }
        Wrong::Hazard(text) => vec![format!("hardware may answer otherwise: {text}")],
        Wrong::Refused(text) => vec![format!("a guest could not touch what is its own: {text}")],
        Wrong::Panic(text) => vec![format!("the simulator panicked: {text}")],
        Wrong::Unstable => vec!["played twice, it went two ways".into()],
    }
}
