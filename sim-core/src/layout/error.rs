//! What can be wrong with a layout, and the parts of one by name.

use alloc::string::String;
use alloc::vec::Vec;
use boards::{Board, BoardError, PeId, Span};
use core::fmt::{self, Write};
use thiserror::Error;

/// A part of a layout, named so that whoever read it from a file can point at the place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// The image's code.
    Text,
    /// The image's constants.
    Rodata,
    /// The image's variables and stacks.
    Data,
    /// The end of the image's rodata that boot writes.
    RoAfterInit,
    /// The image's boot code.
    InitText,
    /// The image's boot variables.
    InitData,
    /// The image's variables that start at zero, if they lie apart.
    Bss,
    /// The device tree.
    DeviceTree,
    /// The heap.
    Heap,
    /// The pool.
    Pool,
    /// The board as a whole.
    Board,
    /// A section, by its name.
    Section(&'static str),
    /// A region of a vCPU's EL1 MPU.
    El1Region {
        /// Position of the domain.
        domain: usize,
        /// Its name.
        name: String,
        /// The vCPU.
        vcpu: usize,
        /// The region.
        slot: usize,
    },
    /// The console.
    Uart,
    /// The interrupt controller.
    Gic,
    /// A bank of a domain's RAM.
    Ram {
        /// Position of the domain.
        domain: usize,
        /// Its name.
        name: String,
        /// Position of the bank.
        bank: usize,
    },
    /// The frame a domain has for `shared_info`.
    Granted {
        /// Position of the domain.
        domain: usize,
        /// Its name.
        name: String,
    },
    /// The frame a domain can only read.
    ReadOnly {
        /// Position of the domain.
        domain: usize,
        /// Its name.
        name: String,
    },
    /// A static shared memory.
    Shared {
        /// Its position.
        index: usize,
        /// Its name.
        name: String,
    },
    /// An emulated device.
    Emulated {
        /// Its position.
        index: usize,
        /// Its name.
        name: String,
    },
    /// A device that is passed through.
    Passthrough {
        /// Its position.
        index: usize,
        /// Its name.
        name: String,
    },
    /// The boot modules' section.
    BootModules,
    /// A domain as a whole.
    Domain {
        /// Its position.
        domain: usize,
        /// Its name.
        name: String,
    },
    /// A vCPU.
    Vcpu {
        /// Position of the domain.
        domain: usize,
        /// Its name.
        name: String,
        /// The vCPU.
        vcpu: usize,
    },
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("the hypervisor's text"),
            Self::Rodata => f.write_str("the hypervisor's rodata"),
            Self::Data => f.write_str("the hypervisor's data and stacks"),
            Self::RoAfterInit => f.write_str("the hypervisor's ro-after-init data"),
            Self::InitText => f.write_str("the hypervisor's init text"),
            Self::InitData => f.write_str("the hypervisor's init data"),
            Self::Bss => f.write_str("the hypervisor's bss"),
            Self::DeviceTree => f.write_str("the device tree"),
            Self::Heap => f.write_str("the heap"),
            Self::Pool => f.write_str("the pool"),
            Self::Board => f.write_str("the board"),
            Self::Section(name) => write!(f, "the {name} section"),
            Self::El1Region { name, vcpu, slot, .. } => write!(f, "EL1 region {slot} of vCPU {vcpu} of {name}"),
            Self::Uart => f.write_str("the UART"),
            Self::Gic => f.write_str("the GIC"),
            Self::Ram { name, bank, .. } => write!(f, "RAM bank {bank} of {name}"),
            Self::Granted { name, .. } => write!(f, "the shared_info frame of {name}"),
            Self::ReadOnly { name, .. } => write!(f, "the read-only frame of {name}"),
            Self::Shared { name, .. } => write!(f, "shared memory \"{name}\""),
            Self::Emulated { name, .. } => write!(f, "emulated device \"{name}\""),
            Self::Passthrough { name, .. } => write!(f, "device \"{name}\""),
            Self::BootModules => f.write_str("the boot modules"),
            Self::Domain { name, .. } => write!(f, "domain {name}"),
            Self::Vcpu { name, vcpu, .. } => write!(f, "vCPU {vcpu} of {name}"),
        }
    }
}

