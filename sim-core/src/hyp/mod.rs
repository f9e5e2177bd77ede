//! The hypervisor: what runs at EL2, on the software machine and on hardware alike.
//!
//! A hypercall's way through it, one direction:
//!
//! 1. [`entry`]: exception in, registers in; [`strategy::Strategy::on_entry`].
//! 2. [`hypercall`]: one flat match over hypercall numbers.
//! 3. the `evtchn` crate: checks, tables, and the ABI's memory operations in ABI order.
//! 4. [`guest_mem`]: domain and offset to physical address, software bounds; [`strategy::Strategy::reach`].
//! 5. [`strategy`] through [`view`] and the slot driver of `mpu-model`: nothing, a window, another view.
//! 6. the platform: the access as hardware judges it. Denied: [`mod@panic`], and nothing after it.
//! 7. [`upcall`]: the event interrupt for a vCPU, a kick for its PE.
//! 8. [`entry`] again: who runs next ([`sched`]), its view ([`strategy::Strategy::on_exit`]), its registers.
//!
//! Before the first of them comes [`boot`]: from an MPU that is off to the final table, then guests are unpaused.
//!
//! # Who touches whose memory
//!
//! Each row has a test under `naive`, where the hypervisor faults if the memory is another domain's, and under `map-page`
//! (`tests/touches.rs`).
//!
//! | operation | memory it touches |
//! |---|---|
//! | send, two-level | the receiver's `shared_info`, then the `vcpu_info` of the vCPU told |
//! | send, FIFO | the receiver's event word, the word of the queue's tail or the control block, then the `vcpu_info` |
//! | waking a vCPU that polls | what the send touches, and nothing more |
//! | unmask, bind, close | the caller's own; nothing of the peer's |
//! | `VCPUOP_register_vcpu_info`, for another vCPU too | the caller's domain |
//! | reset of another domain, a domain's end | the `shared_info` or event words of the ports that close |
//! | domain creation | all of the new domain's memory: it is cleared |
//! | binding at boot | the binder's `shared_info` and `vcpu_info`, from the idle view |
//! | VIRQ of a timer | that domain's `shared_info` and `vcpu_info`, from whatever view is in force, the idle view included |
//! | `XENMEM_add_to_physmap` for another domain | that domain's page |
//! | `alloc_unbound` in another domain on FIFO | that domain's event words, to see whether a free port is still linked |
//! | console output, an emulated device's console register | the UART frame |
//!
//! There is one hypervisor lock, and it is the exclusive borrow of [`Hypervisor`]. Where Xen lets go of its own in the middle of a
//! hypercall, [`Hypervisor::begin`] ends and [`Hypervisor::go_on`] begins.

pub mod boot;
pub mod domain;
pub mod emulate;
pub mod entry;
pub mod guest_mem;
pub mod hypercall;
mod hypervisor;
mod info_ops;
mod inject;
pub mod lifecycle;
mod look;
mod memory_op;
mod mmio;
mod multicall;
pub mod panic;
pub mod plan;
mod registers;
pub mod sched;
mod state;
pub mod strategy;
pub mod upcall;
pub mod view;

pub use hypervisor::{HCR, Hypervisor, SetupError, StaticChannel};
pub use state::PeState;

use state::Core;
