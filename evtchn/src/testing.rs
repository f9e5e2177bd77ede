//! A hypervisor for tests: flat memory that keeps a list of every access, and a few domains in it.
//! Also used by the tests outside of the crate, each of which needs a part of it.
#![allow(dead_code, reason = "every test uses another part")]

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use evtchn::{
    Caller, DomId, DomIdx, DomainConfig, Done, Errno, EventChannels, EventMemory, Host, Object, Policy, Poll, Port,
    Stop, Vcpu, Withheld, XenHandler, abi,
};

/// Guest address: each domain has [`PAGES`] pages of RAM from [`ram`] on.
pub(crate) type Area = u64;
pub(crate) const PAGES: u64 = 256;
pub(crate) const DUMMY: Area = 0xD000_0000;
/// Where the helpers put argument blocks: the last page of a domain's RAM.
const ARG_PAGE: u64 = PAGES - 1;

/// First byte of a domain's RAM.
pub(crate) fn ram(dom: DomIdx) -> u64 {
    0x1000_0000 * (dom.get() as u64 + 1)
}

/// Frame number of a domain's `n`th page.
pub(crate) fn gfn(dom: DomIdx, n: u64) -> u64 {
    ram(dom) / 4096 + n
}

/// Where a domain's `shared_info` is until it is moved; outside of RAM.
pub(crate) fn shared_info(dom: DomIdx) -> Area {
    0xE000_0000 + 4096 * dom.get() as u64
}

/// One access, its address resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Load(u64),
    Store(u64),
    Or(u64),
    And(u64),
    Cas(u64),
}

/// What a refused access yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault;

#[derive(Debug, Clone, Default)]
pub(crate) struct Flat {
    pub(crate) words: BTreeMap<u64, u32>,
    pub(crate) log: Vec<Access>,
    /// How many accesses still succeed.
    pub(crate) fault_after: Option<usize>,
    /// Before each compare-exchange a guest puts the next of these into the word.
    pub(crate) tamper: Vec<u32>,
    pub(crate) injected: Vec<(DomIdx, u32)>,
    pub(crate) woken: Vec<(DomIdx, u32)>,
    pub(crate) notified: Vec<(DomIdx, u32, u32, u8)>,
    pub(crate) withheld: Vec<(DomIdx, u32, Withheld)>,
    pub(crate) mapped: Vec<(Area, u32, Object)>,
    pub(crate) unmapped: Vec<Area>,
    /// No slot for any new area.
    pub(crate) no_room: bool,
    /// The answers of coming preemption checks, last first; then no.
    pub(crate) preempt: Vec<bool>,
    pub(crate) deliverable: bool,
    /// Guest memory that may be read but not written by copies.
    pub(crate) read_only: bool,
}

