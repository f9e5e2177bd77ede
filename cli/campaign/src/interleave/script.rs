//! Races as data: what is set up, what each PE does then. The table of pairs makes them, and so does whoever reads a file.

use super::actors::{Tool, Work};
use super::call::Call;
use super::place::{CONTROL, PES, domain_of, id_of};
use super::programs::{self, Handler, guest};
use super::schedule::Who;
use super::system::{NoSystem, System};
use core::cell::Cell;
use evtchn::abi::fifo::MASKED;
use evtchn::op::Op;
use sim_core::guest::{Action, Home};
use sim_core::layout::Position;
use std::collections::VecDeque;
use std::rc::Rc;

/// A port as a script has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// Its number.
    Number(u32),
    /// The end that the domain on this PE has of what was set up under this name.
    Of(String),
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self::Of(name.into())
    }
}

/// A hypercall as a script has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptCall {
    /// The call.
    pub call: Call,
    /// The port that it is about; none: it is about none, or says it itself.
    pub port: Option<Name>,
}

impl<C: Into<Call>> From<C> for ScriptCall {
    fn from(call: C) -> Self {
        Self { call: call.into(), port: None }
    }
}

impl ScriptCall {
    /// A call about this port, whatever `call` says.
    pub fn on(call: impl Into<Call>, port: Name) -> Self {
        Self { call: call.into(), port: Some(port) }
    }

    fn resolve(&self, system: &System, pe: Who) -> Result<Call, NoSystem> {
        let port = self.port.as_ref().map(|name| system.number(pe, name)).transpose()?;
        Ok(port.map_or(self.call, |port| self.call.on(port)))
    }
}

/// What a vCPU hands over, each at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// `XENMEM_add_to_physmap`: `shared_info`.
    SharedInfo,
    /// `VCPUOP_register_vcpu_info`.
    VcpuInfo,
    /// `EVTCHNOP_init_control`.
    ControlBlock,
    /// `EVTCHNOP_expand_array`: the first page.
    EventWords,
}

impl Own {
    /// The hypercall by which the vCPU on a PE hands it over.
    fn call(self, system: &System, of: Who) -> Result<Call, NoSystem> {
        let Home { vcpu, shared_info, vcpu_info, control_block, event_words, .. } = system.home(of)?;
        Ok(match self {
            Self::SharedInfo => Call::PlaceSharedInfo(shared_info),
            Self::VcpuInfo => Call::Register { vcpu, address: vcpu_info },
            Self::ControlBlock => Call::init_control(vcpu, control_block),
            Self::EventWords => Call::expand_array(event_words),
        })
    }
}

/// A step before anybody races. It has to succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prep {
    /// The vCPU hands something over; `shared_info` that is in place stays.
    Place(Own),
    /// A channel to the vCPU on another PE.
    Channel {
        /// Of both ends.
        name: String,
        /// Whose domain allocates, and who is told.
        to: Who,
    },
    /// The same as boot code binds it.
    Static {
        /// Of both ends.
        name: String,
        /// Whose domain listens, and who is told.
        to: Who,
    },
    /// Xen's own port in the domain, and the port of the domain on another PE that is bound to it.
    Xen {
        /// Of both ends.
        name: String,
        /// Who binds.
        peer: Who,
    },
    /// `EVTCHNOP_bind_ipi` for the vCPU.
    Ipi(String),
    /// `EVTCHNOP_bind_virq` for the vCPU. A global one is made the domain's first.
    Virq {
        /// Of the port.
        name: String,
        /// Which.
        virq: u32,
    },
    /// A port of this number, and with it all buckets below. It waits for the control domain, or is bound by the domain on
    /// another PE.
    Port {
        /// Of the port, or of both ends.
        name: String,
        /// Its number.
        number: u32,
        /// Who binds.
        peer: Option<Who>,
    },
    /// A hypercall.
    Call(ScriptCall),
    /// The guest masks a port.
    Mask(Name),
    /// The vCPU forgets what it was told so far.
    Quiet,
    /// The domain at this position is paused.
    Pause(Position),
}

impl Prep {
    /// A hypercall about a port.
    pub fn on(call: impl Into<Call>, port: Name) -> Self {
        Self::Call(ScriptCall::on(call, port))
    }
}

