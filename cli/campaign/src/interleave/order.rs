//! Whether what came of a schedule could have come of the hypercalls one after the other.
//!
//! Each hypercall takes effect at one moment between its begin and its end, whole, by the reference model; guests' accesses stand
//! where they stood. If some choice of these moments gives the results, the memory that hypervisor and guests share, and the
//! ports that there are now, all is well.
//!
//! Two things are not compared, because guests see an event's bits before all of them are set: what a guest's loads gave on the
//! way, and whether a vCPU was told once too often. That it was told often enough, `quiet` looks at.
//!
//! An event under way to a port that closes meanwhile may be dropped, with whatever result the send has: in Xen the close
//! waits.
//!
//! In large races, and where a guest masks while a call unmasks, the queues of the FIFO ABI are not compared either, which
//! `quiet` looks at too. A send sees that its port is not
//! masked, then the guest masks it and takes it off its queue, then the send links it: no order has it linked so early.

use super::actors::{RaceEvent, Tool};
use super::call::Call;
use super::place::{domain_of, id_of};
use super::schedule::Who;
use super::system::System;
use evtchn::abi::fifo::{LINK_MASK, LINKED};
use evtchn::abi::{control_block, vcpu_info};
use evtchn::model::{Dom, Model, State};
use evtchn::op::Op;
use evtchn::{Binding, Errno};
use sim_core::guest::Action;
use sim_core::layout::{PAGE_SIZE, Position};
use std::collections::BTreeMap;

/// In what a schedule differs from the hypercalls one after the other, in order of their ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Differs {
    /// The result of a hypercall of this PE's.
    Result {
        /// Whose.
        who: Who,
        /// The result.
        rc: i64,
        /// What it should be.
        expected: i64,
    },
    /// A word of memory.
    Memory {
        /// Its address.
        address: u64,
        /// What is there.
        word: u32,
        /// What should be.
        expected: u32,
    },
    /// Events for Xen's own ports.
    Notified {
        /// As often as there were.
        times: usize,
        /// As often as there should have been.
        expected: usize,
    },
    /// The ports that there are: domain, port, what it is and who is told.
    Ports {
        /// As they are.
        ports: Vec<(u16, u32, State, u32)>,
        /// As they should be.
        expected: Vec<(u16, u32, State, u32)>,
    },
}

/// What takes effect at one moment.
#[derive(Clone, Copy, Debug)]
enum Effect {
    Call(Call),
    Tool(Tool),
    /// A part of a reset or a domain's end, up to where it was preempted: of this domain, at this port.
    Part(Long, Position, u32),
    /// The rest of a reset that was preempted.
    Rest(Position),
}

/// What has check points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Long {
    Reset,
    Kill,
}

/// The model, and what it leaves out: it knows no preemption.
#[derive(Clone)]
struct Now {
    model: Model,
    /// Resets that were preempted, and where each goes on.
    resets: BTreeMap<u16, u32>,
}

/// A hypercall or a toolstack's wish.
#[derive(Clone, Copy, Debug)]
struct Span {
    who: Who,
    effect: Effect,
    /// What it gave; `None`: it was preempted, and has given nothing yet.
    rc: Option<i64>,
    /// Its first and its last happening.
    begin: usize,
    end: usize,
    /// Accesses of guests before it began, and before it was over.
    from: usize,
    to: usize,
}

/// An access of a guest as it changes memory.
#[derive(Clone, Copy, Debug)]
struct Change {
    address: u64,
    bytes: u64,
    clears: u64,
    sets: u64,
}

impl Change {
    fn of(action: Action, value: u64) -> Option<Self> {
        let (address, width, new) = match action {
            Action::Store { address, width, value } => (address, width, value),
            Action::Atomic { address, width, op } => (address, width, op.apply(value)),
            _ => return None,
        };
        let bytes = width.bytes();
        let whole = u64::MAX >> (64 - bytes * 8);
        let (clears, sets) = match action {
            // A compare-and-swap changes these bits and no others; one that failed changed none.
            Action::Atomic { .. } => (value & !new, new & !value),
            _ => (whole, new),
        };
        Some(Self { address, bytes, clears: clears & whole, sets: sets & whole })
    }

