//! While a sweep runs.

use super::EVERY;
use crate::output;
use campaign::sweep::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{IsTerminal, stderr};
use std::time::Instant;
use words::Palette;

/// How far a sweep is.
#[derive(Debug)]
pub struct Swept {
    quiet: bool,
    /// On a terminal.
    bar: Option<ProgressBar>,
    cells: u64,
    done: u64,
    outcomes: BTreeMap<&'static str, u64>,
    started: Instant,
    said: Instant,
}

impl Swept {
    /// Progress over `cells` cells; `quiet`: nothing is said.
    #[must_use]
    pub fn new(cells: u64, quiet: bool) -> Self {
        let bar = (!quiet && stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template(
                "{bar:40} {human_pos}/{human_len} cells  {per_sec}  {elapsed} gone, {eta} left",
            );
            ProgressBar::new(cells).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let now = Instant::now();
        Self { quiet, bar, cells, done: 0, outcomes: BTreeMap::new(), started: now, said: now }
    }

    /// The last word: what was done.
    pub fn finish(&self, end: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.quiet {
            return;
        }
        let mut text = format!("sweep: {} of {} cells {end}", self.done, self.cells);
        for (index, (outcome, count)) in self.outcomes.iter().enumerate() {
            let before = if index == 0 { ": " } else { ", " };
            let _ = write!(text, "{before}{count} {outcome}");
        }
        output::say(&text, Palette::PLAIN);
    }
}

impl Progress for Swept {
    fn cell(&mut self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    fn row(&mut self, outcome: &'static str) {
        self.done += 1;
        *self.outcomes.entry(outcome).or_default() += 1;
        if self.quiet || self.bar.is_some() || self.said.elapsed() < EVERY {
            return;
        }
        self.said = Instant::now();
        let seconds = self.started.elapsed().as_secs().max(1);
        let (done, left) = (self.done, self.cells.saturating_sub(self.done));
        let time_left = left.saturating_mul(seconds).checked_div(done).unwrap_or(0);
        eprintln!("sweep: {done} of {} cells, {}/s, about {time_left} s left", self.cells, done / seconds);
    }
}
