//! Boot: what each phase maps, under every board, and that no register write on the way overlaps two regions or uncovers
//! what runs; and wrong orders, each caught.

use crate::common::via::{Detour, Via};
use crate::common::{builtin, channel, on_own_memory, ping, ping_pong, pong, span, thread_2022, world};
use evtchn::Policy;
use mpu_model::planner::Update;
use mpu_model::{AccessKind, DenialKind, MpuReg, Region, Rules};
use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use sim_core::convention::Frame;
use sim_core::hyp::boot::{NotBooted, Phase, Step};
use sim_core::hyp::entry::Next;
use sim_core::hyp::plan::Plan;
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::strategy::{Builtin, Settings, Strategy};
use sim_core::hyp::view::PeView;
use sim_core::hyp::{Hypervisor, SetupError};
use sim_core::layout::{
    Board, BootSizes, HypDevices, Image, Item, Layout, LayoutError, LayoutParts, PeId, Placement, Span,
};
use sim_core::machine::clock::Costs;
use sim_core::machine::{Cpu, Faulted, Machine};
use sim_core::outcome::{BootPhase, FaultKind, Outcome, ViewId};
use sim_core::platform::{Platform, SysReg};
use sim_core::world::{BuildError, Config, World};

/// Judges a PE after every MPU register write: what hardware may see before the next barrier is such a state.
struct Watch {
    /// What has to stay mapped once the MPU is on.
    runs: Vec<Span>,
    broken: Option<String>,
}

impl<'a> Detour<Cpu<'a>> for Watch {
    fn write(&mut self, cpu: &mut Cpu<'a>, reg: SysReg, value: u64) -> Result<(), Faulted> {
        let done = cpu.write(reg, value);
        let mpu = &cpu.machine.pe(cpu.pe).el2;
        if self.broken.is_some() || mpu.read(MpuReg::Sctlr) & 1 == 0 {
            return done;
        }
        let mut enabled: Vec<_> = mpu.enabled().filter(|(_, words)| words.base() <= words.limit()).collect();
        enabled.sort_by_key(|(_, words)| words.base());
        let overlap = enabled.windows(2).find(|pair| pair[1].1.base() <= pair[0].1.limit());
        let covers =
            |span: &Span| enabled.iter().any(|(_, words)| words.base() <= span.base() && span.limit() <= words.limit());
        let bare = self.runs.iter().find(|span| !covers(span));
        self.broken = overlap
            .map(|pair| format!("slots {} and {} overlap", pair[0].0, pair[1].0))
            .or_else(|| bare.map(|span| format!("{span} is not mapped by one region")));
        done
    }
}

fn machine(layout: &Layout) -> Machine {
    Machine::new(layout, Rules::default(), Costs::COUNTS)
}

fn watch(layout: &Layout, pe: PeId) -> Watch {
    let image = &layout.parts().image;
    // During boot the end of rodata is still in the data's region: what runs needs the part before it.
    let constants = image.boot.ro_after_init.map_or(image.rodata, |tail| image.rodata.without(&tail).0.unwrap());
    Watch { runs: vec![image.text, constants, layout.stack(pe).unwrap()], broken: None }
}

