//! Whose an address can be.

/// Who owns an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The hypervisor's code.
    Text,
    /// The hypervisor's constants.
    Rodata,
    /// The hypervisor's variables.
    Data,
    /// The EL2 stack of that PE.
    Stack(usize),
    /// The hypervisor's heap.
    Heap,
    /// The pool; the position of the domain whose page it is, if any.
    Pool(Option<usize>),
    /// The console.
    Uart,
    /// The interrupt controller.
    Gic,
    /// RAM of the domain at that position.
    Ram(usize),
    /// The frame granted to the domain at that position for `shared_info`.
    Granted(usize),
    /// The frame that the domain at that position can only read.
    ReadOnly(usize),
    /// The static shared memory at that position.
    Shared(usize),
    /// The emulated device at that position: nothing is there.
    Emulated(usize),
    /// Nobody.
    Nobody,
}
