//! Why there is no comparison.

use super::xen::TreeError;
use analysis::judgement::NotSetUp;
use scenario::LoadError;
use scenario::strategy::StrategyError;
use sim_core::export::Unreadable;
use sim_core::world::BuildError;
use std::path::PathBuf;
use thiserror::Error;

/// Why nothing was compared.
#[derive(Debug, Error)]
pub enum ParityError {
    /// The scenario cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The strategy's name was not taken.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// The strategy cannot be set up on the scenario.
    #[error(transparent)]
    NotSetUp(#[from] NotSetUp),
    /// The scenario does not go onto that board.
    #[error("the scenario does not go onto {target}: {why}")]
    Unfit {
        /// The board.
        target: &'static str,
        /// What is in the way, and the remedy.
        why: String,
    },
    /// An image is missing.
    #[error("there is no image {}; build it with .ci/board, or name another with --images DIR", .0.display())]
    NoImage(PathBuf),
    /// Xen is missing.
    #[error("there is no Xen at {}; examples/board/on-xen.sh fetches it, or name another folder with --images DIR", .0.display())]
    NoXen(PathBuf),
    /// The emulator's device tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// There is no emulator.
    #[error("{program} cannot be started: {why}; on Debian it is in the package qemu-system-arm (10.0 or newer)")]
    NoEmulator {
        /// What was started.
        program: String,
        /// Why not.
        why: std::io::Error,
    },
    /// What goes onto the board cannot be put down.
    #[error("what goes onto the board cannot be put into {}: {why}", path.display())]
    Files {
        /// Where.
        path: PathBuf,
        /// Why not.
        why: std::io::Error,
    },
    /// The system cannot be made bytes of.
    #[error(transparent)]
    Pack(#[from] Unreadable),
    /// The image refused the system.
    #[error("the image says: {0}")]
    Refused(String),
    /// The emulator never came to an end.
    #[error("the board was still running after {seconds} s, and was stopped")]
    Endless {
        /// How long it ran.
        seconds: u64,
        /// What it had said by then.
        said: String,
    },
}

impl From<BuildError> for ParityError {
    fn from(error: BuildError) -> Self {
        Self::NotSetUp(error.into())
    }
}
