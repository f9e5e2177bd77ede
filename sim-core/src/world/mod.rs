//! A hypervisor, a machine and guests, put together and run.
//!
//! PEs act in order of their clocks: the one that is furthest behind acts next; among equals the lowest number, or, with
//! a seed, one drawn from a generator that the seed alone decides. Nothing else decides the order, so the same
//! configuration gives the same run on every host.

mod accounting;
pub mod attempt;
pub mod observer;
mod observing;
pub mod oracle;
mod report;
mod starved;
mod tracker;
mod waiting;

use crate::convention::{Cause, Frame};
use crate::guest::Guest;
use crate::hyp::boot::NotBooted;
use crate::hyp::domain::{VcpuId, vcpu_of};
use crate::hyp::entry::{Entry, Exception, Next, Registers};
use crate::hyp::sched::{Scheduler, VirqTimer};
use crate::hyp::strategy::Strategy;
use crate::hyp::{Hypervisor, SetupError, StaticChannel, panic};
use crate::layout::{Layout, Position};
use crate::machine::clock::Costs;
use crate::machine::pe::Running;
use crate::machine::{Cpu, Faulted, GuestSlot, Machine, Stop};
use crate::outcome::{Breach, Counts, El2Fault, FaultKind, Limit, OnBehalf, Outcome, Report};
use crate::platform::Vmid;
use accounting::{Accounting, Took};
use alloc::boxed::Box;
use alloc::vec::Vec;
use boards::PeId;
use evtchn::Policy;
use mpu_model::Rules;
use observer::{Observed, Observer, RunEvent};
use oracle::Oracle;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use starved::Starved;

pub use crate::layout::home;
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
    pub timers: Vec<(PeId, u64, VirqTimer)>,
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

/// A system ready to run, and who observes it.
#[derive(Debug)]
pub struct World<S, W = ()> {
    /// The machine.
    pub machine: Machine,
    /// The hypervisor.
    pub hyp: Hypervisor<S>,
    config: Config,
    rng: ChaCha8Rng,
    accounting: Accounting,
    /// When the hypervisor lock is free again.
    lock_free: u64,
    oracle: Oracle,
    breach: Option<Breach>,
    starved: Starved,
    observer: W,
    /// Hazards that whoever observes was told of.
    hazards_told: usize,
}

impl<S: Strategy> World<S> {
    /// Sets a system up: boots every PE, binds the static channels, and stops before the first guest.
    pub fn new(layout: Layout, strategy: S, config: Config) -> Result<Self, BuildError> {
        Self::observed(layout, strategy, config, ())
    }
}

