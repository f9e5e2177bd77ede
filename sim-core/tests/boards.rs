//! What a board bounds: its memory, its physical addresses, its VMIDs; and every preset with a system on its own memory.
#![allow(clippy::result_large_err, reason = "a layout is checked once")]

use crate::common::{builtin, domain, expecting, on_own_memory, ping_pong, span, thread_2022, world};
use evtchn::{Errno, Policy};
use mpu_model::{Pmsa, Region, Rules, Vtcr};
use sim_core::convention::{TAG, nr};
use sim_core::guest::steps::Op;
use sim_core::hyp::Hypervisor;
use sim_core::hyp::lifecycle::CreateError;
use sim_core::hyp::plan::GUEST_RAM;
use sim_core::hyp::sched::Scheduler;
use sim_core::layout::{
    Board, BoardError, BootSizes, EmulatedDevice, Image, Item, Kind, Layout, LayoutError, LayoutParts, Memory, PA_BITS,
    PeId, SharedMemory, Span,
};
use sim_core::machine::clock::Costs;
use sim_core::machine::{Cpu, Machine};
use sim_core::outcome::{Expected, Outcome};
use sim_core::platform::{Platform, SysReg};
use sim_core::world::Config;

/// Two domains on the preset `name`, in its own memory.
fn two_domains(name: &str) -> LayoutParts {
    let mut parts = thread_2022();
    parts.board = Board::preset(name).unwrap();
    parts.board.pes = 2;
    parts.image = Image::on(&parts.board, BootSizes::on(&parts.board)).unwrap();
    on_own_memory(&mut parts);
    parts
}

#[test]
fn every_preset_runs_two_domains_and_is_the_part_of_its_name() {
    use Pmsa::{V32, V64};
    let parts = [
        ("fvp-baser", V64, 32, 48),
        ("cortex-r82", V64, 32, 40),
        ("s32z", V32, 20, 32),
        ("an536", V32, 24, 32),
        ("qemu-an536", V32, 16, 32),
        ("rcar-s4", V32, 24, 32),
        ("sr6p7", V32, 24, 32),
        ("tiny", V64, 16, 48),
    ];
    assert_eq!(Board::preset_names(), parts.map(|(name, ..)| name));
    for (name, pmsa, regions, pa_bits) in parts {
        let system = two_domains(name);
        let board = &system.board;
        assert_eq!((board.pmsa, board.pa_bits, board.vmid_bits), (pmsa, pa_bits, 8), "{name}");
        assert_eq!((board.el2_regions, board.el1_regions), (regions, regions), "{name}");
        // What Arm's manuals say; QEMU's own choices on the board that is QEMU's.
        let rules = match (name, pmsa) {
            ("qemu-an536", _) => Rules::qemu_an536(),
            (_, V32) => Rules::pmsav8_32(),
            (_, V64) => Rules::default(),
        };
        assert_eq!(board.rules, rules, "{name}");
        let config = Config { rules, ..Config::default() };
        let report = ping_pong(system, builtin("map-page"), 3, config);
        assert_eq!((report.outcome, report.events.lost, report.hazards), (Outcome::Completed, 0, Vec::new()), "{name}");
    }
}

#[test]
fn memory_of_a_part_is_where_the_part_has_it() {
    let memory = |name: &str| Board::preset(name).unwrap().ranges(|kind| kind == Kind::Ram).collect::<Vec<_>>();
    assert_eq!(memory("s32z"), [span(0x3178_0000, 0x10_0000), span(0x3210_0000, 0x70_0000)]);
    assert_eq!(memory("an536"), [span(0x1000_0000, 0x8_0000), span(0x2000_0000, 0xc000_0000)]);
    assert_eq!(memory("rcar-s4"), [span(0x4800_0000, 0x7800_0000), span(0xeb20_0000, 0x18_0000)]);
    let sr6p7 = memory("sr6p7");
    assert_eq!((sr6p7.len(), sr6p7.iter().map(Span::size).sum::<u64>()), (8, 2816 << 10));
    // Between two ranges there is nothing, and nothing lies across.
    for base in [0x3188_0000, 0x3187_0000, 0x320f_0000] {
        let mut parts = two_domains("s32z");
        parts.domains[0].ram = vec![span(base, 0x2_0000)];
        let error = Layout::new(parts).unwrap_err();
        assert!(matches!(error, LayoutError::BeyondBoard { item: Item::Ram { domain: 0, .. }, .. }), "{error}");
        let said = "(0x31780000-0x3187ffff and 0x32100000-0x327fffff)";
        assert!(error.to_string().ends_with(said), "{error}");
    }
    let mut parts = two_domains("s32z");
    parts.domains[0].ram = vec![span(0x3186_0000, 0x2_0000)];
    (parts.domains[0].shared_info, parts.domains[0].vcpu_info) = (None, Vec::new());
    assert_eq!(ping_pong(parts, builtin("map-page"), 3, Config::default()).outcome, Outcome::Completed);
}

