//! What a guest may not touch, and what happens then.

use crate::common::{builtin, expecting, step, thread_2022, world};
use evtchn::op::Op as EventOp;
use mpu_model::{Ap, Attrs, Region, Shareability, Xn};
use sim_core::guest::steps::{Op, PortRef, Step};
use sim_core::outcome::{Expected, Outcome};
use sim_core::platform::Width;
use sim_core::world::Config;

fn read(address: u64, expect: Expected) -> Step {
    expecting(Op::Read { address, width: Width::Word }, expect)
}

fn write(address: u64, expect: Expected) -> Step {
    expecting(Op::Write { address, width: Width::Double, value: 1 }, expect)
}

#[test]
fn stage_two_refuses_what_is_not_the_guest_s_and_the_others_go_on() {
    let foreign = [
        0x2000_0000, // domU2's RAM
        0x0020_0000, // the hypervisor's text
        0x5000_0000, // its heap
        0x9c09_0000, // its UART
        0x0900_0000, // nothing at all
    ];
    let mut nosy: Vec<Step> = Vec::new();
    for address in foreign {
        nosy.push(read(address, Expected::StageTwo));
        nosy.push(write(address, Expected::StageTwo));
        nosy.push(expecting(Op::Execute { address }, Expected::StageTwo));
    }
    nosy.push(read(0xffff_ffff_ffff_fff8, Expected::Fault));
    nosy.push(write(0x3000_1000, Expected::Success));
    nosy.push(read(0x3000_1000, Expected::Value(1)));
    nosy.push(expecting(Op::Execute { address: 0x3000_1000 }, Expected::Success));
    for name in ["naive", "map-page", "switch-view", "hybrid"] {
        let quiet = vec![step(Op::Compute(1000)), write(0x2000_1000, Expected::Success)];
        let programs = vec![(0, 0, nosy.clone()), (1, 0, quiet)];
        let report = world(thread_2022(), builtin(name), Config::default(), programs).run();
        assert_eq!(report.outcome, Outcome::Completed, "{name}");
    }
}

#[test]
fn stage_one_refuses_at_el1_and_wins_over_stage_two() {
    let mut parts = thread_2022();
    let attrs = Attrs { ap: Ap::RoAll, xn: Xn::Never, sh: Shareability::Inner, attr_index: 0, ns: false };
    let first = Region::with_size(0x3000_0000, 0x2_0000, Attrs { ap: Ap::RwAll, ..attrs }).unwrap();
    let second = Region::with_size(0x3010_0000, 0x1_0000, attrs).unwrap();
    parts.domains.get_mut(0).unwrap().vcpus.get_mut(0).unwrap().el1_regions = vec![first, second];
    let steps = vec![
        read(0x3000_0000, Expected::Success),
        expecting(Op::Execute { address: 0x3000_0000 }, Expected::StageOne),
        read(0x3010_0000, Expected::Success),
        write(0x3010_0000, Expected::StageOne),
        read(0x3020_0000, Expected::StageOne),
        // Both stages would refuse: stage 1 is asked first.
        read(0x2000_0000, Expected::StageOne),
    ];
    let report = world(parts, builtin("map-page"), Config::default(), vec![(0, 0, steps)]).run();
    assert_eq!(report.outcome, Outcome::Completed);
    assert!(report.traps.keys().all(|trap| !matches!(trap, sim_core::outcome::Trap::StageTwoAbort)));
}

#[test]
fn a_bad_pointer_is_efault_and_touches_nothing() {
    let send = |pointer| Op::Hypercall { imm: 0xea1, nr: 32, args: [4, pointer, 0, 0, 0] };
    let pointers = [0x2000_0000, 0x0020_0000, 0x4eff_fffe, 0, u64::MAX, u64::MAX - 3];
    let steps = pointers.map(|pointer| expecting(send(pointer), Expected::Rc(-14)));
    let report = world(thread_2022(), builtin("naive"), Config::default(), vec![(0, 0, steps.to_vec())]).run();
    assert_eq!(report.outcome, Outcome::Completed);
    let sends = report.traps.iter().find(|(trap, _)| trap.is_send()).unwrap().1;
    assert_eq!(sends.counts.el2_accesses, 0);
}

#[test]
fn strange_hvcs_are_answered_as_xen_does() {
    let hvc = |imm, nr| Op::Hypercall { imm, nr, args: [0; 5] };
    let steps = vec![
        expecting(hvc(0xea1, 999), Expected::Rc(-38)),
        expecting(hvc(0xea1, u64::MAX), Expected::Rc(-38)),
        // Neither a hypercall nor SMCCC: an undefined instruction.
        expecting(hvc(0xea2, 32), Expected::Fault),
        // An SMCCC function nobody knows.
        expecting(hvc(0, 0), Expected::Rc(-1)),
        expecting(Op::on(EventOp::Close { port: 0 }, PortRef::Number(5)), Expected::Rc(-22)),
    ];
    let report = world(thread_2022(), builtin("map-page"), Config::default(), vec![(0, 0, steps)]).run();
    assert_eq!(report.outcome, Outcome::Completed, "{:?}", report.outcome);
}
