//! A heap for one PE whose interrupts are masked while it is used, in up to two pieces of memory.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use linked_list_allocator::Heap;

/// The global allocator of an image.
#[derive(Debug)]
pub struct BoardHeap(UnsafeCell<[Heap; 2]>);

// SAFETY: one PE uses it, and nothing that allocates interrupts anything that does: EL2 runs with interrupts masked, and a
// guest's interrupt handler only sets a flag. vCPUs of one guest share a PE and change over in a trap, never in here.
unsafe impl Sync for BoardHeap {}

impl BoardHeap {
    /// Without memory.
    #[must_use]
    pub const fn empty() -> Self {
        Self(UnsafeCell::new([Heap::empty(), Heap::empty()]))
    }

    /// Gives it its memory, once.
    ///
    /// # Safety
    ///
    /// `size` bytes from `base` are memory that nothing else uses, and nothing was allocated yet.
    pub unsafe fn init(&self, base: *mut u8, size: usize) {
        // SAFETY: the caller's promise; one PE, so nobody else holds the cell.
        unsafe { (*self.0.get())[0].init(base, size) }
    }

    /// Gives it more, once: memory that can be reached from now on.
    ///
    /// # Safety
    ///
    /// `size` bytes from `base` are memory that nothing else uses.
    pub unsafe fn extend(&self, base: *mut u8, size: usize) {
        // SAFETY: as for `init`.
        unsafe { (*self.0.get())[1].init(base, size) }
    }
}

// SAFETY: `Heap` keeps the contract of an allocator, and what it gave goes back to the piece it lies in; the cell is held by one
// user at a time (see `Sync` above).
unsafe impl GlobalAlloc for BoardHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see the impl.
        let pieces = unsafe { &mut *self.0.get() };
        let found = pieces.iter_mut().find_map(|piece| piece.allocate_first_fit(layout).ok());
        found.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: see the impl.
        let pieces = unsafe { &mut *self.0.get() };
        let piece = pieces.iter_mut().find(|piece| (piece.bottom()..piece.top()).contains(&ptr));
        if let (Some(ptr), Some(piece)) = (NonNull::new(ptr), piece) {
            // SAFETY: the caller's promise: it came from `alloc` with this layout.
            unsafe { piece.deallocate(ptr, layout) }
        }
    }
}
