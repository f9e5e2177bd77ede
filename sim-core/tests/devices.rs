//! Emulated devices: what a guest's access to one gives, what it costs, and what stays as it was.

use crate::common::{at, builtin, domain, expecting, repeat, setup, span, step, thread_2022, world};
use mpu_model::Region;
use sim_core::guest::steps::{Op, Step};
use sim_core::hyp::plan::GUEST_RAM;
use sim_core::layout::{EmulatedDevice, Layout, LayoutError, LayoutParts, Owner};
use sim_core::outcome::{Counts, Expected, Outcome, Report, Trap};
use sim_core::platform::Width;
use sim_core::world::Config;

const BASE: u64 = 0x9000_0000;

/// The system of 2022 with a device that both domains have, or only the first.
fn parts(domains: &[usize]) -> LayoutParts {
    let mut parts = thread_2022();
    let device = EmulatedDevice {
        name: "regs".into(),
        span: span(BASE, 0x1000),
        domains: domains.iter().copied().map(at).collect(),
        console: Some(0x10),
    };
    parts.emulated = vec![device];
    parts
}

fn read(offset: u64, width: Width, expect: Expected) -> Step {
    expecting(Op::Read { address: BASE + offset, width }, expect)
}

fn write(offset: u64, width: Width, value: u64) -> Step {
    step(Op::Write { address: BASE + offset, width, value })
}

fn run(parts: LayoutParts, strategy: &str, steps: Vec<Step>) -> Report {
    world(parts, builtin(strategy), Config::default(), vec![(0, 0, steps)]).run()
}

const ALL: [&str; 8] = ["naive", "pin", "map-page", "switch-view", "hybrid", "enable-mask", "ku-window", "xen-pool"];

#[test]
fn registers_hold_what_was_written_in_any_width() {
    let steps = vec![
        read(0, Width::Double, Expected::Value(0)),
        write(0, Width::Double, 0x1122_3344_5566_7788),
        read(0, Width::Double, Expected::Value(0x1122_3344_5566_7788)),
        read(4, Width::Word, Expected::Value(0x1122_3344)),
        write(1, Width::Byte, 0xff),
        read(0, Width::Word, Expected::Value(0x5566_ff88)),
        read(0xff8, Width::Double, Expected::Value(0)),
    ];
    for name in ALL {
        let report = run(parts(&[0]), name, steps.clone());
        assert_eq!(report.outcome, Outcome::Completed, "{name}");
        assert_eq!(report.traps.get(&Trap::Mmio).unwrap().calls, 7, "{name}");
        assert_eq!(report.traps.get(&Trap::StageTwoAbort), None, "{name}");
    }
}

#[test]
fn an_access_costs_a_trap_and_what_the_strategy_does_at_every_trap() {
    let steps = || vec![repeat(10, [Op::Write { address: BASE, width: Width::Word, value: 1 }])];
    let counts = |name: &str| {
        let report = run(parts(&[0]), name, steps());
        report.traps.get(&Trap::Mmio).unwrap().counts
    };
    // Exception, ESR and FAR, ERET, and the guest's own instruction.
    let bare = Counts { exceptions: 10, erets: 10, sysreg_reads: 20, guest_actions: 10, ..Counts::default() };
    for name in ["naive", "pin", "map-page", "hybrid", "xen-pool"] {
        assert_eq!(counts(name), bare, "{name}");
    }
    let mask = counts("enable-mask");
    assert_eq!((mask.el2.prenr, mask.isb, mask.dsb), (20, 10, 20), "there and back at every trap");
    assert_eq!(counts("switch-view").el2.prbar, 20);
}

#[test]
fn the_console_register_prints_and_reads_back() {
    let mut steps: Vec<Step> = b"hi\n".iter().map(|byte| write(0x10, Width::Word, u64::from(*byte))).collect();
    steps.push(read(0x10, Width::Word, Expected::Value(10)));
    steps.push(write(0x18, Width::Word, 0x21));
    let report = run(parts(&[0]), "map-page", steps);
    assert_eq!((report.outcome, report.console.as_str()), (Outcome::Completed, "hi\n"));
}