/// On a part with small banks each part of the image is inside one, and none is on another.
#[test]
fn an_image_that_no_bank_has_room_for_goes_into_several() {
    for pes in [1, 6] {
        let mut board = Board::preset("sr6p7").unwrap();
        board.pes = pes;
        let image = Image::on(&board, BootSizes::on(&board)).unwrap();
        let boot = &image.boot;
        let parts = [image.text, image.rodata, image.data, boot.init_text, boot.init_data, boot.device_tree];
        for (at, part) in parts.iter().enumerate() {
            assert!(board.reached_by_every_pe(part).is_some(), "{part}");
            assert!(parts.iter().skip(at + 1).all(|other| !other.overlaps(part)), "{part}");
        }
        assert_eq!((image.text.base(), boot.ro_after_init), (board.image_base, None));
    }
    // Where there is one range, all of it is in a row; asked for ro-after-init, it says what is in the way.
    let board = Board::preset("fvp-baser").unwrap();
    assert_eq!(Image::on(&board, BootSizes::on(&board)), Image::at(board.image_base, 1));
    let mut parts = two_domains("sr6p7");
    let sizes = BootSizes { ro_after_init: 0x4000, ..BootSizes::on(&parts.board) };
    parts.image = Image::on(&parts.board, sizes).unwrap();
    assert!(matches!(Layout::new(parts), Err(LayoutError::Apart { item: Item::RoAfterInit, .. })));
}

