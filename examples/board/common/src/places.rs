//! Where the parts of a guest stand in its first bank of RAM. `mpusim parity` puts them there.

/// The image, from the start of the bank.
pub const IMAGE: u32 = 0x10_0000;
/// The program of the first vCPU; those of the others follow, [`PROGRAM_SIZE`] bytes apart.
pub const PROGRAMS: u32 = 0x20_0000;
/// Bytes of one program.
pub const PROGRAM_SIZE: u32 = 0x1_0000;
/// The end of the first vCPU's stack; those of the others lie below, [`STACK_SIZE`] bytes apart.
pub const STACKS: u32 = 0x30_0000;
/// Bytes of one stack.
pub const STACK_SIZE: u32 = 0x1_0000;
/// The heap.
pub const HEAP: u32 = 0x30_0000;
/// Bytes of the heap.
pub const HEAP_SIZE: u32 = 0x10_0000;
