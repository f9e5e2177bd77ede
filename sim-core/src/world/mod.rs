//! A hypervisor, a machine and guests, put together and run.
//!
//! PEs act in order of their clocks: the one that is furthest behind acts next; among equals the lowest number, or, with
//! a seed, one drawn from a generator that the seed alone decides. Nothing else decides the order, so the same
//! configuration gives the same run on every host.

pub mod attempt;
pub mod oracle;
mod report;
mod starved;
mod telling;
mod tracker;
mod waiting;
pub mod watch;

use crate::convention::{Arch, Cause, Frame, TAG, nr};
use crate::guest::{Guest, Home, Mark};
use crate::hyp::boot::NotBooted;
use crate::hyp::domain::{VcpuId, VcpuState, vmid};
use crate::hyp::emulate::Access;
use crate::hyp::entry::Next;
use crate::hyp::sched::{Scheduler, VirqTimer};
use crate::hyp::strategy::Strategy;
use crate::hyp::{Hypervisor, SetupError, StaticChannel, panic};
use crate::layout::{CONTROL_BLOCK_STRIDE, Layout, PAGE_SIZE, Span};
use crate::machine::clock::Costs;
use crate::machine::pe::Pe;
use crate::machine::pe::Running;
use crate::machine::{Cpu, Faulted, Machine, Stop};
use crate::outcome::{
    Breach, Counts, El2Fault, FaultKind, HypercallId, Limit, OnBehalf, Outcome, Report, Trap, TrapCost, VcpuRef,
};
use crate::platform::Event;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use evtchn::{Policy, abi};
use mpu_model::Rules;
use oracle::Oracle;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use starved::Starved;
use tracker::Tracker;
use watch::{Told, Watch, Watched};

pub use report::refused;

/// How a world is run.
#[derive(Clone, Debug)]
pub struct Config {
    /// How vCPUs take turns on a PE.
    pub scheduler: Scheduler,
    /// Choices the architecture leaves open.
    pub rules: Rules,
    /// Cycle costs.
    pub costs: Costs,
    /// Decides among PEs that are equal in time; 0: the lowest number.
    pub seed: u64,
    /// Whether the isolation oracle looks at a PE each time it leaves EL2.
    pub paranoid: bool,
    /// Actions after which the run is ended.
    pub step_limit: u64,
    /// The handler of global VIRQs, and whether domains are kept from talking to each other.
    pub policy: Policy,
    /// Channels bound before guests run.
    pub channels: Vec<StaticChannel>,
    /// Timers: PE, time, what they raise.
    pub timers: Vec<(usize, u64, VirqTimer)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            scheduler: Scheduler::Null,
            rules: Rules::default(),
            costs: Costs::COUNTS,
            seed: 0,
            paranoid: false,
            step_limit: 10_000_000,
            policy: Policy::default(),
            channels: Vec::new(),
            timers: Vec::new(),
        }
    }
}

/// Why a world cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The hypervisor cannot be set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Boot is not over.
    #[error(transparent)]
    NotBooted(#[from] NotBooted),
    /// A channel cannot be bound at boot.
    #[error("channel {channel} cannot be bound at boot: {errno}")]
    Channel {
        /// Its position in the configuration.
        channel: usize,
        /// Why.
        errno: evtchn::Errno,
    },
}

/// A system ready to run, and who watches it.
#[derive(Debug)]
pub struct World<S, W = ()> {
    /// The machine.
    pub machine: Machine,
    /// The hypervisor.
    pub hyp: Hypervisor<S>,
    config: Config,
    rng: ChaCha8Rng,
    tracker: Tracker,
    traps: BTreeMap<Trap, TrapCost>,
    on_behalf: OnBehalf,
    boot_counts: Counts,
    /// When the hypervisor lock is free again.
    lock_free: u64,
    lock_wait: u64,
    steps: u64,
    events: Vec<Event>,
    marks: Vec<(usize, Mark)>,
    oracle: Oracle,
    breach: Option<Breach>,
    starved: Starved,
    watch: W,
    /// Hazards that whoever watches was told of.
    hazards_told: usize,
}

