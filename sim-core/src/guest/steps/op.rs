//! What steps can say.

use super::mix::Part;
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
    /// `EVTCHNOP_alloc_unbound` in the caller for `remote`.
    AllocUnbound {
        /// Domain id of who may bind.
        remote: u16,
        /// Where the port goes.
        port: usize,
    },
    /// `EVTCHNOP_bind_interdomain`.
    BindInterdomain {
        /// Domain id of the peer.
        remote: u16,
        /// The peer's port.
        remote_port: u32,
        /// Where the own port goes.
        port: usize,
    },
    /// `EVTCHNOP_bind_ipi`.
    BindIpi {
        /// The vCPU told.
        vcpu: u32,
        /// Where the port goes.
        port: usize,
    },
    /// `EVTCHNOP_bind_virq`.
    BindVirq {
        /// The VIRQ.
        virq: u32,
        /// The vCPU.
        vcpu: u32,
        /// Where the port goes.
        port: usize,
    },
    /// `EVTCHNOP_bind_vcpu`.
    BindVcpu {
        /// The port.
        port: PortRef,
        /// The vCPU told from now on.
        vcpu: u32,
    },
    /// `EVTCHNOP_close`.
    Close(PortRef),
    /// `EVTCHNOP_send`.
    Send(PortRef),
    /// `EVTCHNOP_unmask`.
    Unmask(PortRef),
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
    /// `EVTCHNOP_set_priority`.
    SetPriority {
        /// The port.
        port: PortRef,
        /// Its queue from the next event on.
        priority: u32,
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
