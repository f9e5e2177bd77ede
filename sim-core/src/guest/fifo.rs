//! The guest's upcall handler for the FIFO ABI.
//!
//! Acknowledge the interrupt; clear the upcall byte; take the ready bits; while a queue is ready, take the first port off the
//! most urgent one (LINKED and LINK are cleared together, by compare-and-swap), clear its pending bit if it is pending and
//! not masked, handle it, and look at the ready bits again; end the interrupt.

use super::consumer::HandlerStep;
use super::{Action, AtomicOp, Input, Mark};
use crate::platform::{Width, intid};
use alloc::rc::Rc;
use alloc::vec::Vec;
use evtchn::abi::{control_block, fifo};

/// What a guest knows of its own FIFO structures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structures {
    /// Address of this vCPU's control block.
    pub block: u64,
    /// Addresses of the pages of event words, in the order in which they were handed over.
    pub pages: Rc<[u64]>,
}

impl Structures {
    /// A control block, and no page yet.
    #[must_use]
    pub fn new(block: u64) -> Self {
        Self { block, pages: Rc::new([]) }
    }

    /// One page more.
    pub fn add(&mut self, page: u64) {
        let pages: Vec<u64> = self.pages.iter().copied().chain([page]).collect();
        self.pages = pages.into();
    }

    /// Where a port's event word is, if its page was handed over.
    #[must_use]
    pub fn word(&self, port: u32) -> Option<u64> {
        let page = self.pages.get(usize::try_from(port / fifo::WORDS_PER_PAGE).ok()?)?;
        Some(page.wrapping_add(u64::from(port % fifo::WORDS_PER_PAGE * 4)))
    }

    /// Sets a port's mask bit; `None`: without a word it is masked as it is.
    #[must_use]
    pub fn mask(&self, port: u32) -> Option<Action> {
        let op = AtomicOp::Or(u64::from(fifo::MASKED));
        self.word(port).map(|address| Action::Atomic { address, width: Width::Word, op })
    }
}

/// Where the handler is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Acknowledged,
    Cleared,
    ReadyTaken,
    HeadRead,
    WordRead(Event),
    /// The word was to be this.
    Swapped(Event, u32),
    Takes(Event),
    Taken(u32),
    Marked,
    Ended,
}

/// An event on a queue: its port and the address of its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Event {
    port: u32,
    address: u64,
}

/// One run of the handler.
#[derive(Clone, Debug)]
pub struct Consumer {
    structures: Structures,
    vcpu_info: u64,
    state: State,
    intid: u64,
    ready: u32,
    /// The first port of each queue as far as it was read; 0: the control block tells. A run ends with all queues empty,
    /// so the next one starts with none known.
    heads: [u32; fifo::QUEUES as usize],
}

impl Consumer {
    /// A handler of a vCPU with these structures, and its `vcpu_info` at `vcpu_info`.
    #[must_use]
    pub const fn new(structures: Structures, vcpu_info: u64) -> Self {
        let heads = [0; fifo::QUEUES as usize];
        Self { structures, vcpu_info, state: State::Start, intid: 0, ready: 0, heads }
    }

    /// Goes on with what the last action gave.
    pub fn resume(&mut self, input: Input) -> HandlerStep {
        let value = match input {
            Input::Value(value) => value,
            // Its own memory is not there: nothing sensible is left to do.
            Input::Abort { .. } => return self.end(),
            Input::Interrupt => 0,
        };
        // Everything but the interrupt's number is a word or less.
        let word = value as u32;
        match self.state {
            State::Start => self.act(State::Acknowledged, Action::Acknowledge),
            State::Acknowledged => {
                self.intid = value;
                if value == intid::SPURIOUS {
                    return HandlerStep::Done;
                }
                let address = self.vcpu_info;
                self.act(State::Cleared, Action::Store { address, width: Width::Byte, value: 0 })
            }
            State::Cleared | State::Marked => self.take_ready(),
            State::ReadyTaken => {
                self.ready |= word;
                self.next_queue()
            }
            State::HeadRead => self.first(word),
            State::WordRead(event) => self.unlink(event, word),
            State::Swapped(event, seen) if word != seen => self.unlink(event, word),
            State::Swapped(event, seen) => self.unlinked(event, seen),
            State::Takes(Event { port, address }) => {
                let op = AtomicOp::And(u64::from(!fifo::PENDING));
                self.act(State::Taken(port), Action::Atomic { address, width: Width::Word, op })
            }
            State::Taken(port) => self.act(State::Marked, Action::Mark(Mark::Handled { port })),
            State::Ended => HandlerStep::Done,
        }
    }

    fn act(&mut self, state: State, action: Action) -> HandlerStep {
        self.state = state;
        HandlerStep::Act(action)
    }

    fn end(&mut self) -> HandlerStep {
        self.act(State::Ended, Action::EndOfInterrupt(self.intid))
    }

    fn take_ready(&mut self) -> HandlerStep {
        let address = self.structures.block.wrapping_add(u64::from(control_block::READY));
        self.act(State::ReadyTaken, Action::Atomic { address, width: Width::Word, op: AtomicOp::Swap(0) })
    }

    /// The most urgent queue that is ready.
    fn queue(&self) -> u32 {
        self.ready.trailing_zeros()
    }

    fn head(&mut self) -> Option<&mut u32> {
        let queue = usize::try_from(self.queue()).ok()?;
        self.heads.get_mut(queue)
    }

    fn next_queue(&mut self) -> HandlerStep {
        match self.head().map(|head| *head) {
            // No such queue: none is ready, or what the control block says makes no sense.
            None => self.end(),
            Some(0) => {
                let offset = control_block::HEAD.wrapping_add(self.queue().wrapping_mul(4));
                let address = self.structures.block.wrapping_add(u64::from(offset));
                self.act(State::HeadRead, Action::Load { address, width: Width::Word })
            }
            Some(port) => self.first(port),
        }
    }

    /// `port` is the first of its queue.
    fn first(&mut self, port: u32) -> HandlerStep {
        let Some(address) = self.structures.word(port) else {
            self.advance(0);
            return self.take_ready();
        };
        self.act(State::WordRead(Event { port, address }), Action::Load { address, width: Width::Word })
    }

    /// Takes the event whose word was seen as `seen` off its queue.
    fn unlink(&mut self, event: Event, seen: u32) -> HandlerStep {
        let new = u64::from(seen & !(fifo::LINKED | fifo::LINK_MASK));
        let op = AtomicOp::CompareExchange { current: u64::from(seen), new };
        let Event { address, .. } = event;
        self.act(State::Swapped(event, seen), Action::Atomic { address, width: Width::Word, op })
    }

    fn unlinked(&mut self, event: Event, seen: u32) -> HandlerStep {
        self.advance(seen & fifo::LINK_MASK);
        if seen & (fifo::PENDING | fifo::MASKED) != fifo::PENDING {
            return self.take_ready();
        }
        self.act(State::Takes(event), Action::Mark(Mark::Takes { port: event.port }))
    }

    /// The queue goes on with `next`; 0: it is empty.
    fn advance(&mut self, next: u32) {
        if let Some(head) = self.head() {
            *head = next;
        }
        if next == 0 {
            self.ready &= self.ready.wrapping_sub(1);
        }
    }
}
