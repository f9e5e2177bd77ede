//! Boards: what is soldered down.

use crate::pe::{self, PeId};
use crate::span::Span;
use alloc::string::String;
use alloc::vec::Vec;
use mpu_model::{Pmsa, Rules};

/// Sizes of a physical address that PMSAv8-64 has, in bits (Arm DDI 0487, `ID_AA64MMFR0_EL1.PARange`). PMSAv8-32 has 32.
pub const PA_BITS: [u8; 7] = [32, 36, 40, 42, 44, 48, 52];

/// What answers in a range of addresses.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Memory that every PE reads and writes.
    Ram,
    /// The tightly coupled memory of one PE, at the addresses at which that PE has it. No other PE reaches it there.
    Tcm {
        /// The PE.
        pe: PeId,
    },
    /// Memory that is read and executed, and not written by a store.
    Flash,
    /// Registers of devices.
    Device,
}

/// A range of a board's memory map.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What the board's manual calls it; empty: nothing in particular.
    pub name: String,
    /// What answers there.
    pub kind: Kind,
    /// Where it is.
    pub span: Span,
}

impl Memory {
    /// RAM without a name.
    #[must_use]
    pub const fn ram(span: Span) -> Self {
        Self { name: String::new(), kind: Kind::Ram, span }
    }
}

/// A serial port.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uart {
    /// What the board's manual calls it.
    pub name: String,
    /// Its registers.
    pub span: Span,
    /// The INTID of its interrupt; `None`: not known.
    pub interrupt: Option<u32>,
}

impl Uart {
    /// A UART whose interrupt nobody asks for.
    #[must_use]
    pub fn new(name: &str, span: Span) -> Self {
        Self { name: name.into(), span, interrupt: None }
    }
}

/// The frames of a `GICv3`.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gic {
    /// All of it, from the distributor on: what a hypervisor maps as one region.
    pub span: Span,
    /// Bytes from the distributor to PE 0's redistributor; `None`: not known.
    pub redistributors: Option<u64>,
}

impl Gic {
    /// Bytes of one PE's redistributor: the RD and the SGI frame, 64 KiB each (Arm IHI 0069, of a GIC without virtual LPIs).
    pub const REDISTRIBUTOR: u64 = 0x2_0000;

    /// The frames of a PE's redistributor; `None` if they are not known, or not inside [`Gic::span`].
    #[must_use]
    pub fn redistributor(&self, pe: PeId) -> Option<Span> {
        let from_first = Self::REDISTRIBUTOR.checked_mul(u64::try_from(pe.get()).ok()?)?;
        let base = self.span.base().checked_add(self.redistributors?)?.checked_add(from_first)?;
        Span::with_size(base, Self::REDISTRIBUTOR).filter(|frames| self.span.covers(frames))
    }
}

/// The generic timer: INTIDs of its PPIs, and its counter.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// The EL1 physical timer (CNTP).
    pub el1_physical: u32,
    /// The EL1 virtual timer (CNTV).
    pub el1_virtual: u32,
    /// The EL2 physical timer: CNTHPS in Armv8-R `AArch64`, CNTHP in `AArch32`.
    pub el2_physical: u32,
    /// The GIC's maintenance interrupt.
    pub maintenance: u32,
    /// Ticks of the counter per second, as `CNTFRQ` has it out of reset; `None`: not known.
    pub frequency: Option<u64>,
    /// The counter's control frame (`CNTControlBase`), if there is one at a known place.
    pub control: Option<Span>,
}

impl Timers {
    /// The PPIs that Arm's Base System Architecture (DEN 0094) recommends and parts have, with the EL2 timer that the
    /// architecture has: the Secure one, PPI 20, under PMSAv8-64, and PPI 26 under PMSAv8-32.
    #[must_use]
    pub const fn of(pmsa: Pmsa) -> Self {
        let el2_physical = match pmsa {
            Pmsa::V64 => 20,
            Pmsa::V32 => 26,
        };
        Self { el1_physical: 30, el1_virtual: 27, el2_physical, maintenance: 25, frequency: None, control: None }
    }
}

/// Sizes in bytes of the parts of a hypervisor's image that stay once it has booted.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSizes {
    /// Code.
    pub text: u64,
    /// Constants.
    pub rodata: u64,
    /// Variables, without the stacks that lie behind them.
    pub data: u64,
    /// The stack of each PE.
    pub stack: u64,
}

impl ImageSizes {
    /// 512 KiB, 256 KiB, 256 KiB, 16 KiB.
    pub const ORDINARY: Self = Self { text: 0x8_0000, rodata: 0x4_0000, data: 0x4_0000, stack: 0x4000 };

    /// Bytes of the variables and the stacks of `pes` PEs; `None`: more than there are addresses.
    #[must_use]
    pub fn data_and_stacks(&self, pes: usize) -> Option<u64> {
        self.stack.checked_mul(u64::try_from(pes).ok()?)?.checked_add(self.data)
    }
}

