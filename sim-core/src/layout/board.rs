//! Boards: what is soldered down.

use super::image::{BootSizes, Image};
use super::{Item, LayoutError, Span};
use alloc::string::String;
use alloc::vec::Vec;
use mpu_model::{DefaultMap, Pmsa, Rules};

/// Sizes of a physical address that PMSAv8-64 has, in bits (Arm DDI 0487, `ID_AA64MMFR0_EL1.PARange`). PMSAv8-32 has 32.
pub const PA_BITS: [u8; 7] = [32, 36, 40, 42, 44, 48, 52];

/// A memory-mapped frame that the hypervisor itself uses.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What it is, for reports: `uart`, `gic`.
    pub name: String,
    /// Where it is.
    pub span: Span,
}

/// A board: PEs, region counts, memory map.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// The preset this came from.
    pub name: String,
    /// Number of PEs, at least 1.
    pub pes: usize,
    /// Regions of each PE's EL2 MPU, 1 to 255.
    pub el2_regions: u8,
    /// Regions of each PE's EL1 MPU, 1 to 255.
    pub el1_regions: u8,
    /// Where memory is, in address order and disjoint; everything but devices must lie inside one of these.
    pub memory: Vec<Span>,
    /// Bits of a physical address: no region, layout or address goes beyond. One of [`PA_BITS`], 32 with PMSAv8-32.
    pub pa_bits: u8,
    /// Bits of a VMID: 8, or 16 where PMSAv8-64 has them (`ID_AA64MMFR1_EL1.VMIDBits`); EL2 then sets `VTCR_EL2.VS`.
    pub vmid_bits: u8,
    /// Where the hypervisor's image starts.
    pub image_base: u64,
    /// The console.
    pub uart: Device,
    /// The interrupt controller's frames.
    pub gic: Device,
    /// What `SCTLR_EL2.BR` lends to EL2. PMSAv8-64 leaves it to the implementation, so that no preset with it has one.
    pub default_map: DefaultMap,
    /// Which registers its MPUs have, and which execution state its software runs in: `AArch64` with PMSAv8-64, `AArch32`
    /// with PMSAv8-32.
    pub pmsa: Pmsa,
    /// Its choices where the architecture leaves one, but for the default map.
    pub rules: Rules,
}

impl Board {
    /// The highest physical address there is.
    #[must_use]
    pub fn address_limit(&self) -> u64 {
        let limit = 1_u64.checked_shl(self.pa_bits.into()).map_or(u64::MAX, |end| end.wrapping_sub(1));
        limit.min(self.pmsa.address_limit())
    }

    /// How many domains there can be: each has a VMID of its own, and 0 is nobody's.
    #[must_use]
    pub fn most_domains(&self) -> usize {
        1_usize.checked_shl(self.vmid_bits.into()).map_or(usize::MAX, |end| end.wrapping_sub(1))
    }

    /// The range of memory that has all of `span`.
    #[must_use]
    pub fn memory_of(&self, span: &Span) -> Option<Span> {
        self.memory.iter().find(|memory| memory.covers(span)).copied()
    }

    /// What boot has in the image unless somebody says otherwise: as [`BootSizes::default`], but no ro-after-init data if no
    /// range of memory has room for what it lies between.
    #[must_use]
    pub fn boot_sizes(&self) -> BootSizes {
        BootSizes::in_memory(self.pes, &self.memory)
    }

    /// The hypervisor's image on this board, from its image base on. A part for which the range of memory has no more room
    /// goes to the start of the next range that has. `None`: see [`Image::with`].
    #[must_use]
    pub fn image(&self, sizes: BootSizes) -> Option<Image> {
        Image::in_memory(self.image_base, self.pes, sizes, &self.memory)
    }

    /// That its sizes are such as the architecture has, and that memory is as it should be.
    pub(super) fn check(&self) -> Result<(), LayoutError> {
        let of_32 = self.pmsa == Pmsa::V32;
        if !PA_BITS.contains(&self.pa_bits) || (of_32 && self.pa_bits != 32) {
            return Err(LayoutError::PaBits { bits: self.pa_bits, pmsa: self.pmsa });
        }
        if self.vmid_bits != 8 && (of_32 || self.vmid_bits != 16) {
            return Err(LayoutError::VmidBits { bits: self.vmid_bits, pmsa: self.pmsa });
        }
        let item = || Item::Memory;
        for (span, next) in self.memory.iter().zip(self.memory.iter().skip(1).map(Some).chain([None])) {
            if span.limit() > self.address_limit() {
                return Err(LayoutError::beyond(self, item(), *span));
            }
            if let Some(next) = next.filter(|next| next.base() <= span.limit()) {
                return Err(LayoutError::Overlap { a: item(), a_span: *span, b: item(), b_span: *next });
            }
        }
        Ok(())
    }
}
