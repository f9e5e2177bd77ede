//! Memory that runs out, at one allocation after the other: the caller is told -ENOMEM, nothing has changed, and the same call
//! is done when it is made again. No allocation of the crate may end in an abort.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../examples/flat/mod.rs"]
#[allow(dead_code, reason = "domains are created here, where that may fail")]
mod flat;

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};

use alloc_chaos::ChaosAllocator;
use evtchn::abi::virq;
use evtchn::{Caller, DomId, DomainConfig, Errno, EventChannels, Port, ResetFrom, Stop, Vcpu};
use flat::{Flat, PAGE};

#[global_allocator]
static ALLOCATOR: ChaosAllocator = ChaosAllocator::system();

/// A sum over text, made without allocating.
struct Sum(u64);

impl Sum {
    fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
}

impl Write for Sum {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.add(byte));
        Ok(())
    }
}

struct World<'a> {
    channels: EventChannels<usize>,
    memory: &'a mut Flat,
    refused: usize,
}

impl World<'_> {
    /// All there is to see of tables and memory.
    fn sum(&self) -> u64 {
        let mut sum = Sum(0xcbf2_9ce4_8422_2325);
        write!(sum, "{:?}", self.channels).unwrap();
        self.memory.words.iter().flat_map(|word| word.to_le_bytes()).for_each(|byte| sum.add(byte));
        sum.0
    }

    /// Makes a call until there is memory enough for it. Other errors are results.
    fn call<T>(&mut self, call: impl Fn(&mut EventChannels<usize>, &mut Flat) -> Result<T, Errno>) -> Result<T, Errno> {
        loop {
            let before = self.sum();
            match call(&mut self.channels, self.memory) {
                Err(Errno::ENOMEM) => {
                    assert_eq!(self.sum(), before, "a call that was refused changed something");
                    self.refused += 1;
                }
                done => return done,
            }
        }
    }

    fn domain(&mut self, id: u16, page: usize) -> Caller {
        let config =
            DomainConfig { id: DomId(id), vcpus: 2, privileged: id == 0, max_evtchn_port: u32::MAX, target: None };
        let dom = self.call(|channels, _| channels.create_domain(&config, page * PAGE)).unwrap();
        Caller { dom, vcpu: Vcpu(0) }
    }
}

fn errno<T, F: fmt::Debug>(result: Result<T, Stop<F>>) -> Result<T, Errno> {
    result.map_err(|stop| match stop {
        Stop::Errno(errno) => errno,
        Stop::Fault(fault) => panic!("{fault:?}"),
    })
}

/// What guests, a toolstack and the hypervisor itself do, to the end of a domain and the begin of another.
fn session(world: &mut World<'_>) {
    // Listed out of order, so that places between others are taken too.
    let two = world.domain(2, 2);
    let control = world.domain(0, 1);
    let one = world.domain(1, 3);
    // More ports than a bucket has, first without event words for them.
    for _ in 0..70 {
        let theirs =
            world.call(|channels, memory| errno(channels.alloc_unbound(memory, one, DomId::SELF, DomId(2)))).unwrap();
        world.call(|channels, memory| errno(channels.bind_interdomain(memory, two, DomId(1), theirs))).unwrap();
    }
    world.call(|channels, memory| errno(channels.bind_ipi(memory, one, Vcpu(1)))).unwrap();
    world.call(|channels, memory| errno(channels.bind_virq(memory, one, virq::TIMER, Vcpu(0)))).unwrap();
    let wanted =
        evtchn::XenPort { dom: one.dom, vcpu: Vcpu(0), remote_dom: DomId(2), handler: evtchn::XenHandler::DEFAULT };
    world.call(|channels, memory| errno(channels.xen_alloc_unbound(memory, None, wanted))).unwrap();
    let fixed = Port(200);
    world
        .call(|channels, memory| errno(channels.static_alloc_unbound(memory, control.dom, DomId(2), Some(Port(63)))))
        .unwrap();
    // Ports below come bucket by bucket; a bucket that is there stays.
    for port in [64, 128, fixed.0] {
        world
            .call(|channels, memory| {
                errno(channels.static_alloc_unbound(memory, control.dom, DomId(2), Some(Port(port))))
            })
            .unwrap();
    }
    for guest in [one, two] {
        for vcpu in 0..2 {
            let page = if guest == one { 4 } else { 5 };
            let offset = vcpu * 128;
            world
                .call(|channels, memory| errno(channels.init_control(memory, guest, Vcpu(vcpu), page, offset)))
                .unwrap();
        }
    }
    for page in 6..12 {
        world.call(|channels, memory| errno(channels.expand_array(memory, one, page))).unwrap();
    }
    let sent = world.call(|channels, memory| errno(channels.send(memory, two, Port(1))));
    assert_eq!(sent, Ok(()));
    world.channels.pause(one.dom).unwrap();
    world.call(|channels, memory| errno(channels.reset(memory, control, DomId(1), ResetFrom::Start))).unwrap();
    world.call(|channels, memory| errno(channels.init_control(memory, one, Vcpu(0), 4, 0))).unwrap();
    world.call(|channels, memory| errno(channels.kill(memory, two.dom))).unwrap();
    world.call(|channels, memory| errno(channels.destroy(memory, two.dom))).unwrap();
    let again = world.domain(7, 2);
    assert_eq!(again.dom, two.dom);
    world.call(|channels, memory| errno(channels.alloc_unbound(memory, again, DomId::SELF, DomId(0)))).unwrap();
}

#[test]
fn each_allocation_that_fails_is_told_and_leaves_nothing() {
    let memory = RefCell::new(Flat::new(16));
    let (refused, end) = (Cell::new(0), Cell::new(None));
    let report = alloc_chaos::check(|| {
        let mut memory = memory.borrow_mut();
        memory.words.fill(0);
        let mut world = World { channels: flat::channels(), memory: &mut memory, refused: 0 };
        session(&mut world);
        refused.set(refused.get() + world.refused);
        // Whatever was refused on the way, it comes out the same.
        let sum = world.sum();
        assert_eq!(end.replace(Some(sum)).unwrap_or(sum), sum);
    });
    assert!(report.baseline_is_stable() && report.failed_attempts().next().is_none(), "{report}");
    assert!(report.injected_failures() > 20, "{report}");
    assert_eq!(report.injected_failures(), report.baseline_allocations());
    assert_eq!(refused.get(), report.injected_failures(), "each was told");
}