impl Default for ImageSizes {
    /// [`ImageSizes::ORDINARY`].
    fn default() -> Self {
        Self::ORDINARY
    }
}

/// A board: PEs, region counts, memory map, devices, and what its MPUs choose.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// What it is called in reports.
    pub name: String,
    /// Number of PEs, at least 1.
    pub pes: usize,
    /// Regions of each PE's EL2 MPU, 1 to 255.
    pub el2_regions: u8,
    /// Regions of each PE's EL1 MPU, 1 to 255.
    pub el1_regions: u8,
    /// The memory map, in any order; ranges are disjoint.
    pub memory: Vec<Memory>,
    /// Bits of a physical address: no region, layout or address goes beyond. One of [`PA_BITS`], 32 with PMSAv8-32.
    pub pa_bits: u8,
    /// Bits of a VMID: 8, or 16 where PMSAv8-64 has them (`ID_AA64MMFR1_EL1.VMIDBits`); EL2 then sets `VTCR_EL2.VS`.
    pub vmid_bits: u8,
    /// Where the hypervisor's image starts.
    pub image_base: u64,
    /// How large its parts are.
    pub image: ImageSizes,
    /// The UART that the hypervisor prints to.
    pub console: Uart,
    /// The other UARTs.
    pub other_uarts: Vec<Uart>,
    /// The interrupt controller's frames.
    pub gic: Gic,
    /// The timers' interrupts.
    pub timers: Timers,
    /// Which registers its MPUs have, and which execution state its software runs in: `AArch64` with PMSAv8-64, `AArch32`
    /// with PMSAv8-32.
    pub pmsa: Pmsa,
    /// Its choices where the architecture leaves one. The default map, which `SCTLR_EL2.BR` lends to EL2, is one of them:
    /// PMSAv8-64 leaves it to the implementation, so that no preset with it has one.
    pub rules: Rules,
}

impl Board {
    /// The highest physical address there is.
    #[must_use]
    pub fn address_limit(&self) -> u64 {
        let limit = 1_u64.checked_shl(self.pa_bits.into()).map_or(u64::MAX, |end| end.wrapping_sub(1));
        limit.min(self.pmsa.address_limit())
    }

    /// How many virtual machines there can be: each has a VMID of its own, and 0 is nobody's.
    #[must_use]
    pub fn most_domains(&self) -> usize {
        1_usize.checked_shl(self.vmid_bits.into()).map_or(usize::MAX, |end| end.wrapping_sub(1))
    }

    /// Its PEs, by number.
    pub fn pe_ids(&self) -> impl Iterator<Item = PeId> + Clone + use<> {
        pe::ids(self.pes)
    }

    /// Whether the board has that PE.
    #[must_use]
    pub const fn has_pe(&self, pe: PeId) -> bool {
        pe.get() < self.pes
    }

    /// The range of the memory map that has all of `span`.
    #[must_use]
    pub fn memory_of(&self, span: &Span) -> Option<&Memory> {
        self.memory.iter().find(|memory| memory.span.covers(span))
    }

    /// The ranges that `which` takes, in the order of [`Board::memory`].
    pub fn ranges<'a>(&'a self, which: impl Fn(Kind) -> bool + 'a) -> impl Iterator<Item = Span> + 'a {
        self.memory.iter().filter(move |memory| which(memory.kind)).map(|memory| memory.span)
    }

    /// Memory that can be written which every PE reaches and that has all of `span`: RAM, or on a board of one PE its TCM.
    #[must_use]
    pub fn reached_by_every_pe(&self, span: &Span) -> Option<&Memory> {
        self.memory_of(span).filter(|memory| match memory.kind {
            Kind::Ram => true,
            Kind::Tcm { .. } => self.pes == 1,
            Kind::Flash | Kind::Device => false,
        })
    }

    /// The PE in whose TCM all of `span` lies.
    #[must_use]
    pub fn tcm_of(&self, span: &Span) -> Option<PeId> {
        match self.memory_of(span)?.kind {
            Kind::Tcm { pe } => Some(pe),
            Kind::Ram | Kind::Flash | Kind::Device => None,
        }
    }

    /// Every UART, the hypervisor's console first.
    pub fn uarts(&self) -> impl Iterator<Item = &Uart> {
        core::iter::once(&self.console).chain(&self.other_uarts)
    }

    /// Whether all of `span` are registers of devices that are nobody's yet: in a range of kind [`Kind::Device`], or of one of
    /// [`Board::other_uarts`].
    #[must_use]
    pub fn has_device(&self, span: &Span) -> bool {
        let uart = self.other_uarts.iter().any(|uart| uart.span.covers(span));
        uart || self.memory_of(span).is_some_and(|memory| memory.kind == Kind::Device)
    }
}
