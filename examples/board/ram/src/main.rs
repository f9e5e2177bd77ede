//! What the hypervisor's own heap holds per domain, vCPU and port: systems that differ by one of them are set up on the host, and the
//! bytes that stay allocated are counted. Pointers are as wide there as on `AArch64`, and the sources are the same.

use evtchn::{DomId, Policy, Port, Stop};
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::strategy::MapPage;
use sim_core::hyp::{Hypervisor, StaticChannel};
use sim_core::layout::{
    Board, DomainLayout, HypDevices, Image, Layout, LayoutParts, PeId, Placement, Sections, Span, VcpuLayout,
};
use sim_core::platform::{Event, Platform, Rmw, SysReg, Width};
use std::alloc::{GlobalAlloc, System};
use std::convert::Infallible;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, counting.
struct Counting;

/// Bytes that are allocated.
static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator keeps the contract; counting changes nothing of what it gives.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: std::alloc::Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: std::alloc::Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A PE without memory behind it: everything reads as zero.
struct Nothing;

impl Platform for Nothing {
    type Fault = Infallible;

    fn pe(&self) -> PeId {
        PeId::PRIMARY
    }

    fn read(&mut self, _: SysReg) -> u64 {
        0
    }

    fn write(&mut self, _: SysReg, _: u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn isb(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn dsb(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn load(&mut self, _: u64, _: Width) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn store(&mut self, _: u64, _: Width, _: u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn rmw(&mut self, _: u64, _: Rmw) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn kick(&mut self, _: PeId) {}

    fn now(&self) -> u64 {
        0
    }

    fn preemption_due(&mut self) -> bool {
        false
    }

    fn event(&mut self, _: Event) {}
}

/// Bytes per domain of RAM, from this address on.
const RAM: (u64, u64) = (0x1000_0000, 0x0100_0000);

/// What a system of `domains` with `vcpus` each and `channels` between the first two holds once it is set up.
fn held(domains: u16, vcpus: usize, channels: u32) -> Result<usize, Box<dyn Error>> {
    let span = |base, size| Span::with_size(base, size).ok_or("a range without bytes");
    let mut board = Board::preset("fvp-baser").ok_or("no such board")?;
    board.pes = 1;
    let domain = |id: u16| {
        Ok::<_, Box<dyn Error>>(DomainLayout {
            id: DomId(id),
            name: format!("domU{id}"),
            ram: vec![span(RAM.0 + RAM.1 * u64::from(id), RAM.1)?],
            vcpus: vec![VcpuLayout { pe: PeId::PRIMARY, el1_regions: Vec::new() }; vcpus],
            max_evtchn_port: 1023,
            vacant: false,
            ..DomainLayout::vacancy()
        })
    };
    let parts = LayoutParts {
        image: Image::at(board.image_base, board.pes).ok_or("an image past the top of memory")?,
        board,
        heap: span(0x5000_0000, 0x2000_0000)?,
        pool: None,
        placement: Placement::GuestRam,
        hyp_devices: HypDevices::Fixed,
        sections: Sections::default(),
        domains: (1..=domains).map(domain).collect::<Result<_, _>>()?,
        shared: Vec::new(),
        emulated: Vec::new(),
        passthrough: Vec::new(),
    };
    let layout = Layout::new(parts)?;
    let before = HELD.load(Ordering::Relaxed);
    let rule = Scheduler::RoundRobin { quantum: 1000 };
    // The layout is the hypervisor's too: what it holds was allocated before, and is counted as a copy.
    let mut hyp = Hypervisor::new(layout.clone(), MapPage { windows: 1 }, rule, Policy::default())?;
    let Ok(()) = hyp.boot(&mut Nothing);
    for port in (1..=channels).map(Port) {
        let channel = StaticChannel { listener: (1, port), binder: (0, port) };
        match hyp.bind_static(&mut Nothing, channel) {
            Ok(()) => {}
            Err(Stop::Errno(errno)) => return Err(format!("a channel cannot be bound: {errno}").into()),
        }
    }
    let after = HELD.load(Ordering::Relaxed);
    drop(hyp);
    Ok(after - before)
}

fn main() -> Result<(), Box<dyn Error>> {
    const PORTS: u32 = 1000;
    let (one, two, vcpus) = (held(1, 1, 0)?, held(2, 1, 0)?, held(1, 2, 0)?);
    let (none, many) = (held(2, 1, 0)?, held(2, 1, PORTS)?);
    println!("bytes of heap at EL2, strategy map-page, board fvp-baser with 1 PE:");
    println!("{one:7}  one domain with one vCPU and no port");
    println!("{:7}  each further domain with one vCPU", two - one);
    println!("{:7}  each further vCPU of a domain", vcpus - one);
    println!("{:7}  each port, of {PORTS} in each of two domains", (many - none).div_ceil(2 * PORTS as usize));
    Ok(())
}
