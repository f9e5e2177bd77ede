//! `mpusim report`: sweeps and comparisons as one page that needs nothing else.
//!
//! From the top:
//!
//! * `html`: the page and its template, `templates/report.html`.
//! * `sweep`: charts over a varied number, from a sweep's file. `panel`: the rows that go into one set of charts.
//!   `break_even`: from how many domains on a region switch does less than a view switch.
//! * `scenario`: one scenario under several strategies: cost of a barrier, latencies, region maps.
//! * `frame`: what charts have in common. `chart`: lines, axes and the table behind them. `scale`: where values go.
//!
//! Nothing depends on the clock or on the machine: the same inputs make the same bytes.

mod break_even;
mod chart;
mod frame;
mod html;
mod panel;
mod scale;
mod scenario;
mod sweep;

use crate::render::picture::DrawError;
use campaign::sweep::Table;
pub use html::{Page, page};
pub use panel::Selection;
pub use scenario::Compared;
use std::path::PathBuf;
use thiserror::Error;

/// Something to report on.
#[derive(Debug)]
pub enum Input {
    /// A sweep's file.
    Sweep(Box<Table>),
    /// A scenario under several strategies.
    Scenario(Box<Compared>),
}

/// Why there is no report.
#[derive(Debug, Error)]
pub enum ReportError {
    /// A file of no kind that a report is made of.
    #[error("{}: expected a scenario (.toml) or a file of `mpusim sweep` (.csv, .jsonl)", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// A filter means nothing.
    #[error("--where {argument}: {why}")]
    Where {
        /// What was typed.
        argument: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing to draw along.
    #[error("{}: {why}", path.display())]
    Axis {
        /// The sweep's file.
        path: PathBuf,
        /// What is missing, and what would do.
        why: String,
    },
    /// More charts than anybody looks at.
    #[error(
        "{}: it would take {panels} sets of charts, more than {most}: pick values of {keys} with --where KEY=VALUE",
        path.display()
    )]
    TooMany {
        /// The sweep's file.
        path: PathBuf,
        /// How many.
        panels: usize,
        /// How many there may be.
        most: usize,
        /// The keys that are varied beside the axis.
        keys: String,
    },
    /// An argument has nothing to act on.
    #[error("{argument} has nothing to act on: {why}")]
    Idle {
        /// The argument.
        argument: &'static str,
        /// What it is for.
        why: &'static str,
    },
    /// A map cannot be drawn.
    #[error("the region map cannot be drawn: {0}")]
    Draw(#[from] DrawError),
    /// The template cannot be filled.
    #[error(transparent)]
    Template(#[from] askama::Error),
}