impl Flat {
    fn access(&mut self, access: Access) -> Result<(), Fault> {
        self.log.push(access);
        match &mut self.fault_after {
            Some(0) => Err(Fault),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn at(&mut self, addr: u64) -> &mut u32 {
        assert!(addr.is_multiple_of(4), "unaligned access at {addr:#x}");
        self.words.entry(addr).or_default()
    }

    /// Reads a word without being seen.
    pub(crate) fn peek(&self, addr: u64) -> u32 {
        self.words.get(&addr).copied().unwrap_or(0)
    }

    /// Writes a word without being seen; zero words are not kept, so that memories compare.
    pub(crate) fn poke(&mut self, addr: u64, value: u32) {
        self.words.insert(addr, value);
    }

    /// All words that are not zero.
    pub(crate) fn contents(&self) -> BTreeMap<u64, u32> {
        self.words.iter().filter(|(_, value)| **value != 0).map(|(addr, value)| (*addr, *value)).collect()
    }

    pub(crate) fn bit(&self, array: u64, n: u32) -> bool {
        self.peek(array + u64::from(n / 32 * 4)) >> (n % 32) & 1 != 0
    }

    pub(crate) fn set_bit(&mut self, array: u64, n: u32, on: bool) {
        let addr = array + u64::from(n / 32 * 4);
        let (old, bit) = (self.peek(addr), 1 << (n % 32));
        self.poke(addr, if on { old | bit } else { old & !bit });
    }

    pub(crate) fn clear_signs(&mut self) {
        self.log.clear();
        self.injected.clear();
        self.woken.clear();
        self.notified.clear();
        self.withheld.clear();
    }
}

impl EventMemory for Flat {
    type Area = Area;
    type Fault = Fault;

    fn load(&mut self, area: Area, offset: u32) -> Result<u32, Fault> {
        let addr = area + u64::from(offset);
        self.access(Access::Load(addr))?;
        Ok(*self.at(addr))
    }

    fn store(&mut self, area: Area, offset: u32, value: u32) -> Result<(), Fault> {
        let addr = area + u64::from(offset);
        self.access(Access::Store(addr))?;
        *self.at(addr) = value;
        Ok(())
    }

    fn fetch_or(&mut self, area: Area, offset: u32, bits: u32) -> Result<u32, Fault> {
        let addr = area + u64::from(offset);
        self.access(Access::Or(addr))?;
        let word = self.at(addr);
        Ok(core::mem::replace(word, *word | bits))
    }

    fn fetch_and(&mut self, area: Area, offset: u32, bits: u32) -> Result<u32, Fault> {
        let addr = area + u64::from(offset);
        self.access(Access::And(addr))?;
        let word = self.at(addr);
        Ok(core::mem::replace(word, *word & bits))
    }

    fn compare_exchange(&mut self, area: Area, offset: u32, current: u32, new: u32) -> Result<Result<u32, u32>, Fault> {
        let addr = area + u64::from(offset);
        self.access(Access::Cas(addr))?;
        if !self.tamper.is_empty() {
            let value = self.tamper.remove(0);
            self.poke(addr, value);
        }
        let word = self.at(addr);
        if *word != current {
            return Ok(Err(*word));
        }
        *word = new;
        Ok(Ok(current))
    }
}

/// Is `len` bytes from `ptr` in the RAM of the domain?
fn in_ram(dom: DomIdx, ptr: u64, len: u64) -> bool {
    ptr >= ram(dom) && ptr.checked_add(len).is_some_and(|end| end <= ram(dom) + PAGES * 4096)
}

impl Host for Flat {
    fn read_guest(&mut self, dom: DomIdx, ptr: u64, buf: &mut [u8]) -> Result<(), Stop<Fault>> {
        if !in_ram(dom, ptr, buf.len() as u64) {
            return Err(Errno::EFAULT.into());
        }
        for (addr, byte) in (ptr..).zip(buf) {
            *byte = (self.peek(addr & !3) >> (addr % 4 * 8)) as u8;
        }
        Ok(())
    }

    fn write_guest(&mut self, dom: DomIdx, ptr: u64, buf: &[u8]) -> Result<(), Stop<Fault>> {
        if self.read_only || !in_ram(dom, ptr, buf.len() as u64) {
            return Err(Errno::EFAULT.into());
        }
        for (addr, byte) in (ptr..).zip(buf) {
            let shift = addr % 4 * 8;
            let word = self.peek(addr & !3) & !(0xFF << shift) | u32::from(*byte) << shift;
            self.poke(addr & !3, word);
        }
        Ok(())
    }

    fn map_area(&mut self, dom: DomIdx, gaddr: u64, len: u32, what: Object) -> Result<Area, Stop<Fault>> {
        assert!(gaddr % 4096 + u64::from(len) <= 4096, "{what} crosses a page");
        if !in_ram(dom, gaddr, len.into()) {
            return Err(Errno::EINVAL.into());
        }
        if self.no_room {
            return Err(Errno::ENOMEM.into());
        }
        self.mapped.push((gaddr, len, what));
        Ok(gaddr)
    }

    fn unmap_area(&mut self, area: Area) {
        self.unmapped.push(area);
    }

    fn inject(&mut self, dom: DomIdx, vcpu: Vcpu) {
        self.injected.push((dom, vcpu.0));
    }

    fn unblock(&mut self, dom: DomIdx, vcpu: Vcpu) {
        self.woken.push((dom, vcpu.0));
    }

    fn preemption_due(&mut self) -> bool {
        self.preempt.pop().unwrap_or(false)
    }

    fn interrupt_deliverable(&mut self, _: DomIdx, _: Vcpu) -> bool {
        self.deliverable
    }

    fn xen_notified(&mut self, dom: DomIdx, vcpu: Vcpu, port: Port, handler: XenHandler) {
        self.notified.push((dom, vcpu.0, port.0, handler.get()));
    }

    fn event_withheld(&mut self, dom: DomIdx, port: Port, why: Withheld) {
        self.withheld.push((dom, port.0, why));
    }
}

/// A table and its memory. Domain 0 is the hardware and control domain; 1 and 2 are ordinary; all have two vcpus.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) ec: EventChannels<Area>,
    pub(crate) mem: Flat,
    pub(crate) d0: DomIdx,
    pub(crate) d1: DomIdx,
    pub(crate) d2: DomIdx,
}

pub(crate) fn config(id: u16) -> DomainConfig {
    DomainConfig { id: DomId(id), vcpus: 2, privileged: id == 0, max_evtchn_port: 1023, target: None }
}

/// A result as a guest sees it; a fault is not expected.
pub(crate) fn rc<T>(result: Result<T, Stop<Fault>>) -> Result<T, Errno> {
    result.map_err(|stop| match stop {
        Stop::Errno(errno) => errno,
        Stop::Fault(fault) => panic!("{fault:?}"),
    })
}

pub(crate) fn caller(dom: DomIdx) -> Caller {
    Caller { dom, vcpu: Vcpu(0) }
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(false, |_| {})
    }