/// A step of a PE in the race.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A hypercall.
    Call(ScriptCall),
    /// The vCPU on a PE of the same domain has something handed over.
    Place(Own, Who),
    /// The guest masks a port.
    Mask(Name),
    /// The guest unmasks a port, by hypercall only if it has to.
    Unmask(Name),
    /// `WFI`.
    Wait,
    /// A toolstack asks for the end of the domain at this position.
    Kill(Position),
    /// A toolstack asks for a new domain at this position.
    Create(Position),
    /// A toolstack pauses the domain at this position.
    Pause(Position),
    /// A toolstack takes one pause back.
    Unpause(Position),
    /// Xen raises a VIRQ; a global one goes to its handler.
    Virq {
        /// Position of the domain.
        domain: Position,
        /// Of which vCPU, if it is per vCPU.
        vcpu: u32,
        /// Which.
        virq: u32,
    },
    /// Xen notifies the peer of its own port in the domain on this PE.
    Notify(Name),
}

impl Act {
    /// A hypercall about a port.
    pub fn on(call: impl Into<Call>, port: Name) -> Self {
        Self::Call(ScriptCall::on(call, port))
    }

    /// A hypercall that says all itself.
    pub fn plain(call: impl Into<Call>) -> Self {
        Self::Call(ScriptCall::from(call))
    }

    /// Whether it is a toolstack's or Xen's, not a guest's.
    #[must_use]
    pub const fn is_tool(&self) -> bool {
        matches!(
            self,
            Self::Kill(_) | Self::Create(_) | Self::Pause(_) | Self::Unpause(_) | Self::Virq { .. } | Self::Notify(_)
        )
    }

    /// Whether it is a guest's, not a toolstack's.
    #[must_use]
    pub const fn is_guest(&self) -> bool {
        matches!(self, Self::Mask(_) | Self::Unmask(_) | Self::Wait)
    }
}

/// What a PE does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Its vCPU takes event interrupts, and handles them as guests do.
    pub handles: bool,
    /// In order. A toolstack's and a guest's steps do not go together.
    pub acts: Vec<Act>,
}

/// A race.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// In order, each on the PE in front.
    pub setup: Vec<(Who, Prep)>,
    /// By PE.
    pub programs: [Program; PES],
}

/// What a guest does next.
enum GuestStep {
    /// A hypercall; by its success the domain is on FIFO from then on, or on two-level.
    Call(Action, Option<bool>),
    Mask(u32),
    Unmask(u32, Action),
    Wait,
}

/// What each PE does, and whether its vCPU takes event interrupts.
pub(super) type Works = [(Work, bool); PES];

impl Script {
    /// Does what comes before, and gives what each PE does then.
    pub(super) fn set_up(&self, system: &mut System) -> Result<Works, NoSystem> {
        for (pe, prep) in &self.setup {
            system.prep(*pe, prep)?;
        }
        // Whether the guest of each PE's domain takes itself to be on FIFO.
        let fifo: Vec<Rc<Cell<bool>>> =
            Position::all().take(PES).map(|domain| Rc::new(Cell::new(system.is_fifo(domain)))).collect();
        let mut works = [const { None }; PES];
        for (pe, (work, program)) in works.iter_mut().zip(&self.programs).enumerate() {
            let on_fifo = fifo.get(domain_of(pe).get()).cloned().unwrap_or_default();
            *work = Some((program.work(system, pe, on_fifo)?, program.handles));
        }
        Ok(works.map(|work| work.unwrap_or((Work::Toolstack(VecDeque::new()), false))))
    }
}

impl Program {
    fn work(&self, system: &mut System, pe: Who, words: Rc<Cell<bool>>) -> Result<Work, NoSystem> {
        let tool = self.acts.iter().any(Act::is_tool);
        if tool && (self.handles || self.acts.iter().any(Act::is_guest)) {
            return Err(NoSystem::Mixed { pe });
        }
        if tool {
            let tools = self.acts.iter().map(|act| act.tool(system, pe)).collect::<Result<VecDeque<_>, _>>()?;
            return Ok(Work::Toolstack(tools));
        }
        let steps = self.acts.iter().map(|act| act.step(system, pe)).collect::<Result<Vec<_>, _>>()?;
        let home = system.home(pe)?;
        let (two_level, fifo) = (Handler::of(system, pe, false)?, Handler::of(system, pe, true)?);
        let of_main = Rc::clone(&words);
        Ok(guest(
            move |env| async move {
                for step in steps {
                    match step {
                        GuestStep::Call(action, turns) => {
                            let done = env.act(action).await;
                            if let (Ok(0), Some(turns)) = (done, turns) {
                                of_main.set(turns);
                            }
                        }
                        GuestStep::Mask(port) if of_main.get() => programs::fifo_mask(&env, home, port).await,
                        GuestStep::Mask(port) => programs::mask(&env, home, port).await,
                        GuestStep::Unmask(port, call) if of_main.get() => {
                            programs::fifo_unmask(&env, home, port, call).await;
                        }
                        GuestStep::Unmask(port, call) => programs::unmask(&env, home, port, call).await,
                        GuestStep::Wait => env.wait_for_interrupt().await,
                    }
                }
                // Interrupts come all the same.
                core::future::pending::<()>().await;
            },
            move |env| {
                let handler = if words.get() { fifo.clone() } else { two_level.clone() };
                async move { handler.run(&env).await }
            },
        ))
    }
}

