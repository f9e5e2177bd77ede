//! The result of races for people and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::super::End;
use super::run::{Failure, Replayed, Row, Summary};
use crate::output::Palette;

/// The command that plays a schedule again.
fn command(token: &str) -> String {
    format!("mpusim fuzz --replay {token}")
}

impl Summary {
    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let row = |row: &Row| {
            json!({
                "case": row.case.name,
                "strategy": row.strategy,
                "schedules": row.schedules,
                "every": !row.case.large,
                "decisions": row.decisions,
            })
        };
        let failure = self.failure.as_ref().map(|Failure { token, kind, what }| {
            json!({ "token": token, "kind": kind, "what": what, "command": command(token) })
        });
        let outcome = match self.end {
            End::Clean => "clean",
            End::Failed => "failed",
            End::Interrupted => "interrupted",
        };
        let cases: Vec<Value> = self.rows.iter().map(row).collect();
        json!({ "outcome": outcome, "seed": self.seed, "cases": cases, "failure": failure })
    }
}

impl Replayed {
    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let wrong = self.wrong.as_ref().map(|(kind, what)| json!({ "kind": kind, "what": what }));
        json!({ "token": self.token, "failure": wrong, "happened": self.story })
    }
}

/// What people read.
#[must_use]
pub fn render(summary: &Summary, palette: Palette) -> String {
    let mut text = String::new();
    let schedules: u64 = summary.rows.iter().map(|row| row.schedules).sum();
    let found = match summary.end {
        End::Clean => "nothing found".to_owned(),
        End::Failed => palette.bad("failed"),
        End::Interrupted => "nothing found until interrupted".to_owned(),
    };
    // Writing to a string does not fail.
    let _ = writeln!(text, "seed {}: {schedules} schedules, {found}", summary.seed);
    if let Some(Failure { token, kind, what }) = &summary.failure {
        let _ = writeln!(text, "{kind}:");
        for line in what {
            let _ = writeln!(text, "  {line}");
        }
        let _ = writeln!(text, "replay it with\n  {}", command(token));
    }
    let longest = summary.rows.iter().map(|row| row.case.name.len()).max().unwrap_or(0);
    for rows in summary.rows.chunk_by(|one, other| one.case.name == other.case.name) {
        let Some(Row { case, .. }) = rows.first() else { continue };
        let schedules: u64 = rows.iter().map(|row| row.schedules).sum();
        let how = if case.large { "drawn" } else { "every" };
        let name = case.name;
        let _ = writeln!(text, "  {name:longest$} {schedules:>7} {how}  {}", palette.dim(case.about));
    }
    text
}

/// What people read of a schedule that was played again.
#[must_use]
pub fn render_replay(replayed: &Replayed, palette: Palette) -> String {
    let mut text = String::new();
    for line in &replayed.story {
        let _ = writeln!(text, "{line}");
    }
    let _ = match &replayed.wrong {
        None => writeln!(text, "{}: nothing wrong", replayed.token),
        Some((kind, _)) => writeln!(text, "{}: {}:", replayed.token, palette.bad(kind)),
    };
    for line in replayed.wrong.iter().flat_map(|(_, what)| what) {
        let _ = writeln!(text, "  {line}");
    }
    text
}
