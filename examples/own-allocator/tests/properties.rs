//! One test holds for [`Careful`]; the others show how [`Hasty`] is caught.
#![allow(clippy::expect_used, reason = "a panic is how a test fails")]

use mpu_model::exhaustion::{Allocator, AllocatorTest, Broken, Operation, Reference, run};
use own_allocator::{Careful, Carving, Hasty, Holed};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

prop_state_machine! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    /// This is all that one's own allocator needs.
    #[test]
    fn careful_keeps_every_property(sequential 1..60 => AllocatorTest<Careful>);

    #[test]
    fn carving_keeps_every_property(sequential 1..60 => AllocatorTest<Carving>);
}

/// Looks for a sequence that breaks an allocator, and shrinks it.
fn caught<A: Allocator + 'static>() -> Option<(Vec<Operation>, Broken)> {
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config.clone(), TestRng::deterministic_rng(RngAlgorithm::default()));
    let sequences = Reference::sequential_strategy(1..60);
    let result = runner.run(&sequences, |(state, operations, seen)| {
        AllocatorTest::<A>::test_sequential(config.clone(), state, operations, seen);
        Ok(())
    });
    match result {
        Err(TestError::Fail(_, (state, operations, _))) => {
            let (_, broken) = run::<A>(state.regions(), Reference::fixed().as_slice(), &operations).err()?;
            Some((operations, broken))
        }
        _ => None,
    }
}

#[test]
fn hasty_leaks_a_region_when_a_map_fails() {
    let (operations, broken) = caught::<Hasty>().expect("the defect is found");
    assert!(matches!(broken, Broken::FailureLeaked { .. }), "{broken}");
    assert!(
        matches!(*operations, [Operation::Map(_), Operation::Map(_)]),
        "no map that overlaps another: {operations:?}"
    );
}

#[test]
fn hasty_leaves_regions_above_31_on() {
    // 40 pages side by side, then the last one away again.
    let page = |at: u64| {
        let fixed = Reference::fixed().expect("a valid region");
        let attrs = mpu_model::Attrs { ap: mpu_model::Ap::RwPrivileged, xn: mpu_model::Xn::Never, ..fixed.attrs() };
        mpu_model::Region::with_size(0x4000_0000 + at * 0x2000, 0x1000, attrs).expect("a valid region")
    };
    let maps = (0..40).map(|at| Operation::Map(page(at)));
    let operations: Vec<_> = maps.chain([Operation::Unmap(page(39))]).collect();
    let fixed = Reference::fixed();
    assert_eq!(run::<Hasty>(64, fixed.as_slice(), &operations), Err((40, Broken::Beside { at: page(39).base() })));
    assert_eq!(run::<Careful>(64, fixed.as_slice(), &operations), Ok(()));
}

/// A region of whole pages.
fn pages(first: u64, count: u64, ap: mpu_model::Ap) -> mpu_model::Region {
    let fixed = Reference::fixed().expect("a valid region");
    let attrs = mpu_model::Attrs { ap, xn: mpu_model::Xn::Never, ..fixed.attrs() };
    mpu_model::Region::with_size(0x4000_0000 + first * 0x1000, count * 0x1000, attrs).expect("a valid region")
}

/// A partition that is carved out of a region with other rights, and given back (Zephyr issue 99826).
#[test]
fn what_a_mapping_was_carved_out_of_is_whole_again_when_it_goes() {
    use mpu_model::Ap::{RoPrivileged, RwPrivileged};
    let (around, carved) = (pages(0, 8, RwPrivileged), pages(2, 1, RoPrivileged));
    let operations = [Operation::Map(around), Operation::Map(carved), Operation::Unmap(carved)];
    let fixed = Reference::fixed();
    assert_eq!(run::<Carving>(16, fixed.as_slice(), &operations), Ok(()));
    assert_eq!(run::<Holed>(16, fixed.as_slice(), &operations), Err((2, Broken::Missing { at: carved.base() })));
}

#[test]
fn a_hole_is_found() {
    let (operations, broken) = caught::<Holed>().expect("the defect is found");
    assert!(matches!(broken, Broken::Missing { .. }), "{broken}");
    let Some((Operation::Unmap(gone), before)) = operations.split_last() else {
        panic!("it is left by an unmap: {operations:?}");
    };
    let around =
        |operation: &Operation| matches!(operation, Operation::Map(held) if held.overlaps(gone) && held != gone);
    assert!(before.iter().any(around), "{operations:?}");
}