/// Why a layout cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// The board itself.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// Two owners of one address.
    #[error("{a} ({a_span}) and {b} ({b_span}) overlap; give each its own addresses")]
    Overlap {
        /// The one that starts first.
        a: Item,
        /// Its range.
        a_span: Span,
        /// The other.
        b: Item,
        /// Its range.
        b_span: Span,
    },
    /// A range off the board's memory.
    #[error("{item} ({span}) is not inside the board's memory ({})", listed(.memory))]
    BeyondBoard {
        /// What.
        item: Item,
        /// Its range.
        span: Span,
        /// The board's memory.
        memory: Vec<Span>,
    },
    /// Memory that a vCPU which uses it does not reach.
    #[error("{item} ({span}) is in the TCM of PE {tcm}, and {vcpu} is on PE {pe}, which does not reach it")]
    FarTcm {
        /// What.
        item: Item,
        /// Its range.
        span: Span,
        /// The PE that has the TCM.
        tcm: PeId,
        /// The vCPU.
        vcpu: Item,
        /// Its PE.
        pe: PeId,
    },
    /// A device to be passed through where the board has none.
    #[error("{item} ({span}) is not device memory of board {board}; it is passed through, so it has to be there")]
    NoDevice {
        /// What.
        item: Item,
        /// Its range.
        span: Span,
        /// The board.
        board: String,
    },
    /// A device that is passed through to several domains without anybody having said so.
    #[error("{item} is passed through to {count} domains, and is not said to be shared")]
    DeviceOfSeveral {
        /// What.
        item: Item,
        /// How many domains have it.
        count: usize,
    },
    /// A range that no region can describe exactly.
    #[error("{item} ({span}) is not on 64-byte granules; base and size must be multiples of 64")]
    Unaligned {
        /// What.
        item: Item,
        /// Its range.
        span: Span,
    },
    /// A range past the board's last physical address.
    #[error(
        "{item} ({span}) ends above {limit:#x}, the last address of board {board}, which has {pa_bits} address bits"
    )]
    BeyondAddressSpace {
        /// What.
        item: Item,
        /// Its range.
        span: Span,
        /// The board.
        board: String,
        /// The last address there is.
        limit: u64,
        /// Bits of an address.
        pa_bits: u8,
        /// Whether the architecture has longer addresses.
        longer: bool,
    },
    /// More domains than the board can tell apart.
    #[error(
        "{item} is one more than the {most} that board {board} has VMIDs for: {vmid_bits} bits, and VMID 0 is nobody's"
    )]
    TooManyDomains {
        /// The first that has none.
        item: Item,
        /// How many there can be.
        most: usize,
        /// The board.
        board: String,
        /// Bits of a VMID.
        vmid_bits: u8,
        /// Whether the architecture has longer ones.
        longer: bool,
    },
    /// A range outside the section set aside for its kind.
    #[error("{item} ({span}) is not inside the {section} section ({section_span})")]
    OutsideSection {
        /// What.
        item: Item,
        /// Its range.
        span: Span,
        /// The section's name.
        section: &'static str,
        /// The section's range.
        section_span: Span,
    },
    /// A part of the image that boot takes for the neighbour of another and is not.
    #[error("{item} ({span}) does not lie right beside {beside} ({beside_span}); boot maps the two as one")]
    Apart {
        /// What.
        item: Item,
        /// Its range.
        span: Span,
        /// What it has to touch.
        beside: Item,
        /// The range of that.
        beside_span: Span,
    },
    /// A heap with too little room.
    #[error("the heap ({heap}) has no room for {needed:#x} bytes of pages that the hypervisor keeps in it")]
    HeapTooSmall {
        /// The heap.
        heap: Span,
        /// What must fit.
        needed: u64,
    },
    /// A pool with too little room.
    #[error("the pool ({pool}) has no room for {needed:#x} bytes: four pages and more for each domain")]
    PoolTooSmall {
        /// The pool.
        pool: Span,
        /// What must fit.
        needed: u64,
    },
    /// Two domains of one id.
    #[error("{item} has domain id {id}, which an earlier domain has; ids are unique")]
    DuplicateId {
        /// The later domain.
        item: Item,
        /// The id.
        id: u16,
    },
    /// A reserved id.
    #[error("{item} has domain id {id}; ids go from 0 to 32751 (0x7fef)")]
    ReservedId {
        /// The domain.
        item: Item,
        /// The id.
        id: u16,
    },
    /// A domain without memory.
    #[error("{item} has no RAM")]
    NoRam {
        /// The domain.
        item: Item,
    },
    /// A domain with no or too many vCPUs.
    #[error("{item} has {count} vCPUs; a domain has 1 to 128")]
    VcpuCount {
        /// The domain.
        item: Item,
        /// How many.
        count: usize,
    },
    /// A vCPU on a PE that is not there.
    #[error("{item} is on PE {pe}, and the board has {pes}; PEs count from 0")]
    NoSuchPe {
        /// The vCPU.
        item: Item,
        /// The PE asked for.
        pe: PeId,
        /// How many there are.
        pes: usize,
    },
    /// More EL1 regions than the board has.
    #[error("{item} has {count} EL1 regions, and the board's EL1 MPU has {available}")]
    El1Regions {
        /// The vCPU.
        item: Item,
        /// How many it wants.
        count: usize,
        /// How many there are.
        available: u8,
    },
    /// An emulated device with more registers than the hypervisor keeps.
    #[error("{item} has {size:#x} bytes, and an emulated device has at most {most:#x}")]
    DeviceTooLarge {
        /// The device.
        item: Item,
        /// Its size.
        size: u64,
        /// The most it can have.
        most: u64,
    },
    /// A console register outside of its device.
    #[error("{item} has its console register at offset {offset:#x}, and only {size:#x} bytes")]
    NoSuchRegister {
        /// The device.
        item: Item,
        /// The offset.
        offset: u64,
        /// The device's size.
        size: u64,
    },
    /// No room for the pages the layout was asked to pick.
    #[error(
        "{item} has no room in its first RAM bank for shared_info and vcpu_info; name their addresses or give it more RAM"
    )]
    NoRoomForPages {
        /// The domain.
        item: Item,
    },
}