/// When a PE does something next: a guest that runs at once, a PE that sleeps with the interrupt that ends it.
fn due(state: &Pe) -> Option<u64> {
    match state.running {
        Running::Guest(_) => Some(state.clock),
        Running::Idle => state.next_interrupt().map(|at| at.max(state.clock)),
        Running::Reset => None,
    }
}

/// What a vCPU of the domain at `position` knows about where it lives.
#[must_use]
pub fn home(layout: &Layout, position: usize, vcpu: u32) -> Option<Home> {
    /// Bytes of scratch memory per vCPU.
    const SCRATCH: u64 = 64;
    let pages = layout.pages(position)?;
    let bank = layout.domains().get(position)?.ram.first()?;
    let first = bank.base().checked_next_multiple_of(PAGE_SIZE)?;
    let scratch = first.checked_add(u64::from(vcpu) * SCRATCH)?;
    // A first bank that is one PE's TCM has scratch memory, and no page that is handed over.
    let common =
        layout.domains().get(position)?.ram.iter().find(|bank| layout.common_bank(position, bank.base()).is_some());
    let pages_from = common.unwrap_or(bank).base().checked_next_multiple_of(PAGE_SIZE)?;
    let (blocks, event_words) = fifo_pages(layout, position, pages_from)?;
    Some(Home {
        vcpu,
        shared_info: pages.shared_info,
        shared_info_placed: pages.shared_info_placed,
        vcpu_info: pages.vcpu_info.get(usize::try_from(vcpu).ok()?).copied()?,
        scratch,
        control_block: blocks.base().checked_add(u64::from(vcpu).checked_mul(CONTROL_BLOCK_STRIDE)?)?,
        event_words,
    })
}

/// Pages of the domain's own for its control blocks and for its first event words, behind what else is picked from `first`
/// on and beside what the layout names; under placements `pool` and `heap` where the layout has them.
fn fifo_pages(layout: &Layout, position: usize, first: u64) -> Option<(Span, u64)> {
    let pages = layout.pages(position)?;
    let vcpus = u64::try_from(layout.domains().get(position)?.vcpus.len()).ok()?;
    let size = vcpus.checked_mul(CONTROL_BLOCK_STRIDE)?.checked_next_multiple_of(PAGE_SIZE)?;
    if let (Some(blocks), Some(own)) = (pages.control_blocks, pages.own_pool) {
        return Some((Span::with_size(blocks, size)?, own.limit().checked_sub(PAGE_SIZE - 1)?));
    }
    let named = || pages.vcpu_info.iter().copied().chain([pages.shared_info]).map(|at| at / PAGE_SIZE * PAGE_SIZE);
    let free = |mut base: u64, size: u64| {
        while let Some(taken) = named().find(|page| (base..base.saturating_add(size)).contains(page)) {
            base = taken.checked_add(PAGE_SIZE)?;
        }
        Span::with_size(base, size)
    };
    // Scratch memory and the vcpu_info take no more pages each, and shared_info one.
    let blocks = free(first.checked_add(size.checked_mul(2)?)?.checked_add(PAGE_SIZE)?, size)?;
    let words = free(blocks.limit().checked_add(1)?, PAGE_SIZE)?;
    Some((blocks, words.base()))
}

impl<S: Strategy> World<S> {
    /// Sets a system up: boots every PE, binds the static channels, and stops before the first guest.
    pub fn new(layout: Layout, strategy: S, config: Config) -> Result<Self, BuildError> {
        Self::watched(layout, strategy, config, ())
    }
}