impl Act {
    fn step(&self, system: &mut System, pe: Who) -> Result<GuestStep, NoSystem> {
        Ok(match self {
            Self::Mask(name) => GuestStep::Mask(system.number(pe, name)?),
            Self::Unmask(name) => {
                let port = system.number(pe, name)?;
                GuestStep::Unmask(port, system.prepare(pe, Call::Event(Op::Unmask { port })))
            }
            Self::Wait => GuestStep::Wait,
            other => {
                let call = other.call(system, pe)?;
                let turns = match call {
                    Call::Event(Op::InitControl { .. }) => Some(true),
                    Call::Event(Op::Reset { dom }) if dom == id_of(domain_of(pe)) => Some(false),
                    _ => None,
                };
                GuestStep::Call(system.prepare(pe, call), turns)
            }
        })
    }

    fn tool(&self, system: &mut System, pe: Who) -> Result<Tool, NoSystem> {
        Ok(match self {
            Self::Kill(domain) => Tool::Kill(*domain),
            Self::Create(domain) => Tool::Create(*domain),
            Self::Pause(domain) => Tool::Pause(*domain),
            Self::Unpause(domain) => Tool::Unpause(*domain),
            Self::Virq { domain, vcpu, virq } => Tool::Virq { domain: *domain, vcpu: *vcpu, virq: *virq },
            Self::Notify(name) => Tool::Notify { domain: domain_of(pe), port: system.number(pe, name)? },
            other => {
                let call = other.call(system, pe)?;
                Tool::Call(system.prepare(pe, call))
            }
        })
    }

    fn call(&self, system: &System, pe: Who) -> Result<Call, NoSystem> {
        match self {
            Self::Place(own, of) => own.call(system, *of),
            Self::Call(call) => call.resolve(system, pe),
            _ => Err(NoSystem::Mixed { pe }),
        }
    }
}

impl System {
    fn prep(&mut self, pe: Who, prep: &Prep) -> Result<(), NoSystem> {
        match prep {
            Prep::Place(Own::SharedInfo) if self.home(pe)?.shared_info_placed => {}
            Prep::Place(own) => {
                let call = own.call(self, pe)?;
                self.call(pe, call)?;
            }
            Prep::Channel { name, to } => {
                let (here, there) = self.channel(pe, *to)?;
                self.named(name, (pe, here), (*to, there));
            }
            Prep::Static { name, to } => {
                let (here, there) = self.static_channel(pe, *to)?;
                self.named(name, (pe, here), (*to, there));
            }
            Prep::Xen { name, peer } => {
                let xens = self.xen_port(pe, domain_of(*peer))?;
                let remote_dom = id_of(domain_of(pe));
                let bound = self.call(*peer, Op::BindInterdomain { remote_dom, remote_port: xens })?;
                self.named(name, (pe, xens), (*peer, bound));
            }
            Prep::Ipi(name) => {
                let port = self.call(pe, Op::BindIpi { vcpu: self.home(pe)?.vcpu })?;
                self.named(name, (pe, port), (pe, port));
            }
            Prep::Virq { name, virq } => {
                self.handle_virq(pe, *virq)?;
                let port = self.call(pe, Op::BindVirq { virq: *virq, vcpu: self.home(pe)?.vcpu })?;
                self.named(name, (pe, port), (pe, port));
            }
            Prep::Port { name, number, peer } => {
                self.port_at_number(pe, *number, domain_of(peer.unwrap_or(CONTROL)))?;
                let mut other = (pe, *number);
                if let Some(peer) = *peer {
                    let op = Op::BindInterdomain { remote_dom: id_of(domain_of(pe)), remote_port: *number };
                    other = (peer, self.call(peer, op)?);
                }
                self.named(name, (pe, *number), other);
            }
            Prep::Call(call) => {
                let call = call.resolve(self, pe)?;
                self.call(pe, call)?;
            }
            Prep::Mask(name) => {
                let port = self.number(pe, name)?;
                if self.is_fifo(domain_of(pe)) {
                    self.set_bits(self.home(pe)?.event_words + u64::from(port) * 4, MASKED);
                } else {
                    self.mask(pe, port)?;
                }
            }
            Prep::Quiet => self.quiet(pe)?,
            Prep::Pause(domain) => self.pause(*domain)?,
        }
        Ok(())
    }
}
