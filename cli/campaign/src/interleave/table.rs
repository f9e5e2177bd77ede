//! Races of pairs: each operation that may come between *route* and *raise*, with each kind of event and each ABI.
//!
//! What Xen lets in where comes from Xen's `event_channel.c`, `event_2l.c` and `event_fifo.c`: who takes which lock, and which
//! errno there is.

use super::call::Call;
use super::case::{RaceCase, Under, of, quiet, ready};
use super::place::{CONTROL, RECEIVER, SECOND, SENDER, domain_of, id_of};
use super::schedule::Who;
use super::script::{Act, Own, Prep, Script};
use evtchn::abi::virq;
use evtchn::op::Op;

/// What a port is, and how an event for it sets out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A send on a channel of another domain.
    Interdomain,
    /// The same on a channel that boot code bound.
    Static,
    /// A send on an IPI port, by the domain's other vCPU.
    Ipi,
    /// A VIRQ of a vCPU's own.
    VirqVcpu,
    /// A global VIRQ.
    VirqGlobal,
    /// Xen notifies the peer of its own port.
    FromXen,
    /// A send to Xen's own port.
    ToXen,
    /// `EVTCHNOP_unmask` of a port that is pending.
    Unmask,
}

/// What comes in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// `EVTCHNOP_close` of the port.
    Close,
    /// The same, and another port in its place.
    Reopen,
    /// A port of the domain's is opened.
    Open,
    /// `EVTCHNOP_bind_vcpu` to the other vCPU.
    BindVcpu,
    /// `EVTCHNOP_set_priority`.
    SetPriority,
    /// `EVTCHNOP_init_control`, the domain's first.
    InitControl,
    /// The same, and `EVTCHNOP_expand_array`.
    GoFifo,
    /// `EVTCHNOP_expand_array`, the domain's first.
    ExpandArray,
    /// `EVTCHNOP_reset` by the domain itself.
    Reset,
    /// `EVTCHNOP_reset` by the control domain, which has paused it.
    ResetByControl,
    /// The guest masks the port.
    Mask,
    /// The guest unmasks it.
    Unmask,
    /// `EVTCHNOP_unmask`.
    UnmaskCall,
    /// `SCHEDOP_poll` of the other vCPU.
    Poll,
    /// `VCPUOP_register_vcpu_info`.
    Register,
    /// `XENMEM_add_to_physmap`: `shared_info` moves.
    SharedInfo,
    /// The receiver's end.
    Kill,
    /// The sender's.
    KillSender,
    /// That of a third domain.
    KillOther,
    /// The receiver's end, and another domain in its place.
    Replace,
    /// A channel that boot code binds.
    StaticChannel,
}