impl<S: Strategy, W: Watch> World<S, W> {
    /// Sets a system up as [`World::new`] does, whose run `watch` is told of.
    pub fn watched(layout: Layout, strategy: S, config: Config, mut watch: W) -> Result<Self, BuildError> {
        let mut machine = Machine::new(&layout, config.rules, config.costs);
        let mut hyp = Hypervisor::new(layout, strategy, config.scheduler.clone(), config.policy)?;
        let pes = machine.pes.len();
        let mut bound = Ok(());
        for pe in 0..pes {
            // A fault here stays in the machine and is what the run reports.
            let cpu = Cpu { machine: &mut machine, pe };
            let _: Result<(), Faulted> = hyp.boot(&mut Watched { cpu, watch: &mut watch, told: false });
            for used in hyp.core.plan.boot().phases(pe).iter().map(|phase| phase.used) {
                tracing::info!(pe, phase = %used.phase, regions = used.enabled, peak = used.peak, "boot");
            }
        }
        for (channel, planned) in config.channels.iter().enumerate() {
            let cpu = Cpu { machine: &mut machine, pe: 0 };
            let done = hyp.bind_static(&mut Watched { cpu, watch: &mut watch, told: false }, *planned);
            if let Err(evtchn::Stop::Errno(errno)) = done {
                bound = bound.and(Err(BuildError::Channel { channel, errno }));
            }
        }
        bound?;
        if machine.running().is_ok() {
            hyp.unpause_guests()?;
        }
        for (pe, at, timer) in &config.timers {
            hyp.arm(*pe, *at, *timer);
        }
        Ok(Self {
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            tracker: Tracker::default(),
            traps: BTreeMap::new(),
            on_behalf: OnBehalf { trap: Trap::Boot, vcpu: None, args: None, step: None },
            boot_counts: Counts::default(),
            lock_free: 0,
            lock_wait: 0,
            steps: 0,
            events: Vec::new(),
            marks: Vec::new(),
            oracle: Oracle::default(),
            breach: None,
            starved: Starved::default(),
            watch,
            hazards_told: 0,
            machine,
            hyp,
            config,
        })
    }

    /// Puts a program on a vCPU; one without a program is off from the start.
    pub fn add_guest(&mut self, domain: usize, vcpu: u32, program: Box<dyn Guest>) {
        self.machine.add_guest(vmid(domain), u64::from(vcpu), program);
    }

    /// Runs to the end.
    pub fn run(mut self) -> Report {
        let outcome = self.run_to_end();
        report::assemble(self, outcome)
    }

    fn run_to_end(&mut self) -> Outcome {
        if self.start().is_err() {
            return self.stopped();
        }
        loop {
            if let Some(breach) = self.breach {
                return Outcome::IsolationBroken(breach);
            }
            let Some(pe) = self.next_pe().filter(|_| self.anybody_left()) else {
                return self.isolation().unwrap_or_else(|| self.end());
            };
            // The PE that is furthest behind has no time left, so nobody has.
            if self.machine.pes.get(pe).and_then(due) == Some(u64::MAX) {
                return self.isolation().unwrap_or(Outcome::Limit(Limit::Time));
            }
            if self.steps >= self.config.step_limit {
                return self.isolation().unwrap_or(Outcome::Limit(Limit::Steps(self.config.step_limit)));
            }
            self.steps += 1;
            match self.step(pe) {
                Ok(None) => {}
                Ok(Some(limit)) => return self.isolation().unwrap_or(Outcome::Limit(limit)),
                Err(_) => return self.stopped(),
            }
        }
    }

    fn stopped(&mut self) -> Outcome {
        if W::WATCHES {
            self.tell_fault();
        }
        report::stopped(self)
    }

    /// Boot is over: clocks and counters start at zero, and every PE runs its first vCPU.
    fn start(&mut self) -> Result<(), Faulted> {
        for state in &mut self.machine.pes {
            self.boot_counts = self.boot_counts.plus(core::mem::take(&mut state.counts));
            state.clock = 0;
        }
        if W::WATCHES {
            self.tell_boot();
        }
        self.collect(0, None);
        self.machine.running()?;
        self.turn_off_the_empty();
        if W::WATCHES {
            self.tell_vcpus();
        }
        for pe in 0..self.machine.pes.len() {
            self.leave(pe)?;
        }
        Ok(())
    }