impl<S: Strategy, W: Observer> World<S, W> {
    /// Sets a system up as [`World::new`] does, whose run `observer` is told of.
    pub fn observed(layout: Layout, strategy: S, config: Config, mut observer: W) -> Result<Self, BuildError> {
        let mut machine = Machine::new(&layout, config.rules, config.costs);
        let mut hyp = Hypervisor::new(layout, strategy, config.scheduler.clone(), config.policy)?;
        let mut bound = Ok(());
        for pe in machine.pes().ids() {
            // A fault here stays in the machine and is what the run reports.
            let cpu = Cpu { machine: &mut machine, pe };
            let _: Result<(), Faulted> = hyp.boot(&mut Observed { cpu, observer: &mut observer, told: false });
            for used in hyp.region_plan().boot().phases(pe).iter().map(|phase| phase.used) {
                tracing::info!(%pe, phase = %used.phase, regions = used.enabled, peak = used.peak, "boot");
            }
        }
        for (channel, planned) in config.channels.iter().enumerate() {
            let cpu = Cpu { machine: &mut machine, pe: PeId::PRIMARY };
            let done = hyp.bind_static(&mut Observed { cpu, observer: &mut observer, told: false }, *planned);
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
            accounting: Accounting::default(),
            lock_free: 0,
            oracle: Oracle::default(),
            breach: None,
            starved: Starved::default(),
            observer,
            hazards_told: 0,
            machine,
            hyp,
            config,
        })
    }

    /// Puts a program on a vCPU; one without a program is off from the start.
    pub fn add_guest(&mut self, domain: Position, vcpu: u32, program: Box<dyn Guest>) {
        if let Some(vmid) = Vmid::of_domain(domain) {
            self.machine.add_guest(vmid, u64::from(vcpu), program);
        }
    }

    /// Runs to the end.
    pub fn run(mut self) -> Report {
        let outcome = self.run_to_end();
        report::assemble(&self.hyp, &self.machine, self.accounting, outcome)
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
            if self.machine.pe(pe).due() == Some(u64::MAX) {
                return self.isolation().unwrap_or(Outcome::Limit(Limit::Time));
            }
            if self.accounting.steps() >= self.config.step_limit {
                return self.isolation().unwrap_or(Outcome::Limit(Limit::Steps(self.config.step_limit)));
            }
            self.accounting.step();
            match self.step(pe) {
                Ok(None) => {}
                Ok(Some(limit)) => return self.isolation().unwrap_or(Outcome::Limit(limit)),
                Err(_) => return self.stopped(),
            }
        }
    }

    fn stopped(&mut self) -> Outcome {
        if W::OBSERVES {
            self.tell_fault();
        }
        let Some(fault) = self.machine.faults().0 else {
            return Outcome::Hazard(None);
        };
        let recursive = self.last_words(&fault);
        report::stopped(&self.hyp, &self.machine, self.accounting.on_behalf(), fault, recursive)
    }

    /// Boot is over: clocks and counters start at zero, and every PE runs its first vCPU.
    fn start(&mut self) -> Result<(), Faulted> {
        self.accounting.booted(self.machine.start_clocks());
        if W::OBSERVES {
            self.tell_boot();
        }
        self.accounting.take_events(&mut self.machine, &self.hyp, PeId::PRIMARY, None, &mut self.observer);
        self.machine.running()?;
        self.turn_off_the_empty();
        if W::OBSERVES {
            self.tell_vcpus();
        }
        for pe in self.machine.pes().ids() {
            self.leave(pe)?;
        }
        Ok(())
    }

    /// vCPUs without a program are off.
    fn turn_off_the_empty(&mut self) {
        let keys: Vec<_> =
            self.hyp.vcpus().map(|(id, state)| (id, Vmid::of_domain(state.domain), u64::from(state.index))).collect();
        for (id, vmid, vcpu) in keys {
            let found = |vmid| self.machine.guests().binary_search_by_key(&(vmid, vcpu), GuestSlot::key).is_ok();
            if !vmid.is_some_and(found) {
                self.hyp.offline(id);
            }
        }
    }

    fn leave(&mut self, pe: PeId) -> Result<(), Faulted> {
        let mut frame = self.machine.frame(pe);
        let (hyp, mut cpu) = self.cpu(pe);
        let next = hyp.leave(&mut cpu, &mut frame)?;
        self.resume(pe, &frame, next);
        if W::OBSERVES {
            self.tell_left(pe, None);
        }
        Ok(())
    }

    fn resume(&mut self, pe: PeId, frame: &Frame, next: Next) {
        self.machine.pe_mut(pe).frame = *frame;
        self.machine.resume(pe, next == Next::Guest);
        if self.config.paranoid {
            self.look(pe, false);
        }
    }

    /// Asks the isolation oracle about a PE; the first breach is kept.
    fn look(&mut self, pe: PeId, again: bool) {
        let runs = running(&self.machine, pe);
        let found = self.oracle.look(self.hyp.layout(), &self.machine, pe, runs, again);
        self.breach = self.breach.or(found);
    }

    /// The PE that is furthest behind among those that can act.
    fn next_pe(&mut self) -> Option<PeId> {
        let mut best: Option<(u64, PeId)> = None;
        let mut equals = 0u32;
        for (pe, state) in self.machine.pes().iter() {
            let Some(at) = state.due() else { continue };
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
        self.hyp.online() > 0
    }

    fn step(&mut self, pe: PeId) -> Result<Option<Limit>, Faulted> {
        // Time asleep is no part of what an interrupt costs.
        let state = self.machine.pe(pe);
        let (start, counts) = (state.due().unwrap_or(state.clock), state.counts);
        let handling = if W::OBSERVES { self.handling(pe) } else { None };
        let stop = self.machine.step(pe);
        let now = self.machine.now(pe);
        let entry = match stop {
            Ok(Stop::Acted) => None,
            Ok(Stop::Trap(cause)) => Some(self.entered(pe, cause)),
            // Whatever it was for, EL2 never began with it.
            Err(_) => Some(self.entered(pe, Cause::Irq)),
        };
        if W::OBSERVES {
            self.tell_begun(pe, start, handling, stop != Ok(Stop::Acted));
        }
        self.accounting.take_marks(&mut self.machine, pe, now, &mut self.observer);
        match stop {
            Ok(Stop::Acted) => {
                if W::OBSERVES {
                    self.tell_acted(pe, handling);
                }
                self.starved.acted();
                Ok(None)
            }
            Ok(Stop::Trap(cause)) => {
                if let Some(entry) = entry {
                    self.trap(pe, entry, start, counts)?;
                }
                if cause == Cause::Irq {
                    let rule = &self.config.scheduler;
                    return Ok(self.starved.interrupted(&self.machine, &self.hyp, rule, pe));
                }
                self.starved.acted();
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Why a PE entered EL2 and for whom, from what the exception left in its registers.
    fn entered(&mut self, pe: PeId, cause: Cause) -> Entry {
        let state = self.machine.pe(pe);
        let guest = match state.running {
            Running::Guest(guest) => self.machine.guests().get(guest),
            _ => None,
        };
        let entry = self.hyp.decode(pe, cause, Registers { esr: state.esr(), far: state.far() }, &state.frame);
        let args = match entry.exception {
            Exception::Hypercall(call) => Some(call.args),
            _ => None,
        };
        let (vcpu, step) = (guest.and_then(|slot| vcpu_of(slot.key())), guest.and_then(|slot| slot.program().step()));
        self.accounting.entered(OnBehalf { trap: entry.trap, vcpu, args, step });
        entry
    }

    fn trap(&mut self, pe: PeId, entry: Entry, start: u64, before: Counts) -> Result<(), Faulted> {
        let OnBehalf { trap, vcpu, .. } = self.accounting.on_behalf();
        tracing::debug!(%pe, start, ?trap, ?vcpu, "EL2 entered");
        let state = self.machine.pe_mut(pe);
        // One hypervisor lock: who comes while another PE holds it, waits.
        let wait = self.lock_free.saturating_sub(state.clock);
        if W::OBSERVES && wait > 0 {
            self.observer.tell(state.clock, pe, RunEvent::WaitsForLock(self.lock_free));
        }
        self.accounting.waited(wait);
        state.clock = state.clock.saturating_add(wait);
        if W::OBSERVES {
            self.show_entry(pe, entry, vcpu);
        }
        let mut frame = self.machine.frame(pe);
        let caller = self.on_pe(pe);
        let (hyp, mut cpu) = self.cpu(pe);
        let result = hyp.enter_decoded(&mut cpu, entry, &mut frame);
        let sent = trap.is_send().then_some(start);
        if W::OBSERVES {
            self.tell_hazards();
        }
        self.accounting.take_events(&mut self.machine, &self.hyp, pe, sent, &mut self.observer);
        let next = result?;
        let rc = self.registers(pe, caller, &frame).x[0].cast_signed();
        self.lock_free = self.machine.now(pe);
        self.resume(pe, &frame, next);
        if W::OBSERVES {
            self.tell_left(pe, vcpu);
        }
        let state = self.machine.pe(pe);
        self.accounting.left(Took {
            counts: state.counts - before,
            cycles: state.clock.saturating_sub(start),
            masked: state.masked(),
            rc,
        });
        Ok(())
    }

    /// The vCPU whose registers are on a PE.
    fn on_pe(&self, pe: PeId) -> Option<VcpuId> {
        self.hyp.current(pe)
    }

    /// The registers of a vCPU that was on the PE: on the PE still, or saved if another took its place.
    fn registers<'a>(&'a self, pe: PeId, vcpu: Option<VcpuId>, on_pe: &'a Frame) -> &'a Frame {
        let left = vcpu.filter(|_| self.on_pe(pe) != vcpu);
        left.map_or(on_pe, |id| self.hyp.vcpu(id).saved())
    }

    /// Asks about every PE in full, if the run asks at all.
    fn isolation(&mut self) -> Option<Outcome> {
        if self.config.paranoid {
            for pe in self.machine.pes().ids() {
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
        let uart = self.hyp.layout().board().console.span;
        let said = panic::report(&mut self.cpu(fault.pe).1, uart);
        said.err().and_then(|_| self.machine.faults().1)
    }
}

/// The domain, by position, and the vCPU that a PE runs.
#[must_use]
pub fn running(machine: &Machine, pe: PeId) -> Option<(Position, u32)> {
    let Running::Guest(guest) = machine.pe(pe).running else {
        return None;
    };
    let vcpu = vcpu_of(machine.guests().get(guest)?.key())?;
    Some((vcpu.domain, vcpu.vcpu))
}
