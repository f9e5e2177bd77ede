//! Whether what came of a schedule could have come of the hypercalls one after the other.
//!
//! Each hypercall takes effect at one moment between its begin and its end, whole, by the reference model; guests' accesses stand
//! where they stood. If some choice of these moments gives the results, the memory that hypervisor and guests share, and the
//! ports that there are now, all is well.
//!
//! Two things are not compared, because guests see an event's bits before all of them are set: what a guest's loads gave on the
//! way, and whether a vCPU was told once too often. That it was told often enough, `quiet` looks at.
//!
//! In large races the queues of the FIFO ABI are not compared either, which `quiet` looks at too. A send sees that its port is not
//! masked, then the guest masks it and takes it off its queue, then the send links it: no order has it linked so early.

use super::call::Call;
use super::crew::{Happening, Tool};
use super::schedule::Who;
use super::system::{System, domain_of, id_of};
use crate::guest::Action;
use crate::layout::PAGE_SIZE;
use alloc::vec::Vec;
use evtchn::abi::fifo::{LINK_MASK, LINKED};
use evtchn::abi::{control_block, vcpu_info};
use evtchn::model::{Dom, Model, State};
use evtchn::{Binding, Errno};

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
}

/// A hypercall or a toolstack's wish.
#[derive(Clone, Copy, Debug)]
struct Span {
    who: Who,
    effect: Effect,
    rc: i64,
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
pub(super) fn check(system: &System, model: Model, happened: &[Happening], queues: bool) -> Option<Differs> {
    let changes: Vec<(usize, Change)> = happened
        .iter()
        .enumerate()
        .filter_map(|(at, happening)| match happening {
            Happening::Accessed(_, action, value) => Change::of(*action, *value).map(|change| (at, change)),
            _ => None,
        })
        .collect();
    let mut spans = spans(happened, &changes);
    spans.sort_by_key(|span| span.end);
    let search = Search { system, changes: &changes, queues };
    // Most schedules are as if each hypercall took effect at its end.
    let differs = search.differs(model.clone(), &spans)?;
    (!search.find(model, 0, &spans)).then_some(differs)
}

fn spans(happened: &[Happening], changes: &[(usize, Change)]) -> Vec<Span> {
    let before = |at: usize| changes.partition_point(|(change, _)| *change < at);
    let begun = happened.iter().enumerate().filter_map(|(begin, happening)| match happening {
        Happening::Called(who, call) => Some((begin, *who, Effect::Call(*call))),
        Happening::Asked(who, tool) => Some((begin, *who, Effect::Tool(*tool))),
        _ => None,
    });
    let spans = begun.filter_map(|(begin, who, effect)| {
        let over = happened.iter().enumerate().skip(begin).find_map(|(end, happening)| match happening {
            Happening::Returned(of, rc) if *of == who => Some((end, *rc)),
            _ => None,
        });
        let (end, rc) = over?;
        Some(Span { who, effect, rc, begin, end, from: before(begin), to: before(end) })
    });
    let mut spans: Vec<Span> = spans.collect();
    // Asking again for a domain's end changes nothing before it is done.
    let mut asked = Vec::new();
    spans.retain(|span| {
        let asks = span.rc == Errno::ERESTART.rc();
        let again = asks && asked.contains(&span.who);
        if asks {
            asked.push(span.who);
        }
        !again
    });
    spans
}

/// What an effect gives by the model; `None`: it cannot be any more.
fn judge(system: &System, model: &mut Model, span: &Span) -> Option<i64> {
    let by = domain_of(span.who);
    model.doms.get(&id_of(by))?;
    Some(match span.effect {
        Effect::Call(call) => call.judge(model, by).0,
        Effect::Tool(Tool::Kill(position)) => {
            let id = id_of(position);
            if !model.doms.contains_key(&id) {
                Errno::ESRCH.rc()
            } else if span.rc == Errno::ERESTART.rc() {
                model.begin_kill(id);
                span.rc
            } else {
                model.kill(id);
                0
            }
        }
        Effect::Tool(Tool::Create(position)) => {
            system.model_domain(model, position);
            0
        }
        Effect::Tool(Tool::Call(_)) => 0,
    })
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
    queues: bool,
}

impl Search<'_> {
    /// Whether there is an order of `left` and the changes from `at` on that ends as the system stands.
    fn find(&self, mut model: Model, at: usize, left: &[Span]) -> bool {
        for (place, span) in left.iter().enumerate() {
            let first = left.iter().all(|other| other.end >= span.begin);
            if span.from > at || !first {
                continue;
            }
            let mut then = model.clone();
            let rest: Vec<Span> =
                left.iter().enumerate().filter(|(of, _)| *of != place).map(|(_, span)| *span).collect();
            if judge(self.system, &mut then, span) == Some(span.rc) && self.find(then, at, &rest) {
                return true;
            }
        }
        let Some((_, change)) = self.changes.get(at) else {
            return left.is_empty() && self.memory(&model).is_none() && self.ports(&model).is_none();
        };
        if left.iter().any(|span| span.to <= at) {
            return false;
        }
        change.apply(&mut model);
        self.find(model, at + 1, left)
    }

    /// The first difference if each hypercall takes effect at its end.
    fn differs(&self, mut model: Model, spans: &[Span]) -> Option<Differs> {
        let mut spans = spans.iter().peekable();
        for at in 0..=self.changes.len() {
            while let Some(span) = spans.next_if(|span| span.to <= at) {
                let expected = judge(self.system, &mut model, span).unwrap_or(Errno::ESRCH.rc());
                if expected != span.rc {
                    return Some(Differs::Result { who: span.who, rc: span.rc, expected });
                }
            }
            if let Some((_, change)) = self.changes.get(at) {
                change.apply(&mut model);
            }
        }
        self.memory(&model).or_else(|| self.ports(&model))
    }

    fn memory(&self, model: &Model) -> Option<Differs> {
        model.memory.pages().find_map(|(base, page)| {
            let real = self.system.machine.ram.page(base);
            let same = real.map_or_else(|| page.iter().all(|byte| *byte == 0), |real| real == page);
            if same {
                return None;
            }
            let words = page.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
            (base..).step_by(4).zip(words).find_map(|(address, expected)| {
                let word = self.system.machine.ram.read(address, 4) as u32;
                let told = word | expected == word && tells(model, address);
                let bits = if self.queues { u32::MAX } else { !queue_bits(model, address) };
                ((word ^ expected) & bits != 0 && !told).then_some(Differs::Memory { address, word, expected })
            })
        })
    }

    fn ports(&self, model: &Model) -> Option<Differs> {
        let channels = &self.system.hyp.channels;
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
