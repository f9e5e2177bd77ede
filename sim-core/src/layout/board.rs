//! Boards: what is soldered down. Presets carry published figures; every value can be overridden.

use super::Span;
use alloc::string::String;
use alloc::vec::Vec;
use mpu_model::{DefaultMap, Pmsa, Rules};

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
    /// Where memory is; everything but devices must lie in here.
    pub memory: Span,
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

struct Preset {
    name: &'static str,
    pmsa: Pmsa,
    el2_regions: u8,
    el1_regions: u8,
    memory: (u64, u64),
    image_base: u64,
    uart: (u64, u64),
    gic: (u64, u64),
}

/// `qemu-an536` is what QEMU 10.0 makes of the AN536: 16 regions, PMSAv8-32, its own choices; the hypervisor's image stands
/// in DDR memory behind what the 2022 design drafts lay out. Region counts of the others: `fvp-baser`, `s32z`, `an536`, `rcar-s4`, `sr6p7` as `L4Re`'s board support packages state them;
/// `cortex-r82` is assumed; `tiny` is the 16-region part mentioned on xen-devel in January 2023. Frames of the UART and
/// the GIC are those of the FVP `BaseR` memory map, and of the AN536 for the two boards of that name.
const PRESETS: &[Preset] = &[
    Preset { name: "fvp-baser", el2_regions: 32, el1_regions: 32, ..FVP },
    Preset { name: "cortex-r82", el2_regions: 32, el1_regions: 32, ..FVP },
    Preset { name: "s32z", el2_regions: 20, el1_regions: 20, ..FVP },
    Preset { name: "an536", el2_regions: 24, el1_regions: 24, ..AN536 },
    Preset { name: "qemu-an536", pmsa: Pmsa::V32, el2_regions: 16, el1_regions: 16, image_base: 0x7000_0000, ..AN536 },
    Preset { name: "rcar-s4", el2_regions: 24, el1_regions: 24, ..FVP },
    Preset { name: "sr6p7", el2_regions: 24, el1_regions: 24, ..FVP },
    Preset { name: "tiny", el2_regions: 16, el1_regions: 16, ..FVP },
];

const FVP: Preset = Preset {
    name: "",
    pmsa: Pmsa::V64,
    el2_regions: 32,
    el1_regions: 32,
    memory: (0, 0x8000_0000),
    image_base: 0x0020_0000,
    uart: (0x9c09_0000, 0x1000),
    gic: (0xaf00_0000, 0x0020_0000),
};

const AN536: Preset = Preset {
    memory: (0, 0xe000_0000),
    image_base: 0x2000_0000,
    uart: (0xe020_5000, 0x1000),
    gic: (0xf000_0000, 0x0020_0000),
    ..FVP
};

impl Board {
    /// The preset of that name, with `pes` = 1.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        let preset = PRESETS.iter().find(|preset| preset.name == name)?;
        let device = |name: &str, (base, size): (u64, u64)| {
            Some(Device { name: name.into(), span: Span::with_size(base, size)? })
        };
        let (default_map, rules) = match preset.pmsa {
            Pmsa::V64 => (DefaultMap::None, Rules::default()),
            Pmsa::V32 => (DefaultMap::Pmsav8_32, Rules::qemu_an536()),
        };
        Some(Self {
            name: name.into(),
            pes: 1,
            el2_regions: preset.el2_regions,
            el1_regions: preset.el1_regions,
            memory: Span::with_size(preset.memory.0, preset.memory.1)?,
            image_base: preset.image_base,
            uart: device("uart", preset.uart)?,
            gic: device("gic", preset.gic)?,
            default_map,
            pmsa: preset.pmsa,
            rules,
        })
    }

    /// The names [`Board::preset`] takes.
    #[must_use]
    pub fn preset_names() -> Vec<&'static str> {
        PRESETS.iter().map(|preset| preset.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_be_built() {
        for name in Board::preset_names() {
            assert!(Board::preset(name).is_some(), "{name}");
        }
        assert!(Board::preset("fvp").is_none());
    }
}
