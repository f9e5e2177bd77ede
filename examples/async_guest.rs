//! A guest written as `async` Rust: it binds an IPI channel to itself, sends on it, and sleeps until the event is there.
//!
//! Run with `cargo run --release --example async_guest`.

#![allow(clippy::expect_used, reason = "an example may stop with a message")]

use evtchn::op::command;
use evtchn::{DomId, abi};
use sim_core::convention::nr;
use sim_core::guest::Home;
use sim_core::guest::asynch::{Abort, AsyncGuest, Env};
use sim_core::hyp::strategy::{Builtin, Settings};
use sim_core::layout::{
    Board, DomainLayout, HypDevices, Image, Layout, LayoutParts, PeId, Placement, Sections, Span, VcpuLayout,
};
use sim_core::platform::Width;
use sim_core::world::{Config, World, home};

/// `EVTCHNOP_*` with an argument block of 32-bit words.
async fn event_channel_op(env: &Env, home: Home, cmd: u32, words: &[u32]) -> Result<i64, Abort> {
    for (offset, word) in (0..).step_by(4).zip(words) {
        env.store(home.scratch + offset, Width::Word, u64::from(*word)).await?;
    }
    Ok(env.hypercall(nr::EVENT_CHANNEL_OP, [u64::from(cmd), home.scratch, 0, 0, 0]).await)
}

async fn program(env: Env, home: Home) -> Result<(), Abort> {
    // Hand shared_info over: XENMEM_add_to_physmap, then everything is in memory of our own.
    let frame = home.shared_info / 4096;
    for (offset, word) in (0..).step_by(4).zip([u64::from(abi::DOMID_SELF), 0, 0, 0, frame, 0]) {
        env.store(home.scratch + offset, Width::Word, word).await?;
    }
    assert_eq!(env.hypercall(nr::MEMORY_OP, [7, home.scratch, 0, 0, 0]).await, 0);

    assert_eq!(event_channel_op(&env, home, command::BIND_IPI, &[0, 0]).await?, 0);
    let port = env.load(home.scratch + 4, Width::Word).await? as u32;
    assert_eq!(event_channel_op(&env, home, command::SEND, &[port]).await?, 0);

    let pending = home.shared_info + u64::from(abi::shared_info::PENDING);
    while env.load(pending, Width::Word).await? & (1 << port) == 0 {
        env.wait_for_interrupt().await;
    }
    Ok(())
}

fn system() -> Option<Layout> {
    let board = Board::preset("fvp-baser")?;
    let domain = DomainLayout {
        id: DomId(1),
        name: "domU1".into(),
        ram: vec![Span::with_size(0x2000_0000, 0x1000_0000)?],
        vcpus: vec![VcpuLayout { pe: PeId::PRIMARY, el1_regions: Vec::new() }],
        privileged: false,
        max_evtchn_port: 1023,
        target: None,
        shared_info: None,
        vcpu_info: Vec::new(),
        shared_info_frame: None,
        read_only_frame: None,
        vacant: false,
    };
    let parts = LayoutParts {
        image: Image::at(board.image_base, board.pes)?,
        heap: Span::with_size(0x5000_0000, 0x1000_0000)?,
        board,
        pool: None,
        placement: Placement::GuestRam,
        hyp_devices: HypDevices::Fixed,
        sections: Sections::default(),
        domains: vec![domain],
        shared: Vec::new(),
        emulated: Vec::new(),
        passthrough: Vec::new(),
    };
    Layout::new(parts).ok()
}

fn main() {
    let layout = system().expect("the layout is sound");
    let place = home(&layout, 0, 0).expect("the domain has a vCPU");
    let strategy = Builtin::from_name("map-page", Settings::default()).expect("map-page is a strategy");
    let mut world = World::new(layout, strategy, Config::default()).expect("the system fits");
    let main = move |env| async move { program(env, place).await.expect("no access is refused") };
    let handler = |env: Env| async move {
        let intid = env.acknowledge().await;
        env.end_of_interrupt(intid).await;
    };
    world.add_guest(0, 0, Box::new(AsyncGuest::new(main, handler)));
    let report = world.run();
    println!("{:?} after {} cycles", report.outcome, report.cycles);
}
