//! A file's first line: which sweep its rows belong to, and which part of it they are.

use super::grid::{Grid, GridId};
use super::shard::Shard;
use serde::{Deserialize, Serialize};

/// Which sweep a file belongs to. Two files with the same of these have rows of one grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The version that made it.
    mpusim: String,
    /// The scenario file's name.
    scenario: String,
    /// The name of the board's file (`--board`); absent: none was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    board: Option<String>,
    /// `--set`.
    set: Vec<String>,
    /// `--vary`, and the strategies.
    vary: Vec<String>,
    /// `--profile`.
    profile: String,
    /// Cells of the whole grid.
    cells: u64,
    /// Identifies the grid: a hash of the scenario's and the board's text and all of the above.
    grid: String,
    /// Which part; absent: the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<Shard>,
}

/// What was typed.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The scenario file's name.
    pub scenario: String,
    /// The name of the board's file.
    pub board: Option<String>,
    /// `--set`.
    pub set: Vec<String>,
    /// `--vary`, and the strategies.
    pub vary: Vec<String>,
    /// `--profile`.
    pub profile: String,
}

impl About {
    /// The first line of a sweep.
    #[must_use]
    pub fn new(asked: Asked, grid: &Grid, id: GridId, shard: Shard) -> Self {
        let Asked { scenario, board, set, vary, profile } = asked;
        Self {
            mpusim: env!("CARGO_PKG_VERSION").into(),
            scenario,
            board,
            set,
            vary,
            profile,
            cells: grid.cells(),
            grid: id.to_string(),
            shard: (shard != Shard::WHOLE).then_some(shard),
        }
    }

    /// The profile that was asked for.
    #[must_use]
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// The words of the command that makes the whole sweep, up to where it puts it.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        let option = |name: &str, values: &[String]| -> Vec<String> {
            values.iter().flat_map(|value| [name.to_owned(), value.clone()]).collect()
        };
        let profile = (self.profile != "counts").then(|| self.profile.clone());
        let start = ["mpusim", "sweep", &self.scenario].map(str::to_owned);
        let board = option("--board", self.board.as_slice());
        let options = [board, option("--set", &self.set), option("--vary", &self.vary)].concat();
        start.into_iter().chain(options).chain(option("--profile", profile.as_slice())).collect()
    }

    /// Cells of the whole grid.
    #[must_use]
    pub const fn cells(&self) -> u64 {
        self.cells
    }

    /// The part of the grid.
    #[must_use]
    pub fn shard(&self) -> Shard {
        self.shard.unwrap_or(Shard::WHOLE)
    }

    /// The same sweep, all of it.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self { shard: None, ..self.clone() }
    }

    /// In what another differs from this one, if it does.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        let pairs = [
            ("by mpusim", self.mpusim.clone(), other.mpusim.clone()),
            ("from scenario", self.scenario.clone(), other.scenario.clone()),
            ("with --board", self.board.clone().unwrap_or_default(), other.board.clone().unwrap_or_default()),
            ("with --set", self.set.join(" "), other.set.join(" ")),
            ("with --vary", self.vary.join(" "), other.vary.join(" ")),
            ("with --profile", self.profile.clone(), other.profile.clone()),
            ("as shard", self.shard().to_string(), other.shard().to_string()),
            ("from a grid or a scenario text of hash", self.grid.clone(), other.grid.clone()),
        ];
        let mut pairs = pairs.into_iter();
        let (what, this, that) = pairs.find(|(_, this, that)| this != that)?;
        let said = |text: String| if text.is_empty() { "nothing".to_owned() } else { text };
        Some(format!("{what} {}, not {}", said(that), said(this)))
    }
}