    fn apply(self, model: &mut Model) {
        let page = model.memory.page(self.address);
        let at = (self.address % page.len() as u64) as usize;
        let Some(bytes) = page.get_mut(at..at + self.bytes as usize) else { return };
        let old = bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
        let new = (old & !self.clears | self.sets).to_le_bytes();
        for (byte, new) in bytes.iter_mut().zip(new) {
            *byte = new;
        }
    }
}

/// In what `happened` differs from every order; `model` is the state before. `queues`: whether words are to stand in the
/// same queues.
pub(super) fn check(system: &System, model: Model, happened: &[RaceEvent], queues: bool) -> Option<Differs> {
    let state = Now { model, resets: BTreeMap::new() };
    let notified = happened.iter().filter(|happening| matches!(happening, RaceEvent::Notified(..))).count();
    let changes: Vec<(usize, Change)> = happened
        .iter()
        .enumerate()
        .filter_map(|(at, happening)| match happening {
            RaceEvent::Accessed(_, action, value) => Change::of(*action, *value).map(|change| (at, change)),
            _ => None,
        })
        .collect();
    let mut spans = spans(happened, &changes);
    spans.sort_by_key(|span| span.end);
    let search = Search { system, changes: &changes, spans: &spans, notified, queues };
    // Most schedules are as if each hypercall took effect at its end.
    let differs = search.differs(state.clone(), &spans)?;
    (!search.find(state, 0, &spans)).then_some(differs)
}

fn spans(happened: &[RaceEvent], changes: &[(usize, Change)]) -> Vec<Span> {
    let before = |at: usize| changes.partition_point(|(change, _)| *change < at);
    let begun = happened.iter().enumerate().filter_map(|(begin, happening)| match happening {
        RaceEvent::Called(who, call) => Some((begin, *who, Effect::Call(*call))),
        RaceEvent::Asked(who, tool) => Some((begin, *who, Effect::Tool(*tool))),
        RaceEvent::Again(who) => Some((begin, *who, Effect::Rest(domain_of(*who)))),
        _ => None,
    });
    let spans = begun.filter_map(|(begin, who, effect)| {
        let over = happened.iter().enumerate().skip(begin).find_map(|(end, happening)| match (happening, effect) {
            (RaceEvent::Returned(of, rc), _) if *of == who => Some((end, effect, Some(*rc))),
            (RaceEvent::Preempted(of, domain, at), Effect::Tool(_)) if *of == who => {
                Some((end, Effect::Part(Long::Kill, *domain, *at), None))
            }
            (RaceEvent::Preempted(of, domain, at), _) if *of == who => {
                Some((end, Effect::Part(Long::Reset, *domain, *at), None))
            }
            _ => None,
        });
        let (end, effect, rc) = over?;
        Some(Span { who, effect, rc, begin, end, from: before(begin), to: before(end) })
    });
    let mut spans: Vec<Span> = spans.collect();
    // Asking again for a domain's end changes nothing before it is done.
    let mut asked = Vec::new();
    spans.retain(|span| {
        let asks = span.rc == Some(Errno::ERESTART.rc());
        let again = asks && asked.contains(&span.who);
        if asks {
            asked.push(span.who);
        }
        !again
    });
    spans
}

