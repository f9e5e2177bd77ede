//! Races under strategies: small ones in every schedule, large ones in schedules that are drawn.

use super::super::{End, Progress, STRATEGIES};
use super::file::Own;
use super::wording;
use crate::interleave::{
    Candidate, Exhaustive, FEW, PES, Pct, Pick, Played, RaceCase, Replay, Token, TokenError, Under, Who, cases, play,
};
use rayon::prelude::*;
use scenario::strategy;
use scenario::strategy::StrategyError;
use sim_core::hyp::strategy::{Builtin, Settings};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Schedules of a large race that are drawn at a time.
const ROUND: u64 = 100;
/// Orderings that a drawn schedule is made for.
const DEPTH: usize = 4;

/// Why races cannot be played.
#[derive(Debug, Error)]
pub enum RaceError {
    /// There is no such race.
    #[error(
        "there is no race {wanted:?}; {}{}",
        words::near::there_are(wanted, known),
        if known.len() > 1 { "; docs/fuzzing.md says what each kind is made of" } else { "" }
    )]
    NoCase {
        /// What was asked for.
        wanted: String,
        /// What there is: kinds of races, or races.
        known: Vec<String>,
    },

    /// It needs what the strategy has not.
    #[error(
        "race {case} cannot be played under {strategy}, which keeps shared_info elsewhere or reaches no RAM; leave one of the two out"
    )]
    Unsuited {
        /// The race.
        case: String,
        /// The strategy.
        strategy: String,
    },
    /// The token is none.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The strategy is none.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// Threads cannot be had.
    #[error("{jobs} threads cannot be started: {error}")]
    Jobs {
        /// How many.
        jobs: usize,
        /// Why not.
        error: rayon::ThreadPoolBuildError,
    },
}

/// The races that there are: the one of a file, or all.
fn known(own: Option<&RaceCase>) -> Vec<RaceCase> {
    own.map_or_else(cases, |case| vec![case.clone()])
}

/// The race of that name, or all races of the kind of that name.
fn named(name: &str, known: &[RaceCase]) -> Result<Vec<RaceCase>, RaceError> {
    if let Some(case) = known.iter().find(|case| case.is_called(name)) {
        return Ok(vec![case.clone()]);
    }
    let of_kind: Vec<RaceCase> = known.iter().filter(|case| case.family.0 == name).cloned().collect();
    if !of_kind.is_empty() {
        return Ok(of_kind);
    }
    let mut kinds: Vec<String> = known.iter().map(|case| case.family.0.clone()).collect();
    kinds.dedup();
    Err(RaceError::NoCase { wanted: name.to_owned(), known: kinds })
}

/// How many schedules of each large race are drawn.
#[derive(Clone, Copy, Debug)]
pub enum Drawn {
    /// So many under each strategy.
    Each(u64),
    /// As many as fit into this time, once all else is played.
    Within(Duration),
}

/// Races to be played.
#[derive(Debug)]
pub struct Races<'a> {
    file: Option<PathBuf>,
    cases: Vec<RaceCase>,
    strategies: Vec<(String, Builtin)>,
    /// Nobody said which strategies, so that races whose strategies would all play the same are played under few.
    few: bool,
    /// Decides what is drawn.
    pub seed: u64,
    /// How many are drawn.
    pub drawn: Drawn,
    /// Threads; 0: one for each processor.
    pub jobs: usize,
    /// Once true, no further schedule is begun.
    pub stop: &'a AtomicBool,
}

/// What came of a race under a strategy.
#[derive(Clone, Debug)]
pub struct Row {
    /// The race.
    pub case: RaceCase,
    /// The strategy, as `--strategy` takes it.
    pub strategy: String,
    /// Schedules played.
    pub schedules: u64,
    /// The most decisions among several in one.
    pub decisions: u64,
}

/// A schedule that went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What plays it again.
    pub token: String,
    /// What went wrong, in a word.
    pub kind: String,
    /// What went wrong.
    pub what: Vec<String>,
}

/// What all races came to.
#[derive(Debug)]
pub struct Summary {
    /// The file that the race is of.
    pub file: Option<PathBuf>,
    /// The seed.
    pub seed: u64,
    /// By race, then by strategy.
    pub rows: Vec<Row>,
    /// How it ended.
    pub end: End,
    /// The first schedule that went wrong, in order of races and strategies.
    pub failure: Option<Failure>,
}

