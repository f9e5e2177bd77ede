//! Xen's event channels on Arm, as a state machine over guest memory.
//!
//! # What it is
//!
//! A domain has *ports*. A port is free, or it waits for a remote domain (*unbound*), is connected to a port of a
//! domain (*interdomain*), stands for a virtual interrupt (*VIRQ*) or for an interrupt between the domain's own vcpus
//! (*IPI*). An *event* on a port is a bit in memory that guest and hypervisor share, and one vcpu is told of it by a
//! bit in its `vcpu_info` and an interrupt.
//!
//! Which bit, the domain chooses: *two-level* has a pending and a mask bit per port in `shared_info` and a selector
//! word per vcpu; *FIFO* has a word per port in pages the guest hands over, linked into sixteen queues per vcpu.
//!
//! | from | by | to |
//! |------|----|----|
//! | free | `alloc_unbound` | unbound, vcpu 0 is told |
//! | free | `bind_interdomain` | interdomain, pending at once |
//! | unbound | the peer's `bind_interdomain` | interdomain, all else kept |
//! | free | `bind_virq`, `bind_ipi` | VIRQ, IPI |
//! | interdomain | the peer closes or dies | unbound, waiting for the peer's domain |
//! | any of these | `close` | free; pending cleared, mask kept |
//!
//! # How it is used
//!
//! [`EventChannels`] holds all domains; the hypervisor puts one lock around it. What it needs from outside comes
//! through [`Host`], and guest memory word by word through [`EventMemory`]: exactly the accesses that Xen makes, in
//! its order. Notifying is two steps, as Xen has let go of its locks in between: a [`Route`] from the tables alone
//! ([`EventChannels::route_send`]), then [`EventChannels::raise`] in guest memory alone.
//!
//! An operation ends early by a [`Stop`]: an [`Errno`] for the guest, with the tables as the ABI says; or a fault of
//! an access, which is the end of the hypervisor: nothing is undone. No value of a guest makes this code panic.
//!
//! # The rooms, from the top down
//!
//! - `hypercall`: argument blocks; [`EventChannels::event_channel_op`], `vcpu_op`, `sched_poll`.
//! - [`op`]: the operations as typed values: names, arguments, blocks read and written, results.
//! - `ops/`: the operations on ports (`bind`, `close`, `notify`, `query`), and what the hypervisor itself does with
//!   ports (`xen`, `statics`).
//! - `reset`: closing everything, for a guest and at a domain's end. `poll`: waiting. `vcpu_info`: registering.
//! - `privilege`: who may. `virq`: kinds, handlers, raising.
//! - `raise`: routes, and where the ABIs part; `two_level`, `fifo`, `fifo_control`, `fifo_state`; `upcall`: telling the vcpu.
//! - `table`: all domains; `domain`: one; `ports`: its channels and the free ones; `port`: one channel; `place`: where a `vcpu_info` may be.
//! - `inspect`: looking without touching.
//! - `memory`, `errno`, `abi`: the words everything above is written in.
//! - `model`: the ABI a second time, plain and slow, to hold the rest against; only with the feature of that name.
//!
//! Facts are taken from Xen's `event_channel.c`, `event_2l.c`, `event_fifo.c` and `public/event_channel.h`.
//!
//! # From the README
//!
#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")
)]

extern crate alloc;
// The test support names the crate as tests outside of it do.
#[cfg(test)]
extern crate self as evtchn;

pub mod abi;
mod domain;
mod errno;
mod fifo;
mod fifo_control;
mod fifo_state;
mod hypercall;
mod inspect;
mod memory;
#[cfg(feature = "model")]
pub mod model;
pub mod op;
mod ops;
mod place;
mod poll;
mod port;
mod ports;
mod privilege;
mod raise;
mod reset;
mod table;
#[cfg(test)]
mod testing;
mod two_level;
mod upcall;
mod vcpu_info;
mod virq;

pub use domain::{Life, Polling};
pub use errno::{Errno, Stop};
pub use hypercall::{Done, Started};
pub use inspect::{AbiKind, PortCounts, UsedPort};
pub use memory::{EventMemory, Host, Object, Withheld};
pub use ops::xen::XenPort;
pub use place::VcpuInfoPlace;
pub use poll::{Poll, PollRequest};
pub use port::{Binding, DomId, DomIdx, Port, PortStatus, Vcpu, XenHandler};
pub use raise::Route;
pub use reset::ResetFrom;
pub use table::{Caller, DomainConfig, EventChannels, Policy};
pub use virq::VirqKind;