    /// Domains adjusted before they are made.
    pub(crate) fn with(silo: bool, adjust: impl Fn(&mut DomainConfig)) -> Self {
        let mut ec = EventChannels::new(Policy { hardware_domain: Some(DomId(0)), silo }, DUMMY);
        let [d0, d1, d2] = [0, 1, 2].map(|id| {
            let mut cfg = config(id);
            adjust(&mut cfg);
            // The first domains get the first indexes.
            ec.create_domain(&cfg, 0xE000_0000 + 4096 * u64::from(id)).expect("creation")
        });
        Self { ec, mem: Flat::default(), d0, d1, d2 }
    }

    /// Domains 1 and 2 in FIFO mode with one page, control blocks in page 1.
    pub(crate) fn fifo() -> Self {
        let mut rig = Self::new();
        for dom in [rig.d1, rig.d2] {
            for vcpu in 0..2 {
                assert_eq!(rig.init_control(dom, vcpu), Ok(17));
            }
            assert_eq!(rig.expand(dom, 2), Ok(()));
        }
        rig.mem.clear_signs();
        rig
    }

    pub(crate) fn init_control(&mut self, dom: DomIdx, vcpu: u32) -> Result<u8, Errno> {
        rc(self.ec.init_control(&mut self.mem, caller(dom), Vcpu(vcpu), gfn(dom, 1), vcpu * 128))
    }

    /// Hands the domain's `n`th page over as event words.
    pub(crate) fn expand(&mut self, dom: DomIdx, n: u64) -> Result<(), Errno> {
        rc(self.ec.expand_array(&mut self.mem, caller(dom), gfn(dom, n)))
    }

    pub(crate) fn unbound(&mut self, dom: DomIdx, remote: u16) -> Result<Port, Errno> {
        rc(self.ec.alloc_unbound(&mut self.mem, caller(dom), DomId::SELF, DomId(remote)))
    }

