//! Memory that only one PE reaches, and devices that are passed through: what a layout takes, what hypercalls refuse, and what is
//! left when a domain goes.

#![allow(clippy::result_large_err, reason = "a layout is checked once")]

use crate::common::{builtin, domain, expecting, ping_pong, span, step, thread_2022, world};
use evtchn::{Errno, Policy};
use sim_core::guest::steps::{Op, Step};
use sim_core::hyp::Hypervisor;
use sim_core::hyp::lifecycle::CreateError;
use sim_core::hyp::sched::Scheduler;
use sim_core::layout::{
    Item, Kind, Layout, LayoutError, LayoutParts, Memory, Owner, PassthroughDevice, PeId, SharedMemory,
};
use sim_core::machine::clock::Costs;
use sim_core::machine::{Cpu, Machine};
use sim_core::outcome::{Expected, Outcome};
use sim_core::platform::Width;
use sim_core::world::Config;

const TCM: u64 = 0xe000_0000;
const DEVICES: u64 = 0xc000_0000;

/// The system of 2022 with a TCM of PE 0 and a range of devices on its board.
fn parts() -> LayoutParts {
    let mut parts = thread_2022();
    let memory = |name: &str, kind, base| Memory { name: name.into(), kind, span: span(base, 0x1_0000) };
    parts.board.memory.push(memory("TCM0", Kind::Tcm { pe: PeId::PRIMARY }, TCM));
    parts.board.memory.push(memory("devices", Kind::Device, DEVICES));
    parts
}

/// The same, with the first domain's RAM in the TCM before what it has in the DRAM.
fn with_tcm() -> LayoutParts {
    let mut parts = parts();
    parts.domains[0].ram.insert(0, span(TCM, 0x1_0000));
    parts
}

fn device(domains: &[usize], shared: bool) -> PassthroughDevice {
    PassthroughDevice { name: "can".into(), span: span(DEVICES, 0x1000), domains: domains.to_vec(), shared }
}

fn run(parts: LayoutParts, programs: Vec<(usize, u32, Vec<Step>)>) -> Outcome {
    world(parts, builtin("map-page"), Config::default(), programs).run().outcome
}

#[test]
fn a_domain_in_its_pes_tcm_keeps_what_it_hands_over_elsewhere() {
    let mut parts = with_tcm();
    (parts.domains[0].shared_info, parts.domains[0].vcpu_info) = (None, Vec::new());
    let layout = Layout::new(parts.clone()).unwrap();
    let pages = layout.pages(0).unwrap();
    for address in [pages.shared_info, pages.vcpu_info[0]] {
        assert_eq!(layout.ram_bank(0, address), Some(span(0x3000_0000, 0x1f00_0000)), "{address:#x}");
    }
    assert_eq!((layout.common_bank(0, TCM), layout.ram_bank(0, TCM)), (None, Some(span(TCM, 0x1_0000))));
    for strategy in ["pin", "map-page", "switch-view", "hybrid", "enable-mask", "ku-window", "xen-pool", "static-map"] {
        let report = ping_pong(parts.clone(), builtin(strategy), 3, Config::default());
        assert_eq!((report.outcome, report.events.lost), (Outcome::Completed, 0), "{strategy}");
    }
    // Nothing else: nowhere to put them.
    parts.domains[0].ram.truncate(1);
    assert!(matches!(Layout::new(parts), Err(LayoutError::NoRoomForPages { .. })));
}

/// Another PE's send would not reach it.
#[test]
fn a_page_of_a_tcm_is_not_taken_but_where_no_other_pe_is() {
    let hand_over = |parts: LayoutParts, expect| {
        let register = |op| expecting(op, expect);
        run(parts, vec![(0, 0, vec![register(Op::MapSharedInfo), register(Op::RegisterVcpuInfo)])])
    };
    let mut parts = with_tcm();
    (parts.domains[0].shared_info, parts.domains[0].vcpu_info) = (Some(TCM + 0x1000), vec![TCM + 0x2000]);
    assert_eq!(hand_over(parts.clone(), Expected::Rc(Errno::EINVAL.rc())), Outcome::Completed);
    // A page of the DRAM is, whatever else the domain has.
    let mut elsewhere = parts.clone();
    (elsewhere.domains[0].shared_info, elsewhere.domains[0].vcpu_info) = (Some(0x3001_0000), vec![0x3001_2000]);
    assert_eq!(hand_over(elsewhere, Expected::Rc(0)), Outcome::Completed);
    parts.board.pes = 1;
    parts.domains.truncate(1);
    parts.image = sim_core::layout::Image::at(parts.board.image_base, 1).unwrap();
    assert_eq!(hand_over(parts, Expected::Rc(0)), Outcome::Completed);
}

