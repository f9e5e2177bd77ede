//! Races between PEs: `mpusim fuzz --interleave`. `run` plays them, `file` and `step` read one of a user's own, `wording` says what happened and what is wrong, `render` the result.

mod file;
mod render;
mod run;
mod step;
mod wording;

pub use file::Own;
pub use render::{render, render_replay};
pub use run::{Drawn, Failure, RaceError, Races, Replayed, Row, Summary, replay};
