//! Many cases in parallel, told in order.

use super::case::Case;
use super::pairs::Reached;
use super::play::{Course, Wrong};
use super::progress::Progress;
use super::shrink::Shrunk;
use super::source::Seeded;
use super::summary::{End, Failure, Summary};
use super::{Recipe, caught, generate, guarded, render, shrink, vector};
use crate::sweep::Shard;
use rayon::prelude::*;
use sim_core::machine::Machine;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Cases that each thread takes at a time.
const PER_THREAD: usize = 64;
/// Numbers looked at for those of a shard before time and signals are looked at again.
const LOOKED_AT: usize = 1 << 16;
/// One case in so many is played twice.
const TWICE: u64 = 16;

/// Why a campaign could not be run.
#[derive(Debug, Error)]
pub enum FuzzError {
    /// Threads cannot be had.
    #[error("{jobs} threads cannot be started: {error}")]
    Jobs {
        /// How many.
        jobs: usize,
        /// Why not.
        error: rayon::ThreadPoolBuildError,
    },
    /// Nowhere to write what fails.
    #[error("failing cases cannot be written to {}: {error}; expected -o FOLDER, one that can be made or written to", folder.display())]
    Folder {
        /// Where to.
        folder: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A case that went wrong cannot be written down.
    #[error(
        "case {case} goes wrong, and cannot be written to {}: {error}; expected a folder that can be written to. \
         `{command} -o FOLDER` finds it again", folder.display()
    )]
    Lost {
        /// Its number.
        case: u64,
        /// Where to.
        folder: PathBuf,
        /// Why not.
        error: io::Error,
        /// The command that finds it again.
        command: String,
    },
    /// A mistake of the fuzzer's own.
    #[error(
        "a mistake in mpusim: case {case} of seed {seed} could not be {phase}: {message}. {cases} cases before it were played, and \
         nothing was found in them; `{command}` shows it again"
    )]
    Panicked {
        /// The case's number.
        case: u64,
        /// The seed.
        seed: u64,
        /// What was to be done with it.
        phase: &'static str,
        /// What the panic said.
        message: String,
        /// Cases played before.
        cases: u64,
        /// The command that shows it again.
        command: String,
    },
    /// There is no such case.
    #[error("--first {first} --cases {cases}: the last case would have a number beyond 2^64; give smaller ones")]
    TooMany {
        /// The first.
        first: u64,
        /// How many.
        cases: u64,
    },
}

/// When a campaign is over.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// After so many cases, those of other shards included.
    Cases(u64),
    /// Once so much time went by.
    Time(Duration),
}

/// A campaign ready to run.
#[derive(Debug)]
pub struct Campaign<'a> {
    /// What cases are made of.
    pub recipe: Recipe,
    /// Decides every case.
    pub seed: u64,
    /// Number of the first case.
    pub first: u64,
    /// When it is over.
    pub limit: Limit,
    /// The part that is run here.
    pub shard: Shard,
    /// Threads; 0: one for each processor.
    pub jobs: usize,
    /// Where failing cases go.
    pub folder: PathBuf,
    /// Once true, no further case is begun.
    pub stop: &'a AtomicBool,
}

/// What is kept of a case that went well.
struct Passed {
    number: u64,
    steps: u64,
    reached: Reached,
    failed: Option<Box<(Case, Course)>>,
}

/// What became of a case: played, not played because of a signal, or what the panic of its making said.
type Became = Result<Option<Passed>, (u64, String)>;