/// A way to put a range of one granule that starts at an address into a layout, and what it is called.
type Put = (&'static str, fn(&mut LayoutParts, Span));

/// Everything that has addresses.
const PUTS: [Put; 10] = [
    ("RAM bank 1", |parts, span| parts.domains[0].ram.push(span)),
    ("shared memory", |parts, span| {
        parts.shared.push(SharedMemory { name: "s".into(), span, domains: vec![0, 1] });
    }),
    ("emulated device", |parts, span| {
        parts.emulated.push(EmulatedDevice { name: "e".into(), span, domains: vec![0], console: None });
    }),
    ("EL1 region 0", |parts, span| {
        parts.domains[0].vcpus[0].el1_regions = vec![Region::new(span.base(), span.limit(), GUEST_RAM).unwrap()];
    }),
    ("the UART", |parts, span| parts.board.console.span = span),
    ("the GIC", |parts, span| parts.board.gic.span = span),
    ("the device tree", |parts, span| parts.image.boot.device_tree = span),
    ("the boot modules", |parts, span| parts.sections.boot_modules = Some(span)),
    ("the guest-memory section", |parts, span| {
        let all = Span::new(0, span.limit()).unwrap();
        parts.sections.guest_memory = Some(all);
    }),
    ("the device-memory section", |parts, span| {
        parts.sections.device_memory = Some(Span::new(0, span.limit()).unwrap());
    }),
];

#[test]
fn every_range_is_held_to_the_physical_address_size() {
    for pa_bits in PA_BITS {
        let limit = (1_u64 << pa_bits) - 1;
        // As much memory as can be asked about: one granule less than the architecture has.
        let board = |parts: &mut LayoutParts, memory: Span| {
            parts.board.pa_bits = pa_bits;
            parts.board.memory = vec![Memory::ram(memory)];
        };
        for (what, put) in PUTS {
            let with = |base: u64| {
                let mut parts = thread_2022();
                // Memory, where only the thing itself is to be beyond.
                board(&mut parts, span(0, 1 << pa_bits));
                put(&mut parts, span(base, 0x40));
                Layout::new(parts)
            };
            let at_the_limit = with(limit - 0x3f);
            assert!(at_the_limit.is_ok(), "{pa_bits} bits, {what}: {}", at_the_limit.unwrap_err());
            if pa_bits == 52 && what == "EL1 region 0" {
                // No region can be written that goes beyond.
                continue;
            }
            let error = with(limit + 1).unwrap_err();
            let LayoutError::BeyondAddressSpace { longer, .. } = &error else { panic!("{what}: {error}") };
            assert_eq!(*longer, pa_bits < 52);
            let said = error.to_string();
            assert!(said.starts_with(what), "{said}");
            let expected = format!("ends above {limit:#x}, the last address of board fvp-baser, which has {pa_bits} ");
            assert!(said.contains(&expected), "{said}");
        }
        let with = |size: u64| {
            let mut parts = thread_2022();
            board(&mut parts, span(0, size));
            Layout::new(parts).map(drop)
        };
        assert_eq!(with(1 << pa_bits), Ok(()));
        let error = with((1 << pa_bits) + 0x40).unwrap_err();
        assert!(matches!(error, LayoutError::Board(BoardError::BeyondAddressSpace { .. })), "{error}");
    }
}

#[test]
fn sizes_that_the_architecture_has_not_are_refused() {
    for pmsa in [Pmsa::V64, Pmsa::V32] {
        for bits in 0..=u8::MAX {
            let with = |change: &dyn Fn(&mut Board)| {
                let mut parts = thread_2022();
                parts.board.pmsa = pmsa;
                parts.board.pa_bits = 32;
                change(&mut parts.board);
                parts.board.memory = vec![Memory::ram(span(0, 0x8000_0000))];
                Layout::new(parts).map(drop)
            };
            let addresses = with(&|board| board.pa_bits = bits);
            let there_is = if pmsa == Pmsa::V32 { bits == 32 } else { PA_BITS.contains(&bits) };
            assert_eq!(addresses.is_ok(), there_is, "{pmsa:?}: {bits}");
            assert!(there_is || matches!(addresses, Err(LayoutError::Board(BoardError::PaBits { .. }))));
            let vmids = with(&|board| board.vmid_bits = bits);
            let there_is = bits == 8 || (bits == 16 && pmsa == Pmsa::V64);
            assert_eq!(vmids.is_ok(), there_is, "{pmsa:?}: {bits}");
            assert!(there_is || matches!(vmids, Err(LayoutError::Board(BoardError::VmidBits { .. }))));
        }
    }
}

/// `count` domains with four pages of memory each, all on PE 0.
fn many(board: &str, vmid_bits: u8, count: u16) -> LayoutParts {
    let mut parts = two_domains(board);
    parts.board.vmid_bits = vmid_bits;
    let mut base = 0x2000_0000;
    if board == "s32z" {
        (base, parts.heap) = (0x3228_0000, span(0x3268_0000, 0x18_0000));
    }
    parts.domains = (0..count).map(|id| domain(id, &[span(base + u64::from(id) * 0x4000, 0x4000)], &[0])).collect();
    parts
}

#[test]
fn there_are_no_more_domains_than_vmids() {
    for board in ["fvp-baser", "qemu-an536", "s32z"] {
        assert!(Layout::new(many(board, 8, 255)).is_ok(), "{board}");
        let error = Layout::new(many(board, 8, 256)).unwrap_err();
        let LayoutError::TooManyDomains { item, longer, .. } = &error else { panic!("{error}") };
        assert!(matches!(item, Item::Domain { domain: 255, .. }) && *longer == (board == "fvp-baser"), "{error}");
        let said = format!("is one more than the 255 that board {board} has VMIDs for: 8 bits");
        assert!(error.to_string().contains(&said), "{error}");
    }
    assert!(Layout::new(many("fvp-baser", 16, 300)).is_ok());
}

/// Also at run time: the domain that would be the 256th is refused, and nothing has changed.
#[test]
fn a_domain_without_a_vmid_is_not_created() {
    for (vmid_bits, refused) in [(8, true), (16, false)] {
        let layout = Layout::new(many("fvp-baser", vmid_bits, 255)).unwrap();
        let mut machine = Machine::new(&layout, Rules::default(), Costs::COUNTS);
        let rr = Scheduler::RoundRobin { quantum: 1000 };
        let mut hyp = Hypervisor::new(layout, builtin("map-page"), rr, Policy::default()).unwrap();
        for pe in machine.pes().ids() {
            hyp.boot(&mut Cpu { machine: &mut machine, pe }).unwrap();
        }
        hyp.unpause_guests().unwrap();
        let mut cpu = Cpu { machine: &mut machine, pe: PeId::PRIMARY };
        let newcomer = domain(999, &[span(0x4000_0000, 0x4000)], &[0]);
        let created = hyp.create_domain(&mut cpu, newcomer.clone()).unwrap();
        if !refused {
            assert_eq!(created, Ok(255));
            continue;
        }
        let error = created.unwrap_err();
        let CreateError::Layout(why) = &error else { panic!("{error}") };
        assert!(matches!(**why, LayoutError::TooManyDomains { .. }), "{error}");
        assert_eq!((error.errno(), hyp.index(255)), (Errno::EINVAL, None));
        // Who goes makes room.
        let gone = hyp.index(7).unwrap();
        hyp.kill(&mut cpu, gone).unwrap();
        assert_eq!(hyp.create_domain(&mut cpu, newcomer).unwrap(), Ok(7));
    }
}

/// A hypercall's number and arguments are what registers hold of them: in `AArch32` 32 bits.
#[test]
fn a_guest_of_aarch32_hands_over_32_bits() {
    for (board, answer) in [("qemu-an536", 0x4_0017), ("fvp-baser", Errno::ENOSYS.rc())] {
        let call = Op::Hypercall { imm: TAG, nr: 1 << 32 | nr::XEN_VERSION, args: [1 << 32, 0, 0, 0, 0] };
        let steps = vec![expecting(call, Expected::Rc(answer))];
        let report = world(two_domains(board), builtin("map-page"), Config::default(), vec![(0, 0, steps)]).run();
        assert!(report.outcome == Outcome::Completed, "{board}: {:?}", report.outcome);
    }
}

/// `VSCTLR` and `VTCR_EL2` as hardware has them: VMID 8 bits wide unless VS is set, which only some PEs have.
#[test]
fn the_machine_keeps_of_a_vmid_what_the_register_has() {
    for (board, vmid_bits, vs, shift, kept) in [
        ("fvp-baser", 8, false, 48, 0x34_usize),
        ("fvp-baser", 8, true, 48, 0x34),
        ("fvp-baser", 16, false, 48, 0x34),
        ("fvp-baser", 16, true, 48, 0x1234),
        ("qemu-an536", 8, true, 16, 0x34),
    ] {
        let layout = Layout::new(many(board, vmid_bits, 1)).unwrap();
        let mut machine = Machine::new(&layout, Rules::default(), Costs::COUNTS);
        let mut cpu = Cpu { machine: &mut machine, pe: PeId::PRIMARY };
        cpu.write(SysReg::VtcrEl2, Vtcr::ZERO.with_vs(vs).raw_value()).unwrap();
        cpu.write(SysReg::VsctlrEl2, 0x1234 << shift).unwrap();
        assert_eq!(machine.pe(PeId::PRIMARY).vmid().domain(), Some(kept - 1), "{board}, {vmid_bits} bits, VS {vs}");
        // The 256th domain would be nobody's.
        let mut cpu = Cpu { machine: &mut machine, pe: PeId::PRIMARY };
        cpu.write(SysReg::VsctlrEl2, 0x100 << shift).unwrap();
        assert_eq!(machine.pe(PeId::PRIMARY).vmid().domain(), (kept == 0x1234).then_some(0xff));
    }
}
