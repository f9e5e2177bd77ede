//! Defects that others met in the field, or foresaw, where it takes a hypervisor and guests to see them: each once as it
//! was and once as it should be.
//!
//! Every test is named after its case and says where the case comes from. The others are in `mpu-model/tests/field`.

use crate::common::via::{Detour, Via};
use crate::common::{
    PORTS, builtin, channel, domain, expecting, ping_pong, send, setup, span, step, thread_2022, world,
};
use evtchn::Object;
use evtchn::abi::DOMID_SELF;
use evtchn::op::Op as EventOp;
use mpu_model::{Access, AccessKind, DenialKind, El, MpuReg, Regime};
use sim_core::guest::steps::{Op, PortRef};
use sim_core::hyp::plan::{Needs, Plan};
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::strategy::{Builtin, Reach, Settings, Strategy};
use sim_core::hyp::view::{PeView, Wanted};
use sim_core::layout::{HypDevices, Image, Layout, LayoutParts, Owner, PeId};
use sim_core::machine::clock::Costs;
use sim_core::machine::{Cpu, Machine};
use sim_core::outcome::{BootPhase, BreachKind, Expected, FaultKind, Outcome, ViewId};
use sim_core::platform::{Platform, SysReg, Width};
use sim_core::world::Config;

const WORKING: [&str; 3] = ["map-page", "switch-view", "hybrid"];

/// xen-devel, 19 April 2022, Wei Chen on draft B of the Armv8-R MPU design (archive 2022-04, msg01311): under the sender's
/// view no region covers the receiver's `vcpu_info`, so the send aborts at EL2. The answer that chose a page through one
/// reserved region: Message-ID alpine.DEB.2.22.394.2204201403180.915916@ubuntu-linux-20-04-desktop (20 April 2022).
#[test]
fn remote_vcpu_info_write_aborts() {
    // domU2 leaves shared_info where it is at first, in the hypervisor's heap: what a send misses then is vcpu_info.
    let run = |name| {
        let mut listener: Vec<_> = [Op::RegisterVcpuInfo, Op::Compute(50_000)].map(step).into();
        // evtchn_upcall_pending is its first byte.
        listener.push(expecting(Op::Read { address: 0x2001_2000, width: Width::Byte }, Expected::Value(1)));
        let mut sender = setup();
        sender.extend([Op::Compute(10_000), send(PortRef::Number(PORTS.0))].map(step));
        let config = Config { channels: vec![channel()], ..Config::default() };
        world(thread_2022(), builtin(name), config, vec![(0, 0, sender), (1, 0, listener)]).run()
    };
    let Outcome::HypervisorFault(fault) = run("naive").outcome else { panic!("it goes through") };
    assert!(fault.on_behalf.trap.is_send());
    assert_eq!((fault.owner, fault.view), (Owner::Ram(1), ViewId::Guest(0)));
    assert!(matches!(fault.object, Some((area, _)) if matches!(area.object, Object::VcpuInfo(_))));
    for name in WORKING {
        assert_eq!(run(name).outcome, Outcome::Completed, "{name}");
    }
}

/// xen-devel, 1 and 2 February 2023, review of the MPU patch series: with device memory unmapped while a guest runs, how
/// does Xen print to the UART? (Julien Grall asked, Penny Zheng agreed that it could not.)
#[test]
fn uart_print_in_guest_context() {
    let run = |devices, strategy: Builtin| {
        let mut parts = thread_2022();
        parts.hyp_devices = devices;
        let print = vec![step(Op::Console("hello\n".into()))];
        world(parts, strategy, Config::default(), vec![(0, 0, print)]).run()
    };
    let Outcome::HypervisorFault(fault) = run(HypDevices::Switched, builtin("naive")).outcome else {
        panic!("printed")
    };
    assert_eq!((fault.owner, fault.fault.access()), (Owner::Uart, AccessKind::Write));
    assert_eq!(fault.recursive.unwrap().syndrome.far, fault.fault.syndrome.far, "nor can it say so");
    for (devices, name) in
        WORKING.map(|name| (HypDevices::Switched, name)).into_iter().chain([(HypDevices::Fixed, "naive")])
    {
        let report = run(devices, builtin(name));
        assert_eq!((report.outcome, report.console.as_str()), (Outcome::Completed, "hello\n"), "{devices:?}, {name}");
    }
}

