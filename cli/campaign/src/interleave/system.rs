//! The system that cases run on: a sender, a receiver with two vCPUs and a control domain, each vCPU on a PE of its own, and
//! beside it the reference model with the same state.

use super::call::Call;
use super::place::{PES, RUNS, SECOND, domain_of, id_of, pe_of};
use super::schedule::Who;
use evtchn::abi::shared_info;
use evtchn::model::{Config, Model};
use evtchn::{DomId, Errno, Object, Policy, Vcpu};
use mpu_model::{DefaultMap, Rules};
use sim_core::convention::Cause;
use sim_core::guest::{Action, Home, hypercall};
use sim_core::harness::Harness;
use sim_core::hyp::domain::{RunState, VcpuState};
use sim_core::hyp::sched::Scheduler;
use sim_core::hyp::strategy::{Builtin, Strategy};
use sim_core::hyp::{Hypervisor, SetupError};
use sim_core::layout::{
    Board, DomainLayout, HypDevices, Image, Layout, LayoutError, LayoutParts, PAGE_SIZE, Placement, Sections, Span,
    VcpuLayout,
};
use sim_core::machine::clock::Costs;
use sim_core::machine::{Faulted, Machine};
use sim_core::world::home;
use sim_core::world::oracle::Oracle;
use std::collections::BTreeMap;

/// Where each domain's RAM begins, by position.
const RAM: [u64; 3] = [0x1000_0000, 0x3000_0000, 0x2000_0000];
/// Pages of each.
const PAGES: u64 = 12;
/// Bytes for an argument block.
const BLOCK: u64 = 64;

