//! Where a vCPU lives: pages that the layout names, and others of the domain's own that are picked beside them.

use super::pages::CONTROL_BLOCK_STRIDE;
use super::{Layout, PAGE_SIZE, Position, Span};

/// What a guest knows about where it lives: what its device tree would tell it.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    /// Its own number in its domain.
    pub vcpu: u32,
    /// Where `shared_info` is or is to be.
    pub shared_info: u64,
    /// Whether `shared_info` is there already.
    pub shared_info_placed: bool,
    /// Where its own `vcpu_info` is to be.
    pub vcpu_info: u64,
    /// Memory of its own for argument blocks, 64 bytes.
    pub scratch: u64,
    /// Where its FIFO control block goes unless its program says where.
    pub control_block: u64,
    /// Where the domain's first page of event words goes unless its program says where.
    pub event_words: u64,
}

impl Home {
    /// The same in a domain whose RAM lies elsewhere, with every address as `to` has it.
    #[must_use]
    pub fn moved(self, to: &impl Fn(u64) -> u64) -> Self {
        Self {
            vcpu: self.vcpu,
            shared_info: to(self.shared_info),
            shared_info_placed: self.shared_info_placed,
            vcpu_info: to(self.vcpu_info),
            scratch: to(self.scratch),
            control_block: to(self.control_block),
            event_words: to(self.event_words),
        }
    }
}

/// What a vCPU of the domain at `position` knows about where it lives.
#[must_use]
pub fn home(layout: &Layout, position: Position, vcpu: u32) -> Option<Home> {
    /// Bytes of scratch memory per vCPU.
    const SCRATCH: u64 = 64;
    let pages = layout.pages(position)?;
    let bank = layout.domain(position)?.ram.first()?;
    let first = bank.base().checked_next_multiple_of(PAGE_SIZE)?;
    let scratch = first.checked_add(u64::from(vcpu) * SCRATCH)?;
    // A first bank that is one PE's TCM has scratch memory, and no page that is handed over.
    let common = layout.domain(position)?.ram.iter().find(|bank| layout.common_bank(position, bank.base()).is_some());
    let pages_from = common.unwrap_or(bank).base().checked_next_multiple_of(PAGE_SIZE)?;
    let (blocks, event_words) = fifo_pages(layout, position, pages_from)?;
    Some(Home {
        vcpu,
        shared_info: pages.shared_info,
        shared_info_placed: pages.shared_info_placed,
        vcpu_info: pages.vcpu_info.get(usize::try_from(vcpu).ok()?).copied()?,
        scratch,
        control_block: blocks.base().checked_add(u64::from(vcpu).checked_mul(CONTROL_BLOCK_STRIDE)?)?,
        event_words,
    })
}

/// Pages of the domain's own for its control blocks and for its first event words, behind what else is picked from `first`
/// on and beside what the layout names; under placements `pool` and `heap` where the layout has them.
fn fifo_pages(layout: &Layout, position: Position, first: u64) -> Option<(Span, u64)> {
    let pages = layout.pages(position)?;
    let vcpus = u64::try_from(layout.domain(position)?.vcpus.len()).ok()?;
    let size = vcpus.checked_mul(CONTROL_BLOCK_STRIDE)?.checked_next_multiple_of(PAGE_SIZE)?;
    if let (Some(blocks), Some(own)) = (pages.control_blocks, pages.own_pool) {
        return Some((Span::with_size(blocks, size)?, own.limit().checked_sub(PAGE_SIZE - 1)?));
    }
    let named = || pages.vcpu_info.iter().copied().chain([pages.shared_info]).map(|at| at / PAGE_SIZE * PAGE_SIZE);
    let free = |mut base: u64, size: u64| {
        while let Some(taken) = named().find(|page| (base..base.saturating_add(size)).contains(page)) {
            base = taken.checked_add(PAGE_SIZE)?;
        }
        Span::with_size(base, size)
    };
    // Scratch memory and the vcpu_info take no more pages each, and shared_info one.
    let blocks = free(first.checked_add(size.checked_mul(2)?)?.checked_add(PAGE_SIZE)?, size)?;
    let words = free(blocks.limit().checked_add(1)?, PAGE_SIZE)?;
    Some((blocks, words.base()))
}
