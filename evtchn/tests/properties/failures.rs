//! What must not happen when an operation fails: a change, where the ABI says there is none; and one more access,
//! after the hardware refused one.

use super::ops::{World, ops};
use crate::testing::{Access, Fault};
use evtchn::{Errno, Stop};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    /// New buckets are the one thing a failing operation may leave behind, and no picture shows them.
    #[test]
    fn an_operation_that_fails_changes_nothing(ops in ops(120)) {
        let mut world = World::new();
        for op in &ops {
            let before = world.rig.picture();
            world.rig.mem.clear_signs();
            if let Err(Stop::Errno(errno)) = world.apply(op) {
                prop_assert_ne!(errno, Errno::ERESTART);
                prop_assert_eq!(before, world.rig.picture(), "{:?} failed with {}", op, errno);
                let mem = &world.rig.mem;
                prop_assert!(mem.injected.is_empty() && mem.woken.is_empty() && mem.notified.is_empty());
            }
        }
    }

    /// A failing operation may look for a port or at a polled one, but changes no word even for a moment.
    #[test]
    fn an_operation_that_fails_only_reads(ops in ops(120)) {
        let mut world = World::new();
        for op in &ops {
            world.rig.mem.clear_signs();
            if world.apply(op).is_err() {
                let log = &world.rig.mem.log;
                prop_assert!(log.iter().all(|access| matches!(access, Access::Load(_))), "{:?}: {:?}", op, log);
            }
        }
    }

    /// After a refused access there is no other: the hypervisor is at its end.
    #[test]
    fn a_fault_is_the_last_thing_that_happens(ops in ops(120), after in 0usize..200) {
        let mut world = World::new();
        world.rig.mem.fault_after = Some(after);
        for op in &ops {
            let result = world.apply(op);
            let accesses = world.rig.mem.log.len();
            if let Err(Stop::Fault(Fault)) = result {
                prop_assert_eq!(accesses, after + 1, "{:?}", op);
                return Ok(());
            }
            prop_assert!(accesses <= after, "{:?} went on after a fault", op);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    /// Also what no picture shows: latches, queues, where a reset stands.
    #[test]
    fn an_operation_that_fails_leaves_private_state_alone(ops in ops(80)) {
        let mut world = World::new();
        for op in &ops {
            let valid = |world: &World| world.rig.ec.domains().map(|(_, dom)| world.rig.counts(dom)[0]).sum::<u32>();
            let (buckets, before) = (valid(&world), format!("{:?}", world.rig.ec));
            if world.apply(op).is_err() && valid(&world) == buckets {
                prop_assert_eq!(before, format!("{:?}", world.rig.ec), "{:?}", op);
            }
        }
    }
}
