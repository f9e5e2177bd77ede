//! A heap for one PE whose interrupts are masked while it is used.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use linked_list_allocator::Heap;

/// The global allocator of an image.
#[derive(Debug)]
pub struct BoardHeap(UnsafeCell<Heap>);

// SAFETY: one PE uses it, and nothing that allocates interrupts anything that does: EL2 runs with interrupts masked, and a
// guest's interrupt handler only sets a flag. vCPUs of one guest share a PE and change over in a trap, never in here.
unsafe impl Sync for BoardHeap {}

impl BoardHeap {
    /// Without memory.
    #[must_use]
    pub const fn empty() -> Self {
        Self(UnsafeCell::new(Heap::empty()))
    }

    /// Gives it its memory, once.
    ///
    /// # Safety
    ///
    /// `size` bytes from `base` are memory that nothing else uses, and nothing was allocated yet.
    pub unsafe fn init(&self, base: *mut u8, size: usize) {
        // SAFETY: the caller's promise; one PE, so nobody else holds the cell.
        unsafe { (*self.0.get()).init(base, size) }
    }
}

// SAFETY: `Heap` keeps the contract of an allocator; the cell is held by one user at a time (see `Sync` above).
unsafe impl GlobalAlloc for BoardHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see the impl.
        let found = unsafe { (*self.0.get()).allocate_first_fit(layout) };
        found.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if let Some(ptr) = NonNull::new(ptr) {
            // SAFETY: the caller's promise: it came from `alloc` with this layout.
            unsafe { (*self.0.get()).deallocate(ptr, layout) }
        }
    }
}
