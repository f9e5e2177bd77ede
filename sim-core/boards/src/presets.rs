//! Presets: boards by name, with published figures; every value can be overridden.
//!
//! What each figure stands on; where it says *assumed*, nothing public was found.
//!
//! | preset | regions | memory | UART, GIC |
//! |---|---|---|---|
//! | `fvp-baser` | `L4Re`'s kernel, `bsp/fvp_base_r` | FVP `BaseR` memory map | the same |
//! | `cortex-r82` | assumed | assumed: as `fvp-baser`; 40 address bits: Arm's announcement of September 2020 | assumed |
//! | `tiny` | the 16-region part mentioned on xen-devel in January 2023 | assumed: as `fvp-baser` | assumed |
//! | `s32z` | `L4Re`'s kernel, `bsp/s32z` | `RTU0`'s `DRAM0` and `CRAM0`: `L4Re`'s bootstrap, `platform/s32z.cc`; `DRAM0` in Zephyr's `nxp_s32z27x_r52.dtsi` | `LINFlexD_0`, GIC: the same dtsi, `L4Re`'s `mem_layout-arm-s32z.cpp` |
//! | `an536` | `L4Re`'s kernel, `bsp/mps3_an536` | BRAM and DDR: QEMU's `hw/arm/mps3r.c` after Arm's DAI 0536 | UART 2, GIC: `mps3r.c` |
//! | `qemu-an536` | measured: QEMU 10.0 | all below 0xe0000000, of which TCM, flash, BRAM and DDR are only parts | as `an536` |
//! | `rcar-s4` | `L4Re`'s kernel, `bsp/rcar4_r52` | DRAM: Linux, `r8a779f0-spider-cpu.dtsi`; RT-SRAM: `L4Re`'s bootstrap, `platform/rcar4_r52.cc` | SCIF0: Zephyr's `rcar_gen4_cr52.dtsi`; GIC: `mem_layout-arm-rcar4_r52.cpp` |
//! | `sr6p7` | `L4Re`'s kernel, `bsp/sr6p7g7` | the RAM of three clusters and of the system: `L4Re`'s bootstrap, `platform/sr6p7g7.cc` | UART: assumed, in what that file maps as devices; GIC: `mem_layout-arm-sr6p7g7.cpp` |
//!
//! TCMs, which each PE has for itself, flash and ranges of devices are in no preset. Where an image starts is chosen here: where
//! `L4Re` and Bao load theirs on `s32z`, behind what the 2022 design drafts lay out on the AN536, else where memory begins.
//!
//! The FVP's other UARTs, their interrupts, the counter's frame and its 100 MHz are what images built for it expect: Bao,
//! `NuttX` and Zephyr. Redistributors lie 1 MiB behind the distributor: on a Cortex-R52 by its manual's map of the GIC, on
//! the FVP by the memory map. Interrupts of the timers are those that Arm recommends ([`Timers::of`]); what else is not known
//! is left out.

use crate::board::{Board, Gic, ImageSizes, Kind, Memory, Timers, Uart};
use crate::span::Span;
use alloc::vec::Vec;
use mpu_model::{Pmsa, Rules};

/// Base, size and the INTID of a UART.
type Serial = (u64, u64, Option<u32>);

struct Preset {
    name: &'static str,
    pmsa: Pmsa,
    regions: u8,
    /// Ranges of RAM by name, base and size.
    memory: &'static [(&'static str, u64, u64)],
    pa_bits: u8,
    image_base: u64,
    /// The console, which is called `uart`.
    uart: Serial,
    other_uarts: &'static [(&'static str, Serial)],
    gic: (u64, u64),
    frequency: Option<u64>,
    control: Option<(u64, u64)>,
    rules: fn() -> Rules,
}

/// Bytes from a distributor to the first redistributor.
const REDISTRIBUTORS: u64 = 0x10_0000;