/// Boots `parts` with every write watched, and holds the result against the plan.
fn boots(mut parts: LayoutParts, strategy: Builtin) -> Result<(), String> {
    parts.placement = strategy.placement().unwrap_or(parts.placement);
    let layout = Layout::new(parts).map_err(|error| error.to_string())?;
    let mut machine = machine(&layout);
    let policy = Policy::default();
    let rr = Scheduler::RoundRobin { quantum: 1000 };
    let mut hyp = Hypervisor::new(layout.clone(), strategy, rr, policy).map_err(|error| error.to_string())?;
    for pe in layout.board().pe_ids() {
        let mut p = Via { p: &mut Cpu { machine: &mut machine, pe }, detour: watch(&layout, pe) };
        let mut phases = Vec::new();
        while let Some(phase) = hyp.boot_phase(&mut p).map_err(|_| format!("PE {pe} faults after {phases:?}"))? {
            if let Some(broken) = &p.detour.broken {
                return Err(format!("PE {pe} in {phase}: {broken}"));
            }
            let used = hyp.region_plan().boot().phases(pe)[phases.len()].used;
            let enabled = hyp.view_on(pe).enabled().len();
            if (used.phase, used.enabled) != (phase, enabled) || hyp.view_on(pe).peak() < used.peak {
                return Err(format!("PE {pe} in {phase}: {used:?}, and {enabled} are enabled"));
            }
            phases.push(phase);
        }
        let peak = hyp.region_plan().boot().phases(pe).iter().map(|phase| phase.used.peak).max();
        if Some(hyp.view_on(pe).peak()) != peak {
            return Err(format!("PE {pe} has {} at once, planned {peak:?}", hyp.view_on(pe).peak()));
        }
        let el2 = &machine.pe(pe).el2;
        let plan = hyp.region_plan();
        // Nobody has handed a page over yet, so that none is pinned.
        let pins: Vec<_> = (0..plan.pins().len()).filter_map(|pin| plan.pin_slot(pin)).collect();
        let planned = plan.slots(plan.view(ViewId::Idle)).filter(|(slot, _)| !pins.contains(slot));
        let planned = planned.map(|(slot, planned)| (slot, planned.words));
        if !el2.enabled().eq(planned) || el2.pending().count() != 0 {
            return Err(format!("PE {pe} ends with {el2:?}"));
        }
    }
    if machine.hazards().is_empty() { Ok(()) } else { Err(format!("{:?}", machine.hazards())) }
}

/// The system of the drafts; in the part's own memory where that is elsewhere or less.
fn preset(name: &str, pes: usize) -> LayoutParts {
    let mut parts = thread_2022();
    parts.board = Board::preset(name).unwrap();
    parts.board.pes = pes;
    parts.board.rules.default_map = mpu_model::DefaultMap::RwNoExec;
    parts.image = Image::on(&parts.board, BootSizes::on(&parts.board)).unwrap();
    on_own_memory(&mut parts);
    parts.domains.iter_mut().flat_map(|domain| &mut domain.vcpus).for_each(|vcpu| vcpu.pe = PeId::PRIMARY);
    parts
}

/// Where a device tree and a pool have room that nobody else has.
fn spare(name: &str) -> (u64, u64) {
    match name {
        "s32z" => (0x3178_0000, 0x3270_0000),
        "rcar-s4" => (0xeb20_0000, 0x7100_0000),
        "sr6p7" => (0x6440_0000, 0x6400_0000),
        "an536" => (0x1000_0000, 0x7100_0000),
        _ => (0x10_0000, 0x7100_0000),
    }
}

