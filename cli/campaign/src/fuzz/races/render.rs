//! The result of races for people and for programs.

use super::super::End;
use super::run::{Failure, Replayed, Row, Summary};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use words::Palette;

/// The command that plays a schedule again.
fn command(token: &str, file: Option<&Path>) -> String {
    let file = file.map(|path| format!(" --race {}", path.display())).unwrap_or_default();
    format!("mpusim fuzz --replay {token}{file}")
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
            json!({ "token": token, "kind": kind, "what": what, "command": command(token, self.file.as_deref()) })
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
        json!({ "token": self.token, "failure": wrong, "happened": self.in_words })
    }
}

/// Races of one kind on one line: what they are called, schedules, whether those are all, and the text.
fn line(rows: &[Row]) -> Option<(String, u64, &'static str, String)> {
    let Row { case, .. } = rows.first()?;
    let schedules = rows.iter().map(|row| row.schedules).sum();
    let how = if case.large { "drawn" } else { "every" };
    let races = rows.chunk_by(|one, other| one.case.name == other.case.name).count();
    Some(match (races, &case.family) {
        (0 | 1, _) => (case.name.clone(), schedules, how, case.about.clone()),
        (_, (name, about)) => (name.clone(), schedules, how, format!("{about}: {races} races")),
    })
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
        let _ = writeln!(text, "replay it with\n  {}", command(token, summary.file.as_deref()));
    }
    // Races of one kind on one line, unless they are the only ones.
    let family = |row: &Row| row.case.family.0.clone();
    let families = summary.rows.chunk_by(|one, other| family(one) == family(other)).count() > 1;
    let title = |row: &Row| {
        if families { row.case.family.clone() } else { (row.case.name.clone(), row.case.about.clone()) }
    };
    let lines: Vec<_> = summary.rows.chunk_by(|one, other| title(one) == title(other)).filter_map(line).collect();
    let longest = lines.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    for (name, schedules, how, about) in lines {
        let _ = writeln!(text, "  {name:longest$} {schedules:>7} {how}  {}", palette.dim(&about));
    }
    text
}

/// What people read of a schedule that was played again.
#[must_use]
pub fn render_replay(replayed: &Replayed, palette: Palette) -> String {
    let mut text = String::new();
    for line in &replayed.in_words {
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
