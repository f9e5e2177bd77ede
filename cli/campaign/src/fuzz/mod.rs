//! `mpusim fuzz`: random sequences of hypercalls, held against a second implementation of the ABI.
//!
//! - `source`: choices, from a seed or from a fuzz engine's bytes. `generate`: cases from choices; `recipe`: what they are made of.
//!   `case`: what a case is.
//! - `play`: one case, step by step, on the machine that `replay` has; `judge`: what the reference model says to a step;
//!   `look`: what is looked at beside its result; `dump`: the whole state as the model has it. `pairs`: which results each operation can have, and which came up.
//! - `tamper`: cases in which guests write to shared memory while the hypervisor works on it.
//! - `shrink`: a failing case made small. `vector`: written down as a file that `replay` takes.
//! - `races`: what other PEs do between two accesses of a hypercall.
//! - `campaign`: many cases in parallel, told in order. `progress`: who is told meanwhile. `summary`: what came of them. `render`: the result for people.

mod campaign;
mod case;
mod dump;
mod events;
mod generate;
mod judge;
mod look;
mod pairs;
mod play;
mod progress;
pub mod races;
mod recipe;
mod render;
mod shrink;
mod source;
mod summary;
mod tamper;
mod vector;

pub use campaign::{Campaign, FuzzError, Limit};
use case::Case;
pub use pairs::{Pair, Reached};
pub use play::Wrong;
use play::{Course, play};
pub use progress::Progress;
pub use recipe::{Recipe, STRATEGIES};
pub use render::render;
use sim_core::machine::Machine;
pub use source::{Bytes, Seeded, Source};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
pub use summary::{End, Failure, Summary};

/// What is wrong with the case that `source` decides, if anything. For fuzz engines: a panic is theirs to see.
pub fn check(source: &mut impl Source, recipe: &Recipe) -> Option<Wrong> {
    let mut course = Course::default();
    play(&generate::case(source, recipe), &mut course, &mut None);
    course.wrong
}

/// What is wrong with the case that `source` decides if its guests write to the memory they share with the hypervisor while it
/// works on it. What they do `source` decides too.
pub fn check_tampered(source: &mut impl Source, recipe: &Recipe) -> Option<Wrong> {
    let case = generate::case(source, recipe);
    tamper::play(&case, source)
}

/// Plays a case; a panic is a result, and takes the machine with it. `spare` as for [`play()`].
fn guarded(case: &Case, spare: &mut Option<Machine>) -> Course {
    let mut course = Course::default();
    if let Err(message) = caught(|| play(case, &mut course, spare)) {
        course.wrong = Some(Wrong::Panic(message));
    }
    course
}

/// Does something; what a panic in it said.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| panicked(payload.as_ref()))
}

/// What a panic said.
#[must_use]
pub fn panicked(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it did not say why".into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop")]
mod tests {
    use super::*;

    #[test]
    fn guests_that_write_meanwhile_break_nothing() {
        let [first, others @ ..] = STRATEGIES;
        let recipe = Recipe::new(first, &others, 64).unwrap();
        for case in 0..300 {
            assert_eq!(check_tampered(&mut Seeded::new(2022, case), &recipe), None, "case {case}");
        }
    }
}