#[test]
fn every_board_boots_every_pe_and_no_write_uncovers_or_overlaps() {
    for name in Board::preset_names() {
        for pes in [1, 4] {
            for (placement, devices) in [
                (Placement::GuestRam, HypDevices::Fixed),
                (Placement::Pool, HypDevices::Fixed),
                (Placement::Pool, HypDevices::Switched),
                (Placement::Heap, HypDevices::Fixed),
            ] {
                for (early_uart, bss) in [(false, 0), (true, 0), (false, 0x1_0000), (true, 0x1_0000)] {
                    let mut parts = preset(name, pes);
                    parts.placement = placement;
                    parts.hyp_devices = devices;
                    let sizes = BootSizes { bss, ..BootSizes::on(&parts.board) };
                    parts.image = Image::on(&parts.board, sizes).unwrap();
                    parts.image.boot.early_uart = early_uart;
                    for strategy in Builtin::NAMES {
                        let done = boots(parts.clone(), builtin(strategy));
                        assert_eq!(done, Ok(()), "{name}, {pes} PEs, {placement:?}, {devices:?}, {strategy}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_phases_are_told_with_their_regions() {
    let told = |parts: LayoutParts| {
        let plan = Plan::sketch(&Layout::new(parts).unwrap(), builtin("map-page").needs());
        plan.boot().uses().map(|used| (used.phase, used.enabled, used.peak)).collect::<Vec<_>>()
    };
    let [early, tree, heap, devices, after, last] = [
        BootPhase::Early,
        BootPhase::DeviceTree,
        BootPhase::Heap,
        BootPhase::Devices,
        BootPhase::AfterInit,
        BootPhase::Reshuffle,
    ];
    // Text, rodata, data, init text, init data; device tree; heap; UART and GIC. Three of them go.
    let plain = vec![(early, 5, 5), (tree, 6, 6), (heap, 7, 7), (devices, 9, 9), (after, 6, 9), (last, 6, 6)];
    assert_eq!(told(thread_2022()), plain);
    // An early UART is there from the start and is no region more later.
    let mut parts = thread_2022();
    parts.image.boot.early_uart = true;
    let printing = vec![(early, 6, 6), (tree, 7, 7), (heap, 8, 8), (devices, 9, 9), (after, 6, 9), (last, 6, 6)];
    assert_eq!(told(parts), printing);
    // Bss that lies apart is no region more during boot, and one for good.
    let mut parts = thread_2022();
    let sizes = BootSizes { bss: 0x1_0000, ..BootSizes::default() };
    parts.image = Image::with(parts.board.image_base, parts.board.pes, sizes).unwrap();
    let apart = vec![(early, 5, 5), (tree, 6, 6), (heap, 7, 7), (devices, 9, 9), (after, 7, 9), (last, 7, 7)];
    assert_eq!(told(parts), apart);
    let report = ping_pong(thread_2022(), builtin("map-page"), 3, Config::default());
    let told: Vec<_> = report.regions.boot.iter().map(|used| (used.phase, used.enabled, used.peak)).collect();
    assert_eq!((told, report.regions.peak), (plain, 9));
}

#[test]
fn a_board_too_small_for_a_phase_is_refused_with_the_phase_and_the_number() {
    let refused = |parts: &LayoutParts, regions: u8| {
        let mut parts = parts.clone();
        parts.board.el2_regions = regions;
        let config = Config { channels: vec![channel()], ..Config::default() };
        match World::new(Layout::new(parts).unwrap(), builtin("map-page"), config) {
            Err(BuildError::Setup(SetupError::Refused(refused))) => {
                Some((refused.needs.deciding_phase(), refused.to_string()))
            }
            other => {
                assert!(other.is_ok());
                None
            }
        }
    };
    let text = "needs 9 EL2 regions in boot phase \"devices\", and there are 8 to use";
    assert_eq!(refused(&thread_2022(), 8), Some((Some(BootPhase::Devices), text.into())));
    assert_eq!(refused(&thread_2022(), 9), None);
    // With so many banks that a view needs more, boot is not the reason.
    let mut parts = thread_2022();
    parts.domains[0].ram = (0..6).map(|bank| span(0x3000_0000 + bank * 0x200_0000, 0x100_0000)).collect();
    let (phase, text) = refused(&parts, 8).unwrap();
    assert_eq!(phase, None);
    assert!(text.starts_with("needs 13 EL2 regions, and there are 8 to use; "), "{text}");
}

#[test]
fn guests_are_unpaused_after_the_last_phase_of_the_last_pe_and_not_before() {
    let layout = Layout::new(thread_2022()).unwrap();
    let mut machine = machine(&layout);
    let mut hyp = Hypervisor::new(layout, builtin("map-page"), Scheduler::Null, Policy::default()).unwrap();
    let mut frame = Frame::default();
    for (pe, phases) in machine.pes().ids().zip([6, 1]) {
        for done in 0..phases {
            let next = hyp.region_plan().boot().phases(pe)[done].used.phase;
            assert_eq!(hyp.unpause_guests(), Err(NotBooted { pe, next }));
            // Whoever leaves EL2 now finds nobody to run.
            let mut cpu = Cpu { machine: &mut machine, pe };
            assert_eq!(hyp.leave(&mut cpu, &mut frame), Ok(Next::Idle));
            assert_eq!(hyp.boot_phase(&mut cpu), Ok(Some(next)));
        }
    }
    // A toolstack cannot do it either: nothing of its own paused them.
    let dom = hyp.index(0).unwrap();
    let mut cpu = Cpu { machine: &mut machine, pe: PeId::PRIMARY };
    assert_eq!(hyp.unpause(&mut cpu, dom), Err(evtchn::Errno::EINVAL));
    hyp.pause(&mut cpu, dom).unwrap();
    hyp.unpause(&mut cpu, dom).unwrap();
    assert_eq!(hyp.leave(&mut cpu, &mut frame), Ok(Next::Idle));
    assert_eq!(hyp.unpause_guests(), Ok(()));
    assert_eq!(hyp.leave(&mut cpu, &mut frame), Ok(Next::Guest));
}

/// Boots by `steps` and gives what the machine and the watch say.
fn boot_by(layout: &Layout, steps: &[Step]) -> (Option<FaultKind>, Option<String>) {
    let plan = Plan::new(layout, builtin("map-page").needs()).unwrap();
    let mut machine = machine(layout);
    let mut view = PeView::new(&plan);
    let mut p = Via { p: &mut Cpu { machine: &mut machine, pe: PeId::PRIMARY }, detour: watch(layout, PeId::PRIMARY) };
    let _: Result<(), Faulted> = steps.iter().try_for_each(|step| view.boot(&plan, &mut p, step));
    let broken = p.detour.broken.take();
    (machine.faults().0.map(|fault| fault.kind), broken)
}

fn steps(layout: &Layout) -> Vec<Step> {
    let plan = Plan::new(layout, builtin("map-page").needs()).unwrap();
    plan.boot().phases(PeId::PRIMARY).iter().flat_map(|phase: &Phase| phase.steps.clone()).collect()
}

#[test]
fn growing_rodata_before_data_shrinks_overlaps() {
    let layout = Layout::new(thread_2022()).unwrap();
    let mut wrong = steps(&layout);
    assert_eq!(boot_by(&layout, &wrong), (None, None));
    let shrink = wrong.iter().position(|step| matches!(step, Step::Update(Update::Base { .. }))).unwrap();
    let grow = wrong.iter().position(|step| matches!(step, Step::Update(Update::Limit { .. }))).unwrap();
    assert!(shrink < grow);
    wrong.swap(shrink, grow);
    assert_eq!(boot_by(&layout, &wrong), (None, Some("slots 1 and 2 overlap".into())));
}

#[test]
fn moving_text_without_a_stand_in_kills_the_pe() {
    let layout = Layout::new(thread_2022()).unwrap();
    let good = steps(&layout);
    let text = layout.parts().image.text;
    let words = Region::new(text.base(), text.limit(), sim_core::hyp::plan::TEXT).unwrap().words();
    let moved = |by: &[Update]| {
        let mut steps = good.clone();
        steps.extend(by.iter().map(|update| Step::Update(*update)));
        boot_by(&layout, &steps).0
    };
    // Off first, then on elsewhere: nothing is left to run the second half.
    let naive = [Update::Disable { slot: 0 }, Update::Write { slot: 20, words }];
    let Some(FaultKind::OwnImage(denial)) = moved(&naive) else { panic!("it lives") };
    assert_eq!((denial.kind, denial.access.kind), (DenialKind::NoRegion, AccessKind::Fetch));
    // On elsewhere first, then off: two regions hold the text.
    let twice = [Update::Write { slot: 20, words }, Update::Disable { slot: 0 }];
    let Some(FaultKind::OwnImage(denial)) = moved(&twice) else { panic!("it lives") };
    assert!(matches!(denial.kind, DenialKind::Overlap { .. }), "{:?}", denial.kind);
    // One write of PRENR does both.
    assert_eq!(moved(&[Update::TakeOver { from: 0, to: 20, words }]), None);
}

#[test]
fn boot_parts_that_are_no_neighbours_are_refused() {
    let refused = |change: fn(&mut Image)| {
        let mut parts = thread_2022();
        change(&mut parts.image);
        match Layout::new(parts).unwrap_err() {
            LayoutError::Apart { item, beside, .. } => (item, beside),
            other => panic!("{other}"),
        }
    };
    let tail = refused(|image| image.boot.ro_after_init = Some(span(image.rodata.base() + 0x1000, 0x1000)));
    assert_eq!(tail, (Item::RoAfterInit, Item::Rodata));
    let whole = refused(|image| image.boot.ro_after_init = Some(image.rodata));
    assert_eq!(whole, (Item::RoAfterInit, Item::Rodata));
    let gap = refused(|image| image.data = span(image.data.base() + 0x1000, image.data.size() - 0x1000));
    assert_eq!(gap, (Item::RoAfterInit, Item::Data));
    let bss = refused(|image| image.boot.bss = Some(span(0x40_0000, 0x1000)));
    assert_eq!(bss, (Item::Bss, Item::InitData));
    let mut parts = thread_2022();
    parts.image.boot.device_tree = span(0x3000_0000, 0x1000);
    assert!(matches!(Layout::new(parts), Err(LayoutError::Overlap { .. })), "a device tree in a guest's RAM");
    // One among the boot modules is no stranger there.
    let mut parts = thread_2022();
    parts.sections.boot_modules = Some(span(0x1000_0000, 0x100_0000));
    parts.image.boot.device_tree = span(0x1000_0000, 0x1000);
    assert_eq!(boots(parts, builtin("map-page")), Ok(()));
}

#[test]
fn a_system_that_booted_runs_as_before() {
    let config = Config { channels: vec![channel()], ..Config::default() };
    let programs = vec![(0, 0, ping(20)), (1, 0, pong(20))];
    let report = world(thread_2022(), builtin("hybrid"), config, programs).run();
    assert_eq!((report.outcome, report.hazards), (Outcome::Completed, Vec::new()));
}

/// Systems of any shape: sizes of all parts, the device tree before or behind everything, either placement.
fn layouts() -> impl proptest::strategy::Strategy<Value = (LayoutParts, usize)> {
    let granules = |most: u64| (0..=most).prop_map(|count| count * 64);
    let sizes = (granules(0xfff), 1..0x1000_u64, 1..0x1000_u64, granules(0x400), 1..0x1000_u64);
    let image = (sizes, 1..=4_usize, any::<bool>(), any::<bool>());
    // But for the one part whose memory has no room for images of any size.
    let boards: Vec<_> = Board::preset_names().into_iter().filter(|name| *name != "sr6p7").collect();
    let rest = (0..3_usize, any::<bool>(), 1..=40_usize, prop::sample::select(boards), any::<bool>());
    (image, rest).prop_map(|((sizes, pes, early_uart, tree_below), (place, fixed, windows, board, many))| {
        let (ro_after_init, init_text, init_data, bss, device_tree) = sizes;
        let (init_text, init_data, device_tree) = (init_text * 64, init_data * 64, device_tree * 64);
        let mut parts = preset(board, pes);
        let sizes = BootSizes { ro_after_init, init_text, init_data, bss, device_tree };
        parts.image = Image::with(parts.board.image_base, pes, sizes).unwrap();
        parts.image.boot.early_uart = early_uart;
        if tree_below {
            parts.image.boot.device_tree = span(spare(board).0, device_tree);
        }
        parts.placement = if place == 0 { Placement::GuestRam } else { Placement::Pool };
        parts.pool = (place == 2).then(|| span(spare(board).1, 0x2_0000));
        parts.hyp_devices = if fixed { HypDevices::Fixed } else { HypDevices::Switched };
        parts.board.el2_regions = if many { 64 } else { parts.board.el2_regions };
        (parts, if many { windows } else { windows % 4 + 1 })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_step_of_any_boot_overlaps_or_uncovers((parts, windows) in layouts()) {
        let strategy = Builtin::from_name("map-page", Settings { windows, ..Settings::default() }).unwrap();
        prop_assert_eq!(boots(parts, strategy), Ok(()));
    }
}
