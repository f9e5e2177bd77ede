//! Who owns which addresses: the system as an integrator lays it out, checked once.
//!
//! [`LayoutParts`] is what was asked for; [`Layout::new`] checks it and is the only way to a [`Layout`]. From then on no
//! two owners share an address, every range sits on 64-byte granules inside the board's memory, and each domain's pages
//! are known, so the code behind never has to ask again.

#![allow(clippy::result_large_err, reason = "a layout is checked once, before anything runs")]

mod check;
mod devices;
mod error;
mod home;
mod image;
mod pages;
mod parts;

pub use boards::{Board, BoardError, Gic, ImageSizes, Kind, Memory, PA_BITS, Part, PeId, PerPe, Span, Timers, Uart};
pub use devices::{EmulatedDevice, PassthroughDevice};
pub use error::{Item, LayoutError};
pub use home::{Home, home};
pub use image::{BootImage, BootSizes, Image};
pub use pages::GuestPages;
pub use parts::{
    DomainLayout, HypDevices, LayoutParts, Owner, PAGE_SIZE, Placement, Sections, SharedMemory, VcpuLayout,
};

use alloc::vec::Vec;

/// A checked system.
#[derive(Clone, Debug)]
pub struct Layout {
    parts: LayoutParts,
    heap: Span,
    pool: Option<Span>,
    pages: Vec<GuestPages>,
    /// Sorted, disjoint.
    owners: Vec<(Span, Owner)>,
}

impl Layout {
    /// Checks `parts`.
    pub fn new(parts: LayoutParts) -> Result<Self, LayoutError> {
        Self::after(parts, None)
    }

    /// Checks what this system becomes when domains come or go: `parts` is as it was in all else. The heap and the pool stay,
    /// and so do the pages of every domain that stays.
    pub fn follow(&self, parts: LayoutParts) -> Result<Self, LayoutError> {
        Self::after(parts, Some(self))
    }

    fn after(parts: LayoutParts, before: Option<&Self>) -> Result<Self, LayoutError> {
        parts.board.check()?;
        check::domains(&parts)?;
        check::image(&parts.image)?;
        let (heap, pool) = match before {
            Some(before) if before.pool.is_some() => pages::keep_heap(&parts, before.heap, before.pool)?,
            _ => pages::split_heap(&parts)?,
        };
        let mut owners = check::owners(&parts, heap, pool)?;
        check::sections(&parts)?;
        check::emulated(&parts)?;
        check::passthrough(&parts)?;
        let pages = pages::assign(&parts, pool, before.map(|before| (&before.parts, before.pages.as_slice())))?;
        if let Some(pool) = pool {
            pages::mark_pool(pool, &pages, &mut owners);
        }
        Ok(Self { parts, heap, pool, pages, owners })
    }

    /// What was asked for.
    #[must_use]
    pub fn parts(&self) -> &LayoutParts {
        &self.parts
    }

    /// The board.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.parts.board
    }

    /// The domains, in creation order.
    #[must_use]
    pub fn domains(&self) -> &[DomainLayout] {
        &self.parts.domains
    }

    /// The heap that is left once a pool was cut from it.
    #[must_use]
    pub fn heap(&self) -> Span {
        self.heap
    }

    /// The pool, if placement has one.
    #[must_use]
    pub fn pool(&self) -> Option<Span> {
        self.pool
    }

    /// Where the pages of the domain at `position` are.
    #[must_use]
    pub fn pages(&self, position: usize) -> Option<&GuestPages> {
        self.pages.get(position)
    }

    /// The EL2 stack of a PE.
    #[must_use]
    pub fn stack(&self, pe: PeId) -> Option<Span> {
        check::stack(&self.parts, pe)
    }

    /// Who owns `address`, and the whole range so owned.
    #[must_use]
    pub fn owner(&self, address: u64) -> (Owner, Option<Span>) {
        let behind = self.owners.partition_point(|(span, _)| span.base() <= address);
        match behind.checked_sub(1).and_then(|at| self.owners.get(at)) {
            Some((span, owner)) if span.contains(address) => (*owner, Some(*span)),
            _ => (Owner::Nobody, None),
        }
    }

    /// Every owned range in address order.
    #[must_use]
    pub fn owners(&self) -> &[(Span, Owner)] {
        &self.owners
    }

    /// The emulated device that an access of the domain at `position` goes to with all its bytes, and the offset in it.
    #[must_use]
    pub fn emulated(&self, position: usize, address: u64, size: u64) -> Option<(usize, u64)> {
        let access = Span::with_size(address, size)?;
        let mut devices = self.parts.emulated.iter().enumerate();
        let (at, device) = devices.find(|(_, device)| device.span.covers(&access))?;
        device.domains.contains(&position).then(|| (at, address - device.span.base()))
    }

    /// The RAM bank of the domain at `position` that holds `address`.
    #[must_use]
    pub fn ram_bank(&self, position: usize, address: u64) -> Option<Span> {
        let domain = self.parts.domains.get(position)?;
        domain.ram.iter().find(|bank| bank.contains(address)).copied()
    }

    /// The same, if the domain may hand pages of it over to the hypervisor, which touches them on any PE: not if it is one
    /// PE's TCM.
    #[must_use]
    pub fn common_bank(&self, position: usize, address: u64) -> Option<Span> {
        self.ram_bank(position, address).filter(|bank| self.parts.board.reached_by_every_pe(bank).is_some())
    }
}
