//! `reach` driven directly: ranges that enabled regions cover in part, or not, or twice.

use crate::common::{builtin, domain, span, step, thread_2022, world};
use sim_core::convention::Frame;
use sim_core::guest::steps::Op;
use sim_core::hyp::strategy::Builtin;
use sim_core::layout::{LayoutParts, PeId, SharedMemory, Span};
use sim_core::machine::Cpu;
use sim_core::outcome::{Counts, Outcome, ViewId};
use sim_core::platform::{Platform, Width};
use sim_core::world::{Config, World};

/// A world whose PE 0 runs the first domain.
fn running(parts: LayoutParts, name: &str) -> World<Builtin> {
    let mut world = world(parts, builtin(name), Config::default(), Vec::new());
    let id = world.hyp.vcpu_id(0, 0).unwrap();
    let mut cpu = Cpu { machine: &mut world.machine, pe: PeId::PRIMARY };
    world.hyp.run_on(&mut cpu, id, &mut Frame::default()).unwrap();
    // The ERET and the next exception that would come here are context synchronisation events.
    cpu.isb().unwrap();
    world
}

/// What copying `bytes` from EL2 did.
fn copy(world: &mut World<Builtin>, bytes: Span, within: Span) -> Counts {
    let before = world.machine.pe(PeId::PRIMARY).counts;
    let mut into = vec![0; usize::try_from(bytes.size()).unwrap()];
    let mut cpu = Cpu { machine: &mut world.machine, pe: PeId::PRIMARY };
    world.hyp.memory(&mut cpu).copy_from(bytes, within, &mut into).unwrap();
    world.machine.pe(PeId::PRIMARY).counts - before
}

fn neighbours() -> LayoutParts {
    let mut parts = thread_2022();
    parts.domains =
        vec![domain(1, &[span(0x3000_0000, 0x10_0000)], &[0]), domain(2, &[span(0x3010_0000, 0x10_0000)], &[1])];
    parts
}

#[test]
fn a_range_covered_in_part_is_split_and_only_the_rest_is_mapped() {
    let mut world = running(neighbours(), "map-page");
    let counts = copy(&mut world, span(0x300f_fff0, 0x20), span(0x3000_0000, 0x20_0000));
    assert_eq!((counts.el2.prbar, counts.el2.prlar, counts.el2_accesses), (1, 1, 4));
    // The window starts where the guest's region ends: nothing lies in two regions.
    let (_, words) =
        world.machine.pe(PeId::PRIMARY).el2.enabled().find(|(_, words)| words.limit() == 0x3010_0fff).unwrap();
    assert_eq!(words.base(), 0x3010_0000);
}

#[test]
fn a_range_over_several_pages_is_one_mapping() {
    // A region can have any size: three pages cost what one costs.
    let mut world = running(neighbours(), "map-page");
    let counts = copy(&mut world, span(0x3018_0ff8, 0x1010), span(0x3010_0000, 0x10_0000));
    assert_eq!((counts.el2.prbar, counts.el2.prlar, counts.el2.prenr), (1, 1, 0));
    let (_, words) =
        world.machine.pe(PeId::PRIMARY).el2.enabled().find(|(_, words)| words.base() == 0x3018_0000).unwrap();
    assert_eq!(words.limit(), 0x3018_2fff);
}

#[test]
fn one_page_is_mapped_once_however_often_it_is_touched() {
    let mut world = running(neighbours(), "map-page");
    let within = span(0x3010_0000, 0x10_0000);
    assert_eq!(copy(&mut world, span(0x3018_0000, 8), within).el2_writes(), 2);
    assert_eq!(copy(&mut world, span(0x3018_0ff8, 8), within).el2_writes(), 0);
}

#[test]
fn static_shared_memory_is_in_the_guest_s_view_already() {
    let mut parts = neighbours();
    parts.shared.push(SharedMemory { name: "ring".into(), span: span(0x7000_0000, 0x1000), domains: vec![0, 1] });
    let within = span(0x7000_0000, 0x1000);
    for name in ["map-page", "hybrid", "naive"] {
        let mut world = running(parts.clone(), name);
        assert_eq!(copy(&mut world, span(0x7000_0000, 64), within).el2_writes(), 0, "{name}");
    }
    // For a domain that does not share it, it is like anybody's memory.
    parts.shared[0].domains = vec![1];
    let mut world = running(parts, "map-page");
    assert_eq!(copy(&mut world, span(0x7000_0000, 64), within).el2_writes(), 2);
}

/// Under `ku-window` a domain's pages at the heap's end go out of the view at each entry, and what lies behind them stays.
#[test]
fn shared_memory_right_behind_the_heap_stays_within_reach() {
    let mut parts = thread_2022();
    parts.heap = span(0x5000_0000, 0x2000_0000);
    let ring = parts.heap.limit() + 1;
    parts.shared.push(SharedMemory { name: "ring".into(), span: span(ring, 0x1000), domains: vec![0, 1] });
    let name = Op::Hypercall { imm: 0xea1, nr: sim_core::convention::nr::XEN_VERSION, args: [1, ring, 0, 0, 0] };
    let system = vec![(0, 0, vec![step(name.clone())]), (1, 0, vec![step(name)])];
    let report = world(parts, builtin("ku-window"), Config::default(), system).run();
    assert_eq!(report.outcome, Outcome::Completed);
}

#[test]
fn a_full_view_closes_the_windows_first() {
    let mut world = running(neighbours(), "hybrid");
    let within = span(0x3010_0000, 0x10_0000);
    copy(&mut world, span(0x3018_0000, 8), within);
    assert_eq!(world.hyp.view_on(PeId::PRIMARY).open_windows(), 1);
    let counts = copy(&mut world, span(0x3019_0000, 8), within);
    assert_eq!(world.hyp.view_on(PeId::PRIMARY).open_windows(), 0);
    assert_eq!(world.hyp.view_on(PeId::PRIMARY).current(), ViewId::Hypervisor);
    // Window and guest's region off in one write; one region for both domains' RAM, which touches.
    assert_eq!((counts.el2.prenr, counts.el2.prbar, counts.el2.prlar), (1, 1, 1));
}

#[test]
fn whatever_is_enabled_at_once_never_overlaps() {
    for name in ["map-page", "switch-view", "hybrid"] {
        let mut world = running(neighbours(), name);
        for address in [0x3018_0000, 0x3000_0000, 0x301f_f000, 0x300f_f000, 0x3010_0000, 0x5000_0000] {
            let (_, within) = world.hyp.layout().owner(address);
            if name == "switch-view" {
                let mut cpu = Cpu { machine: &mut world.machine, pe: PeId::PRIMARY };
                world.hyp.leave_to(&mut cpu, ViewId::Hypervisor).unwrap();
                cpu.isb().unwrap();
            }
            copy(&mut world, span(address, 16), within.unwrap());
            let mut ranges: Vec<_> =
                world.machine.pe(PeId::PRIMARY).el2.enabled().map(|(_, words)| (words.base(), words.limit())).collect();
            ranges.sort_unstable();
            assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "{name}: {ranges:x?}");
        }
        assert!(world.machine.hazards().is_empty());
    }
}

#[test]
fn an_access_outside_every_region_faults_and_stops_the_machine() {
    let mut world = running(neighbours(), "naive");
    let mut cpu = Cpu { machine: &mut world.machine, pe: PeId::PRIMARY };
    assert!(cpu.load(0x3010_0000, Width::Double).is_err());
    assert!(world.machine.faults().0.is_some());
    assert!(matches!(world.run().outcome, Outcome::HypervisorFault(_)));
}
