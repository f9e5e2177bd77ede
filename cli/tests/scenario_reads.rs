//! What each key and each step of a good scenario becomes.
#![allow(clippy::too_many_lines, reason = "tables of cases are as long as they are")]

use evtchn::abi::DOMID_SELF;
use evtchn::op::Op as EventOp;
use evtchn::{DomId, Port, Vcpu};
use mpu_model::{Ap, SyncRule, WriteOrder, Xn};
use scenario::Scenario;
use sim_core::guest::steps::Op;
use sim_core::guest::steps::PortRef::{Number, Variable};
use sim_core::hyp::StaticChannel;
use sim_core::hyp::sched::arinc653::MinorFrame;
use sim_core::hyp::sched::{Scheduler, VirqTimer};
use sim_core::hyp::strategy::When;
use sim_core::layout::{HypDevices, Image, Memory, PeId, Placement, Span};
use sim_core::outcome::Expected::{self, Fault, Rc, StageOne, StageTwo, Success, Value};
use sim_core::platform::Width;
use sim_core::world::Config;
use std::path::Path;

fn load(text: &str) -> Scenario {
    Scenario::from_text(Path::new("dir/stem.toml"), text, &[]).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

const SMALL: &str = r"
heap = { base = 0x50000000, size = 0x20000000 }
[[domain]]
id = 1
ram = [{ base = 0x30000000, size = 0x10000000 }]
[[domain.vcpu]]
";

#[test]
fn what_is_left_out_has_defaults() {
    let scenario = load(SMALL);
    assert_eq!((scenario.name.as_str(), scenario.description), ("stem", None));
    assert_eq!(scenario.path, Path::new("dir/stem.toml"));
    let board = scenario.layout.board();
    assert_eq!((board.name.as_str(), board.pes, board.el2_regions), ("fvp-baser", 1, 32));
    let parts = scenario.layout.parts();
    assert_eq!((parts.placement, parts.hyp_devices), (Placement::GuestRam, HypDevices::Fixed));
    assert_eq!(parts.image, Image::at(0x0020_0000, 1).unwrap());
    let domain = &scenario.layout.domains()[0];
    assert_eq!((domain.name.as_str(), domain.privileged, domain.max_evtchn_port), ("dom1", false, 1023));
    assert_eq!((domain.vcpus[0].pe, domain.vcpus[0].el1_regions.len()), (PeId::PRIMARY, 0));
    let config = &scenario.config;
    assert_eq!(
        (config.scheduler.clone(), config.seed, config.step_limit),
        (Scheduler::Null, 0, Config::default().step_limit)
    );
    assert_eq!((config.rules.sync, config.policy.hardware_domain), (SyncRule::DsbThenContextSync, None));
    assert_eq!(config.rules.order, WriteOrder::EnablesFirst);
    assert_eq!((scenario.settings.windows, scenario.settings.when), (1, When::Entry));
    let program = &scenario.programs[0];
    assert_eq!((program.steps.len(), &program.steps[0].op), (1, &Op::Halt), "a vCPU without a program is off");
}

#[test]
fn every_key_arrives() {
    let scenario = load(
        r#"
name = "n"
description = "d"
board = "cortex-r82"
pes = 3
pa_bits = 44
vmid_bits = 16
el2_regions = 20
el1_regions = 10
memory = { base = 0x10000000, size = 0x70000000 }
image_base = 0x10000000
image = { ro_after_init = 0x80, init_text = 0x1000, init_data = 0x2000, bss = 0x3000 }
device_tree = { base = 0x20000000, size = 0x800 }
early_uart = true
uart = { base = 0x80000000, size = 0x1000 }
gic = { base = 0x90000000, size = 0x1000 }
scheduler = "rr"
quantum = 77
placement = "pool"
hyp_devices = "switched"
windows = 3
when = "lazy"
sync = "cse"
write_order = "program"
step_limit = 5
hardware_domain = 1
silo = true
heap = { base = 0x50000000, size = "0x2000_0000" }
pool = { base = 0x70000000, size = 0x10000 }
sections.boot_modules = { base = 0x20000000, size = 0x1000 }
sections.guest_memory = { base = 0x30000000, size = 0x10000000 }
sections.device_memory = { base = 0x80000000, size = 0x20000000 }
sections.shared_memory = { base = 0x40000000, size = 0x1000 }
[[domain]]
id = 1
ram = [{ base = 0x30000000, size = 0x4000 }, { base = 0x30008000, size = 0x4000 }]
privileged = true
max_evtchn_port = 4095
shared_info = 0x30001000
[[domain.vcpu]]
pe = 2
vcpu_info = 0x30002000
el1_mpu = [
    { base = 0x30000000, size = 0x1000, access = "rw", execute = false },
    { base = 0x30001000, size = 0x40, access = "ro", execute = true },
]
[[shared]]
name = "s"
base = 0x40000000
size = 0x40
domains = [1]
[[channel]]
name = "c"
listener = { domain = 1, port = 10 }
binder = { domain = 1, port = 4095 }
[[timer]]
pe = 1
at = 5
every = 6
domain = 1
vcpu = 0
virq = 13
"#,
    );
    let span = |base, size| Span::with_size(base, size).unwrap();
    assert_eq!((scenario.name.as_str(), scenario.description.as_deref()), ("n", Some("d")));
    let board = scenario.layout.board();
    assert_eq!((board.pes, board.el2_regions, board.el1_regions), (3, 20, 10));
    assert_eq!((board.pa_bits, board.vmid_bits), (44, 16));
    assert_eq!((&*board.memory, board.image_base), (&[Memory::ram(span(0x1000_0000, 0x7000_0000))][..], 0x1000_0000));
    assert_eq!((board.console.span, board.gic.span), (span(0x8000_0000, 0x1000), span(0x9000_0000, 0x1000)));
    let parts = scenario.layout.parts();
    let boot = &parts.image.boot;
    let sizes =
        [boot.ro_after_init.unwrap(), boot.init_text, boot.init_data, boot.bss.unwrap()].map(|span| span.size());
    assert_eq!(sizes, [0x80, 0x1000, 0x2000, 0x3000]);
    assert_eq!((boot.device_tree, boot.early_uart), (span(0x2000_0000, 0x800), true));
    assert_eq!((parts.placement, parts.hyp_devices), (Placement::Pool, HypDevices::Switched));
    assert_eq!((parts.heap, parts.pool), (span(0x5000_0000, 0x2000_0000), Some(span(0x7000_0000, 0x10000))));
    assert_eq!(parts.sections.boot_modules, Some(span(0x2000_0000, 0x1000)));
    assert_eq!(parts.sections.guest_memory, Some(span(0x3000_0000, 0x1000_0000)));
    assert_eq!(parts.sections.device_memory, Some(span(0x8000_0000, 0x2000_0000)));
    assert_eq!(parts.sections.shared_memory, Some(span(0x4000_0000, 0x1000)));
    let shared = &parts.shared[0];
    assert_eq!((shared.name.as_str(), shared.span, &shared.domains[..]), ("s", span(0x4000_0000, 0x40), &[0][..]));
    let domain = &scenario.layout.domains()[0];
    assert_eq!((domain.id, domain.privileged, domain.max_evtchn_port), (DomId(1), true, 4095));
    assert_eq!(domain.ram, [span(0x3000_0000, 0x4000), span(0x3000_8000, 0x4000)]);
    assert_eq!((domain.shared_info, &domain.vcpu_info[..]), (Some(0x3000_1000), &[0x3000_2000][..]));
    let regions = &domain.vcpus[0].el1_regions;
    let attrs = |slot: usize| (regions[slot].attrs().ap, regions[slot].attrs().xn);
    assert_eq!((domain.vcpus[0].pe, regions[1].base(), regions[1].size()), (PeId::new(2), 0x3000_1000, 0x40));
    assert_eq!((attrs(0), attrs(1)), ((Ap::RwAll, Xn::Never), (Ap::RoAll, Xn::Exec)));
    let config = &scenario.config;
    assert_eq!((config.scheduler.clone(), config.step_limit), (Scheduler::RoundRobin { quantum: 77 }, 5));
    assert_eq!((config.rules.sync, config.policy.hardware_domain), (SyncRule::ContextSyncOnly, Some(DomId(1))));
    assert_eq!(config.rules.order, WriteOrder::Program);
    assert!(config.policy.silo);
    assert_eq!((scenario.settings.windows, scenario.settings.when), (3, When::Lazy));
    assert_eq!(config.channels, [StaticChannel { listener: (0, Port(10)), binder: (0, Port(4095)) }]);
    let timer = VirqTimer { domain: 0, vcpu: Vcpu(0), virq: 13, every: Some(6) };
    assert_eq!(config.timers, [(PeId::new(1), 5, timer)]);
}

/// Operations and expectations of a program of one vCPU, the first of its domain.
fn program(steps: &str) -> Vec<(Op, Option<Expected>)> {
    let channel = "[[channel]]\nname = \"c\"\nlistener = { domain = 1, port = 10 }\nbinder = { domain = 2, port = 11 }";
    let other = "[[domain]]\nid = 2\nram = [{ base = 0x20000000, size = 0x4000 }]\n[[domain.vcpu]]\npe = 1";
    let scenario = load(&format!("pes = 2\n{SMALL}program = [{steps}]\n{other}\n{channel}"));
    scenario.programs[0].steps.iter().map(|step| (step.op.clone(), step.expect)).collect()
}

#[test]
fn every_step_becomes_its_operation() {
    let ok = Some(Rc(0));
    let at = 0x3000_0000;
    let word = Width::Word;
    let cases: &[(&str, Op, Option<Expected>)] = &[
        ("\"map_shared_info\"", Op::MapSharedInfo, ok),
        ("\"register_vcpu_info\"", Op::RegisterVcpuInfo, ok),
        ("{ register_vcpu_info = { expect = \"-EINVAL\" } }", Op::RegisterVcpuInfo, Some(Rc(-22))),
        ("\"enable_irqs\"", Op::EnableInterrupts, None),
        ("\"yield\"", Op::Yield, ok),
        ("\"halt\"", Op::Halt, None),
        ("{ send = 3 }", Op::on(EventOp::Send { port: 0 }, Number(3)), ok),
        ("{ send = \"c\" }", Op::on(EventOp::Send { port: 0 }, Number(10)), ok),
        ("{ send = \"c.listener\" }", Op::on(EventOp::Send { port: 0 }, Number(10)), ok),
        ("{ send = { port = \"c\", expect = -22 } }", Op::on(EventOp::Send { port: 0 }, Number(10)), Some(Rc(-22))),
        ("{ wait = 3 }", Op::Wait(Number(3)), None),
        ("{ mask = 3 }", Op::Mask(Number(3)), None),
        ("{ unmask = 3 }", Op::on(EventOp::Unmask { port: 0 }, Number(3)), ok),
        (
            "{ close = { port = 3, expect = \"-EINVAL\" } }",
            Op::on(EventOp::Close { port: 0 }, Number(3)),
            Some(Rc(-22)),
        ),
        ("{ bind_vcpu = { port = 3, vcpu = 1 } }", Op::on(EventOp::BindVcpu { port: 0, vcpu: 1 }, Number(3)), ok),
        (
            "{ alloc_unbound = { remote = 2, as = \"x\" } }",
            Op::making(EventOp::AllocUnbound { dom: DOMID_SELF, remote_dom: 2 }, 0),
            ok,
        ),
        (
            "{ alloc_unbound = { remote = 2 } }",
            Op::making(EventOp::AllocUnbound { dom: DOMID_SELF, remote_dom: 2 }, 0),
            ok,
        ),
        (
            "{ bind_interdomain = { remote = 2, port = 1, as = \"x\", expect = \"-ENOSPC\" } }",
            Op::making(EventOp::BindInterdomain { remote_dom: 2, remote_port: 1 }, 0),
            Some(Rc(-28)),
        ),
        ("{ bind_ipi = { vcpu = 4, as = \"x\" } }", Op::making(EventOp::BindIpi { vcpu: 4 }, 0), ok),
        ("{ bind_virq = { virq = \"xenpmu\", vcpu = 4 } }", Op::making(EventOp::BindVirq { virq: 13, vcpu: 4 }, 0), ok),
        ("{ bind_virq = { virq = 99 } }", Op::making(EventOp::BindVirq { virq: 99, vcpu: 0 }, 0), ok),
        ("{ compute = 100 }", Op::Compute(100), None),
        ("{ console = \"t\\n\" }", Op::Console("t\n".into()), ok),
        ("{ console = { text = \"t\", expect = 1 } }", Op::Console("t".into()), Some(Rc(1))),
        ("{ hypercall = { nr = 32 } }", Op::Hypercall { imm: 0xea1, nr: 32, args: [0; 5] }, None),
        (
            "{ hypercall = { nr = 99, args = [1, \"0xffff_ffff_ffff_ffff\"], imm = 7, expect = \"-ENOSYS\" } }",
            Op::Hypercall { imm: 7, nr: 99, args: [1, u64::MAX, 0, 0, 0] },
            Some(Rc(-38)),
        ),
        ("{ read = { at = 0x30000000 } }", Op::Read { address: at, width: word }, Some(Success)),
        (
            "{ read = { at = 0x30000000, width = 8, expect = \"0xffff_ffff_ffff_ffff\" } }",
            Op::Read { address: at, width: Width::Double },
            Some(Value(u64::MAX)),
        ),
        ("{ read = { at = 0x30000000, expect = 7 } }", Op::Read { address: at, width: word }, Some(Value(7))),
        ("{ read = { at = 0x30000000, expect = \"fault\" } }", Op::Read { address: at, width: word }, Some(Fault)),
        (
            "{ write = { at = 0x30000000, width = 1, value = 255, expect = \"stage-1\" } }",
            Op::Write { address: at, width: Width::Byte, value: 255 },
            Some(StageOne),
        ),
        ("{ execute = { at = 0x30000000, expect = \"stage-2\" } }", Op::Execute { address: at }, Some(StageTwo)),
        ("{ execute = { at = 0x30000000, expect = \"ok\" } }", Op::Execute { address: at }, Some(Success)),
    ];
    for (step, op, expect) in cases {
        assert_eq!(program(step), [(op.clone(), *expect)], "{step}");
    }
}

#[test]
fn names_are_variables_of_their_program() {
    let ops = program(
        "{ alloc_unbound = { remote = 2 } }, { alloc_unbound = { remote = 2, as = \"x\" } }, { send = \"x\" }, \
         { bind_ipi = { vcpu = 0, as = \"y\" } }, { bind_ipi = { vcpu = 0, as = \"x\" } }, { close = \"y\" }",
    );
    let ops: Vec<Op> = ops.into_iter().map(|(op, _)| op).collect();
    assert_eq!(
        ops,
        [
            Op::making(EventOp::AllocUnbound { dom: DOMID_SELF, remote_dom: 2 }, 0),
            Op::making(EventOp::AllocUnbound { dom: DOMID_SELF, remote_dom: 2 }, 1),
            Op::on(EventOp::Send { port: 0 }, Variable(1)),
            Op::making(EventOp::BindIpi { vcpu: 0 }, 2),
            Op::making(EventOp::BindIpi { vcpu: 0 }, 1),
            Op::on(EventOp::Close { port: 0 }, Variable(2)),
        ]
    );
}

#[test]
fn setup_is_for_the_first_vcpu_more_than_for_the_others() {
    let text = format!("scheduler = \"rr\"\n{SMALL}program = [\"setup\"]\n[[domain.vcpu]]\nprogram = [\"setup\"]\n");
    let scenario = load(&text);
    let ops = |vcpu: usize| -> Vec<Op> { scenario.programs[vcpu].steps.iter().map(|step| step.op.clone()).collect() };
    assert_eq!(ops(0), [Op::MapSharedInfo, Op::RegisterVcpuInfo, Op::EnableInterrupts]);
    assert_eq!(ops(1), [Op::RegisterVcpuInfo, Op::EnableInterrupts]);
    assert_eq!(scenario.steps.len(), 2, "what a step is made of shares its number");
}

#[test]
fn steps_are_numbered_in_file_order() {
    let text =
        format!("{SMALL}program = [\"yield\", {{ repeat = {{ times = 2, steps = [\n  \"yield\",\n] }} }}, \"halt\"]\n");
    let scenario = load(&text);
    let places: Vec<(usize, usize)> = scenario.steps.iter().map(|step| (step.line, step.column)).collect();
    assert_eq!(places, [(7, 12), (7, 21), (8, 3), (9, 8)]);
    assert_eq!(scenario.steps[1].text, "{ repeat = { times = 2, steps = [ \"yield\", ] } }");
    let Op::Repeat { times: 2, steps } = &scenario.programs[0].steps[1].op else { panic!() };
    let ids: Vec<u32> = scenario.programs[0].steps.iter().chain(steps.iter()).map(|step| step.id.0).collect();
    assert_eq!(ids, [0, 1, 3, 2]);
}

#[test]
fn devices_frames_and_mixes_arrive() {
    let scenario = load(&format!(
        "scheduler = \"arinc653\"\n{SMALL}program = [{{ mix = {{ times = 5, seed = 9, of = [{{ weight = 2, steps = [\"yield\"] }}, \
         {{ steps = [] }}] }} }}]\n[[device]]\nname = \"d\"\nbase = 0x90000000\nsize = 64\ndomains = [1]\nconsole = 8\n\
         [[frame]]\nruntime = 7\n[[frame]]\ndomain = 1\nruntime = 8\n"
    ));
    let device = &scenario.layout.parts().emulated[0];
    assert_eq!((device.name.as_str(), device.span), ("d", Span::with_size(0x9000_0000, 64).unwrap()));
    assert_eq!((device.domains.as_slice(), device.console), (&[0][..], Some(8)));
    let frames = vec![
        MinorFrame { pe: PeId::PRIMARY, vcpu: None, runtime: 7 },
        MinorFrame { pe: PeId::PRIMARY, vcpu: Some((0, 0)), runtime: 8 },
    ];
    assert_eq!(scenario.config.scheduler, Scheduler::Arinc653(frames));
    let Op::Mix { times, seed, parts } = &scenario.programs[0].steps[0].op else { panic!() };
    let weights: Vec<_> = parts.iter().map(|part| (part.weight, part.steps.len())).collect();
    assert_eq!((*times, *seed, weights), (5, 9, vec![(2, 1), (1, 0)]));
}