/// Why there is no system to run a case on.
#[derive(Debug, thiserror::Error)]
pub enum NoSystem {
    /// It cannot be laid out.
    #[error("{0}")]
    Layout(Box<LayoutError>),
    /// The hypervisor cannot be set up.
    #[error(transparent)]
    Hypervisor(#[from] SetupError),
    /// The board is gone, or a page of a domain's.
    #[error("the system lacks {0}")]
    Lacks(&'static str),
    /// Steps of a toolstack and of a guest on one PE.
    #[error("PE {pe} does a toolstack's or Xen's work and a guest's; expected one of the two on a PE")]
    Mixed {
        /// Which PE.
        pe: Who,
    },
    /// A port that was not set up.
    #[error("the domain on PE {pe} has no port {name:?}; expected a name of the set-up that it has an end of")]
    NoPort {
        /// On which PE.
        pe: Who,
        /// How it was called.
        name: String,
    },
    /// Xen refused something.
    #[error("PE {pe}: {what} gave {errno} while the case was set up")]
    Refused {
        /// On which PE.
        pe: Who,
        /// What.
        what: &'static str,
        /// Why.
        errno: Errno,
    },
    /// EL2 faulted before anybody raced.
    #[error("the hypervisor faulted while the case was set up")]
    Fault,
    /// A step did not do what it does by the reference model.
    #[error("PE {pe}: {call} gave {rc} while the case was set up, and by the model {expected}")]
    Step {
        /// On which PE.
        pe: Who,
        /// Which.
        call: Call,
        /// What it gave.
        rc: i64,
        /// What it should have given.
        expected: i64,
    },
}

impl From<Faulted> for NoSystem {
    fn from(_: Faulted) -> Self {
        Self::Fault
    }
}

/// Positions of domains.
pub(super) fn positions() -> core::ops::Range<usize> {
    0..RAM.len()
}

/// The domain at `position`.
pub(super) fn domain(position: usize) -> Option<DomainLayout> {
    let base = *RAM.get(position)?;
    let vcpus = RUNS.iter().enumerate().filter(|(_, (domain, _))| *domain == position);
    let vcpus: Vec<_> = vcpus.map(|(pe, _)| VcpuLayout { pe: pe_of(pe), el1_regions: Vec::new() }).collect();
    Some(DomainLayout {
        id: DomId(id_of(position)),
        name: format!("d{position}"),
        ram: [Span::with_size(base, PAGES * PAGE_SIZE)?].into(),
        vcpu_info: (0..vcpus.len() as u64).map(|vcpu| base + (9 + vcpu) * PAGE_SIZE).collect(),
        vcpus,
        privileged: position == 0,
        max_evtchn_port: 1023,
        target: None,
        shared_info: Some(base + 8 * PAGE_SIZE),
        shared_info_frame: None,
        read_only_frame: None,
        vacant: false,
    })
}

fn layout(placement: Placement) -> Result<Layout, NoSystem> {
    let mut board = Board::preset("fvp-baser").ok_or(NoSystem::Lacks("its board"))?;
    board.pes = PES;
    board.rules.default_map = DefaultMap::RwNoExec;
    let parts = LayoutParts {
        image: Image::at(board.image_base, board.pes).ok_or(NoSystem::Lacks("an image"))?,
        board,
        heap: Span::with_size(0x5000_0000, 0x20_0000).ok_or(NoSystem::Lacks("a heap"))?,
        pool: None,
        placement,
        hyp_devices: HypDevices::Fixed,
        sections: Sections::default(),
        domains: (0..RAM.len()).filter_map(domain).collect(),
        shared: Vec::new(),
        emulated: Vec::new(),
        passthrough: Vec::new(),
    };
    Layout::new(parts).map_err(|error| NoSystem::Layout(Box::new(error)))
}

/// The system.
#[derive(Debug)]
pub struct System {
    pub(super) harness: Harness<Builtin>,
    pub(super) oracle: Oracle,
    pub(super) model: Model,
    /// Hypercalls whose blocks stand in memory.
    pub(super) prepared: Vec<(Who, Action, Call)>,
    homes: Vec<Home>,
    /// Ports by name and position of their domain.
    pub(super) names: BTreeMap<(String, usize), u32>,
    /// A port may come back in the block at this address.
    port_at: Option<u64>,
}

impl System {
    /// The system booted, with every vCPU on its PE and nothing bound.
    pub(super) fn new(strategy: &Builtin) -> Result<Self, NoSystem> {
        let layout = layout(strategy.placement().unwrap_or(Placement::GuestRam))?;
        let homes = RUNS.iter().map(|(domain, vcpu)| home(&layout, *domain, *vcpu));
        let homes = homes.collect::<Option<_>>().ok_or(NoSystem::Lacks("a page"))?;
        let machine = Machine::new(&layout, Rules::default(), Costs::COUNTS);
        let rr = Scheduler::RoundRobin { quantum: u64::MAX };
        let policy = Policy { hardware_domain: Some(DomId(0)), silo: false };
        let hyp = Hypervisor::new(layout, strategy.clone(), rr, policy)?;
        let second = hyp.channels.lookup(DomId(id_of(domain_of(SECOND))));
        let dummy = second.and_then(|dom| hyp.channels.vcpu_info(dom, Vcpu(1)));
        let dummy = dummy.ok_or(NoSystem::Lacks("a second vCPU"))?.area().address;
        let mut model = Model::new(dummy, Some(0));
        model.memory.page(dummy);
        let mut system = Self {
            harness: Harness::new(machine, hyp),
            oracle: Oracle::default(),
            model: Model::new(dummy, Some(0)),
            prepared: Vec::new(),
            homes,
            names: BTreeMap::new(),
            port_at: None,
        };
        (0..RAM.len()).for_each(|position| system.model_domain(&mut model, position));
        system.model = model;
        system.harness.boot()?;
        system.harness.hyp.unpause_guests().map_err(|_| NoSystem::Lacks("a booted PE"))?;
        for pe in 0..PES {
            system.harness.leave(&mut (), pe_of(pe))?;
        }
        Ok(system)
    }

    /// Gives a model the domain at `position`, which the hypervisor has, with its memory clear.
    pub(super) fn model_domain(&self, model: &mut Model, position: usize) {
        let hyp = &self.harness.hyp;
        let Some(dom) = hyp.index(position) else { return };
        let shared_info = hyp.channels.shared_info(dom).map_or(0, |area| area.address);
        let accepts = self.harness.hands_over(position);
        let own = |address: u64| accepts.iter().any(|span: &Span| span.contains(address));
        for (address, page) in model.memory.pages_mut() {
            if own(address) {
                page.fill(0);
            }
        }
        let accepts = accepts.iter().map(|span| (span.base(), span.limit())).collect();
        let vcpus = RUNS.iter().filter(|(domain, _)| *domain == position).count() as u32;
        let privileged = position == 0;
        let config = Config { vcpus, privileged, max_port: 1023, target: None, shared_info, accepts };
        model.create(id_of(position), config);
    }

    /// Takes the model as it is when everything is set up.
    pub(super) fn model_so_far(&mut self) -> Model {
        core::mem::replace(&mut self.model, Model::new(0, None))
    }

    /// What the vCPU on a PE knows of where it lives.
    pub fn home(&self, pe: Who) -> Result<Home, NoSystem> {
        self.homes.get(pe).copied().ok_or(NoSystem::Lacks("a PE"))
    }

    /// Puts a hypercall's block into memory; gives the action that makes the call.
    pub fn prepare(&mut self, pe: Who, call: Call) -> Action {
        let base = RAM.get(domain_of(pe)).copied().unwrap_or_default();
        let block = base + (PAGES - 1) * PAGE_SIZE + self.prepared.len() as u64 * BLOCK;
        let encoded = call.encode(block);
        for (address, word) in (block..).step_by(4).zip(&encoded.block) {
            self.harness.machine.put(address, 4, u64::from(*word));
        }
        self.port_at = encoded.port.map(|word| block + word as u64 * 4);
        let mut args = [0; 5];
        for (register, value) in args.iter_mut().zip(encoded.before.iter().chain([&block])) {
            *register = *value;
        }
        let action = hypercall(encoded.nr, args);
        self.prepared.push((pe, action, call));
        action
    }

    /// The hypercall that an action is traps, as its HVC makes it.
    pub(super) fn trap(&mut self, pe: Who, action: Action) -> Result<(), Faulted> {
        let Action::Hvc { nr, args, .. } = action else { return Ok(()) };
        self.harness.trap(pe_of(pe), nr, args)
    }

    /// Whether a vCPU that is not off has its registers on a PE.
    pub(super) fn has_vcpu(&self, pe: Who) -> bool {
        self.harness.on_pe(pe_of(pe)).is_some_and(|vcpu| vcpu.run != RunState::Offline)
    }

    /// Whether the vCPU of a PE runs.
    pub(super) fn runs(&self, pe: Who) -> bool {
        self.harness.on_pe(pe_of(pe)).is_some_and(VcpuState::can_run)
    }

    /// Makes a hypercall while nobody races, which has to succeed; gives the port that it made, or 0.
    pub fn call(&mut self, pe: Who, call: impl Into<Call>) -> Result<u32, NoSystem> {
        let call = call.into();
        let action = self.prepare(pe, call);
        self.trap(pe, action)?;
        self.harness.enter(&mut (), pe_of(pe), Cause::Sync)?;
        let rc = self.harness.result(pe_of(pe)).unwrap_or(Errno::ERESTART.rc());
        let (expected, port) = call.judge(&mut self.model, pe);
        let made = self.port_at.map_or(0, |at| self.harness.machine.look_at(at, 4) as u32);
        if rc != 0 || rc != expected || made != port.unwrap_or(0) {
            return Err(NoSystem::Step { pe, call, rc, expected });
        }
        self.take_kicks()?;
        Ok(made)
    }

    /// Lets every PE take the kick that waits for it.
    pub(super) fn take_kicks(&mut self) -> Result<(), Faulted> {
        while let Some(pe) = (0..PES).find(|pe| self.harness.is_kicked(pe_of(*pe))) {
            self.harness.deliver(&mut (), pe_of(pe))?;
        }
        Ok(())
    }

    /// Writes a word of memory, before anybody races.
    pub(super) fn poke(&mut self, address: u64, value: u32) {
        self.harness.machine.put(address, 4, u64::from(value));
        self.model.memory.set(address, value);
    }

    /// Sets bits of a word of memory, before anybody races.
    pub(super) fn set_bits(&mut self, address: u64, bits: u32) {
        let old = self.harness.machine.look_at(address, 4) as u32;
        self.poke(address, old | bits);
    }

    /// Masks a port of a two-level domain, before anybody races.
    pub fn mask(&mut self, pe: Who, port: u32) -> Result<(), NoSystem> {
        let address = self.home(pe)?.shared_info + u64::from(shared_info::MASK + port / 32 * 4);
        self.set_bits(address, 1 << (port % 32));
        Ok(())
    }

    /// What lives at an address: the domain at which position has it, which area, and the offset in it.
    #[must_use]
    pub fn object_at(&self, address: u64) -> Option<(Option<usize>, Object, u64)> {
        self.harness.hyp.object_at(address).map(|(area, offset)| (area.domain, area.object, offset))
    }

    /// Who owns which addresses.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        self.harness.hyp.layout()
    }

    /// Asks the isolation oracle about a PE.
    pub(super) fn breach(&mut self, pe: Who) -> Option<sim_core::outcome::Breach> {
        self.harness.breach(&mut self.oracle, pe_of(pe))
    }
}