    pub(crate) fn interdomain(&mut self, dom: DomIdx, remote: u16, port: Port) -> Result<Port, Errno> {
        rc(self.ec.bind_interdomain(&mut self.mem, caller(dom), DomId(remote), port))
    }

    /// Two connected ports, `from`'s and `to`'s, with nothing pending.
    pub(crate) fn channel(&mut self, from: DomIdx, to: DomIdx) -> (Port, Port) {
        let (from_id, to_id) = (self.ec.id_of(from).unwrap().0, self.ec.id_of(to).unwrap().0);
        let there = self.unbound(to, from_id).unwrap();
        let here = self.interdomain(from, to_id, there).unwrap();
        self.consume(from, here);
        self.mem.clear_signs();
        (here, there)
    }

    pub(crate) fn ipi(&mut self, dom: DomIdx, vcpu: u32) -> Result<Port, Errno> {
        rc(self.ec.bind_ipi(&mut self.mem, caller(dom), Vcpu(vcpu)))
    }

    pub(crate) fn virq(&mut self, dom: DomIdx, virq: u32, vcpu: u32) -> Result<Port, Errno> {
        rc(self.ec.bind_virq(&mut self.mem, caller(dom), virq, Vcpu(vcpu)))
    }

    pub(crate) fn send(&mut self, dom: DomIdx, port: Port) -> Result<(), Errno> {
        rc(self.ec.send(&mut self.mem, caller(dom), port))
    }

    pub(crate) fn unmask(&mut self, dom: DomIdx, port: Port) -> Result<(), Errno> {
        rc(self.ec.unmask(&mut self.mem, caller(dom), port))
    }

    pub(crate) fn close(&mut self, dom: DomIdx, port: Port) -> Result<(), Errno> {
        rc(self.ec.close(&mut self.mem, caller(dom), port))
    }

    pub(crate) fn register(&mut self, dom: DomIdx, vcpu: u32, page: u64, offset: u32) -> Result<(), Errno> {
        rc(self.ec.register_vcpu_info(&mut self.mem, caller(dom), Vcpu(vcpu), gfn(dom, page), offset))
    }

    /// `event_channel_op` with its block in the domain's last page; gives the block as it is afterwards.
    pub(crate) fn hypercall(&mut self, dom: DomIdx, cmd: u32, args: &[u32]) -> (Result<Done, Errno>, Vec<u32>) {
        let arg = ram(dom) + ARG_PAGE * 4096;
        for (addr, word) in (arg..).step_by(4).zip(args) {
            self.mem.poke(addr, *word);
        }
        let result = rc(self.ec.event_channel_op(&mut self.mem, caller(dom), cmd, arg));
        (result, (arg..).step_by(4).take(args.len()).map(|addr| self.mem.peek(addr)).collect())
    }

    /// Polls for ports of the domain on a vcpu.
    pub(crate) fn poll(&mut self, dom: DomIdx, vcpu: u32, ports: &[u32], timeout: u64) -> Result<Poll, Errno> {
        let arg = ram(dom) + ARG_PAGE * 4096;
        let list = arg + 64;
        let block = [list as u32, (list >> 32) as u32, ports.len() as u32, 0, timeout as u32, (timeout >> 32) as u32];
        for (addr, word) in (arg..).step_by(4).zip(block) {
            self.mem.poke(addr, word);
        }
        for (addr, port) in (list..).step_by(4).zip(ports) {
            self.mem.poke(addr, *port);
        }
        rc(self.ec.sched_poll(&mut self.mem, Caller { dom, vcpu: Vcpu(vcpu) }, arg))
    }

    /// The word of a port, its page being one the test handed over.
    pub(crate) fn word(&self, dom: DomIdx, port: Port) -> u32 {
        self.mem.peek(self.word_addr(dom, port))
    }

    pub(crate) fn word_addr(&self, dom: DomIdx, port: Port) -> u64 {
        self.ec.event_pages(dom)[(port.0 / 1024) as usize] + u64::from(port.0 % 1024 * 4)
    }

