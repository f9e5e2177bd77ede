//! What PEs share: memory, devices, time, exclusive monitors, events. Where devices are, the board says.

mod decoded;
mod output;

pub(crate) use decoded::Decoded;
pub(crate) use output::Output;
pub use output::Source;

use crate::a64::{Insn, SysEncoding};
use crate::cached::Cached;
use crate::devices::gic::{Config, Frame, Gic, affinity};
use crate::devices::pl011::Pl011;
use crate::devices::timer::{SystemCounter, Timer, Timers};
use crate::hazards::{HazardMode, Hazards};
use crate::memory::{Memory, PAGE, PageIndex};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use boards::{Board, Gic as GicPlace, Span};
use mpu_model::{Memory as Met, MemoryType, Shareability};

/// Bytes of the distributor's frame.
const DISTRIBUTOR: u64 = 0x1_0000;
/// Registers unknown to the PE that are kept by name.
const MOST_UNKNOWN: usize = 64;
/// The timers that a PE has.
const TIMERS: [Timer; 3] = [Timer::Physical, Timer::Virtual, Timer::SecureHyp];
/// Ticks that nobody waits for.
const NEVER: u64 = 1 << 62;
/// Log2 of the bytes that the exclusive monitor marks.
const RESERVATION: u32 = 6;

/// A register of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Gic(Frame, u64),
    Uart(usize, u64),
    Counter(u64),
}

/// What a PE is signalled by the interrupt controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wire")]
pub(crate) struct Signals {
    pub(crate) irq: bool,
    pub(crate) fiq: bool,
    pub(crate) virtual_irq: bool,
    pub(crate) virtual_fiq: bool,
}

/// A UART, where it is, and its interrupt.
#[derive(Clone, Debug, PartialEq)]
struct Port {
    span: Span,
    intid: Option<u32>,
    uart: Pl011,
}

/// A byte for a UART at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// When, in instructions of the machine.
    pub time: u64,
    /// Which UART, the console being 0.
    pub uart: usize,
    /// What arrives.
    pub byte: u8,
}

/// What PEs share.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bus {
    pub(crate) memory: Memory,
    pub(crate) gic: Gic,
    gic_place: GicPlace,
    ports: Vec<Port>,
    timers: Vec<Timers>,
    counter: SystemCounter,
    counter_place: Option<Span>,
    input: VecDeque<Input>,
    pub(crate) output: Output,
    /// Instructions that all PEs executed, and time that all were asleep.
    ticks: u64,
    /// When a timer's output changes next, or input arrives.
    deadline: u64,
    /// An interrupt may have come or gone.
    attention: bool,
    monitors: Vec<Option<u64>>,
    events: Vec<bool>,
    pub(crate) hazards: Hazards,
    pub(crate) hazard_mode: HazardMode,
    unknown: Vec<SysEncoding>,
    implementation_defined: Vec<(SysEncoding, u64)>,
    /// Instructions that were decoded, but for those of pages that were written since.
    pub(crate) decoded: Cached<Decoded>,
    stale: Vec<PageIndex>,
}

/// The affinity of a PE: sixteen to a cluster, as SGIs have them.
pub(crate) const fn mpidr(pe: usize) -> u64 {
    (pe as u64 & 0xf) | (pe as u64 >> 4 & 0xff) << 8 | 1 << 31
}

