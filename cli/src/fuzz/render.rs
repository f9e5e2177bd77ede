//! The result of a campaign for people and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::campaign::{End, Failure, Summary};
use super::pairs::Pair;
use super::play::Wrong;
use crate::output::Palette;

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
    if let Some(failure) = &summary.failure {
        write_failure(&mut text, failure);
    }
    let reached = summary.reached.pairs(true).count();
    let missed: Vec<Pair> = summary.reached.pairs(false).collect();
    let all = reached + missed.len();
    let _ = writeln!(text, "{reached} of {all} pairs of operation and result came up");
    for (title, unreachable) in [("not yet", false), ("no case can have", true)] {
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

fn write_failure(text: &mut String, failure: &Failure) {
    let Failure { case, wrong, steps: (before, after), tried, command, .. } = failure;
    let _ = writeln!(text, "case {case}, {}:", wrong.name());
    for line in what(wrong) {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "{before} steps, shrunk to {after} in {tried} runs; replay it with\n  {command}");
}

fn what(wrong: &Wrong) -> Vec<String> {
    let say = |difference: &crate::replay::Difference| {
        format!("{}: expected {}, got {}", difference.field, difference.expected, difference.got)
    };
    match wrong {
        Wrong::Differs(differences) => differences.iter().map(say).collect(),
        Wrong::Memory(difference) | Wrong::Sleep(difference) | Wrong::Handler(difference) => vec![say(difference)],
        Wrong::Fault(text) | Wrong::Hazard(text) | Wrong::Refused(text) | Wrong::Stuck(text) | Wrong::Panic(text) => {
            vec![text.clone()]
        }
        Wrong::Unstable => vec!["played twice, it went two ways".into()],
    }
}