const PRESETS: &[Preset] = &[
    Preset { name: "fvp-baser", ..FVP },
    Preset { name: "cortex-r82", pa_bits: 40, ..FVP },
    Preset {
        name: "s32z",
        regions: 20,
        memory: &[("DRAM0", 0x3178_0000, 0x10_0000), ("CRAM0", 0x3210_0000, 0x70_0000)],
        image_base: 0x3210_0000,
        uart: (0x4017_0000, 0x1000, None),
        gic: (0x4780_0000, 0x0020_0000),
        ..R52
    },
    Preset { name: "an536", ..AN536 },
    Preset { name: "qemu-an536", regions: 16, memory: &[("", 0, 0xe000_0000)], rules: Rules::qemu_an536, ..AN536 },
    Preset {
        name: "rcar-s4",
        memory: &[("DRAM", 0x4800_0000, 0x7800_0000), ("RT-SRAM", 0xeb20_0000, 0x18_0000)],
        image_base: 0x4800_0000,
        uart: (0xe6e6_0000, 0x80, None),
        gic: (0xf000_0000, 0x0012_0000),
        ..R52
    },
    Preset {
        name: "sr6p7",
        memory: &[
            ("", 0x6000_0000, 0x8_0000),
            ("", 0x6040_0000, 0x8_0000),
            ("", 0x6080_0000, 0x6_0000),
            ("", 0x60c0_0000, 0x6_0000),
            ("", 0x6100_0000, 0x4_0000),
            ("", 0x6140_0000, 0x4_0000),
            ("", 0x6400_0000, 0x4_0000),
            ("", 0x6440_0000, 0x4_0000),
        ],
        image_base: 0x6000_0000,
        uart: (0x7fff_f000, 0x1000, None),
        gic: (0x6d80_0000, 0x0020_0000),
        ..R52
    },
    Preset { name: "tiny", regions: 16, ..FVP },
];

const FVP: Preset = Preset {
    name: "",
    pmsa: Pmsa::V64,
    regions: 32,
    memory: &[("", 0, 0x8000_0000)],
    pa_bits: 48,
    image_base: 0x0020_0000,
    uart: (0x9c09_0000, 0x1000, Some(37)),
    other_uarts: &[
        ("uart1", (0x9c0a_0000, 0x1000, Some(38))),
        ("uart2", (0x9c0b_0000, 0x1000, Some(39))),
        ("uart3", (0x9c0c_0000, 0x1000, Some(40))),
    ],
    gic: (0xaf00_0000, 0x0020_0000),
    frequency: Some(100_000_000),
    control: Some((0xaa43_0000, 0x1_0000)),
    rules: Rules::default,
};

/// A Cortex-R52: PMSAv8-32, with what Arm's manuals say where there is a choice.
const R52: Preset = Preset {
    pmsa: Pmsa::V32,
    regions: 24,
    pa_bits: 32,
    other_uarts: &[],
    frequency: None,
    control: None,
    rules: Rules::pmsav8_32,
    ..FVP
};

const AN536: Preset = Preset {
    memory: &[("BRAM", 0x1000_0000, 0x8_0000), ("DDR", 0x2000_0000, 0xc000_0000)],
    image_base: 0x7000_0000,
    uart: (0xe020_5000, 0x1000, None),
    gic: (0xf000_0000, 0x0020_0000),
    ..R52
};

impl Board {
    /// The preset of that name, with `pes` = 1.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        let preset = PRESETS.iter().find(|preset| preset.name == name)?;
        let uart = |name: &str, (base, size, interrupt): Serial| {
            Some(Uart { name: name.into(), span: Span::with_size(base, size)?, interrupt })
        };
        let memory = |(name, base, size): &(&str, u64, u64)| {
            Some(Memory { name: (*name).into(), kind: Kind::Ram, span: Span::with_size(*base, *size)? })
        };
        let control = match preset.control {
            Some((base, size)) => Some(Span::with_size(base, size)?),
            None => None,
        };
        Some(Self {
            name: name.into(),
            pes: 1,
            el2_regions: preset.regions,
            el1_regions: preset.regions,
            memory: preset.memory.iter().map(memory).collect::<Option<_>>()?,
            pa_bits: preset.pa_bits,
            vmid_bits: 8,
            image_base: preset.image_base,
            image: ImageSizes::ORDINARY,
            console: uart("uart", preset.uart)?,
            other_uarts: preset.other_uarts.iter().map(|(name, found)| uart(name, *found)).collect::<Option<_>>()?,
            gic: Gic { span: Span::with_size(preset.gic.0, preset.gic.1)?, redistributors: Some(REDISTRIBUTORS) },
            timers: Timers { frequency: preset.frequency, control, ..Timers::of(preset.pmsa) },
            pmsa: preset.pmsa,
            rules: (preset.rules)(),
        })
    }

    /// The names [`Board::preset`] takes.
    #[must_use]
    pub fn preset_names() -> Vec<&'static str> {
        PRESETS.iter().map(|preset| preset.name).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop")]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_be_built() {
        for name in Board::preset_names() {
            assert!(Board::preset(name).is_some(), "{name}");
        }
        assert!(Board::preset("fvp").is_none());
    }

    #[test]
    fn every_preset_has_a_redistributor_for_its_pe() {
        for name in Board::preset_names() {
            let gic = Board::preset(name).unwrap().gic;
            assert_eq!(gic.redistributor(crate::PeId::PRIMARY).unwrap().base(), gic.span.base() + 0x10_0000, "{name}");
        }
    }
}
