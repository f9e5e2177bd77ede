//! The hypervisor's image, and what of it is there for boot only.

use alloc::vec::Vec;
use boards::{Board, ImageSizes, Kind, Span};
use mpu_model::GRANULE;

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

impl BootSizes {
    /// The default on a board. Ro-after-init data is the end of rodata and lies before the variables, so there is none if no
    /// range of RAM has room for both, or if it would leave rodata nothing.
    #[must_use]
    pub fn on(board: &Board) -> Self {
        let sizes = Self::default();
        let both = board.image.data_and_stacks(board.pes).and_then(|size| size.checked_add(board.image.rodata));
        let room = both.is_some_and(|both| ram(board).any(|range| range.size() >= both));
        let room = room && board.image.rodata > sizes.ro_after_init;
        Self { ro_after_init: if room { sizes.ro_after_init } else { 0 }, ..sizes }
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
        Self::in_memory(base, (ImageSizes::ORDINARY, pes), sizes, &[])
    }

    /// The image on a board, with its sizes and from its image base on. A part for which the range of RAM has no more room goes
    /// to the start of the next range that has. `None`: see [`Image::with`].
    #[must_use]
    pub fn on(board: &Board, sizes: BootSizes) -> Option<Self> {
        let mut memory: Vec<Span> = ram(board).collect();
        memory.sort();
        Self::in_memory(board.image_base, (board.image, board.pes), sizes, &memory)
    }

    /// `memory` is in address order.
    fn in_memory(base: u64, (parts, pes): (ImageSizes, usize), sizes: BootSizes, memory: &[Span]) -> Option<Self> {
        let room = Room(memory);
        let text = Span::with_size(base, parts.text)?;
        let (rodata, data) = room.pair(text, parts.rodata, parts.data_and_stacks(pes)?)?;
        let ro_after_init = match sizes.ro_after_init {
            0 => None,
            size => {
                let constants = rodata.size().checked_sub(size).filter(|left| *left >= GRANULE)?;
                Some(Span::with_size(rodata.base().checked_add(constants)?, size)?)
            }
        };
        let init_text = room.behind(data, sizes.init_text)?;
        let (init_data, bss) = match sizes.bss {
            0 => (room.behind(init_text, sizes.init_data)?, None),
            size => room.pair(init_text, sizes.init_data, size).map(|(init_data, bss)| (init_data, Some(bss)))?,
        };
        let device_tree = room.behind(bss.unwrap_or(init_data), sizes.device_tree)?;
        let boot = BootImage { ro_after_init, init_text, init_data, bss, device_tree, early_uart: false };
        Some(Self { text, rodata, data, boot })
    }
}

/// Where parts of an image are put of themselves.
fn ram(board: &Board) -> impl Iterator<Item = Span> + '_ {
    board.ranges(|kind| kind == Kind::Ram)
}

/// Ranges of memory that parts are put into one after the other.
struct Room<'a>(&'a [Span]);

impl Room<'_> {
    fn has(&self, span: &Span) -> bool {
        self.0.iter().any(|memory| memory.covers(span))
    }

    /// `size` bytes right behind `before`, or at the start of the next range if this one has no more room. What has room
    /// nowhere stays behind `before`, and is refused with the layout.
    fn behind(&self, before: Span, size: u64) -> Option<Span> {
        let here = Span::with_size(before.limit().checked_add(1)?, size)?;
        if self.has(&here) {
            return Some(here);
        }
        let next = self.0.iter().filter(|memory| memory.base() > here.base());
        let start = next.filter_map(|memory| Span::with_size(memory.base(), size)).find(|start| self.has(start));
        Some(start.unwrap_or(here))
    }

    /// Two parts that boot maps as one if they are neighbours: together, unless no range has room for both.
    fn pair(&self, before: Span, first: u64, second: u64) -> Option<(Span, Span)> {
        let both = self.behind(before, first.checked_add(second)?)?;
        let first = if self.has(&both) { Span::with_size(both.base(), first)? } else { self.behind(before, first)? };
        Some((first, self.behind(first, second)?))
    }
}
