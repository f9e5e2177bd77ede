//! While cases and schedules are played.

use super::EVERY;
use campaign::fuzz::{Progress, Reached};
use indicatif::ProgressBar;
use std::io::{IsTerminal, stderr};
use std::time::Instant;

/// How far a campaign is.
#[derive(Debug)]
pub struct Fuzzed {
    quiet: bool,
    /// On a terminal.
    bar: Option<ProgressBar>,
    started: Instant,
    said: Instant,
    last: String,
}

impl Fuzzed {
    /// Progress from now on; `quiet`: nothing is said.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let bar = (!quiet && stderr().is_terminal()).then(ProgressBar::new_spinner);
        let now = Instant::now();
        Self { quiet, bar, started: now, said: now, last: String::new() }
    }

    fn say(&mut self, text: String) {
        self.last = text;
        if let Some(bar) = &self.bar {
            bar.set_message(self.last.clone());
            bar.tick();
        } else if !self.quiet && self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            eprintln!("{}", self.last);
        }
    }

    /// What was said last.
    #[must_use]
    pub fn last(&self) -> &str {
        &self.last
    }

    /// The last word.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if !self.quiet && !self.last.is_empty() {
            eprintln!("{}, in {:.1} s", self.last, self.started.elapsed().as_secs_f64());
        }
    }
}

impl Progress for Fuzzed {
    fn cases(&mut self, cases: u64, reached: &Reached) {
        let millis = self.started.elapsed().as_millis().max(1);
        let rate = u128::from(cases) * 1000 / millis;
        let pairs = reached.pairs(true).count();
        let all = pairs + reached.pairs(false).count();
        self.say(format!("fuzz: {cases} cases, {rate}/s, {pairs} of {all} pairs of operation and result"));
    }

    fn schedules(&mut self, schedules: u64) {
        let millis = self.started.elapsed().as_millis().max(1);
        self.say(format!("fuzz: {schedules} schedules, {}/s", u128::from(schedules) * 1000 / millis));
    }
}
