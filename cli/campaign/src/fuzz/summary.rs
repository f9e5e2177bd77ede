//! What came of a campaign.

use super::pairs::Reached;
use super::play::Wrong;
use std::path::PathBuf;

/// How a campaign ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At its limit, and nothing was wrong.
    Clean,
    /// At the first case that went wrong.
    Failed,
    /// It was told to stop.
    Interrupted,
}

/// What a campaign came to.
#[derive(Debug)]
pub struct Summary {
    /// The seed.
    pub seed: u64,
    /// Number of the first case.
    pub first: u64,
    /// Cases played.
    pub cases: u64,
    /// Steps carried out.
    pub steps: u64,
    /// Pairs of operation and result.
    pub reached: Reached,
    /// How it ended.
    pub end: End,
    /// What went wrong.
    pub failure: Option<Failure>,
}

/// A case that went wrong.
#[derive(Debug)]
pub struct Failure {
    /// Its number.
    pub case: u64,
    /// What is wrong with the smallest case found.
    pub wrong: Wrong,
    /// Steps of the case, and of the smallest.
    pub steps: (usize, usize),
    /// Cases tried on the way.
    pub tried: usize,
    /// Why it may not be the smallest: what the panic said that ended the shrinking.
    pub unshrunk: Option<String>,
    /// The system, in words.
    pub setting: String,
    /// The steps of the smallest, in words, with the numbers that they have in the file.
    pub in_words: Vec<String>,
    /// The step after which it is wrong; none: no step is to blame.
    pub after: Option<usize>,
    /// The smallest case, written down.
    pub file: PathBuf,
    /// The command that replays it.
    pub command: String,
}
