//! The system of the 2022 discussion, built in code.

pub(crate) mod meddled;
pub(crate) mod via;

use evtchn::op::Op as EventOp;
use evtchn::{DomId, Port};
use sim_core::guest::steps::{Op, PortRef, Step, StepGuest};
use sim_core::hyp::StaticChannel;
use sim_core::hyp::strategy::{Builtin, Settings, Strategy};
use sim_core::layout::{
    Board, DomainLayout, HypDevices, Image, Layout, LayoutParts, PeId, Placement, Sections, Span, VcpuLayout,
};
use sim_core::outcome::{Expected, Report, StepId};
use sim_core::world::{Config, World, home};
use std::rc::Rc;

pub(crate) fn span(base: u64, size: u64) -> Span {
    Span::with_size(base, size).unwrap()
}

pub(crate) fn domain(id: u16, ram: &[Span], pes: &[u32]) -> DomainLayout {
    DomainLayout {
        id: DomId(id),
        name: format!("domU{id}"),
        ram: ram.to_vec(),
        vcpus: pes.iter().map(|pe| VcpuLayout { pe: PeId::new(*pe), el1_regions: Vec::new() }).collect(),
        privileged: false,
        max_evtchn_port: 1023,
        target: None,
        shared_info: None,
        vcpu_info: Vec::new(),
        shared_info_frame: None,
        read_only_frame: None,
        vacant: false,
    }
}

/// domU1 above domU2, as in the third draft's example; both on PEs of their own.
pub(crate) fn thread_2022() -> LayoutParts {
    let mut board = Board::preset("fvp-baser").unwrap();
    board.pes = 2;
    board.rules.default_map = mpu_model::DefaultMap::RwNoExec;
    let mut domain1 = domain(1, &[span(0x3000_0000, 0x1f00_0000)], &[0]);
    domain1.shared_info = Some(0x3001_0000);
    domain1.vcpu_info = vec![0x3001_2000];
    let mut domain2 = domain(2, &[span(0x2000_0000, 0x1000_0000)], &[1]);
    domain2.shared_info = Some(0x2001_0000);
    domain2.vcpu_info = vec![0x2001_2000];
    LayoutParts {
        image: Image::at(board.image_base, board.pes).unwrap(),
        board,
        heap: span(0x5000_0000, 0x2000_0000),
        pool: None,
        placement: Placement::GuestRam,
        hyp_devices: HypDevices::Fixed,
        sections: Sections::default(),
        domains: vec![domain1, domain2],
        shared: Vec::new(),
        emulated: Vec::new(),
        passthrough: Vec::new(),
    }
}

/// Moves the two domains and the heap of [`thread_2022`] into the memory of a board whose memory is elsewhere or less.
pub(crate) fn on_own_memory(parts: &mut LayoutParts) {
    let (heap, first, second) = match parts.board.name.as_str() {
        "s32z" => ((0x3240_0000, 0x10_0000), (0x3260_0000, 0x10_0000), (0x3250_0000, 0x10_0000)),
        "rcar-s4" => ((0x5000_0000, 0x2000_0000), (0x9000_0000, 0x1f00_0000), (0x8000_0000, 0x1000_0000)),
        "sr6p7" => ((0x6044_0000, 0x4_0000), (0x6140_0000, 0x4_0000), (0x6100_0000, 0x4_0000)),
        _ => return,
    };
    parts.heap = span(heap.0, heap.1);
    for (domain, (base, size)) in parts.domains.iter_mut().zip([first, second]) {
        domain.ram = vec![span(base, size)];
        domain.shared_info = Some(base + 0x1_0000);
        domain.vcpu_info = vec![base + 0x1_2000];
    }
}

pub(crate) fn step(op: Op) -> Step {
    let expect = match &op {
        Op::Read { .. } | Op::Write { .. } | Op::Execute { .. } => Some(Expected::Success),
        _ => Some(Expected::Rc(0)),
    };
    Step { id: StepId(0), op, expect }
}

pub(crate) fn send(port: PortRef) -> Op {
    Op::on(EventOp::Send { port: 0 }, port)
}

pub(crate) fn expecting(op: Op, expect: Expected) -> Step {
    Step { id: StepId(0), op, expect: Some(expect) }
}

pub(crate) fn setup() -> Vec<Step> {
    [Op::MapSharedInfo, Op::RegisterVcpuInfo, Op::EnableInterrupts].map(step).into()
}

/// Port of the channel at domU1 (the binder) and at domU2 (the listener).
pub(crate) const PORTS: (u32, u32) = (11, 10);

pub(crate) fn repeat(times: u64, ops: impl IntoIterator<Item = Op>) -> Step {
    step(Op::Repeat { times, steps: ops.into_iter().map(step).collect() })
}

pub(crate) fn ping(rounds: u64) -> Vec<Step> {
    let port = PortRef::Number(PORTS.0);
    let mut steps = setup();
    // Binding raises the binder's port once.
    steps.push(step(Op::Wait(port)));
    steps.push(repeat(rounds, [send(port), Op::Wait(port)]));
    steps
}

pub(crate) fn pong(rounds: u64) -> Vec<Step> {
    let port = PortRef::Number(PORTS.1);
    let mut steps = setup();
    steps.push(repeat(rounds, [Op::Wait(port), send(port)]));
    steps
}

pub(crate) fn channel() -> StaticChannel {
    StaticChannel { listener: (1, Port(PORTS.1)), binder: (0, Port(PORTS.0)) }
}

pub(crate) fn builtin(name: &str) -> Builtin {
    Builtin::from_name(name, Settings::default()).unwrap()
}

/// A world in which the isolation oracle looks on.
pub(crate) fn world<S: Strategy>(
    parts: LayoutParts,
    strategy: S,
    config: Config,
    programs: Vec<(usize, u32, Vec<Step>)>,
) -> World<S> {
    unwatched(parts, strategy, Config { paranoid: true, ..config }, programs)
}

/// A world as `config` has it.
pub(crate) fn unwatched<S: Strategy>(
    mut parts: LayoutParts,
    strategy: S,
    config: Config,
    programs: Vec<(usize, u32, Vec<Step>)>,
) -> World<S> {
    parts.placement = strategy.placement().unwrap_or(parts.placement);
    let layout = Layout::new(parts).unwrap();
    let mut world = World::new(layout.clone(), strategy, config).unwrap();
    for (domain, vcpu, steps) in programs {
        let home = home(&layout, domain, vcpu).unwrap();
        world.add_guest(domain, vcpu, Box::new(StepGuest::new(home, Rc::from(steps), 4)));
    }
    world
}

pub(crate) fn ping_pong<S: Strategy>(parts: LayoutParts, strategy: S, rounds: u64, mut config: Config) -> Report {
    config.channels = vec![channel()];
    world(parts, strategy, config, vec![(0, 0, ping(rounds)), (1, 0, pong(rounds))]).run()
}
