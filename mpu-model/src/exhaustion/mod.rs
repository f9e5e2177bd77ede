//! Properties of region allocators, to be held against one's own (feature `proptest`).
//!
//! Implement [`Allocator`] for the code that hands out regions, over [`Hardware`], and let proptest look for a sequence
//! of maps and unmaps that breaks one of the properties:
//!
//! * enabled regions never overlap, after any single register write;
//! * what is fixed (the hypervisor's own code and data) stays mapped throughout, after any single register write;
//! * every byte that was asked for is mapped with the rights asked for, and no byte beside it; where a mapping lies in another that
//!   has other rights, it is carved out of that, and the other is whole again when it goes. An allocator may refuse to carve;
//! * unmapping takes the range away in the hardware, not only in a table;
//! * all writes are synchronised when the allocator returns;
//! * running out is an error, and whatever fails has changed nothing: neither registers nor the count of free regions;
//! * while a region is free, a range that is disjoint from all others is not refused.
//!
//! ```
//! use mpu_model::exhaustion::{AllocatorTest, Mapped};
//! use proptest_state_machine::prop_state_machine;
//!
//! prop_state_machine! {
//!     # #![proptest_config(proptest::test_runner::Config { cases: 8, failure_persistence: None, ..Default::default() })]
//!     #[cfg_attr(test, test)]
//!     fn the_table_of_this_crate(sequential 1..40 => AllocatorTest<Mapped>);
//! }
//! # the_table_of_this_crate();
//! ```
//!
//! The generators ([`regions`], [`boards`], [`layouts`]) can be used on their own.

mod allocator;
mod generate;
mod hardware;
mod machine;

pub use allocator::{Allocator, Mapped, MappedError};
pub use generate::{Layout, boards, layouts, regions, rights};
pub use hardware::{Broken, Hardware};
pub use machine::{AllocatorTest, Operation, Reference, Trial, run};
