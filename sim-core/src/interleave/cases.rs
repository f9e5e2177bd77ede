//! The races that are played: those of the table, and those that are more than a pair.

use super::call::Call;
use super::schedule::Who;
use super::script::{Act, Name, Own, Prep, Script, Works};
use super::system::{CONTROL, NoSystem, RECEIVER, SECOND, SENDER, System};
use super::{preempted, table};
use crate::hyp::strategy::{Builtin, Strategy};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use evtchn::op::Op;

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
struct Needs {
    /// `shared_info` that moves: only placement `guest-ram` leaves that to guests.
    moves: bool,
    /// A new domain: strategies that stand on a placement reach no RAM, so they cannot clear that domain's.
    creates: bool,
}

/// A race.
#[derive(Clone, Debug)]
pub struct Case {
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
    needs: Needs,
    script: Script,
}

/// Names of races that the table calls otherwise.
const ALIASES: [(&str, &str); 1] = [("kill-other-raise", "kill-other-ipi-raise")];

/// Every case, in the order in which they are played.
#[must_use]
pub fn cases() -> Vec<Case> {
    let whole = [
        small(
            "fifo-link",
            "a send that links to the tail of a queue, and the guest that takes the tail off",
            fifo_link(),
        ),
        small("unmask-send", "a guest that unmasks by itself, and a send to the port", unmask_send(false)),
        small("fifo-unmask-send", "the same with event words", unmask_send(true)),
        small("unmask-call-send", "EVTCHNOP_unmask, and a send to the port", unmask_call_send(false)),
        small("fifo-unmask-call-send", "the same with event words", unmask_call_send(true)),
        small("end-send", "a send while the interrupt of the one before is active, and its end", end_send(false)),
        small("fifo-end-send", "the same with event words", end_send(true)),
        small("poll-send", "a vCPU that polls for a port, and a send to it", poll_send(false)),
        small("fifo-poll-send", "the same with event words", poll_send(true)),
        small("new-pages", "pages handed over, and two other PEs on their way to them", new_pages()),
    ];
    let storms = [
        Case {
            large: true,
            queues: false,
            ..small("storm", "senders, two handlers, masks and moves, two-level", storm(false))
        },
        Case { large: true, queues: false, ..small("fifo-storm", "the same with event words and queues", storm(true)) },
    ];
    whole.into_iter().chain(preempted::cases()).chain(table::cases()).chain(storms).collect()
}

fn small(name: &str, about: &str, script: Script) -> Case {
    Case::new(name.to_owned(), about.to_owned(), script)
}

impl Case {
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

    /// The case of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        cases().into_iter().find(|case| case.is_called(name))
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

/// A channel to the vCPU on a PE.
fn channel(name: &str, from: Who, to: Who) -> (Who, Prep) {
    (from, Prep::Channel { name: name.to_owned(), to })
}

fn send(name: &str) -> Act {
    Act::on(Op::Send { port: 0 }, of(name))
}

impl Script {
    fn of(setup: impl IntoIterator<Item = (Who, Prep)>) -> Self {
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

fn fifo_link() -> Script {
    let setup = ready(true).into_iter().chain([channel("first", SENDER, RECEIVER), channel("next", SENDER, RECEIVER)]);
    let setup = setup.chain(quiet()).chain([(SENDER, Prep::on(Op::Send { port: 0 }, of("first")))]);
    Script::of(setup).with(SENDER, [send("next")]).handling(RECEIVER)
}

/// A masked port of the vCPU on a PE.
fn masked(words: bool, to: Who) -> Script {
    let setup = ready(words).into_iter().chain([channel("link", SENDER, to)]).chain(quiet());
    Script::of(setup.chain([(to, Prep::Mask(of("link")))])).with(SENDER, [send("link")])
}

fn unmask_send(words: bool) -> Script {
    masked(words, RECEIVER).with(RECEIVER, [Act::Unmask(of("link"))])
}

fn unmask_call_send(words: bool) -> Script {
    masked(words, SECOND).with(RECEIVER, [Act::on(Op::Unmask { port: 0 }, of("link"))]).handling(SECOND)
}

/// Two sends by different domains, the second of which comes when the handler of the first has cleared the upcall byte.
fn end_send(words: bool) -> Script {
    let setup =
        ready(words).into_iter().chain([channel("link", SENDER, RECEIVER), channel("other", CONTROL, RECEIVER)]);
    let setup = setup.chain(quiet()).chain([(SENDER, Prep::on(Op::Send { port: 0 }, of("link")))]);
    Script::of(setup).with(CONTROL, [send("other")]).handling(RECEIVER)
}

fn poll_send(words: bool) -> Script {
    let setup = ready(words).into_iter().chain([channel("link", SENDER, RECEIVER)]).chain(quiet());
    let setup = setup.chain([(RECEIVER, Prep::Mask(of("link")))]);
    Script::of(setup).with(SENDER, [send("link")]).with(RECEIVER, [Act::on(Call::Poll(0), of("link"))])
}

fn new_pages() -> Script {
    let setup = [
        (RECEIVER, Prep::Place(Own::SharedInfo)),
        channel("first", SENDER, RECEIVER),
        channel("second", CONTROL, SECOND),
        (RECEIVER, Prep::Quiet),
    ];
    Script::of(setup)
        .with(SENDER, [send("first")])
        .with(RECEIVER, [Act::Place(Own::VcpuInfo, RECEIVER)])
        .with(SECOND, [Act::Place(Own::VcpuInfo, SECOND)])
        .with(CONTROL, [send("second")])
}

/// Two senders to two ports each, one of them told to the second vCPU; the receiver masks, unmasks, moves a port and handles.
fn storm(words: bool) -> Script {
    let channels = [
        channel("a", SENDER, RECEIVER),
        channel("b", SENDER, SECOND),
        channel("c", CONTROL, RECEIVER),
        channel("d", CONTROL, RECEIVER),
    ];
    let urgent = Prep::on(Op::SetPriority { port: 0, priority: 0 }, of("c"));
    let setup = ready(words).into_iter().chain(channels).chain(words.then_some((RECEIVER, urgent))).chain(quiet());
    Script::of(setup)
        .with(SENDER, ["a", "b", "a"].map(send))
        .with(CONTROL, ["c", "d", "c"].map(send))
        .with(RECEIVER, [Act::Mask(of("a")), Act::Unmask(of("a"))])
        .with(SECOND, [Act::on(Op::BindVcpu { port: 0, vcpu: 0 }, of("b"))])
        .handling(RECEIVER)
        .handling(SECOND)
}