    /// vCPUs without a program are off.
    fn turn_off_the_empty(&mut self) {
        let core = &mut self.hyp.core;
        let keys: Vec<_> =
            core.domains.iter().map(|(id, state)| (id, vmid(state.domain), u64::from(state.index))).collect();
        for (id, vmid, vcpu) in keys {
            if self.machine.guests().binary_search_by_key(&(vmid, vcpu), crate::machine::GuestSlot::key).is_err() {
                core.offline(id);
            }
        }
    }

    fn leave(&mut self, pe: usize) -> Result<(), Faulted> {
        let mut frame = self.machine.pes.get(pe).map_or(Frame::default(), |state| state.frame);
        let (hyp, mut cpu) = self.cpu(pe);
        let next = hyp.leave(&mut cpu, &mut frame)?;
        self.resume(pe, &frame, next);
        if W::WATCHES {
            self.tell_left(pe, None);
        }
        Ok(())
    }

    fn resume(&mut self, pe: usize, frame: &Frame, next: Next) {
        if let Some(state) = self.machine.pes.get_mut(pe) {
            state.frame = *frame;
        }
        self.machine.resume(pe, next == Next::Guest);
        if self.config.paranoid {
            self.look(pe, false);
        }
    }

    /// Asks the isolation oracle about a PE; the first breach is kept.
    fn look(&mut self, pe: usize, again: bool) {
        let runs = running(&self.machine, pe);
        let found = self.oracle.look(&self.hyp.core.layout, &self.machine, pe, runs, again);
        self.breach = self.breach.or(found);
    }

    /// The PE that is furthest behind among those that can act.
    fn next_pe(&mut self) -> Option<usize> {
        let mut best: Option<(u64, usize)> = None;
        let mut equals = 0u32;
        for (pe, state) in self.machine.pes.iter().enumerate() {
            let Some(at) = due(state) else { continue };
            match best {
                Some((earliest, _)) if at > earliest => {}
                Some((earliest, _)) if at == earliest => {
                    equals += 1;
                    // Each of n equals is kept with one chance in n.
                    if self.config.seed != 0 && self.rng.random_range(0..=equals) == 0 {
                        best = Some((at, pe));
                    }
                }
                _ => {
                    equals = 0;
                    best = Some((at, pe));
                }
            }
        }
        best.map(|(_, pe)| pe)
    }

    /// Whether a vCPU is still there: timers alone do not keep a run going.
    fn anybody_left(&self) -> bool {
        self.hyp.core.domains.online() > 0
    }

