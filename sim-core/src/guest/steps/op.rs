//! What steps can say.

use crate::outcome::{Expected, StepId};
use crate::platform::Width;
use alloc::rc::Rc;
use alloc::string::String;

/// Ports one poll step can name: what its scratch memory holds behind the argument block.
pub const MAX_POLLED: usize = 10;

/// A port as a step names it.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortRef {
    /// By number.
    Number(u32),
    /// By the variable an earlier step of the same program put it in.
    Variable(usize),
}

/// An operation of `event_channel_op` as a step has it. `EVTCHNOP_init_control` and `EVTCHNOP_expand_array` have steps of their
/// own, after which the guest knows its pages.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventStep {
    /// The operation. What comes out of a variable is 0 here.
    pub op: evtchn::op::Op,
    /// The index of an argument, and the variable that it comes out of.
    pub from: Option<(usize, usize)>,
    /// The variable that the port which is made goes into.
    pub keep: Option<usize>,
}

impl EventStep {
    /// The operation as it is.
    #[must_use]
    pub const fn new(op: evtchn::op::Op) -> Self {
        Self { op, from: None, keep: None }
    }

    /// With its argument `port` as `port` names it. An operation without one stays as it is.
    #[must_use]
    pub fn on(mut self, port: PortRef) -> Self {
        match (port, self.op.shape().position(evtchn::op::Kind::Port)) {
            (PortRef::Number(number), _) => self.op = self.op.on(number),
            (PortRef::Variable(variable), at) => self.from = at.map(|at| (at, variable)),
        }
        self
    }
}

/// What a step does.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Names the page for `shared_info`, unless it is placed already.
    MapSharedInfo,
    /// Registers this vCPU's `vcpu_info`.
    RegisterVcpuInfo,
    /// Opens PSTATE.I.
    EnableInterrupts,
    /// An operation of `event_channel_op`.
    Event(EventStep),
    /// Sets the port's mask bit in memory.
    Mask(PortRef),
    /// `EVTCHNOP_init_control` of this vCPU; from then on its handler follows the FIFO ABI.
    InitControl {
        /// Where the control block is to be; `None`: where its home says.
        at: Option<u64>,
    },
    /// `EVTCHNOP_expand_array`.
    ExpandArray {
        /// Address of the page; `None`: where its home says, which is room for the first page.
        at: Option<u64>,
    },
    /// `SCHEDOP_poll`.
    Poll {
        /// The ports; the first [`MAX_POLLED`] are taken.
        ports: Rc<[PortRef]>,
        /// Absolute system time, 0: none.
        timeout: u64,
    },
    /// Waits until the handler has found one more event on the port than was waited for so far.
    Wait(PortRef),
    /// Works.
    Compute(u64),
    /// `SCHEDOP_yield`.
    Yield,
    /// `CONSOLEIO_write`, up to 48 bytes at a time.
    Console(String),
    /// Any hypercall, with raw registers.
    Hypercall {
        /// The HVC's immediate.
        imm: u16,
        /// x16.
        nr: u64,
        /// x0 to x4.
        args: [u64; 5],
    },
    /// A load.
    Read {
        /// Where.
        address: u64,
        /// How wide.
        width: Width,
    },
    /// A store.
    Write {
        /// Where.
        address: u64,
        /// How wide.
        width: Width,
        /// What.
        value: u64,
    },
    /// An instruction fetch.
    Execute {
        /// Where.
        address: u64,
    },
    /// Runs steps several times.
    Repeat {
        /// How often.
        times: u64,
        /// The steps.
        steps: Rc<[Step]>,
    },
    /// Runs several rounds, each of them one of the parts, as drawn: the same each time this step is come to in a run.
    Mix {
        /// How many rounds.
        times: u64,
        /// Decides the draws, with the run's seed.
        seed: u64,
        /// What a round may be.
        parts: Rc<[Part]>,
    },
    /// Turns the vCPU off.
    Halt,
}

impl Op {
    /// An operation of `event_channel_op` whose argument `port` is as `port` names it.
    #[must_use]
    pub fn on(op: evtchn::op::Op, port: PortRef) -> Self {
        Self::Event(EventStep::new(op).on(port))
    }

    /// An operation of `event_channel_op` that makes a port, which goes into this variable.
    #[must_use]
    pub const fn making(op: evtchn::op::Op, variable: usize) -> Self {
        Self::Event(EventStep { op, from: None, keep: Some(variable) })
    }
}

/// One of the things that a round of a mix may be.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// How often it is drawn, against the weights of the others.
    pub weight: u32,
    /// What is done when it is drawn.
    pub steps: Rc<[Step]>,
}

/// One step.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number in the source.
    pub id: StepId,
    /// What it does.
    pub op: Op,
    /// What it is to give; `None`: anything.
    pub expect: Option<Expected>,
}