impl Bus {
    pub(crate) fn new(board: &Board, pages: usize, hazard_mode: HazardMode, options: Vec<(SysEncoding, u64)>) -> Self {
        let pes = board.pes;
        let affinities = (0..pes).map(|pe| affinity(mpidr(pe))).collect();
        let port = |uart: &boards::Uart| Port { span: uart.span, intid: uart.interrupt, uart: Pl011::new(true) };
        let frequency = board.timers.frequency.unwrap_or_default();
        Self {
            memory: Memory::new(board.memory.iter().map(|memory| (memory.span, memory.kind)), pages),
            gic: Gic::new(Config::new(affinities)),
            gic_place: board.gic,
            ports: board.uarts().map(port).collect(),
            timers: (0..pes).map(|_| Timers::new()).collect(),
            counter: SystemCounter::new(u32::try_from(frequency).unwrap_or(u32::MAX), true),
            counter_place: board.timers.control,
            input: VecDeque::new(),
            output: Output::default(),
            ticks: 0,
            deadline: u64::MAX,
            attention: true,
            monitors: (0..pes).map(|_| None).collect(),
            events: (0..pes).map(|_| false).collect(),
            hazards: Hazards::default(),
            hazard_mode,
            unknown: Vec::new(),
            implementation_defined: options,
            decoded: Cached(Decoded::default()),
            stale: Vec::new(),
        }
    }

    // Time.

    /// Now, in instructions.
    #[inline]
    pub(crate) const fn now(&self) -> u64 {
        self.ticks
    }

    /// An instruction takes its time.
    #[inline]
    pub(crate) const fn tick(&mut self) {
        self.ticks = self.ticks.wrapping_add(1);
    }

    /// The count of the physical counter.
    pub(crate) const fn count(&self) -> u64 {
        self.counter.count(self.ticks)
    }

    /// Time goes on to the next time at which something happens by itself; `false`: nothing ever will.
    pub(crate) fn skip_to_deadline(&mut self) -> bool {
        self.find_deadline();
        if self.deadline == u64::MAX {
            return false;
        }
        self.ticks = self.ticks.max(self.deadline);
        true
    }

    /// The timers of a PE.
    pub(crate) fn timers(&self, pe: usize) -> Option<&Timers> {
        self.timers.get(pe)
    }

    /// The timers of a PE, to be changed.
    pub(crate) fn timers_mut(&mut self, pe: usize) -> Option<&mut Timers> {
        self.timers.get_mut(pe)
    }

    /// A register of a timer was written.
    pub(crate) fn timers_changed(&mut self) {
        self.deadline = self.ticks;
    }

    // Interrupts.

    /// What a PE is signalled.
    pub(crate) fn signals(&self, pe: usize) -> Signals {
        let outputs = self.gic.outputs(pe);
        Signals { irq: outputs.irq, fiq: outputs.fiq, virtual_irq: outputs.virq, virtual_fiq: outputs.vfiq }
    }

    /// Before the next instruction, interrupts are looked at.
    #[inline]
    pub(crate) const fn look_at_interrupts(&mut self) {
        self.attention = true;
    }

    /// Whether interrupts are to be looked at.
    #[inline]
    pub(crate) const fn has_attention(&self) -> bool {
        self.attention || self.ticks >= self.deadline
    }

    /// Brings the lines of timers and UARTs up to date.
    pub(crate) fn update(&mut self) {
        self.attention = false;
        if self.ticks < self.deadline {
            return;
        }
        self.deliver_input();
        let count = self.count();
        for (pe, timers) in self.timers.iter().enumerate() {
            for timer in TIMERS {
                self.gic.set_line(timer.intid(), pe, timers.output(timer, count));
            }
        }
        self.find_deadline();
    }

    fn find_deadline(&mut self) {
        let count = self.count();
        let next = self.timers.iter().filter_map(|timers| timers.next_deadline(&TIMERS, count)).min();
        // Beyond is where the counter begins anew, or a time that means never.
        let ticks = next.and_then(|next| self.counter.ticks_until(self.ticks, next)).filter(|ticks| *ticks < NEVER);
        let timer = ticks.map_or(u64::MAX, |ticks| self.ticks.saturating_add(ticks));
        let input = self.input.front().filter(|input| self.has_room(input.uart)).map_or(u64::MAX, |input| input.time);
        self.deadline = timer.min(input);
    }

    // Input and output.

    fn has_room(&self, uart: usize) -> bool {
        self.ports.get(uart).is_none_or(|port| port.uart.has_room())
    }

