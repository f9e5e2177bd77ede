//! What a race is, and the parts that most are made of.

use super::place::{RECEIVER, SECOND};
use super::schedule::Who;
use super::script::{Act, Name, Own, Prep, Script, Works};
use super::system::{NoSystem, System};
use sim_core::hyp::strategy::{Builtin, Strategy};

/// Under which strategies a race is played where nobody says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// Under all.
    All,
    /// Under [`FEW`], for this reason.
    Few(&'static str),
}

/// The strategies of a race that others would play the same: one that hands memory over for good, and one that maps it for a
/// while.
pub const FEW: [&str; 2] = ["pin", "map-page"];

/// What a race needs of the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// `shared_info` that moves: only placement `guest-ram` leaves that to guests.
    moves: bool,
    /// A new domain: strategies that stand on a placement reach no RAM, so they cannot clear that domain's.
    creates: bool,
}

/// A race.
#[derive(Clone, Debug)]
pub struct RaceCase {
    /// What `--case` takes.
    pub name: String,
    /// Who races with whom.
    pub about: String,
    /// What it and others that differ in the event or the ABI have in common; its own name and text if there are none.
    pub family: (String, String),
    /// Too large for every schedule of it: they are drawn.
    pub large: bool,
    /// Under which strategies it is played by default.
    pub under: Under,
    /// What came of it has to have its words on the queues on which one call after the other puts them.
    pub(super) queues: bool,
    pub(super) needs: Needs,
    pub(super) script: Script,
}

/// Names of races that the table calls otherwise.
const ALIASES: [(&str, &str); 1] = [("kill-other-raise", "kill-other-ipi-raise")];

impl RaceCase {
    /// A race of one's own, small and played under all strategies by default.
    #[must_use]
    pub fn new(name: String, about: String, script: Script) -> Self {
        let acts = || script.programs.iter().flat_map(|program| &program.acts);
        let needs = Needs {
            moves: acts().any(|act| matches!(act, Act::Place(Own::SharedInfo, _))),
            creates: acts().any(|act| matches!(act, Act::Create(_))),
        };
        Self {
            family: (name.clone(), about.clone()),
            name,
            about,
            large: false,
            under: Under::All,
            queues: true,
            needs,
            script,
        }
    }

    /// Whether that is its name, or was.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.name == ALIASES.iter().find(|(old, _)| *old == name).map_or(name, |(_, now)| now)
    }

    /// Whether it can be played under a strategy.
    #[must_use]
    pub fn suits(&self, strategy: &Builtin) -> bool {
        strategy.placement().is_none() || !(self.needs.moves || self.needs.creates)
    }

    pub(super) fn set_up(&self, system: &mut System) -> Result<Works, NoSystem> {
        self.script.set_up(system)
    }
}

/// A name.
pub(super) fn of(name: &str) -> Name {
    name.into()
}

/// The receiver ready for events of the two-level ABI, or of FIFO; the others only send.
pub(super) fn ready(words: bool) -> Vec<(Who, Prep)> {
    let places = [
        (RECEIVER, Own::SharedInfo),
        (RECEIVER, Own::VcpuInfo),
        (SECOND, Own::VcpuInfo),
        (RECEIVER, Own::ControlBlock),
        (SECOND, Own::ControlBlock),
        (RECEIVER, Own::EventWords),
    ];
    let used = if words { places.len() } else { 3 };
    places.into_iter().take(used).map(|(pe, own)| (pe, Prep::Place(own))).collect()
}

/// The receiver's vCPUs have heard of nothing yet.
pub(super) fn quiet() -> [(Who, Prep); 2] {
    [(RECEIVER, Prep::Quiet), (SECOND, Prep::Quiet)]
}

impl Script {
    pub(super) fn of(setup: impl IntoIterator<Item = (Who, Prep)>) -> Self {
        Self { setup: setup.into_iter().collect(), ..Self::default() }
    }

    /// What a PE does.
    pub(super) fn with(mut self, pe: Who, acts: impl Into<Vec<Act>>) -> Self {
        if let Some(program) = self.programs.get_mut(pe) {
            program.acts = acts.into();
        }
        self
    }

    /// A PE's vCPU handles its interrupts.
    pub(super) fn handling(mut self, pe: Who) -> Self {
        if let Some(program) = self.programs.get_mut(pe) {
            program.handles = true;
        }
        self
    }
}