/// Ranges, one behind the other.
fn listed(spans: &[Span]) -> String {
    let mut text = String::new();
    for (at, span) in spans.iter().enumerate() {
        let joint = match at {
            0 => "",
            _ if at + 1 == spans.len() => " and ",
            _ => ", ",
        };
        // Writing to a string does not fail.
        let _ = write!(text, "{joint}{span}");
    }
    text
}

impl LayoutError {
    /// A range that ends past what the board's addresses reach.
    pub(super) fn beyond(board: &Board, item: Item, span: Span) -> Self {
        let (limit, pa_bits) = (board.address_limit(), board.pa_bits);
        let longer = limit < board.pmsa.address_limit();
        Self::BeyondAddressSpace { item, span, board: board.name.clone(), limit, pa_bits, longer }
    }

    /// The part of the layout the error is about; of an overlap, the later one.
    #[must_use]
    pub fn item(&self) -> Item {
        match self {
            Self::Overlap { b: item, .. }
            | Self::BeyondBoard { item, .. }
            | Self::FarTcm { item, .. }
            | Self::NoDevice { item, .. }
            | Self::DeviceOfSeveral { item, .. }
            | Self::Unaligned { item, .. }
            | Self::BeyondAddressSpace { item, .. }
            | Self::TooManyDomains { item, .. }
            | Self::OutsideSection { item, .. }
            | Self::Apart { item, .. }
            | Self::DuplicateId { item, .. }
            | Self::ReservedId { item, .. }
            | Self::NoRam { item }
            | Self::VcpuCount { item, .. }
            | Self::NoSuchPe { item, .. }
            | Self::El1Regions { item, .. }
            | Self::DeviceTooLarge { item, .. }
            | Self::NoSuchRegister { item, .. }
            | Self::NoRoomForPages { item } => item.clone(),
            Self::HeapTooSmall { .. } => Item::Heap,
            Self::PoolTooSmall { .. } => Item::Pool,
            Self::Board(_) => Item::Board,
        }
    }
}
