//! The races that are played: those of the table, and those that are more than a pair.

use super::call::Call;
use super::case::{RaceCase, of, quiet, ready};
use super::place::{CONTROL, RECEIVER, SECOND, SENDER};
use super::schedule::Who;
use super::script::{Act, Own, Prep, Script};
use super::{preempted, table};
use evtchn::op::Op;

/// Every case, in the order in which they are played.
#[must_use]
pub fn cases() -> Vec<RaceCase> {
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
        RaceCase {
            large: true,
            queues: false,
            ..small("storm", "senders, two handlers, masks and moves, two-level", storm(false))
        },
        RaceCase {
            large: true,
            queues: false,
            ..small("fifo-storm", "the same with event words and queues", storm(true))
        },
    ];
    whole.into_iter().chain(preempted::cases()).chain(table::cases()).chain(storms).collect()
}

impl RaceCase {
    /// The case of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        cases().into_iter().find(|case| case.is_called(name))
    }
}

fn small(name: &str, about: &str, script: Script) -> RaceCase {
    RaceCase::new(name.to_owned(), about.to_owned(), script)
}

/// A channel to the vCPU on a PE.
fn channel(name: &str, from: Who, to: Who) -> (Who, Prep) {
    (from, Prep::Channel { name: name.to_owned(), to })
}

fn send(name: &str) -> Act {
    Act::on(Op::Send { port: 0 }, of(name))
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