#[test]
fn a_tcm_is_for_vcpus_of_its_pe() {
    let mut parts = with_tcm();
    parts.domains[0].vcpus[0].pe = PeId::new(1);
    let error = Layout::new(parts).unwrap_err();
    let LayoutError::FarTcm { item: Item::Ram { domain: 0, bank: 0, .. }, tcm: PeId::PRIMARY, pe, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(*pe, PeId::new(1));
    let share = |domains: &[usize]| {
        let mut parts = self::parts();
        parts.shared.push(SharedMemory { name: "s".into(), span: span(TCM, 0x1000), domains: domains.to_vec() });
        Layout::new(parts).map(drop)
    };
    assert_eq!(share(&[0]), Ok(()));
    let error = share(&[0, 1]).unwrap_err();
    assert!(matches!(error, LayoutError::FarTcm { item: Item::Shared { .. }, .. }), "{error}");
    // Nor is it for the hypervisor, which runs on every PE.
    let mut parts = self::parts();
    parts.heap = span(TCM, 0x1_0000);
    assert!(matches!(Layout::new(parts), Err(LayoutError::BeyondBoard { item: Item::Heap, .. })));
}

#[test]
fn flash_holds_what_is_only_read() {
    let mut parts = parts();
    let flash = span(0xd000_0000, 0x10_0000);
    parts.board.memory.push(Memory { name: "flash".into(), kind: Kind::Flash, span: flash });
    let with = |change: &dyn Fn(&mut LayoutParts)| {
        let mut parts = parts.clone();
        change(&mut parts);
        Layout::new(parts).map(drop)
    };
    assert_eq!(with(&|parts| parts.image.text = span(0xd000_0000, 0x8_0000)), Ok(()));
    assert_eq!(with(&|parts| parts.image.boot.device_tree = span(0xd000_0000, 0x1_0000)), Ok(()));
    // Rodata whose end is written while the hypervisor boots lies beside the data; without that it may be in flash.
    let rodata = |parts: &mut LayoutParts| {
        parts.image.boot.ro_after_init = None;
        parts.image.rodata = span(0xd000_0000, 0x4_0000);
    };
    assert_eq!(with(&rodata), Ok(()));
    for (refused, what) in [
        (with(&|parts| parts.heap = flash), "the heap"),
        (with(&|parts| parts.image.boot.init_data = span(0xd000_0000, 0x1_0000)), "the hypervisor's init data"),
        (with(&|parts| parts.domains[1].ram = vec![flash]), "RAM bank 0 of domU2"),
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, LayoutError::BeyondBoard { .. }) && error.to_string().starts_with(what), "{error}");
    }
}

#[test]
fn a_device_is_one_domains_and_the_boards() {
    let with = |devices: Vec<PassthroughDevice>| {
        let mut parts = parts();
        parts.passthrough = devices;
        Layout::new(parts)
    };
    let layout = with(vec![device(&[0], false)]).unwrap();
    assert_eq!(layout.owner(DEVICES + 8).0, Owner::Passthrough(0));
    assert!(with(vec![device(&[0, 1], true)]).is_ok());
    let error = with(vec![device(&[0, 1], false)]).unwrap_err();
    assert!(matches!(error, LayoutError::DeviceOfSeveral { count: 2, .. }), "{error}");
    let error = with(vec![device(&[0], false), device(&[1], false)]).unwrap_err();
    assert!(matches!(error, LayoutError::Overlap { b: Item::Passthrough { index: 1, .. }, .. }), "{error}");
    let elsewhere = |base, size| with(vec![PassthroughDevice { span: span(base, size), ..device(&[0], false) }]);
    // In the range, or one of the UARTs but the console.
    let uart = parts().board.other_uarts[0].span;
    assert!(elsewhere(uart.base(), uart.size()).is_ok());
    let console = parts().board.console.span;
    assert!(matches!(elsewhere(console.base(), console.size()), Err(LayoutError::Overlap { .. })));
    for (base, size) in [(DEVICES + 0xf000, 0x2000), (0x1000, 0x1000), (uart.base(), 0x2000)] {
        let error = elsewhere(base, size).unwrap_err();
        assert!(matches!(error, LayoutError::NoDevice { .. }), "{base:#x}: {error}");
    }
}

