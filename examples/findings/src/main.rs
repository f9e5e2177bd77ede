//! Writes docs/findings.md: the questions of 2022, answered from sweeps and comparisons that this program runs.
//!
//! ```console
//! $ cargo run --release -p findings -- docs/findings.md
//! ```
//!
//! Every number and every sentence with a number in it is made from what `mpusim` printed; the command is beside each table.
//! Nothing depends on the machine, so CI makes the page again and holds it against the one in the repository.

#![allow(clippy::indexing_slicing, reason = "a name that JSON does not have gives null")]
#![allow(clippy::format_push_string, reason = "a page is made once")]

mod ask;
mod costs;
mod document;
mod regions;
mod traps;

use std::error::Error;
use std::process::ExitCode;

/// What goes wrong here ends the program.
type Fallible<T> = Result<T, Box<dyn Error>>;

/// The strategies, as `compare` has them.
const STRATEGIES: [&str; 10] = [
    "naive",
    "pin",
    "map-page",
    "switch-view",
    "switch-view:lazy",
    "hybrid",
    "enable-mask",
    "ku-window",
    "background",
    "xen-pool",
];

/// The profiles: what barriers take of the published sum is not known, so both ends and the middle are shown.
const PROFILES: [&str; 5] =
    ["counts", "r52-s32z:barrier-share=0", "r52-s32z:barrier-share=50", "r52-s32z:barrier-share=100", "r82-assumed"];

const INTRODUCTION: &str = "\
In April 2022 the developers of Xen on Armv8-R asked two things: what does an EL2 MPU context switch cost against adding or removing one
region, and how many extra regions does each way out need? This page answers them for the hypervisor that mpusim simulates. It is made by
`cargo run --release -p findings -- docs/findings.md`, and CI makes it again: every number comes from the command above its
table.

What the numbers are: counts are exact for this hypervisor. Cycles are counts times a profile's figures. `counts` takes every operation for one
cycle. `r52-s32z` spreads one published sum (562 to 604 cycles for switching one EL1 region with its barriers, on Cortex-R52) over its parts; how
much of it the barriers take is not known, so 0, 50 and 100 % are shown. `r82-assumed` is assumed throughout. None of them is a timing of a
hypervisor ([profiles.md](profiles.md)).
";

fn page() -> Fallible<String> {
    let mut page = document::Document::new("Findings", INTRODUCTION);
    costs::thread(&mut page)?;
    regions::needed(&mut page)?;
    regions::most(&mut page)?;
    costs::growth(&mut page)?;
    costs::break_even(&mut page)?;
    traps::elsewhere(&mut page)?;
    costs::fifo(&mut page)?;
    regions::placements(&mut page)?;
    regions::permanent(&mut page)?;
    costs::masks(&mut page)?;
    Ok(page.finish())
}

fn main() -> ExitCode {
    let done = page().and_then(|page| match std::env::args_os().nth(1) {
        Some(path) => Ok(std::fs::write(path, page)?),
        None => Err("expected the file to write, such as docs/findings.md".into()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("findings: {error}");
            ExitCode::FAILURE
        }
    }
}