/// What an effect gives by the model, if it gives anything.
///
/// # Errors
///
/// It cannot be any more.
fn judge(system: &System, state: &mut Now, span: &Span) -> Result<Option<i64>, Impossible> {
    let Now { model, resets } = state;
    let by = domain_of(span.who);
    if !model.doms.contains_key(&id_of(by)) {
        return Err(Impossible);
    }
    let rc = match span.effect {
        Effect::Call(Call::Event(Op::Reset { dom })) if id_of(by) == dom && resets.contains_key(&dom) => {
            Errno::EBUSY.rc()
        }
        Effect::Call(call) => call.judge(model, span.who).0,
        Effect::Tool(Tool::Kill(position)) => {
            let id = id_of(position);
            if !model.doms.contains_key(&id) {
                Errno::ESRCH.rc()
            } else if span.rc == Some(Errno::ERESTART.rc()) {
                model.begin_kill(id);
                Errno::ERESTART.rc()
            } else {
                resets.remove(&id);
                model.kill(id);
                0
            }
        }
        Effect::Tool(Tool::Create(position)) => {
            system.model_domain(model, position);
            0
        }
        Effect::Tool(tool @ (Tool::Pause(position) | Tool::Unpause(position))) => {
            let id = id_of(position);
            if model.doms.contains_key(&id) {
                model.pause(id, matches!(tool, Tool::Pause(_))).map_or_else(Errno::rc, |()| 0)
            } else {
                Errno::ESRCH.rc()
            }
        }
        Effect::Tool(Tool::Virq { domain, vcpu, virq }) => {
            model.raise_virq(id_of(domain), vcpu, virq);
            0
        }
        Effect::Tool(Tool::Notify { domain, port }) => {
            if model.doms.contains_key(&id_of(domain)) {
                model.xen_notify(id_of(domain), port);
            }
            0
        }
        Effect::Tool(Tool::Call(_)) => 0,
        Effect::Part(Long::Kill, position, at) => {
            let id = id_of(position);
            model.begin_kill(id);
            close(model, id, (at..ports(model, id)).rev(), false);
            if let Some(dom) = model.doms.get_mut(&id) {
                dom.chans.truncate(at as usize);
            }
            return Ok(None);
        }
        Effect::Part(Long::Reset, position, at) => {
            let id = id_of(position);
            let from = resets.insert(id, at).unwrap_or(1);
            close(model, id, from..at.saturating_add(1), true);
            return Ok(None);
        }
        Effect::Rest(position) => {
            let id = id_of(position);
            let from = resets.remove(&id).ok_or(Impossible)?;
            close(model, id, from..ports(model, id), true);
            let dom = model.doms.get_mut(&id).ok_or(Impossible)?;
            if dom.chans.iter().any(|chan| chan.open() && !chan.xen) {
                Errno::EAGAIN.rc()
            } else {
                dom.fifo = None;
                dom.pages.clear();
                dom.blocks.clear();
                0
            }
        }
    };
    Ok(Some(rc))
}

/// What cannot take effect where it was to.
struct Impossible;

fn ports(model: &Model, id: u16) -> u32 {
    model.doms.get(&id).map_or(0, |dom| dom.chans.len() as u32)
}

/// Closes those of these ports that are open.
fn close(model: &mut Model, id: u16, ports: impl Iterator<Item = u32>, guest: bool) {
    for port in ports {
        // What is closed, or Xen's, stays.
        let _ = model.close(id, port, guest);
    }
}

/// Whether a word only tells a vCPU to look: upcall, selector, ready bits.
fn tells(model: &Model, address: u64) -> bool {
    model.doms.iter().any(|(id, dom)| {
        let infos = (0..dom.config.vcpus).map(|vcpu| model.info(*id, vcpu));
        let of_info = |info: u64| {
            let selector = info + u64::from(vcpu_info::PENDING_SEL);
            [info + u64::from(vcpu_info::UPCALL_PENDING), selector, selector + 4].contains(&address)
        };
        infos.into_iter().any(of_info)
            || dom.blocks.values().any(|block| block + u64::from(control_block::READY) == address)
    })
}

/// The bits of a word that say where in a queue something is.
fn queue_bits(model: &Model, address: u64) -> u32 {
    let within = |base: &u64, len: u64| address.checked_sub(*base).is_some_and(|offset| offset < len);
    let word = |dom: &Dom| dom.pages.iter().any(|page| within(page, PAGE_SIZE));
    let block = |dom: &Dom| dom.blocks.values().any(|block| within(block, control_block::SIZE.into()));
    if model.doms.values().any(word) {
        LINKED | LINK_MASK
    } else if model.doms.values().any(block) {
        u32::MAX
    } else {
        0
    }
}

struct Search<'a> {
    system: &'a System,
    changes: &'a [(usize, Change)],
    spans: &'a [Span],
    /// Events for Xen's own ports.
    notified: usize,
    queues: bool,
}

