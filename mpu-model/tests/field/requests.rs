//! Requests on their way to the table: what they become, and what becomes of them when there is no room.

use super::{RW, page, text};
use mpu_model::exhaustion::{Allocator, Hardware, Mapped, MappedError};
use mpu_model::planner::MapError;
use mpu_model::{Access, AccessKind, El, Regime, Region};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

const PAGE: u64 = 0x1000;

/// Whether EL2 may write all of `len` bytes from `addr` on.
fn writable(hardware: &Hardware, addr: u64, len: u64) -> bool {
    let write = Access { addr, size: len, kind: AccessKind::Write, el: El::El2 };
    hardware.mpu().check(Regime::El2, write).result.is_ok()
}

/// Xen, as read in `xen/arch/arm/guestcopy.c` and `xen/arch/arm/mpu/domain-page.c` at c447b7308b (20 August 2026):
/// `map_domain_page()` gives NULL when no region is free, which it never did with an MMU, and `copy_guest()` adds the
/// offset in the page to that and copies. What was to be exhaustion is a write to a low address.
#[test]
fn null_map_on_exhaustion() {
    // Low memory is the hypervisor's own here, as on boards whose image is loaded low.
    let low = Region::with_size(0, 0x2000, RW).unwrap();
    let full = || {
        let mut hardware = Hardware::new(4, &[text(), low]);
        let mut table = Mapped::new(&mut hardware);
        table.map(&mut hardware, page(0, RW)).unwrap();
        table.map(&mut hardware, page(1, RW)).unwrap();
        (hardware, table)
    };
    // As it is: no region, so the address is 0, and the offset is added.
    let (mut hardware, mut table) = full();
    let mapped = table.map(&mut hardware, page(2, RW)).map_or(0, |()| page(2, RW).base());
    let offset = 0x930;
    assert_eq!(mapped + offset, 0x930);
    assert!(writable(&hardware, mapped + offset, 8), "nothing stops it: the hypervisor overwrites its own memory");
    // As it should be: the error comes out, and neither registers nor table have changed.
    let (mut hardware, mut table) = full();
    let (writes, free) = (hardware.writes(), table.free());
    let refused = table.map(&mut hardware, page(2, RW));
    assert_eq!(refused, Err(MappedError::Map(MapError::Exhausted { regions: 4 })));
    assert_eq!((hardware.writes(), table.free()), (writes, free));
    assert!(!writable(&hardware, page(2, RW).base() + offset, 8));
}

/// The pages that a request for `len` bytes at `start` becomes.
type Rounds = fn(start: u64, len: u64) -> (u64, u64);

/// A request that is not mapped to its last byte, made as small as can be; `None`: all are.
fn cut_short(rounds: Rounds) -> Option<(u64, u64)> {
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::default()));
    let requests = (0x8000_0000_u64..0x8000_4000, 1..0x4000_u64);
    let found = runner.run(&requests, |(start, len)| {
        let (base, size) = rounds(start, len);
        let mut hardware = Hardware::new(16, &[text()]);
        let mut table = Mapped::new(&mut hardware);
        table.map(&mut hardware, Region::with_size(base, size, RW).unwrap()).unwrap();
        prop_assert!(writable(&hardware, start, len));
        // No page more than it touches.
        prop_assert!(base + PAGE > start && base + size - PAGE < start + len);
        Ok(())
    });
    match found {
        Ok(()) => None,
        Err(TestError::Fail(_, request)) => Some(request),
        Err(other) => panic!("{other}"),
    }
}

/// Xen commit 9e8aa00f62 (2 April 2026), "ioremap" on the MPU: the number of pages came from the length alone, so that for
/// a start inside a page the region was a page short.
#[test]
fn ioremap_tail_page() {
    let of_length: Rounds = |start, len| (start & !(PAGE - 1), len.next_multiple_of(PAGE));
    let of_range: Rounds = |start, len| {
        let base = start & !(PAGE - 1);
        (base, (start + len).next_multiple_of(PAGE) - base)
    };
    // A start inside a page, and as many pages by length as leave the last byte out.
    let (start, len) = cut_short(of_length).unwrap();
    assert!(!start.is_multiple_of(PAGE) && start % PAGE + len > len.next_multiple_of(PAGE), "{start:#x} {len:#x}");
    assert_eq!(cut_short(of_range), None);
}