#[test]
fn domains_of_a_device_share_its_registers_and_others_have_none() {
    let own = vec![write(0, Width::Word, 7)];
    let late = |expect| vec![step(Op::Compute(100_000)), read(0, Width::Word, expect)];
    for (domains, expect) in [(vec![0, 1], Expected::Value(7)), (vec![0], Expected::StageTwo)] {
        let programs = vec![(0, 0, own.clone()), (1, 0, late(expect))];
        let report = world(parts(&domains), builtin("map-page"), Config::default(), programs).run();
        assert_eq!(report.outcome, Outcome::Completed, "{domains:?}");
        let refused = report.traps.contains_key(&Trap::StageTwoAbort);
        assert_eq!(refused, domains.len() == 1, "as if the device were not there");
    }
}

#[test]
fn what_is_not_told_or_not_inside_is_refused_as_ever() {
    let steps = vec![
        // Past the end, and across it.
        read(0x1000, Width::Word, Expected::StageTwo),
        read(0xffc, Width::Double, Expected::StageTwo),
        expecting(Op::Write { address: BASE - 4, width: Width::Double, value: 1 }, Expected::StageTwo),
        expecting(Op::Execute { address: BASE }, Expected::StageTwo),
        read(0, Width::Double, Expected::Value(0)),
    ];
    let report = run(parts(&[0]), "map-page", steps);
    assert_eq!(report.outcome, Outcome::Completed);
    assert_eq!(report.traps.get(&Trap::StageTwoAbort).unwrap().calls, 4);
}

#[test]
fn an_access_that_begins_in_ram_is_not_taken_for_one_of_the_register_behind_it() {
    let mut parts = parts(&[0]);
    let ram = span(0x1000_0000, 0x1000);
    parts.domains = vec![domain(1, &[span(0x3000_0000, 0x1000_0000), ram], &[0])];
    for device in &mut parts.emulated {
        device.span = span(ram.limit() + 1, 0x40);
    }
    let at = ram.limit() - 3;
    let across = expecting(Op::Write { address: at, width: Width::Double, value: u64::MAX }, Expected::StageTwo);
    let register = expecting(Op::Read { address: ram.limit() + 1, width: Width::Double }, Expected::Value(0));
    assert_eq!(run(parts, "map-page", vec![across, register]).outcome, Outcome::Completed);
}

#[test]
fn stage_1_comes_first() {
    let mut parts = parts(&[0]);
    let ram = Region::new(0x3000_0000, 0x3fff_ffff, GUEST_RAM).unwrap();
    parts.domains.iter_mut().take(1).for_each(|domain| {
        domain.vcpus.iter_mut().for_each(|vcpu| vcpu.el1_regions = vec![ram]);
    });
    let mut steps = setup();
    steps.push(read(0, Width::Word, Expected::StageOne));
    assert_eq!(run(parts, "map-page", steps).outcome, Outcome::Completed);
}

#[test]
fn a_device_takes_addresses_that_nobody_has() {
    let layout = Layout::new(parts(&[0])).unwrap();
    assert_eq!(layout.owner(BASE + 8).0, Owner::Emulated(0));
    let with = |change: &dyn Fn(&mut EmulatedDevice)| {
        let mut parts = parts(&[0]);
        parts.emulated.iter_mut().for_each(change);
        Layout::new(parts).unwrap_err()
    };
    let uart = thread_2022().board.console.span.base();
    for taken in [0x3000_0000, 0x5000_0000, 0x0020_0000, uart] {
        let error = with(&|device| device.span = span(taken, 0x40));
        assert!(matches!(error, LayoutError::Overlap { .. }), "{error}");
    }
    assert!(matches!(with(&|device| device.span = span(BASE, 0x20)), LayoutError::Unaligned { .. }));
    assert!(matches!(with(&|device| device.span = span(BASE, 0x1_0040)), LayoutError::DeviceTooLarge { .. }));
    assert!(matches!(with(&|device| device.console = Some(0x1000)), LayoutError::NoSuchRegister { .. }));
}