impl Search<'_> {
    /// Whether there is an order of `left` and the changes from `at` on that ends as the system stands.
    fn find(&self, mut state: Now, at: usize, left: &[Span]) -> bool {
        for (place, span) in left.iter().enumerate() {
            let first = left.iter().all(|other| other.end >= span.begin);
            if span.from > at || !first {
                continue;
            }
            let mut then = state.clone();
            let rest: Vec<Span> =
                left.iter().enumerate().filter(|(of, _)| *of != place).map(|(_, span)| *span).collect();
            let fits = judge(self.system, &mut then, span).is_ok_and(|rc| rc == span.rc);
            if fits && self.find(then, at, &rest) {
                return true;
            }
            let sent = span.rc == Some(0) && matches!(span.effect, Effect::Call(Call::Event(Op::Send { .. })));
            if sent && self.dropped(span, left) && self.find(state.clone(), at, &rest) {
                return true;
            }
        }
        let Some((_, change)) = self.changes.get(at) else {
            return left.is_empty() && self.differs_now(&state.model).is_none();
        };
        if left.iter().any(|span| span.to <= at) {
            return false;
        }
        change.apply(&mut state.model);
        self.find(state, at + 1, left)
    }

    fn differs_now(&self, model: &Model) -> Option<Differs> {
        let (times, expected) = (self.notified, model.signs.hits.len());
        let notified = (times != expected).then_some(Differs::Notified { times, expected });
        self.memory(model).or_else(|| self.ports(model)).or(notified)
    }

    /// Whether ports closed while a send was under way, and before it takes effect, which all in `left` have not.
    fn dropped(&self, send: &Span, left: &[Span]) -> bool {
        self.spans.iter().any(|span| {
            let closes = match span.effect {
                Effect::Call(call) => matches!(call, Call::Event(Op::Close { .. } | Op::Reset { .. })),
                Effect::Tool(tool) => matches!(tool, Tool::Kill(_)),
                Effect::Part(..) | Effect::Rest(_) => true,
            };
            let meanwhile = span.begin < send.end && span.end > send.begin;
            closes && meanwhile && !left.iter().any(|other| other.begin == span.begin)
        })
    }

    /// The first difference if each hypercall takes effect at its end.
    fn differs(&self, mut state: Now, spans: &[Span]) -> Option<Differs> {
        let mut spans = spans.iter().peekable();
        for at in 0..=self.changes.len() {
            while let Some(span) = spans.next_if(|span| span.to <= at) {
                let gone = Some(Errno::ESRCH.rc());
                let expected = judge(self.system, &mut state, span).unwrap_or(gone);
                if expected != span.rc {
                    // One of the two gave something.
                    let (rc, expected) = (span.rc.unwrap_or(0), expected.unwrap_or(0));
                    return Some(Differs::Result { who: span.who, rc, expected });
                }
            }
            if let Some((_, change)) = self.changes.get(at) {
                change.apply(&mut state.model);
            }
        }
        self.differs_now(&state.model)
    }

    fn memory(&self, model: &Model) -> Option<Differs> {
        model.memory.pages().find_map(|(base, page)| {
            let real = self.system.harness.machine.memory().page(base);
            let same = real.map_or_else(|| page.iter().all(|byte| *byte == 0), |real| real == page);
            if same {
                return None;
            }
            let words = page.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
            (base..).step_by(4).zip(words).find_map(|(address, expected)| {
                let word = self.system.harness.machine.look_at(address, 4) as u32;
                let told = (word | expected == word || !self.queues) && tells(model, address);
                let bits = if self.queues { u32::MAX } else { !queue_bits(model, address) };
                ((word ^ expected) & bits != 0 && !told).then_some(Differs::Memory { address, word, expected })
            })
        })
    }

    fn ports(&self, model: &Model) -> Option<Differs> {
        let channels = &self.system.harness.hyp.channels;
        let real = channels.domains().flat_map(|(id, dom)| {
            channels.channels(dom).map(move |used| {
                let state = match used.status.binding {
                    Binding::Closed => State::Free,
                    Binding::Unbound { dom } => State::Unbound(dom.0),
                    Binding::Interdomain { dom, port } => State::Interdomain(dom.0, port.0),
                    Binding::Virq(virq) => State::Virq(virq),
                    Binding::Ipi => State::Ipi,
                };
                (id.0, used.port.0, state, used.status.vcpu.0)
            })
        });
        let mut ports: Vec<_> = real.collect();
        ports.sort_by_key(|(id, port, ..)| (*id, *port));
        let expected = model.doms.iter().flat_map(|(id, dom)| {
            let open = (0..).zip(&dom.chans).filter(|(_, chan)| chan.open());
            open.map(|(port, chan)| (*id, port, chan.state, chan.vcpu))
        });
        let expected: Vec<_> = expected.collect();
        (ports != expected).then_some(Differs::Ports { ports, expected })
    }
}