/// xen-devel, 1 and 2 February 2023, the same review: regions are put in order once, at the end of boot, and that presumes
/// that no guest runs yet.
#[test]
fn unpause_before_reorder() {
    let mut parts = thread_2022();
    parts.domains.truncate(1);
    parts.board.pes = 1;
    parts.image = Image::at(parts.board.image_base, 1).unwrap();
    let layout = Layout::new(parts).unwrap();
    let plan = Plan::new(&layout, builtin("map-page").needs()).unwrap();
    // Whether the guest's RAM is open to it: once it is unpaused, and when boot is over.
    let run = |before: Option<BootPhase>| {
        let mut machine = Machine::new(&layout, mpu_model::Rules::default(), Costs::COUNTS);
        let mut view = PeView::new(&plan);
        let mut cpu = Cpu { machine: &mut machine, pe: PeId::PRIMARY };
        let reads = |cpu: &Cpu<'_>| {
            let read = Access { addr: 0x3000_0000, size: 4, kind: AccessKind::Read, el: El::El1 };
            cpu.machine.pe(PeId::PRIMARY).el2.check(Regime::Stage2, read).result.is_ok()
        };
        let mut unpaused = false;
        for phase in plan.boot().phases(PeId::PRIMARY) {
            if before == Some(phase.used.phase) {
                view.load(&plan, &mut cpu, ViewId::Guest(0), false).unwrap();
                unpaused = reads(&cpu);
            }
            phase.steps.iter().for_each(|step| view.boot(&plan, &mut cpu, step).unwrap());
        }
        if before.is_none() {
            view.load(&plan, &mut cpu, ViewId::Guest(0), false).unwrap();
            unpaused = reads(&cpu);
        }
        (unpaused, reads(&cpu))
    };
    assert_eq!(run(Some(BootPhase::Reshuffle)), (true, false), "the reshuffle takes the guest's RAM away again");
    assert_eq!(run(None), (true, true));
    // The hypervisor refuses it: `guests_are_unpaused_after_the_last_phase_of_the_last_pe_and_not_before` in boot.rs.
}

/// A window for whatever is to be reached, in a view that may map it already.
#[derive(Clone, Debug)]
struct MapsWithoutLooking;

impl Strategy for MapsWithoutLooking {
    fn name(&self) -> &'static str {
        "maps-without-looking"
    }

    fn needs(&self) -> Needs {
        Needs { windows: 1, ..Needs::default() }
    }

    fn reach<P: Platform>(&mut self, cx: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        cx.open_window(wanted)
    }
}

/// Xen at c447b7308b (20 August 2026), from its code: `map_domain_page()` in `xen/arch/arm/mpu/domain-page.c` looks for
/// overlaps in the hypervisor's own table only. With a guest's P2M regions enabled, copying from the current domain's own page
/// puts a second region over one of those, and the access takes a translation fault.
#[test]
fn own_page_copy_overlaps_p2m() {
    // The arguments are in the caller's own memory; that is all that is touched.
    let programs = || vec![(0, 0, vec![step(Op::making(EventOp::AllocUnbound { dom: DOMID_SELF, remote_dom: 2 }, 0))])];
    let Outcome::HypervisorFault(fault) =
        world(thread_2022(), MapsWithoutLooking, Config::default(), programs()).run().outcome
    else {
        panic!("it goes through")
    };
    assert_eq!((fault.owner, fault.fault.access()), (Owner::Ram(0), AccessKind::Read));
    assert!(matches!(fault.fault.kind, FaultKind::Access(denial) if matches!(denial.kind, DenialKind::Overlap { .. })));
    for name in Builtin::NAMES {
        let report = world(thread_2022(), builtin(name), Config::default(), programs()).run();
        assert_eq!(report.outcome, Outcome::Completed, "{name}");
    }
}

/// Turns regions off through PRENR whatever their number, as Xen does (see below): for one above 31 the limit register is not
/// written, and the bit of that number is RES0.
struct PrenrForAll {
    bank: u64,
}

