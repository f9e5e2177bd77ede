//! The two traits through which everything outside is reached: guest memory word by word, and the hypervisor.

use core::fmt;

use crate::{DomIdx, Port, Stop, Vcpu, XenHandler};

/// Memory of areas a guest has handed over, as the aligned 32-bit words Xen's bit operations work on.
///
/// Each call is one access of the hypervisor; the state machine makes those of the ABI, in its order, and no other.
/// The error is a hardware fault: on a machine where that is an exception, it is `Infallible`.
pub trait EventMemory {
    /// Names an accepted area: `shared_info`, a `vcpu_info`, a control block, a page of event words.
    type Area: Copy + fmt::Debug;
    /// What a refused access yields.
    type Fault;

    /// Reads a word.
    fn load(&mut self, area: Self::Area, offset: u32) -> Result<u32, Self::Fault>;
    /// Writes a word.
    fn store(&mut self, area: Self::Area, offset: u32, value: u32) -> Result<(), Self::Fault>;
    /// Sets bits atomically; gives the old word.
    fn fetch_or(&mut self, area: Self::Area, offset: u32, bits: u32) -> Result<u32, Self::Fault>;
    /// Keeps only `bits`, atomically; gives the old word.
    fn fetch_and(&mut self, area: Self::Area, offset: u32, bits: u32) -> Result<u32, Self::Fault>;
    /// Writes `new` if the word is `current`. Inner result: the old word, as `Ok` if written.
    fn compare_exchange(
        &mut self,
        area: Self::Area,
        offset: u32,
        current: u32,
        new: u32,
    ) -> Result<Result<u32, u32>, Self::Fault>;
}

/// What the state machine needs of the hypervisor around it.
pub trait Host: EventMemory {
    /// Copies from guest memory at a pointer the guest claims to be good. A bad one is EFAULT.
    fn read_guest(&mut self, dom: DomIdx, ptr: u64, buf: &mut [u8]) -> Result<(), Stop<Self::Fault>>;
    /// Copies to guest memory; as [`Host::read_guest`].
    fn write_guest(&mut self, dom: DomIdx, ptr: u64, buf: &[u8]) -> Result<(), Stop<Self::Fault>>;
    /// Accepts `len` bytes of guest memory, never crossing a page. EINVAL: not RAM of `dom`; ENOMEM: no room to map
    /// it. After this, accesses to the area can only fail by a hardware fault.
    fn map_area(&mut self, dom: DomIdx, gaddr: u64, len: u32, what: Object) -> Result<Self::Area, Stop<Self::Fault>>;
    /// Gives an area of [`Host::map_area`] back.
    fn unmap_area(&mut self, area: Self::Area);
    /// An upcall byte went from 0 to 1: put the event interrupt into the vcpu.
    fn inject(&mut self, dom: DomIdx, vcpu: Vcpu);
    /// A vcpu that was polling is to run again. Its poll is already over in the tables.
    fn unblock(&mut self, dom: DomIdx, vcpu: Vcpu);
    /// Should a long operation stop here? Asked exactly at the check points of the ABI.
    fn preemption_due(&mut self) -> bool;
    /// Does an interrupt wait that the vcpu would take now? A poll then returns at once.
    fn interrupt_deliverable(&mut self, dom: DomIdx, vcpu: Vcpu) -> bool;
    /// A guest notified a port that Xen owns.
    fn xen_notified(&mut self, dom: DomIdx, vcpu: Vcpu, port: Port, handler: XenHandler) {
        let _ = (dom, vcpu, port, handler);
    }
    /// An event for a FIFO port set no bit in guest memory, since the guest has not handed over what it takes.
    fn event_withheld(&mut self, dom: DomIdx, port: Port, why: Withheld) {
        let _ = (dom, port, why);
    }
}

/// Why an event set no bit, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Withheld {
    /// The page of the port's event word is missing: the event is raised when it comes, with others of the same port
    /// as one.
    NoEventWord,
    /// The vcpu has no control block: the event is lost.
    NoControlBlock,
}

/// What a guest hands an area over as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Object {
    /// The domain's `shared_info`.
    SharedInfo,
    /// A registered `vcpu_info`.
    VcpuInfo(Vcpu),
    /// A vcpu's FIFO control block.
    ControlBlock(Vcpu),
    /// A page of FIFO event words, by its place in the array.
    EventArray(u32),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SharedInfo => f.write_str("shared_info"),
            Self::VcpuInfo(vcpu) => write!(f, "vcpu_info of vcpu {vcpu}"),
            Self::ControlBlock(vcpu) => write!(f, "control block of vcpu {vcpu}"),
            Self::EventArray(page) => write!(f, "event array page {page}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn objects_print_as_a_report_names_them() {
        let names =
            [Object::SharedInfo, Object::VcpuInfo(Vcpu(1)), Object::ControlBlock(Vcpu(2)), Object::EventArray(3)]
                .map(|object| object.to_string());
        assert_eq!(names, ["shared_info", "vcpu_info of vcpu 1", "control block of vcpu 2", "event array page 3"]);
    }
}
