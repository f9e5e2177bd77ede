//! The guest's upcall handler for the two-level ABI.
//!
//! Acknowledge the interrupt; clear the upcall byte; take the selector; for each word it names, take the pending and unmasked
//! ports, clearing a port's pending bit before it is handled; end the interrupt.

use super::{Action, AtomicOp, Home, Input, Mark};
use crate::platform::{Width, intid};
use evtchn::abi;

/// Where the handler is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Acknowledged,
    Cleared,
    Selected,
    PendingRead,
    MaskRead,
    Takes(u32),
    Taken(u32),
    Marked,
    Ended,
}

/// One run of the handler.
#[derive(Clone, Debug)]
pub struct Consumer {
    home: Home,
    vcpu_info: u64,
    state: State,
    intid: u64,
    selector: u64,
    word: u64,
    ports: u64,
}

/// What the handler does next, or that it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandlerStep {
    /// This.
    Act(Action),
    /// Nothing: return from the interrupt.
    Done,
}

impl Consumer {
    /// A handler that finds the vCPU's `vcpu_info` at `vcpu_info`.
    #[must_use]
    pub const fn new(home: Home, vcpu_info: u64) -> Self {
        Self { home, vcpu_info, state: State::Start, intid: 0, selector: 0, word: 0, ports: 0 }
    }

    /// Goes on with what the last action gave.
    pub fn resume(&mut self, input: Input) -> HandlerStep {
        let value = match input {
            Input::Value(value) => value,
            // Its own memory is not there: nothing sensible is left to do.
            Input::Abort { .. } => return self.end(),
            Input::Interrupt => 0,
        };
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
            State::Cleared => {
                let address = self.vcpu_info.wrapping_add(u64::from(abi::vcpu_info::PENDING_SEL));
                let op = AtomicOp::Swap(0);
                self.act(State::Selected, Action::Atomic { address, width: Width::Double, op })
            }
            State::Selected => {
                self.selector = value;
                self.next_word()
            }
            State::PendingRead => {
                self.ports = value;
                let address = self.array(abi::shared_info::MASK);
                self.act(State::MaskRead, Action::Load { address, width: Width::Double })
            }
            State::MaskRead => {
                self.ports &= !value;
                self.next_port()
            }
            State::Takes(port) => {
                let address = self.array(abi::shared_info::PENDING);
                let op = AtomicOp::And(!(1 << (port % 64)));
                self.act(State::Taken(port), Action::Atomic { address, width: Width::Double, op })
            }
            State::Taken(port) => self.act(State::Marked, Action::Mark(Mark::Handled { port })),
            State::Marked => self.next_port(),
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

    fn array(&self, base: u32) -> u64 {
        self.home.shared_info.wrapping_add(u64::from(base)).wrapping_add(self.word.wrapping_mul(8))
    }

    fn next_word(&mut self) -> HandlerStep {
        if self.selector == 0 {
            return self.end();
        }
        self.word = u64::from(self.selector.trailing_zeros());
        self.selector &= self.selector - 1;
        let address = self.array(abi::shared_info::PENDING);
        self.act(State::PendingRead, Action::Load { address, width: Width::Double })
    }

    fn next_port(&mut self) -> HandlerStep {
        if self.ports == 0 {
            return self.next_word();
        }
        let bit = self.ports.trailing_zeros();
        self.ports &= self.ports - 1;
        let port = (self.word as u32).wrapping_mul(64).wrapping_add(bit);
        self.act(State::Takes(port), Action::Mark(Mark::Takes { port }))
    }
}