    /// Bytes arrive whose time has come, as long as their UART has room.
    fn deliver_input(&mut self) {
        while let Some(input) =
            self.input.front().copied().filter(|input| input.time <= self.ticks && self.has_room(input.uart))
        {
            self.input.pop_front();
            if let Some(port) = self.ports.get_mut(input.uart) {
                port.uart.receive(input.byte);
            }
            self.update_line(input.uart);
        }
    }

    /// Has a byte arrive at a UART. Those that come at the same time arrive in the order of the calls.
    pub(crate) fn add_input(&mut self, input: Input) {
        let place = self.input.iter().rposition(|other| other.time <= input.time).map_or(0, |place| place + 1);
        self.input.insert(place, input);
        self.deadline = self.ticks;
    }

    fn update_line(&mut self, uart: usize) {
        if let Some(port) = self.ports.get(uart)
            && let Some(intid) = port.intid
        {
            self.gic.set_line(intid, 0, port.uart.interrupt());
        }
        self.attention = true;
    }

    // Devices.

    /// The register of a device that answers to all of an access.
    pub(crate) fn device_at(&self, address: u64, bytes: u8) -> Option<Device> {
        if bytes > 8 {
            return None;
        }
        let span = Span::with_size(address, bytes.into())?;
        let inside = |place: &Span| place.covers(&span).then(|| address - place.base());
        if let Some(offset) = inside(&self.gic_place.span) {
            if offset < DISTRIBUTOR {
                return Some(Device::Gic(Frame::Distributor, offset));
            }
            let (frame, offset) = Frame::of_redistributors(offset.checked_sub(self.gic_place.redistributors?)?);
            let (Frame::Redistributor(pe) | Frame::Sgi(pe)) = frame else { return None };
            return (pe < self.timers.len()).then_some(Device::Gic(frame, offset));
        }
        if let Some(offset) = self.counter_place.as_ref().and_then(inside) {
            return Some(Device::Counter(offset));
        }
        let uart = |(index, port): (usize, &Port)| inside(&port.span).map(|offset| Device::Uart(index, offset));
        self.ports.iter().enumerate().find_map(uart)
    }

    pub(crate) fn read_device(&mut self, device: Device, bytes: u8) -> u64 {
        match device {
            Device::Gic(frame, offset) => self.gic.read(frame, offset, bytes),
            Device::Counter(offset) => self.counter.read(offset, bytes, self.ticks),
            Device::Uart(index, offset) => {
                let value = self.ports.get_mut(index).map_or(0, |port| port.uart.read(offset, bytes));
                self.update_line(index);
                // There may be room now for what waits.
                self.deadline = self.deadline.min(self.input.front().map_or(u64::MAX, |input| input.time));
                value
            }
        }
    }

    pub(crate) fn write_device(&mut self, device: Device, bytes: u8, value: u64) {
        match device {
            Device::Gic(frame, offset) => {
                self.gic.write(frame, offset, bytes, value);
                self.attention = true;
            }
            Device::Counter(offset) => {
                self.counter.write(offset, bytes, value, self.ticks);
                self.deadline = self.ticks;
            }
            Device::Uart(index, offset) => {
                if let Some(port) = self.ports.get_mut(index) {
                    port.uart.write(offset, bytes, value);
                    while let Some(byte) = port.uart.transmit() {
                        self.output.push(index, byte);
                    }
                }
                self.update_line(index);
            }
        }
    }

    /// The memory that the board's default map has at an address: devices where there is no memory.
    pub(crate) fn default_memory(&self, address: u64) -> Met {
        let byte = if self.memory.holds(address) { 0xff } else { 0x00 };
        Met::new(MemoryType::of_mair(byte), Shareability::Non)
    }

    // Exclusive monitors and events.

    /// Something was written: other PEs' marks on it are gone, which is an event for them.
    #[inline]
    pub(crate) fn written(&mut self, pe: usize, address: u64, bytes: u8) {
        if self.monitors.len() > 1 {
            self.clear_others(pe, address, bytes);
        }
    }

