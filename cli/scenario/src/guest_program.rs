//! Programs of guests, and where their steps stand.

use sim_core::guest::steps::Step;
use sim_core::layout::Position;
use std::rc::Rc;

/// The program of one vCPU.
#[derive(Clone, Debug)]
pub struct Program {
    /// Position of the domain.
    pub domain: Position,
    /// The vCPU in the domain.
    pub vcpu: u32,
    /// What it does.
    pub steps: Rc<[Step]>,
    /// How many port variables the steps use.
    pub variables: usize,
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSource {
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    /// Its text on one line, cut if long.
    pub text: String,
    /// The `--set` argument it came from; `None`: line and column are the file's.
    pub set: Option<String>,
}