/// Whether something may come between route and raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// In Xen too.
    Yes,
    /// It waits in Xen, for this reason. Here nothing keeps it out, so it is played all the same: the event has to be dropped.
    Waits(&'static str),
    /// It changes nothing or cannot be, for this reason, and is not played.
    No(&'static str),
}

const EVENTS: [(Event, &str, &str); 8] = [
    (Event::Interdomain, "", "a send"),
    (Event::Static, "static", "a send on a channel that boot code bound"),
    (Event::Ipi, "ipi", "an IPI"),
    (Event::VirqVcpu, "virq", "a VIRQ of a vCPU"),
    (Event::VirqGlobal, "global-virq", "a global VIRQ"),
    (Event::FromXen, "from-xen", "an event from Xen's own port"),
    (Event::ToXen, "to-xen", "an event for Xen's own port"),
    (Event::Unmask, "unmask", "EVTCHNOP_unmask"),
];

const BETWEEN: [(Between, &str, &str); 21] = [
    (Between::Close, "close", "a port that closes"),
    (Between::Reopen, "reopen", "a port that closes and opens as another"),
    (Between::Open, "open", "a port that opens"),
    (Between::BindVcpu, "bind-vcpu", "bind_vcpu"),
    (Between::SetPriority, "set-priority", "set_priority"),
    (Between::InitControl, "init-control", "init_control"),
    (Between::GoFifo, "go-fifo", "init_control and expand_array"),
    (Between::ExpandArray, "expand-array", "expand_array"),
    (Between::Reset, "reset", "the receiver's own reset"),
    (Between::ResetByControl, "reset-by-control", "a reset by the control domain"),
    (Between::Mask, "mask", "a guest that masks the port"),
    (Between::Unmask, "unmask", "a guest that unmasks the port"),
    (Between::UnmaskCall, "unmask-call", "EVTCHNOP_unmask"),
    (Between::Poll, "poll", "a poll"),
    (Between::Register, "register", "register_vcpu_info"),
    (Between::SharedInfo, "shared-info", "shared_info that moves"),
    (Between::Kill, "kill", "the receiver's end"),
    (Between::KillSender, "kill-sender", "the sender's end"),
    (Between::KillOther, "kill-other", "another domain's end"),
    (Between::Replace, "replace", "the receiver's end, and another domain in its place,"),
    (Between::StaticChannel, "static-channel", "a channel that boot code binds"),
];

impl Between {
    /// Whether it may come between the route of `event` and its raise; `words`: under FIFO.
    #[must_use]
    pub const fn allowed(self, event: Event, words: bool) -> Allowed {
        use Allowed::{No, Waits, Yes};
        match (self, event, words) {
            (Self::StaticChannel, ..) => No("boot code binds before any guest runs, so that no event is under way"),
            (Self::SetPriority, _, false) => No("a two-level domain has no priorities: -ENOSYS"),
            (Self::ExpandArray, _, false) => No("a two-level domain has no array: -EOPNOTSUPP"),
            (Self::InitControl | Self::GoFifo, _, true) => No("the domain is on FIFO already"),
            (
                Self::Close
                | Self::Reopen
                | Self::BindVcpu
                | Self::SetPriority
                | Self::Mask
                | Self::Unmask
                | Self::UnmaskCall
                | Self::Poll,
                Event::ToXen,
                _,
            ) => No("a port of Xen's own is none that its domain can do this to, and it has no bits"),
            (Self::BindVcpu, Event::Ipi | Event::VirqVcpu, _) => {
                No("an IPI and a vCPU's VIRQ stay with the vCPU they were bound to: -EINVAL")
            }
            (Self::KillSender, Event::Ipi | Event::Unmask, _) => No("the sender is the receiver"),
            (Self::KillSender | Self::KillOther, Event::VirqVcpu | Event::VirqGlobal, _) => {
                No("Xen raises it from an interrupt, which works for no domain")
            }
            (Self::KillOther, Event::Interdomain | Event::Static | Event::FromXen | Event::ToXen, _) => {
                No("there are a sender, a receiver and the control domain, and the last asks for the end")
            }
            (Self::KillSender, Event::FromXen, _) => {
                No("Xen notifies for no domain, and its port ends with the domain it is in")
            }
            (Self::Poll, Event::Ipi, _) => No("the vCPU that would poll is the one that sends"),
            (
                Self::Close | Self::Reopen | Self::Reset | Self::ResetByControl | Self::Kill | Self::Replace,
                event,
                _,
            ) => match event {
                Event::VirqVcpu | Event::VirqGlobal => {
                    Waits("Xen holds the VIRQ's lock until the bits are set, and closing the port takes it")
                }
                Event::Unmask => Yes,
                _ => Waits("Xen keeps the sender's channel locked until the bits are set, and closing takes that lock"),
            },
            _ => Yes,
        }
    }

    /// Why the strategies that are not [`super::FEW`] would play it the same.
    const fn under(self, event: Event) -> Under {
        match (self, event) {
            (
                Self::InitControl
                | Self::GoFifo
                | Self::ExpandArray
                | Self::Reset
                | Self::ResetByControl
                | Self::Register
                | Self::SharedInfo
                | Self::Kill
                | Self::KillSender
                | Self::KillOther
                | Self::Replace,
                Event::Interdomain | Event::Ipi,
            ) => Under::All,
            (
                Self::InitControl
                | Self::GoFifo
                | Self::ExpandArray
                | Self::Reset
                | Self::ResetByControl
                | Self::Register
                | Self::SharedInfo
                | Self::Kill
                | Self::KillSender
                | Self::KillOther
                | Self::Replace,
                _,
            ) => Under::Few(
                "the same memory as with a send or an IPI is reached and handed over; only the tables differ",
            ),
            _ => Under::Few("no memory is handed over or given back, which is all that strategies notice"),
        }
    }

    /// Whether guests' own accesses are what it races with, so that the receiver's handler runs too.
    const fn handled(self, event: Event) -> bool {
        matches!(event, Event::Interdomain)
            && matches!(
                self,
                Self::Close | Self::BindVcpu | Self::SetPriority | Self::Mask | Self::Unmask | Self::UnmaskCall
            )
    }

    /// What the receiver lacks, and what it does to have it ready.
    fn setup(self, words: bool) -> Vec<(Who, Prep)> {
        let lacks = |prep: &Prep| match self {
            Self::Register => *prep == Prep::Place(Own::VcpuInfo),
            Self::SharedInfo => *prep == Prep::Place(Own::SharedInfo),
            Self::ExpandArray => *prep == Prep::Place(Own::EventWords),
            _ => false,
        };
        ready(words).into_iter().filter(|(_, prep)| !lacks(prep)).collect()
    }

    /// Who does it, where the event sets out on a PE, and what.
    fn acts(self, event: Event) -> (Who, Vec<Act>) {
        // An IPI is sent on the second vCPU's PE.
        let guest = if event == Event::Ipi { RECEIVER } else { SECOND };
        let port = || of("link");
        let receiver = domain_of(RECEIVER);
        let on = |call: Call| (guest, [Act::on(call, port())].into());
        match self {
            Self::Close => on(Op::Close { port: 0 }.into()),
            Self::Reopen => (guest, [Act::on(Op::Close { port: 0 }, port()), open()].into()),
            Self::Open => (guest, [open()].into()),
            Self::BindVcpu => on(Op::BindVcpu { port: 0, vcpu: 1 }.into()),
            Self::SetPriority => on(Op::SetPriority { port: 0, priority: 0 }.into()),
            Self::InitControl => (guest, [Act::Place(Own::ControlBlock, RECEIVER)].into()),
            Self::GoFifo => {
                let page = Act::Place(Own::EventWords, RECEIVER);
                (guest, [Act::Place(Own::ControlBlock, RECEIVER), page].into())
            }
            Self::ExpandArray => (guest, [Act::Place(Own::EventWords, RECEIVER)].into()),
            Self::Reset => (guest, [Act::plain(Op::Reset { dom: id_of(receiver) })].into()),
            Self::ResetByControl => {
                let pause = matches!(event, Event::Ipi | Event::Unmask).then_some(Act::Pause(receiver));
                (CONTROL, pause.into_iter().chain([Act::plain(Op::Reset { dom: id_of(receiver) })]).collect())
            }
            Self::Mask => (guest, [Act::Mask(port())].into()),
            Self::Unmask => (guest, [Act::Unmask(port())].into()),
            Self::UnmaskCall => on(Op::Unmask { port: 0 }.into()),
            Self::Poll => on(Call::Poll(0)),
            Self::Register => (guest, [Act::Place(Own::VcpuInfo, RECEIVER)].into()),
            Self::SharedInfo => (guest, [Act::Place(Own::SharedInfo, RECEIVER)].into()),
            Self::Kill => (CONTROL, [Act::Kill(receiver)].into()),
            Self::KillSender | Self::KillOther => (CONTROL, [Act::Kill(domain_of(SENDER))].into()),
            Self::Replace => {
                let open =
                    || Act::plain(Op::AllocUnbound { dom: id_of(receiver), remote_dom: id_of(domain_of(CONTROL)) });
                // The new domain has a port of that number too.
                (CONTROL, [Act::Kill(receiver), Act::Create(receiver), open()].into())
            }
            Self::StaticChannel => (guest, Vec::new()),
        }
    }
}

/// A port of the receiver's for the control domain.
pub(super) fn open() -> Act {
    Act::plain(Op::AllocUnbound { dom: id_of(domain_of(RECEIVER)), remote_dom: id_of(domain_of(CONTROL)) })
}

impl Event {
    /// Its port, called `link`.
    fn setup(self) -> Vec<(Who, Prep)> {
        let name = || "link".to_owned();
        let channel = || (SENDER, Prep::Channel { name: name(), to: RECEIVER });
        match self {
            Self::Interdomain | Self::Unmask => [channel()].into(),
            Self::Static => [(SENDER, Prep::Static { name: name(), to: RECEIVER })].into(),
            Self::Ipi => [(RECEIVER, Prep::Ipi(name()))].into(),
            Self::VirqVcpu => [(RECEIVER, Prep::Virq { name: name(), virq: virq::TIMER })].into(),
            Self::VirqGlobal => [(RECEIVER, Prep::Virq { name: name(), virq: GLOBAL })].into(),
            Self::FromXen => [(SENDER, Prep::Xen { name: name(), peer: RECEIVER })].into(),
            Self::ToXen => [(RECEIVER, Prep::Xen { name: name(), peer: SENDER })].into(),
        }
    }

    /// Where it sets out, and how.
    fn act(self) -> (Who, Act) {
        let (domain, port) = (domain_of(RECEIVER), of("link"));
        match self {
            Self::Interdomain | Self::Static | Self::ToXen => (SENDER, Act::on(Op::Send { port: 0 }, port)),
            Self::Ipi => (SECOND, Act::on(Op::Send { port: 0 }, port)),
            Self::VirqVcpu => (SENDER, Act::Virq { domain, vcpu: 0, virq: virq::TIMER }),
            Self::VirqGlobal => (SENDER, Act::Virq { domain, vcpu: 0, virq: GLOBAL }),
            Self::FromXen => (SENDER, Act::Notify(port)),
            Self::Unmask => (RECEIVER, Act::on(Op::Unmask { port: 0 }, port)),
        }
    }
}

/// A global VIRQ that nothing else raises.
const GLOBAL: u32 = virq::CONSOLE;

/// All pairs of what comes between route and raise, the event and the ABI, with what Xen allows.
#[must_use]
pub fn pairs() -> Vec<(Between, Event, bool, Allowed)> {
    let mut pairs = Vec::new();
    for (between, ..) in BETWEEN {
        for (event, ..) in EVENTS {
            for words in [false, true] {
                pairs.push((between, event, words, between.allowed(event, words)));
            }
        }
    }
    pairs
}

/// The race of a pair: `[fifo-]BETWEEN[-EVENT]-raise`.
#[must_use]
pub fn pair_name(between: Between, event: Event, words: bool) -> String {
    let first = BETWEEN.iter().find(|(of, ..)| *of == between).map_or("", |(_, name, _)| *name);
    let second = EVENTS.iter().find(|(of, ..)| *of == event).map_or("", |(_, name, _)| *name);
    let dash = if second.is_empty() { "" } else { "-" };
    format!("{}{first}{dash}{second}-raise", if words { "fifo-" } else { "" })
}

/// The races of all pairs that may be.
pub(super) fn cases() -> Vec<RaceCase> {
    let may = pairs().into_iter().filter(|(.., allowed)| !matches!(allowed, Allowed::No(_)));
    may.map(|(between, event, words, _)| pair(between, event, words)).collect()
}

fn pair(between: Between, event: Event, words: bool) -> RaceCase {
    let mut setup = between.setup(words);
    setup.extend(event.setup());
    setup.extend(quiet());
    // A domain that is paused sends nothing, so one that sends to itself is paused on the way.
    if between == Between::ResetByControl && !matches!(event, Event::Ipi | Event::Unmask) {
        setup.push((CONTROL, Prep::Pause(domain_of(RECEIVER))));
    }
    if event == Event::Unmask {
        setup.push((RECEIVER, Prep::Mask(of("link"))));
        setup.push((SENDER, Prep::on(Op::Send { port: 0 }, of("link"))));
    } else if matches!(between, Between::Unmask | Between::UnmaskCall) {
        setup.push((RECEIVER, Prep::Mask(of("link"))));
    }
    let (who, event_act) = event.act();
    let (by, acts) = between.acts(event);
    let mut script = Script { setup, ..Script::default() }.with(who, [event_act]).with(by, acts);
    if between.handled(event) {
        script = script.handling(RECEIVER);
    }
    let first = BETWEEN.iter().find(|(of, ..)| *of == between).map_or("", |(_, _, about)| *about);
    let second = EVENTS.iter().find(|(of, ..)| *of == event).map_or("", |(_, _, about)| *about);
    let abi = if words { "FIFO" } else { "two-level" };
    let about = format!("{first} between route and raise of {second}, {abi}");
    let mut case = RaceCase::new(pair_name(between, event, words), about, script);
    let name = pair_name(between, Event::Interdomain, false);
    case.family = (name, format!("{first} between route and raise, by kind of event and ABI"));
    case.under = between.under(event);
    // An unmask sees that its port is pending, then the guest masks it, then it is not linked: no order has it linked neither
    // before nor after.
    case.queues = !(between == Between::Mask && event == Event::Unmask);
    case
}