impl<P: Platform> Detour<P> for PrenrForAll {
    fn write(&mut self, p: &mut P, reg: SysReg, value: u64) -> Result<(), P::Fault> {
        match reg {
            SysReg::El2(MpuReg::Prselr) => self.bank = value,
            SysReg::El2(MpuReg::Prlar | MpuReg::PrlarN(_)) if self.bank >= 32 && value & 1 == 0 => {
                let enabled = p.read(SysReg::El2(MpuReg::Prenr));
                return p.write(SysReg::El2(MpuReg::Prenr), enabled);
            }
            _ => {}
        }
        p.write(reg, value)
    }
}

/// `map-page` over a view that leaves regions from 32 on enabled.
#[derive(Clone, Debug)]
struct LeavesHighRegions(Builtin);

impl Strategy for LeavesHighRegions {
    fn name(&self) -> &'static str {
        "leaves-high-regions"
    }

    fn needs(&self) -> Needs {
        self.0.needs()
    }

    fn reach<P: Platform>(&mut self, cx: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        self.0.reach(cx, wanted)
    }

    fn on_exit<P: Platform>(&mut self, cx: &mut Reach<'_, P>, next: ViewId) -> Result<(), P::Fault> {
        let bank = cx.p.read(SysReg::El2(MpuReg::Prselr));
        let p = &mut Via { p: cx.p, detour: PrenrForAll { bank } };
        Reach { plan: cx.plan, view: cx.view, p }.leave(next)
    }
}

/// Two domains on one PE; the first has a second bank, in slot 40 of its view behind 33 windows.
fn two_banks() -> LayoutParts {
    let mut parts = thread_2022();
    parts.board.el2_regions = 64;
    parts.domains = vec![
        domain(1, &[span(0x3000_0000, 0x10_0000), span(0x3800_0000, 0x10_0000)], &[0]),
        domain(2, &[span(0x2000_0000, 0x10_0000)], &[0]),
    ];
    parts
}

/// Xen, `disable_mpu_region_from_index()` since commit 8181956698 (21 July 2025): `(index & PRENR_MASK) != 0` stands where
/// "index below 32" is meant, so that a region above 31 stays enabled. With a context switch through it, one domain's memory
/// is open to the next. `examples/scenarios/region-40-of-64.toml` is the same as a scenario.
#[test]
fn disable_of_region_40_of_64() {
    let strategy = Builtin::from_name("map-page", Settings { windows: 33, ..Settings::default() }).unwrap();
    let plan = Plan::new(&Layout::new(two_banks()).unwrap(), strategy.needs()).unwrap();
    let of_first = plan.slots(plan.view(ViewId::Guest(0)));
    assert_eq!(of_first.map(|(slot, planned)| (slot, planned.region.base())).last(), Some((40, 0x3800_0000)));
    let second_reads = |expect| vec![expecting(Op::Read { address: 0x3800_0000, width: Width::Word }, expect)];
    let config = || Config { scheduler: Scheduler::RoundRobin { quantum: 1000 }, ..Config::default() };
    let first = || vec![step(Op::Write { address: 0x3800_0000, width: Width::Word, value: 7 })];
    let programs = |expect| vec![(0, 0, first()), (1, 0, second_reads(expect))];

    let report = world(two_banks(), strategy.clone(), config(), programs(Expected::StageTwo)).run();
    assert_eq!(report.outcome, Outcome::Completed);
    // The isolation oracle sees it at the first switch.
    let wrong = LeavesHighRegions(strategy);
    let report = world(two_banks(), wrong, config(), programs(Expected::StageTwo)).run();
    let Outcome::IsolationBroken(breach) = report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!((breach.kind, breach.owner, breach.runs), (BreachKind::Exposed, Owner::Ram(0), Some(1)));
}

/// The wrapper above drops nothing where PRENR reaches every region: it is the number alone that makes the defect.
#[test]
fn disable_of_regions_below_32_is_right() {
    let strategy = Builtin::from_name("map-page", Settings::default()).unwrap();
    let report = ping_pong(thread_2022(), LeavesHighRegions(strategy), 5, Config::default());
    assert_eq!(report.outcome, Outcome::Completed);
}
