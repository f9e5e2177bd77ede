//! A transcript's system while it is replayed: the machine, the hypervisor, and what each guest remembers of itself.

use super::super::pe::Forced;
use super::super::rig::Trouble;
use super::gic::Gic;
use super::system::{self, BootChannel, System};
use evtchn::{DomId, Errno, Policy, Port, Stop};
use sim_core::convention::nr;
use sim_core::guest::Action;
use sim_core::harness::Harness;
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::strategy::{Builtin, Strategy};
use sim_core::hyp::{Hypervisor, StaticChannel};
use sim_core::layout::{PAGE_SIZE, PeId};
use sim_core::machine::clock::Costs;
use sim_core::machine::{Faulted, Machine};
use sim_core::platform::{Event, Width};
use std::collections::BTreeMap;

/// Everything runs on this PE.
const PE: PeId = PeId::PRIMARY;
/// vCPUs a guest can have.
pub(super) const VCPUS: usize = 2;
/// Bytes of an argument block.
const ARGUMENTS: u64 = 1024;

/// What a guest remembers of itself: where its pages are, and what the hypervisor agreed to.
#[derive(Debug)]
pub(super) struct Guest {
    /// Its position in the layout.
    pub(super) position: usize,
    /// Where each vCPU's `vcpu_info` is, once there is one to look at.
    pub(super) infos: [Option<u64>; VCPUS],
    /// The interrupt controller as each vCPU sees it.
    pub(super) gic: [Gic; VCPUS],
}

impl Guest {
    fn new(position: usize) -> Self {
        let mut gic = [Gic::default(); VCPUS];
        for first in gic.iter_mut().take(1) {
            first.online = true;
        }
        Self { position, infos: [None; VCPUS], gic }
    }

    fn page(&self, number: u64) -> u64 {
        system::ram(self.position) + number * PAGE_SIZE
    }

    /// A vCPU's argument block.
    pub(super) fn arguments(&self, vcpu: u32) -> u64 {
        self.page(1) + u64::from(vcpu) * ARGUMENTS
    }

    /// The page for `shared_info`.
    pub(super) fn shared_info(&self) -> u64 {
        self.page(2)
    }

    /// A page for a `vcpu_info`.
    pub(super) fn info_page(&self, number: u64) -> u64 {
        self.page(3 + number)
    }

    /// A page for a control block.
    pub(super) fn block_page(&self, number: u64) -> u64 {
        self.page(5 + number)
    }

    /// A page for event words.
    pub(super) fn array_page(&self, number: u64) -> u64 {
        self.page(7 + number)
    }

    /// A vCPU's end of the interrupt controller.
    pub(super) fn gic(&mut self, vcpu: u32) -> Option<&mut Gic> {
        self.gic.get_mut(vcpu as usize)
    }
}

/// The system.
#[derive(Debug)]
pub(super) struct Rig {
    harness: Harness<Builtin>,
    /// By id.
    guests: BTreeMap<u16, Guest>,
    /// Nothing is: long operations are not preempted.
    forced: Forced,
    events: Vec<Event>,
}

impl Rig {
    /// The system, booted. An error says why there cannot be one.
    pub(super) fn new(system: &System, strategy: &Builtin) -> Result<Self, String> {
        let layout = system.layout(strategy.needs())?;
        let machine = Machine::new(&layout, mpu_model::Rules::default(), Costs::COUNTS);
        let scheduler = Scheduler::RoundRobin { quantum: u64::MAX };
        let policy = Policy { hardware_domain: system.hardware_domain(), silo: system.silo };
        let hyp = Hypervisor::new(layout, strategy.clone(), scheduler, policy).map_err(|error| error.to_string())?;
        let guests = system.domains.iter().enumerate().map(|(position, (id, _))| (*id, Guest::new(position)));
        let guests = guests.collect();
        let harness = Harness::new(machine, hyp);
        let mut rig = Self { harness, guests, forced: Forced::default(), events: Vec::new() };
        rig.boot(&system.channels)?;
        rig.deliver();
        Ok(rig)
    }