impl Campaign<'_> {
    /// Plays cases until something is wrong or the limit is reached.
    pub fn run(&self, progress: &mut impl Progress) -> Result<Summary, FuzzError> {
        self.run_by(
            progress,
            &|number| generate::case(&mut Seeded::new(self.seed, number), &self.recipe),
            &shrink::shrink,
        )
    }

    /// The same with cases made and made smaller in a given way.
    fn run_by(
        &self,
        progress: &mut impl Progress,
        make: &(impl Fn(u64) -> Case + Sync),
        shrink: &impl Fn(Case, Course) -> Shrunk,
    ) -> Result<Summary, FuzzError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.jobs).build();
        let pool = pool.map_err(|error| FuzzError::Jobs { jobs: self.jobs, error })?;
        let folder = Folder::prepare(&self.folder)?;
        let last = match self.limit {
            Limit::Cases(cases) => {
                let too_many = || FuzzError::TooMany { first: self.first, cases };
                self.first.checked_add(cases.saturating_sub(1)).ok_or_else(too_many)?
            }
            Limit::Time(_) => u64::MAX,
        };
        let mut left = self.first..=last;
        let batch = pool.current_num_threads().saturating_mul(PER_THREAD);
        let started = Instant::now();
        let mut summary = Summary {
            seed: self.seed,
            first: self.first,
            cases: 0,
            steps: 0,
            reached: Reached::default(),
            end: End::Clean,
            failure: None,
        };
        loop {
            if left.is_empty() || matches!(self.limit, Limit::Time(time) if started.elapsed() >= time) {
                break;
            }
            let part = left.by_ref().take(LOOKED_AT);
            let numbers: Vec<u64> = part.filter(|case| self.shard.has(*case)).take(batch).collect();
            let told: Vec<Became> = pool.install(|| {
                numbers.par_iter().map_init(|| None, |spare, case| self.case(*case, spare, make)).collect()
            });
            let mut unplayed = numbers.is_empty() && self.stop.load(Ordering::Relaxed);
            for told in told {
                let told = told.map_err(|(case, message)| FuzzError::Panicked {
                    case,
                    seed: self.seed,
                    phase: "made",
                    message,
                    cases: summary.cases,
                    command: self.again(case),
                })?;
                let Some(told) = told else {
                    unplayed = true;
                    continue;
                };
                summary.cases += 1;
                summary.steps += told.steps;
                summary.reached.add(&told.reached);
                if let Some(failed) = told.failed {
                    summary.end = End::Failed;
                    summary.failure = Some(self.failure(told.number, *failed, shrink)?);
                    break;
                }
            }
            progress.cases(summary.cases, &summary.reached);
            if summary.end == End::Clean && unplayed {
                summary.end = End::Interrupted;
            }
            if summary.end != End::Clean {
                break;
            }
        }
        if summary.failure.is_none() {
            folder.tidy();
        }
        Ok(summary)
    }

    /// The command that plays a case again.
    fn again(&self, number: u64) -> String {
        format!("mpusim fuzz --seed {} --first {number} --cases 1 {}", self.seed, self.recipe.arguments())
    }

    fn case(&self, number: u64, spare: &mut Option<Machine>, make: &impl Fn(u64) -> Case) -> Became {
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let case = caught(|| make(number)).map_err(|message| (number, message))?;
        let mut course = guarded(&case, spare);
        if number.is_multiple_of(TWICE) && course.wrong.is_none() {
            let again = guarded(&case, spare);
            if (again.digest, again.steps.len(), &again.wrong) != (course.digest, course.steps.len(), &None) {
                course.wrong = Some(Wrong::Unstable);
            }
        }
        let (steps, reached) = (course.steps.len() as u64, course.reached);
        let failed = course.wrong.is_some().then(|| Box::new((case, course)));
        Ok(Some(Passed { number, steps, reached, failed }))
    }

    fn failure(
        &self,
        number: u64,
        (case, course): (Case, Course),
        shrink: &impl Fn(Case, Course) -> Shrunk,
    ) -> Result<Failure, FuzzError> {
        let before = course.steps.len().max(case.steps.len());
        let Shrunk { case, course, tried, panicked } = shrink(case, course);
        let name = format!("seed-{}-case-{number}", self.seed);
        let file = self.folder.join(format!("{name}.jsonl"));
        let again = self.again(number);
        let wrong = course.wrong.clone().unwrap_or(Wrong::Unstable);
        let failed = |error: io::Error| FuzzError::Lost {
            case: number,
            folder: self.folder.clone(),
            error,
            command: again.clone(),
        };
        let text = vector::lines(&case, &course, &name, self.seed).map_err(|error| failed(error.into()))?;
        // A file tells neither that a case went two ways nor all of memory.
        let command = if vector::shows(&case, &text) { vector::command(&case, &file) } else { again.clone() };
        std::fs::write(&file, text).map_err(failed)?;
        let failure = Failure {
            case: number,
            after: Some(course.steps.len()).filter(|steps| *steps > 0),
            wrong,
            steps: (before, case.steps.len()),
            tried,
            unshrunk: panicked,
            setting: vector::setting(&case),
            in_words: vector::in_words(&course),
            file,
            command,
        };
        std::fs::write(self.folder.join(format!("{name}.txt")), render::failure(&failure)).map_err(failed)?;
        Ok(failure)
    }
}

