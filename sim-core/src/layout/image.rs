//! The hypervisor's image, and what of it is there for boot only.

use super::Span;
use mpu_model::GRANULE;

/// Bytes of stack each PE has at EL2, at the end of the image's data.
pub const STACK_SIZE: u64 = 0x4000;

/// The hypervisor's image: where each part is loaded. The data part ends in one stack per PE.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Code.
    pub text: Span,
    /// Constants, as they are once boot is over.
    pub rodata: Span,
    /// Variables, and the stacks at the end.
    pub data: Span,
    /// What only boot sees, or sees otherwise.
    pub boot: BootImage,
}

/// What boot has mapped beside the image that stays, or with other rights.
///
/// Xen's linker script has the same parts (`.data.ro_after_init`, `.init.text`, `.init.data`, `.bss`).
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootImage {
    /// The end of [`Image::rodata`]: written during boot, read-only afterwards.
    pub ro_after_init: Option<Span>,
    /// Code that runs at boot only; its memory is nobody's afterwards.
    pub init_text: Span,
    /// Variables that are used at boot only; nobody's afterwards.
    pub init_data: Span,
    /// Variables that start at zero, right behind [`BootImage::init_data`] as in Xen's image: one region with that during
    /// boot, and one of its own for good. `None`: they are part of [`Image::data`], which saves that region.
    pub bss: Option<Span>,
    /// The device tree.
    pub device_tree: Span,
    /// Whether the first lines of boot code print: then the UART is mapped from the start.
    pub early_uart: bool,
}

/// Sizes in bytes of what boot has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootSizes {
    /// Of [`BootImage::ro_after_init`], taken off the end of rodata; 0: there is none.
    pub ro_after_init: u64,
    /// Of [`BootImage::init_text`].
    pub init_text: u64,
    /// Of [`BootImage::init_data`].
    pub init_data: u64,
    /// Of [`BootImage::bss`]; 0: it is part of the data.
    pub bss: u64,
    /// Of [`BootImage::device_tree`].
    pub device_tree: u64,
}

impl Default for BootSizes {
    /// 16 KiB, 128 KiB, 64 KiB, none, 64 KiB.
    fn default() -> Self {
        Self { ro_after_init: 0x4000, init_text: 0x2_0000, init_data: 0x1_0000, bss: 0, device_tree: 0x1_0000 }
    }
}

impl Image {
    /// An image of ordinary size at `base` with a stack for each of `pes` PEs: 512 KiB text, 256 KiB rodata, 256 KiB of
    /// variables plus the stacks, and what boot has by default. `None` if it would run past the top of the address space.
    #[must_use]
    pub fn at(base: u64, pes: usize) -> Option<Self> {
        Self::with(base, pes, BootSizes::default())
    }

    /// The same with other sizes of what boot has: init text, init data, bss and the device tree follow the data. `None`
    /// also for init text, init data or a device tree of no size, and for more `ro_after_init` than leaves rodata a granule.
    #[must_use]
    pub fn with(base: u64, pes: usize, sizes: BootSizes) -> Option<Self> {
        let behind = |span: Span, size| Span::with_size(span.limit().checked_add(1)?, size);
        let text = Span::with_size(base, 0x8_0000)?;
        let rodata = behind(text, 0x4_0000)?;
        let stacks = STACK_SIZE.checked_mul(u64::try_from(pes).ok()?)?;
        let data = behind(rodata, stacks.checked_add(0x4_0000)?)?;
        let ro_after_init = match sizes.ro_after_init {
            0 => None,
            size => {
                let constants = rodata.size().checked_sub(size).filter(|left| *left >= GRANULE)?;
                Some(Span::with_size(rodata.base().checked_add(constants)?, size)?)
            }
        };
        let init_text = behind(data, sizes.init_text)?;
        let init_data = behind(init_text, sizes.init_data)?;
        let bss = if sizes.bss == 0 { None } else { Some(behind(init_data, sizes.bss)?) };
        let device_tree = behind(bss.unwrap_or(init_data), sizes.device_tree)?;
        let boot = BootImage { ro_after_init, init_text, init_data, bss, device_tree, early_uart: false };
        Some(Self { text, rodata, data, boot })
    }
}