/// A schedule that was played again.
#[derive(Debug)]
pub struct Replayed {
    /// Its token.
    pub token: String,
    /// What happened, line by line.
    pub in_words: Vec<String>,
    /// What is wrong with it: in a word, and in full.
    pub wrong: Option<Why>,
}

/// Remembers who went: what is left of a schedule that panics.
struct Recorded<'a> {
    pick: &'a mut dyn Pick,
    picks: Vec<Who>,
}

impl Pick for Recorded<'_> {
    fn pick(&mut self, can: &[Candidate]) -> Option<usize> {
        let place = self.pick.pick(can)?;
        if let Some(candidate) = can.get(place)
            && can.len() > 1
        {
            self.picks.push(candidate.who);
        }
        Some(place)
    }
}

/// What went wrong, in a word and in full.
pub(super) type Why = (String, Vec<String>);

/// Plays one schedule; an error is a system that cannot be set up, or a panic.
fn caught(case: &RaceCase, strategy: &Builtin, pick: &mut dyn Pick) -> Result<Played, Why> {
    match catch_unwind(AssertUnwindSafe(|| play(case, strategy, pick))) {
        Ok(played) => played.map_err(|error| ("set-up".into(), vec![error.to_string()])),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
            Err(("panic".into(), vec![text]))
        }
    }
}

/// What is wrong with a schedule that was played to its end.
fn why(played: &Played) -> Option<Why> {
    played.wrong.as_ref().map(|wrong| (wrong.name().to_owned(), wording::wrong(&played.system, wrong)))
}

/// Plays one schedule; an error is one that went wrong.
fn guarded(case: &RaceCase, (name, strategy): (&str, &Builtin), pick: &mut dyn Pick) -> Result<Played, Failure> {
    let mut recorded = Recorded { pick, picks: Vec::new() };
    let played = caught(case, strategy, &mut recorded);
    let (picks, (kind, what)) = match played {
        Ok(played) => match why(&played) {
            Some(why) => (played.picks, why),
            None => return Ok(played),
        },
        Err(why) => (recorded.picks, why),
    };
    let token = Token { case: case.name.clone(), strategy: name.into(), picks };
    Err(Failure { token: token.to_string(), kind, what })
}

/// What is played at a time.
#[derive(Clone, Copy)]
enum Part {
    Every,
    /// These numbers.
    Drawn(u64, u64),
}

impl<'a> Races<'a> {
    /// The races of these names, or all, of a file or of those there are, under these strategies or, if none is named, all.
    pub fn new(
        (own, names): (Option<&Own>, &[String]),
        strategies: &[&str],
        (seed, drawn, jobs): (u64, Drawn, usize),
        stop: &'a AtomicBool,
    ) -> Result<Self, RaceError> {
        let parse = |name: &&str| Ok(((*name).to_owned(), strategy::parse(name, Settings::default())?));
        let few = strategies.is_empty();
        let strategies = if few { &STRATEGIES[..] } else { strategies };
        let strategies = strategies.iter().map(parse).collect::<Result<Vec<_>, StrategyError>>()?;
        let known = known(own.map(|own| &own.case));
        let all = names.is_empty() && own.is_none();
        let cases = if names.is_empty() {
            known
        } else {
            let found = names.iter().map(|name| named(name, &known)).collect::<Result<Vec<_>, _>>()?;
            found.into_iter().flatten().collect()
        };
        let races = Self { file: own.map(|own| own.path.clone()), cases, strategies, few, seed, drawn, jobs, stop };
        let unsuited = |case: &&RaceCase| !races.strategies.iter().any(|(_, strategy)| case.suits(strategy));
        if !all
            && let Some((strategy, _)) = races.strategies.first()
            && let Some(case) = races.cases.iter().find(unsuited)
        {
            return Err(RaceError::Unsuited { case: case.name.clone(), strategy: strategy.clone() });
        }
        Ok(races)
    }

    /// Whether a race is played under a strategy.
    fn plays(&self, case: &RaceCase, name: &str, strategy: &Builtin) -> bool {
        let wanted = !self.few || matches!(case.under, Under::All) || FEW.contains(&name);
        wanted && case.suits(strategy)
    }