#[test]
fn a_device_is_open_to_its_domain_under_every_strategy_and_to_no_other() {
    let write = |expect| expecting(Op::Write { address: DEVICES, width: Width::Word, value: 1 }, expect);
    let read = |expect| expecting(Op::Read { address: DEVICES + 8, width: Width::Double }, expect);
    let fetch = || expecting(Op::Execute { address: DEVICES }, Expected::StageTwo);
    for strategy in ["pin", "map-page", "switch-view", "hybrid", "enable-mask", "ku-window", "xen-pool", "static-map"] {
        let mut parts = parts();
        parts.passthrough = vec![device(&[0], false)];
        // Its registers are not simulated.
        let own = vec![write(Expected::Success), read(Expected::Value(0)), fetch()];
        let others = vec![write(Expected::StageTwo), read(Expected::StageTwo), fetch()];
        let programs = vec![(0, 0, own), (1, 0, others)];
        let report = world(parts, builtin(strategy), Config::default(), programs).run();
        assert_eq!((report.outcome, report.hazards), (Outcome::Completed, Vec::new()), "{strategy}");
    }
    // A block of a hypercall is not read from registers.
    let mut parts = parts();
    parts.passthrough = vec![device(&[0], false)];
    let call = Op::Hypercall { imm: sim_core::convention::TAG, nr: 32, args: [4, DEVICES, 0, 0, 0] };
    assert_eq!(
        run(parts, vec![(0, 0, vec![expecting(call, Expected::Rc(Errno::EFAULT.rc())), step(Op::Halt)])]),
        Outcome::Completed
    );
}

/// Whoever takes the place of a domain that is gone has none of its devices; and a TCM is cleared on its PE.
#[test]
fn devices_and_tcms_when_domains_come_and_go() {
    let mut parts = parts();
    parts.passthrough = vec![device(&[0], false)];
    let layout = Layout::new(parts).unwrap();
    let rules = layout.board().rules;
    let mut machine = Machine::new(&layout, rules, Costs::COUNTS);
    let rr = Scheduler::RoundRobin { quantum: 1000 };
    let mut hyp = Hypervisor::new(layout, builtin("map-page"), rr, Policy::default()).unwrap();
    for pe in machine.pes().ids() {
        hyp.boot(&mut Cpu { machine: &mut machine, pe }).unwrap();
    }
    hyp.unpause_guests().unwrap();
    machine.put(TCM, 8, u64::MAX);
    let gone = hyp.index(0).unwrap();
    hyp.kill(&mut Cpu { machine: &mut machine, pe: PeId::PRIMARY }, gone).unwrap();
    assert_eq!(hyp.layout().parts().passthrough[0].domains, Vec::<usize>::new());
    let newcomer = domain(9, &[span(TCM, 0x1_0000), span(0x4000_0000, 0x10_0000)], &[0]);
    let elsewhere = hyp.create_domain(&mut Cpu { machine: &mut machine, pe: PeId::new(1) }, newcomer.clone()).unwrap();
    let error = elsewhere.unwrap_err();
    assert_eq!(
        (&error, error.errno()),
        (&CreateError::FarTcm { span: span(TCM, 0x1_0000), tcm: PeId::PRIMARY }, Errno::EINVAL)
    );
    assert_eq!((hyp.index(0), machine.look_at(TCM, 8)), (None, u64::MAX), "nothing changed");
    assert_eq!(hyp.create_domain(&mut Cpu { machine: &mut machine, pe: PeId::PRIMARY }, newcomer).unwrap(), Ok(0));
    assert_eq!(machine.look_at(TCM, 8), 0);
    assert_eq!(hyp.layout().owner(DEVICES).0, Owner::Passthrough(0));
    let regions = &hyp.region_plan().view(sim_core::outcome::ViewId::Guest(0)).regions;
    assert!(regions.iter().all(|planned| !planned.owners.contains(&Owner::Passthrough(0))));
}