    fn clear_others(&mut self, pe: usize, address: u64, bytes: u8) {
        let last = address.wrapping_add(u64::from(bytes).wrapping_sub(1));
        let (first, last) = (address >> RESERVATION, last >> RESERVATION);
        for (other, (monitor, event)) in self.monitors.iter_mut().zip(&mut self.events).enumerate() {
            if other != pe && monitor.is_some_and(|mark| mark == first || mark == last) {
                *monitor = None;
                *event = true;
            }
        }
    }

    pub(crate) fn set_monitor(&mut self, pe: usize, address: u64, _: u8) {
        if let Some(monitor) = self.monitors.get_mut(pe) {
            *monitor = Some(address >> RESERVATION);
        }
    }

    /// Whether a PE's mark is on an address; it is gone afterwards.
    pub(crate) fn take_monitor(&mut self, pe: usize, address: u64, _: u8) -> bool {
        self.monitors.get_mut(pe).and_then(Option::take) == Some(address >> RESERVATION)
    }

    pub(crate) fn clear_monitor(&mut self, pe: usize) {
        if let Some(monitor) = self.monitors.get_mut(pe) {
            *monitor = None;
        }
    }

    pub(crate) fn set_event(&mut self, pe: usize) {
        if let Some(event) = self.events.get_mut(pe) {
            *event = true;
        }
    }

    pub(crate) fn set_every_event(&mut self) {
        self.events.fill(true);
    }

    /// Whether the event register of a PE is set; it is clear afterwards.
    pub(crate) fn take_event(&mut self, pe: usize) -> bool {
        self.events.get_mut(pe).is_some_and(core::mem::take)
    }

    // Instructions.

    /// Whether instructions have to be forgotten before the next one.
    #[inline]
    pub(crate) const fn has_stale(&self) -> bool {
        !self.stale.is_empty()
    }

    /// Forgets those of pages that were written.
    #[cold]
    pub(crate) fn forget_stale(&mut self, decoded: &mut Decoded) {
        for page in self.stale.drain(..) {
            decoded.forget(page);
        }
    }

    /// Decodes the word at an address of a page, and remembers the instruction.
    #[cold]
    pub(crate) fn decode(
        &mut self,
        decoded: &mut Decoded,
        page: PageIndex,
        address: u64,
        decode: impl Fn(u32) -> Insn,
    ) {
        let insn = decode(self.word(address));
        if decoded.put(page, (address % PAGE / 4) as usize, insn) {
            self.memory.watch_nothing();
        }
        self.memory.watch(page);
    }

    /// Forgets all instructions.
    pub(crate) fn forget_every_instruction(&mut self) {
        self.decoded = Cached::default();
        self.stale.clear();
        self.memory.watch_nothing();
    }

    /// Ticks of the counter per second.
    pub(crate) const fn frequency(&self) -> u64 {
        self.counter.frequency() as u64
    }

    /// A page was written of which instructions are remembered.
    pub(crate) fn forget_instructions(&mut self, page: PageIndex) {
        self.stale.push(page);
    }

    /// The word at an address of memory.
    pub(crate) fn word(&self, address: u64) -> u32 {
        let mut bytes = [0; 4];
        self.memory.read(address, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// What the options give an IMPLEMENTATION DEFINED register.
    pub(crate) fn implementation_defined(&self, encoding: SysEncoding) -> Option<u64> {
        self.implementation_defined.iter().find(|(register, _)| *register == encoding).map(|(_, value)| *value)
    }

    /// Keeps an encoding that is UNDEFINED.
    pub(crate) fn unknown_register(&mut self, encoding: SysEncoding) {
        if self.unknown.len() < MOST_UNKNOWN && !self.unknown.contains(&encoding) {
            self.unknown.push(encoding);
        }
    }

    pub(crate) fn unknown_registers(&self) -> &[SysEncoding] {
        &self.unknown
    }
}
