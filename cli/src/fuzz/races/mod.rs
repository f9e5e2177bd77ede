//! Races between PEs: `mpusim fuzz --interleave`. `run` plays them, `words` says what happened and what is wrong, `render` the result.

mod render;
mod run;
mod words;

pub use render::{render, render_replay};
pub use run::{Drawn, Failure, RaceError, Races, Replayed, Row, Summary, replay};