    fn boot(&mut self, channels: &[BootChannel]) -> Result<(), String> {
        let faulted = || "the hypervisor does not boot".to_owned();
        self.harness.boot().map_err(|_| faulted())?;
        for BootChannel { listener, binder } in channels {
            let end = |(id, port): (u16, u32)| {
                let guest = self.guests.get(&id).ok_or_else(|| format!("a channel to domain {id}, not in the file"))?;
                Ok::<_, String>((guest.position, Port(port)))
            };
            let channel = StaticChannel { listener: end(*listener)?, binder: end(*binder)? };
            let (mut pe, hyp) = self.harness.el2(&mut self.forced, PE);
            hyp.bind_static(&mut pe, channel).map_err(|stop| match stop {
                Stop::Errno(errno) => format!("a channel that was there at boot cannot be bound: {errno}"),
                Stop::Fault(_) => faulted(),
            })?;
        }
        self.harness.hyp.unpause_guests().map_err(|error| error.to_string())
    }

    /// What a guest remembers.
    pub(super) fn guest(&mut self, domain: u16) -> Result<&mut Guest, Trouble> {
        self.guests.get_mut(&domain).ok_or_else(|| Trouble::Step(format!("domain {domain} is not there")))
    }

    /// Puts a vCPU on the PE.
    pub(super) fn run(&mut self, domain: u16, vcpu: u32) -> Result<(), Trouble> {
        let position = self.guest(domain)?.position;
        let id = self.harness.hyp.vcpu_id(position, vcpu);
        let id = id.ok_or_else(|| Trouble::Step(format!("domain {domain} has no vCPU {vcpu}")))?;
        Ok(self.harness.place(&mut self.forced, PE, id)?)
    }

    /// A hypercall of the vCPU on the PE, as its HVC makes it.
    pub(super) fn hypercall(&mut self, nr: u64, args: [u64; 5]) -> Result<i64, Faulted> {
        let rc = self.harness.hypercall(&mut self.forced, PE, nr, args)?;
        self.deliver();
        Ok(rc.unwrap_or(Errno::ERESTART.rc()))
    }

    /// `event_channel_op(cmd, arg)`.
    pub(super) fn event_op(&mut self, cmd: u32, arg: u64) -> Result<i64, Faulted> {
        self.hypercall(nr::EVENT_CHANNEL_OP, [cmd.into(), arg, 0, 0, 0])
    }

    /// Makes a domain the handler of a global VIRQ, as a control domain could have done before; says whether it is one now.
    pub(super) fn make_handler(&mut self, domain: u16, virq: u32) -> bool {
        let channels = &mut self.harness.hyp.channels;
        channels.lookup(DomId(domain)).is_some_and(|dom| channels.set_virq_handler(dom, virq).is_ok())
    }

    /// Event interrupts go to the vCPUs' interrupt controllers.
    fn deliver(&mut self) {
        let mut events = core::mem::take(&mut self.events);
        self.harness.machine.take_events(&mut events);
        for event in events.drain(..) {
            let Event::Injected { domain, vcpu } = event else {
                continue;
            };
            let guest = self.guests.values_mut().find(|guest| guest.position == domain);
            if let Some(gic) = guest.and_then(|guest| guest.gic(vcpu)) {
                gic.raise();
            }
        }
        self.events = events;
    }

    /// A load of the vCPU on the PE.
    pub(super) fn load(&mut self, address: u64, width: Width) -> Result<u64, Trouble> {
        Ok(self.harness.access(PE, Action::Load { address, width })?)
    }

    /// A store of the vCPU on the PE.
    pub(super) fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), Trouble> {
        self.harness.access(PE, Action::Store { address, width, value })?;
        Ok(())
    }
}