    fn step(&mut self, pe: usize) -> Result<Option<Limit>, Faulted> {
        // Time asleep is no part of what an interrupt costs.
        let before = self.machine.pes.get(pe).map(|state| (due(state).unwrap_or(state.clock), state.counts));
        let (start, counts) = before.unwrap_or_default();
        let handling = if W::WATCHES { self.handling(pe) } else { None };
        let stop = self.machine.step(pe);
        let now = self.machine.pes.get(pe).map_or(start, |state| state.clock);
        match stop {
            Ok(Stop::Acted) => {}
            Ok(Stop::Trap(cause)) => self.note_trap(pe, cause),
            Err(_) => self.note_trap(pe, Cause::Irq),
        }
        if W::WATCHES {
            self.tell_begun(pe, start, handling, stop != Ok(Stop::Acted));
        }
        self.collect_marks(pe, now);
        match stop {
            Ok(Stop::Acted) => {
                if W::WATCHES {
                    self.tell_acted(pe, handling);
                }
                self.starved.acted();
                Ok(None)
            }
            Ok(Stop::Trap(cause)) => {
                self.trap(pe, cause, start, counts)?;
                if cause == Cause::Irq {
                    return Ok(self.starved(pe));
                }
                self.starved.acted();
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Who trapped and why, from what the exception left in the registers.
    fn note_trap(&mut self, pe: usize, cause: Cause) {
        let Some(state) = self.machine.pes.get(pe) else {
            return;
        };
        let guest = match state.running {
            Running::Guest(guest) => self.machine.guests().get(guest),
            _ => None,
        };
        let vcpu = guest.map(|slot| vcpu_ref(slot.key()));
        let step = guest.and_then(|slot| slot.program().step());
        let esr = state.esr();
        let mut args = None;
        let trap = match (cause, esr >> 26) {
            (Cause::Irq, _) => Trap::Interrupt,
            (Cause::Sync, crate::convention::ec::HVC64) => match (esr & 0xffff) as u16 {
                TAG => {
                    let [x0, x1, x2, x3, x4, ..] = state.frame.x;
                    args = Some([x0, x1, x2, x3, x4]);
                    Trap::Hypercall(hypercall_id(state.pmsa().number(&state.frame), x0))
                }
                0 => Trap::Smccc,
                imm => Trap::UnknownHvc(imm),
            },
            (Cause::Sync, crate::convention::ec::WFX) => Trap::WaitForInterrupt,
            (Cause::Sync, crate::convention::ec::DATA_ABORT_LOWER) if self.emulated(vcpu, state) => Trap::Mmio,
            (Cause::Sync, _) => Trap::StageTwoAbort,
        };
        self.on_behalf = OnBehalf { trap, vcpu, args, step };
    }

    /// Whether the abort in a PE's registers is an access to a device that is emulated for the vCPU.
    fn emulated(&self, vcpu: Option<VcpuRef>, state: &Pe) -> bool {
        let access = Access::of(state.esr(), state.far());
        access.zip(vcpu).is_some_and(|(access, vcpu)| access.device(&self.hyp.core.layout, vcpu.domain).is_some())
    }

    fn trap(&mut self, pe: usize, cause: Cause, start: u64, before: Counts) -> Result<(), Faulted> {
        tracing::debug!(pe, start, trap = ?self.on_behalf.trap, vcpu = ?self.on_behalf.vcpu, "EL2 entered");
        if let Some(state) = self.machine.pes.get_mut(pe) {
            // One hypervisor lock: who comes while another PE holds it, waits.
            let wait = self.lock_free.saturating_sub(state.clock);
            if W::WATCHES && wait > 0 {
                self.watch.tell(state.clock, pe, Told::WaitsForLock(self.lock_free));
            }
            self.lock_wait = self.lock_wait.saturating_add(wait);
            state.clock = state.clock.saturating_add(wait);
        }
        if W::WATCHES {
            self.show_entry(pe, cause);
        }
        let mut frame = self.machine.pes.get(pe).map_or(Frame::default(), |state| state.frame);
        let caller = self.on_pe(pe);
        let (hyp, mut cpu) = self.cpu(pe);
        let result = hyp.enter(&mut cpu, cause, &mut frame);
        let sent = self.on_behalf.trap.is_send().then_some(start);
        if W::WATCHES {
            self.tell_hazards();
        }
        self.collect(pe, sent);
        let next = result?;
        let rc = self.registers(pe, caller, &frame).x[0].cast_signed();
        self.lock_free = self.machine.pes.get(pe).map_or(0, |state| state.clock);
        self.resume(pe, &frame, next);
        if W::WATCHES {
            self.tell_left(pe, self.on_behalf.vcpu);
        }
        let Some(state) = self.machine.pes.get(pe) else {
            return Ok(());
        };
        let cost = self.traps.entry(self.on_behalf.trap).or_default();
        cost.calls += 1;
        cost.counts = cost.counts.plus(state.counts - before);
        cost.cycles.add(state.clock.saturating_sub(start));
        cost.masked.add(state.masked());
        if matches!(self.on_behalf.trap, Trap::Hypercall(_)) && (-4095..0).contains(&rc) {
            *cost.errors.entry(rc).or_default() += 1;
        }
        Ok(())
    }

    /// The vCPU whose registers are on a PE.
    fn on_pe(&self, pe: usize) -> Option<VcpuId> {
        self.hyp.core.pes.get(pe)?.queue.current
    }

    /// The registers of a vCPU that was on the PE: on the PE still, or saved if another took its place.
    fn registers<'a>(&'a self, pe: usize, vcpu: Option<VcpuId>, on_pe: &'a Frame) -> &'a Frame {
        let left = vcpu.filter(|_| self.on_pe(pe) != vcpu);
        left.and_then(|id| self.hyp.core.domains.vcpu(id)).map_or(on_pe, VcpuState::saved)
    }

    /// Books what the hypervisor told on a PE.
    fn collect(&mut self, pe: usize, sent: Option<u64>) {
        self.machine.take_events(&mut self.events);
        let now = self.machine.pes.get(pe).map_or(0, |state| state.clock);
        for event in self.events.drain(..) {
            let unmasked = |domain: usize, port: u32| {
                let area = self.hyp.core.index(domain).and_then(|dom| self.hyp.channels.shared_info(dom));
                let offset = u64::from(abi::shared_info::MASK) + u64::from(port / 64 * 8);
                area.is_some_and(|area| self.machine.ram.read(area.address + offset, 8) & (1 << (port % 64)) == 0)
            };
            self.tracker.event(event, sent, unmasked, |told| self.watch.tell(now, pe, told));
        }
    }

    fn collect_marks(&mut self, pe: usize, now: u64) {
        self.machine.take_marks(&mut self.marks);
        for (guest, mark) in self.marks.drain(..) {
            if let Some(slot) = self.machine.guests().get(guest) {
                self.tracker.mark(vcpu_ref(slot.key()), mark, now, |told| self.watch.tell(now, pe, told));
            }
        }
    }

    /// Asks about every PE in full, if the run asks at all.
    fn isolation(&mut self) -> Option<Outcome> {
        if self.config.paranoid {
            for pe in 0..self.machine.pes.len() {
                self.look(pe, true);
            }
        }
        self.breach.map(Outcome::IsolationBroken)
    }

    /// The hypervisor's last words, if it can still say any.
    fn last_words(&mut self, fault: &El2Fault) -> Option<El2Fault> {
        if matches!(fault.kind, FaultKind::OwnImage(_)) {
            return None;
        }
        let uart = self.hyp.core.layout.board().console.span;
        let said = panic::report(&mut self.cpu(fault.pe).1, uart);
        said.err().and_then(|_| self.machine.faults().1)
    }
}

/// The domain, by position, and the vCPU that a PE runs.
#[must_use]
pub fn running(machine: &Machine, pe: usize) -> Option<(usize, u32)> {
    let Running::Guest(guest) = machine.pes.get(pe)?.running else {
        return None;
    };
    let vcpu = vcpu_ref(machine.guests().get(guest)?.key());
    Some((vcpu.domain, vcpu.vcpu))
}

fn vcpu_ref((vmid, vcpu): (u64, u64)) -> VcpuRef {
    VcpuRef { domain: usize::try_from(vmid.wrapping_sub(1)).unwrap_or(usize::MAX), vcpu: vcpu as u32 }
}

/// A hypercall as books are kept on it: commands of one number apart.
fn hypercall_id(number: u64, x0: u64) -> HypercallId {
    let commanded =
        [nr::MEMORY_OP, nr::XEN_VERSION, nr::CONSOLE_IO, nr::VCPU_OP, nr::SCHED_OP, nr::EVENT_CHANNEL_OP, nr::HVM_OP];
    let cmd = commanded.contains(&number).then_some(x0 as u32);
    HypercallId { nr: number, cmd }
}
