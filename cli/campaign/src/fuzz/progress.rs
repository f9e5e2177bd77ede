//! Who is told how far a campaign is.

use super::pairs::Reached;

/// Is told how far a campaign is, on the thread that runs it.
pub trait Progress {
    /// So many cases are done, and these results of operations came up.
    fn cases(&mut self, cases: u64, reached: &Reached);
    /// So many schedules of races are played.
    fn schedules(&mut self, schedules: u64);
}

/// Nobody is told.
impl Progress for () {
    fn cases(&mut self, _: u64, _: &Reached) {}

    fn schedules(&mut self, _: u64) {}
}
