//! What is asked for: the system as an integrator writes it down, unchecked.

use super::devices::{EmulatedDevice, PassthroughDevice};
use super::image::Image;
use alloc::string::String;
use alloc::vec::Vec;
use boards::{Board, PeId, Span};
use evtchn::DomId;
use mpu_model::{Region, Sctlr};

/// Xen's page size; frame numbers count these.
pub const PAGE_SIZE: u64 = 4096;

/// Where `shared_info` and `vcpu_info` live.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// In the guest's own RAM, at addresses it names at run time; until then in the hypervisor's heap.
    GuestRam,
    /// In one hypervisor range beside the heap. In a domain's view its own pages are cut out and open to it.
    Pool,
    /// In pages taken from the top of the heap, as Xen has it on an MMU. In a domain's view its own pages are cut out of the
    /// heap's region and open to it.
    Heap,
}

impl Placement {
    /// As a scenario file has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GuestRam => "guest-ram",
            Self::Pool => "pool",
            Self::Heap => "heap",
        }
    }
}

/// Whether the hypervisor's own devices are mapped in every view.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HypDevices {
    /// UART and GIC frames are fixed regions.
    Fixed,
    /// They are in the hypervisor view and the idle view, not in a guest's view.
    Switched,
}

/// A range that several domains may read and write: static shared memory.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedMemory {
    /// What the scenario calls it.
    pub name: String,
    /// Where it is.
    pub span: Span,
    /// Positions in [`LayoutParts::domains`] of the domains that have it.
    pub domains: Vec<usize>,
}

/// One vCPU as planned.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VcpuLayout {
    /// The PE it runs on.
    pub pe: PeId,
    /// Its EL1 MPU: regions in slot order. Empty: the EL1 MPU is off.
    pub el1_regions: Vec<Region>,
}

impl VcpuLayout {
    /// `SCTLR_EL1` as the vCPU starts with it: M if it has regions.
    #[must_use]
    pub fn sctlr_el1(&self) -> u64 {
        Sctlr::ZERO.with_m(!self.el1_regions.is_empty()).raw_value()
    }
}

/// One domain as planned.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainLayout {
    /// Its id.
    pub id: DomId,
    /// Its name, for reports.
    pub name: String,
    /// Its RAM, bank by bank.
    pub ram: Vec<Span>,
    /// Its vCPUs.
    pub vcpus: Vec<VcpuLayout>,
    /// Whether it is a control domain.
    pub privileged: bool,
    /// Highest port number permitted, inclusive.
    pub max_evtchn_port: u32,
    /// The domain whose device model it is.
    pub target: Option<DomId>,
    /// Where it puts `shared_info` if placement leaves that to it; `None`: a page the layout picks in its RAM.
    pub shared_info: Option<u64>,
    /// Where it puts the `vcpu_info` of each vCPU; missing entries are picked by the layout.
    pub vcpu_info: Vec<u64>,
    /// A frame beside the RAM that holds `shared_info` from the start and belongs to the domain; used where somebody else
    /// placed it already (recordings).
    pub shared_info_frame: Option<Span>,
    /// A frame beside the RAM that the domain can read and not write, as a toolstack maps what it only shows to a guest.
    pub read_only_frame: Option<Span>,
    /// Nobody lives here: the position of a domain that is gone, to be given again.
    pub vacant: bool,
}

impl DomainLayout {
    /// The position of a domain that is gone.
    #[must_use]
    pub const fn vacancy() -> Self {
        Self {
            id: DomId(0),
            name: String::new(),
            ram: Vec::new(),
            vcpus: Vec::new(),
            privileged: false,
            max_evtchn_port: 0,
            target: None,
            shared_info: None,
            vcpu_info: Vec::new(),
            shared_info_frame: None,
            read_only_frame: None,
            vacant: true,
        }
    }

    /// Everything that belongs to the domain alone.
    pub fn own(&self) -> impl Iterator<Item = Span> + '_ {
        self.ram.iter().copied().chain(self.shared_info_frame).chain(self.read_only_frame)
    }
}

/// Ranges an integrator sets aside (the `mpu,*-section` properties of the 2022 drafts). Each is optional.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sections {
    /// Boot modules: used at boot, owned by nobody afterwards.
    pub boot_modules: Option<Span>,
    /// All guests' RAM must lie in here.
    pub guest_memory: Option<Span>,
    /// All device frames must lie in here.
    pub device_memory: Option<Span>,
    /// All static shared memory must lie in here.
    pub shared_memory: Option<Span>,
}

/// What was asked for, unchecked.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutParts {
    /// The board.
    pub board: Board,
    /// The hypervisor's image.
    pub image: Image,
    /// The hypervisor's heap.
    pub heap: Span,
    /// The range for placement `pool`; `None`: cut from the top of the heap.
    pub pool: Option<Span>,
    /// Where `shared_info` and `vcpu_info` live.
    pub placement: Placement,
    /// Whether UART and GIC are in every view.
    pub hyp_devices: HypDevices,
    /// Ranges set aside.
    pub sections: Sections,
    /// The domains, in creation order.
    pub domains: Vec<DomainLayout>,
    /// Static shared memory.
    pub shared: Vec<SharedMemory>,
    /// Devices that the hypervisor plays.
    pub emulated: Vec<EmulatedDevice>,
    /// Devices of the board that are passed through to domains.
    pub passthrough: Vec<PassthroughDevice>,
}

/// Who owns an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The hypervisor's code.
    Text,
    /// The hypervisor's constants.
    Rodata,
    /// The hypervisor's variables.
    Data,
    /// The EL2 stack of that PE.
    Stack(PeId),
    /// The hypervisor's heap.
    Heap,
    /// The pool; the position of the domain whose page it is, if any.
    Pool(Option<usize>),
    /// The console.
    Uart,
    /// The interrupt controller.
    Gic,
    /// RAM of the domain at that position.
    Ram(usize),
    /// The frame granted to the domain at that position for `shared_info`.
    Granted(usize),
    /// The frame that the domain at that position can only read.
    ReadOnly(usize),
    /// The static shared memory at that position.
    Shared(usize),
    /// The emulated device at that position: nothing is there.
    Emulated(usize),
    /// The device at that position that is passed through.
    Passthrough(usize),
    /// Nobody.
    Nobody,
}

impl Owner {
    /// What it is in few words, and which one: a PE, or a position. Images without much text have this instead of `Debug`.
    #[must_use]
    pub const fn place(self) -> (&'static str, Option<usize>) {
        match self {
            Self::Text => ("hypervisor text", None),
            Self::Rodata => ("hypervisor rodata", None),
            Self::Data => ("hypervisor data", None),
            Self::Stack(pe) => ("hypervisor stack of PE", Some(pe.get())),
            Self::Heap => ("hypervisor heap", None),
            Self::Pool(None) => ("pool", None),
            Self::Pool(Some(domain)) => ("pool page of domain", Some(domain)),
            Self::Uart => ("UART", None),
            Self::Gic => ("GIC", None),
            Self::Ram(domain) => ("RAM of domain", Some(domain)),
            Self::Granted(domain) => ("shared_info frame of domain", Some(domain)),
            Self::ReadOnly(domain) => ("read-only frame of domain", Some(domain)),
            Self::Shared(index) => ("shared memory", Some(index)),
            Self::Emulated(index) => ("emulated device", Some(index)),
            Self::Passthrough(index) => ("device", Some(index)),
            Self::Nobody => ("nobody", None),
        }
    }
}