    pub(crate) fn is_pending(&self, dom: DomIdx, port: Port) -> bool {
        if self.ec.event_pages(dom).is_empty() {
            self.mem.bit(shared_info(dom) + u64::from(abi::shared_info::PENDING), port.0)
        } else {
            self.word(dom, port) & abi::fifo::PENDING != 0
        }
    }

    pub(crate) fn set_mask(&mut self, dom: DomIdx, port: Port, on: bool) {
        if self.ec.event_pages(dom).is_empty() {
            self.mem.set_bit(shared_info(dom) + u64::from(abi::shared_info::MASK), port.0, on);
        } else {
            let (addr, old) = (self.word_addr(dom, port), self.word(dom, port));
            self.mem.poke(addr, if on { old | abi::fifo::MASKED } else { old & !abi::fifo::MASKED });
        }
    }

    /// What a consumer leaves behind, without its order: no bits of the port, no selector, no upcall.
    pub(crate) fn consume(&mut self, dom: DomIdx, port: Port) {
        if self.ec.event_pages(dom).is_empty() {
            self.mem.set_bit(shared_info(dom) + u64::from(abi::shared_info::PENDING), port.0, false);
        } else {
            let (addr, old) = (self.word_addr(dom, port), self.word(dom, port));
            self.mem.poke(addr, old & abi::fifo::MASKED);
        }
        for vcpu in 0..2 {
            self.acknowledge(dom, vcpu);
        }
    }

    /// Clears a vcpu's upcall byte, selector and ready bits.
    pub(crate) fn acknowledge(&mut self, dom: DomIdx, vcpu: u32) {
        let info = self.info(dom, vcpu);
        for addr in [info, info + 8, info + 12] {
            self.mem.poke(addr, 0);
        }
        if let Some(block) = self.ec.control_block(dom, Vcpu(vcpu)) {
            self.mem.poke(block, 0);
        }
    }

    pub(crate) fn info(&self, dom: DomIdx, vcpu: u32) -> Area {
        self.ec.vcpu_info(dom, Vcpu(vcpu)).unwrap().area()
    }

    pub(crate) fn selector(&self, dom: DomIdx, vcpu: u32) -> u64 {
        let info = self.info(dom, vcpu);
        u64::from(self.mem.peek(info + 8)) | u64::from(self.mem.peek(info + 12)) << 32
    }

    /// `[valid, active, xen]`.
    pub(crate) fn counts(&self, dom: DomIdx) -> [u32; 3] {
        let counts = self.ec.port_counts(dom).unwrap();
        [counts.valid, counts.active, counts.xen]
    }

    /// Everything there is to see, memory included, but not how many buckets there are: a failing operation may
    /// leave new ones behind.
    pub(crate) fn picture(&self) -> (Vec<alloc::string::String>, BTreeMap<u64, u32>) {
        let mut lines = vec![];
        for (id, dom) in self.ec.domains() {
            lines.push(alloc::format!(
                "{id} {:?} {:?} {:?} {:?}",
                self.ec.life(dom),
                self.ec.abi_kind(dom),
                self.counts(dom)[1..].to_vec(),
                self.ec.event_pages(dom),
            ));
            lines.extend(self.ec.channels(dom).map(|used| alloc::format!("{used:?}")));
            for vcpu in (0..self.ec.vcpus(dom).unwrap()).map(Vcpu) {
                lines.push(alloc::format!(
                    "{vcpu} {:?} {:?} {:?} {:?}",
                    self.ec.vcpu_info(dom, vcpu),
                    self.ec.polling(dom, vcpu),
                    self.ec.control_block(dom, vcpu),
                    (0..24).map(|virq| self.ec.virq_bound(dom, vcpu, virq)).collect::<Vec<_>>(),
                ));
            }
        }
        (lines, self.mem.contents())
    }
}