    /// Plays them all until one goes wrong.
    pub fn run(&self, progress: &mut impl Progress) -> Result<Summary, RaceError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.jobs).build();
        let pool = pool.map_err(|error| RaceError::Jobs { jobs: self.jobs, error })?;
        let started = Instant::now();
        let pairs = self.cases.iter().flat_map(|case| self.strategies.iter().map(move |strategy| (case, strategy)));
        let mut rows: Vec<Row> = pairs
            .filter(|(case, (name, strategy))| self.plays(case, name, strategy))
            .map(|(case, (name, _))| Row { case: case.clone(), strategy: name.clone(), schedules: 0, decisions: 0 })
            .collect();
        let mut round = 0;
        let mut failure = None;
        loop {
            let from = round * ROUND;
            let to = match self.drawn {
                Drawn::Each(most) => most.min(from + ROUND),
                Drawn::Within(time) if round > 0 && started.elapsed() >= time => from,
                Drawn::Within(_) => from + ROUND,
            };
            let large = rows.iter().any(|row| row.case.large) && from < to;
            if round > 0 && !large {
                break;
            }
            let part = |row: &Row| match (row.case.large, round) {
                (true, _) => Some(Part::Drawn(from, to)),
                (false, 0) => Some(Part::Every),
                (false, _) => None,
            };
            // Race by race, so that where the first goes wrong is the same whatever the threads.
            for rows in rows.chunk_by_mut(|one, other| one.case.name == other.case.name) {
                let played: Vec<Option<Failure>> = pool.install(|| {
                    rows.par_iter_mut().map(|row| part(row).and_then(|part| self.part(row, part))).collect()
                });
                failure = played.into_iter().flatten().next();
                if failure.is_some() {
                    break;
                }
            }
            progress.schedules(rows.iter().map(|row| row.schedules).sum());
            if failure.is_some() || self.stop.load(Ordering::Relaxed) {
                break;
            }
            round += 1;
        }
        rows.retain(|row| row.schedules > 0);
        let end = match &failure {
            Some(_) => End::Failed,
            None if self.stop.load(Ordering::Relaxed) => End::Interrupted,
            None => End::Clean,
        };
        Ok(Summary { file: self.file.clone(), seed: self.seed, rows, end, failure })
    }

    /// Plays a part of a race; gives what went wrong.
    fn part(&self, row: &mut Row, part: Part) -> Option<Failure> {
        let strategy = self.strategies.iter().find(|(name, _)| *name == row.strategy)?;
        let strategy = (strategy.0.as_str(), &strategy.1);
        let note = |row: &mut Row, played: Result<Played, Failure>| match played {
            Ok(played) => {
                row.schedules += u64::from(!played.seen);
                row.decisions = row.decisions.max(played.decisions);
                None
            }
            Err(failure) => Some(failure),
        };
        match part {
            Part::Every => {
                let mut search = Exhaustive::default();
                while !self.stop.load(Ordering::Relaxed) {
                    if let Some(failure) = note(row, guarded(&row.case, strategy, &mut search)) {
                        return Some(failure);
                    }
                    if !search.advance() {
                        break;
                    }
                }
            }
            Part::Drawn(from, to) => {
                for number in from..to {
                    if self.stop.load(Ordering::Relaxed) {
                        break;
                    }
                    // As many decisions as there were; before the first is over, nobody knows.
                    let decisions = row.decisions.max(64);
                    let mut pct = Pct::new(self.seed, number, DEPTH, PES, decisions);
                    if let Some(failure) = note(row, guarded(&row.case, strategy, &mut pct)) {
                        return Some(failure);
                    }
                }
            }
        }
        None
    }
}

/// Plays the schedule of a token again, of a race in a file or of one of those there are.
pub fn replay(text: &str, own: Option<&Own>) -> Result<Replayed, RaceError> {
    let token: Token = text.parse()?;
    let known = known(own.map(|own| &own.case));
    let [case] = &named(&token.case, &known)?[..] else {
        let known = known.into_iter().filter(|case| case.family.0 == token.case).map(|case| case.name).collect();
        return Err(RaceError::NoCase { wanted: token.case, known });
    };
    let strategy = strategy::parse(&token.strategy, Settings::default())?;
    if !case.suits(&strategy) {
        return Err(RaceError::Unsuited { case: case.name.clone(), strategy: token.strategy });
    }
    let mut replay = Replay::new(&token.picks);
    let (in_words, wrong) = match caught(case, &strategy, &mut replay) {
        Ok(played) => (wording::in_words(&played), why(&played)),
        Err(why) => (Vec::new(), Some(why)),
    };
    replay.finish()?;
    Ok(Replayed { token: text.to_owned(), in_words, wrong })
}