/// The folder for failing cases, and whether it was made for this campaign.
struct Folder<'a> {
    path: &'a Path,
    made: bool,
}

impl<'a> Folder<'a> {
    /// Makes sure that files can be written, before hours of work depend on it.
    fn prepare(path: &'a Path) -> Result<Self, FuzzError> {
        let made = !path.exists();
        let ready = std::fs::create_dir_all(path).and_then(|()| tempfile::tempfile_in(path));
        ready.map_err(|error| FuzzError::Folder { folder: path.to_owned(), error })?;
        Ok(Self { path, made })
    }

    /// An empty folder that nobody asked for goes again.
    fn tidy(&self) {
        if self.made {
            // If somebody put a file there meanwhile, it stays.
            let _ = std::fs::remove_dir(self.path);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop")]
mod tests {
    use super::*;

    static GO_ON: AtomicBool = AtomicBool::new(false);

    /// A campaign of ten cases, of which each faults.
    fn campaign(folder: &Path) -> Campaign<'static> {
        Campaign {
            recipe: Recipe::new("naive", &[], 64).unwrap(),
            seed: 5,
            first: 0,
            limit: Limit::Cases(10),
            shard: Shard::WHOLE,
            jobs: 1,
            folder: folder.to_owned(),
            stop: &GO_ON,
        }
    }

    #[test]
    fn a_generator_that_panics_ends_the_campaign_with_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut campaign = campaign(folder.path());
        campaign.recipe = Recipe::new("map-page", &[], 8).unwrap();
        let make = |number: u64| {
            assert!(number != 3, "no number is 3");
            generate::case(&mut Seeded::new(5, number), &campaign.recipe)
        };
        let error = campaign.run_by(&mut (), &make, &shrink::shrink).unwrap_err().to_string();
        let expected = "a mistake in mpusim: case 3 of seed 5 could not be made: no number is 3. 3 cases before it were played, and \
                        nothing was found in them; `mpusim fuzz --seed 5 --first 3 --cases 1 --steps 8 --strategies map-page` \
                        shows it again";
        assert_eq!(error, expected);
    }

    #[test]
    fn a_case_whose_shrinking_panics_is_told_as_small_as_it_came_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let campaign = campaign(folder.path());
        let make = |number: u64| generate::case(&mut Seeded::new(5, number), &campaign.recipe);
        let panics =
            |case: Case, course: Course| shrink::shrink_by(case, course, |_| panic!("no way to make it smaller"));
        let summary = campaign.run_by(&mut (), &make, &panics).unwrap();
        let failure = summary.failure.as_ref().unwrap();
        assert_eq!((summary.end, failure.unshrunk.as_deref()), (End::Failed, Some("no way to make it smaller")));
        assert!(failure.file.exists());
        let text = render::render(&summary, words::Palette::new(false));
        let told = "shrinking ended early by a mistake in mpusim: no way to make it smaller";
        assert!(text.contains(told), "{text}");
        let json = summary.json();
        assert_eq!(json.pointer("/failure/unshrunk").and_then(|why| why.as_str()), Some("no way to make it smaller"));
    }
}
