//! Random operations, done to the real state machine and to the model.

use evtchn::{
    Caller, DomId, DomIdx, DomainConfig, EventChannels, Policy, Poll, Port, ResetFrom, Stop, Vcpu, XenHandler, XenPort,
};
use proptest::prelude::*;

use crate::testing::*;
use evtchn::model::{Config, Model, Signs, State};

/// Domains 0 to 3. Few ports and vcpus, so that operations meet.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    AllocUnbound {
        by: u16,
        dom: u16,
        remote: u16,
    },
    BindInterdomain {
        by: u16,
        remote: u16,
        port: u32,
    },
    BindVirq {
        by: u16,
        virq: u32,
        vcpu: u32,
    },
    BindIpi {
        by: u16,
        vcpu: u32,
    },
    BindVcpu {
        by: u16,
        port: u32,
        vcpu: u32,
    },
    Close {
        by: u16,
        port: u32,
    },
    Send {
        by: u16,
        port: u32,
    },
    Status {
        by: u16,
        dom: u16,
        port: u32,
    },
    Unmask {
        by: u16,
        port: u32,
    },
    Register {
        by: u16,
        vcpu: u32,
    },
    Poll {
        by: u16,
        vcpu: u32,
        ports: Vec<u32>,
    },
    PollTimeout {
        dom: u16,
        vcpu: u32,
    },
    RaiseVirq {
        dom: u16,
        vcpu: u32,
        virq: u32,
    },
    SetHandler {
        dom: u16,
        virq: u32,
    },
    Reset {
        by: u16,
        dom: u16,
    },
    Pause {
        dom: u16,
        on: bool,
    },
    InitControl {
        by: u16,
        vcpu: u32,
    },
    ExpandArray {
        by: u16,
    },
    SetPriority {
        by: u16,
        port: u32,
        priority: u32,
    },
    XenAlloc {
        dom: u16,
        vcpu: u32,
        remote: u16,
    },
    XenFree {
        dom: u16,
        port: u32,
    },
    XenNotify {
        dom: u16,
        port: u32,
    },
    /// Killed and created again.
    Replace {
        dom: u16,
    },
    /// Guest: mask bit on or off.
    Mask {
        dom: u16,
        port: u32,
        on: bool,
    },
    /// Guest: clears a vcpu's upcall, selector and ready bits.
    Acknowledge {
        dom: u16,
        vcpu: u32,
    },
    /// Guest: takes a port's bits away as a consumer does.
    Consume {
        dom: u16,
        port: u32,
    },
    /// Guest: any value in an event word or an upcall byte.
    Scribble {
        dom: u16,
        port: u32,
        value: u32,
    },
}

fn dom() -> impl Strategy<Value = u16> {
    0u16..4
}

/// Also numbers that are nobody's.
fn any_dom() -> impl Strategy<Value = u16> {
    prop_oneof![8 => 0u16..4, 2 => Just(0x7FF0), 1 => Just(9), 1 => Just(0x7FF4)]
}

fn port() -> impl Strategy<Value = u32> {
    prop_oneof![20 => 0u32..6, 2 => 60u32..70, 1 => Just(u32::MAX), 1 => Just(4096)]
}

fn vcpu() -> impl Strategy<Value = u32> {
    prop_oneof![10 => 0u32..2, 1 => 2u32..4]
}

fn virq() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(2), Just(3), Just(11), 0u32..26]
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let binds = prop_oneof![
        4 => (dom(), any_dom(), any_dom()).prop_map(|(by, dom, remote)| Op::AllocUnbound { by, dom, remote }),
        2 => (dom(), dom()).prop_map(|(by, remote)| Op::AllocUnbound { by, dom: by, remote }),
        6 => (dom(), any_dom(), port()).prop_map(|(by, remote, port)| Op::BindInterdomain { by, remote, port }),
        2 => (dom(), virq(), vcpu()).prop_map(|(by, virq, vcpu)| Op::BindVirq { by, virq, vcpu }),
        2 => (dom(), vcpu()).prop_map(|(by, vcpu)| Op::BindIpi { by, vcpu }),
        2 => (dom(), port(), vcpu()).prop_map(|(by, port, vcpu)| Op::BindVcpu { by, port, vcpu }),
        2 => (dom(), vcpu(), dom()).prop_map(|(dom, vcpu, remote)| Op::XenAlloc { dom, vcpu, remote }),
        1 => (dom(), port()).prop_map(|(dom, port)| Op::XenFree { dom, port }),
        3 => (dom(), port()).prop_map(|(by, port)| Op::Close { by, port }),
    ];
    let events = prop_oneof![
        10 => (dom(), port()).prop_map(|(by, port)| Op::Send { by, port }),
        4 => (dom(), port()).prop_map(|(by, port)| Op::Unmask { by, port }),
        2 => (dom(), any_dom(), port()).prop_map(|(by, dom, port)| Op::Status { by, dom, port }),
        3 => (dom(), vcpu(), virq()).prop_map(|(dom, vcpu, virq)| Op::RaiseVirq { dom, vcpu, virq }),
        1 => (dom(), port()).prop_map(|(dom, port)| Op::XenNotify { dom, port }),
        2 => (dom(), vcpu(), prop::collection::vec(port(), 0..4)).prop_map(|(by, vcpu, ports)| Op::Poll { by, vcpu, ports }),
        1 => (dom(), 0u32..2).prop_map(|(dom, vcpu)| Op::PollTimeout { dom, vcpu }),
        3 => (dom(), port(), 0u32..18).prop_map(|(by, port, priority)| Op::SetPriority { by, port, priority }),
    ];
    let control = prop_oneof![
        2 => (dom(), vcpu()).prop_map(|(by, vcpu)| Op::Register { by, vcpu }),
        1 => (dom(), virq()).prop_map(|(dom, virq)| Op::SetHandler { dom, virq }),
        1 => (dom(), any_dom()).prop_map(|(by, dom)| Op::Reset { by, dom }),
        1 => (dom(), any::<bool>()).prop_map(|(dom, on)| Op::Pause { dom, on }),
        3 => (dom(), vcpu()).prop_map(|(by, vcpu)| Op::InitControl { by, vcpu }),
        3 => dom().prop_map(|by| Op::ExpandArray { by }),
        1 => (1u16..4).prop_map(|dom| Op::Replace { dom }),
    ];
    let guest = prop_oneof![
        (dom(), 0u32..6, any::<bool>()).prop_map(|(dom, port, on)| Op::Mask { dom, port, on }),
        (dom(), 0u32..2).prop_map(|(dom, vcpu)| Op::Acknowledge { dom, vcpu }),
        (dom(), 0u32..6).prop_map(|(dom, port)| Op::Consume { dom, port }),
        (dom(), 0u32..6, 0u32..16, 0u32..70)
            .prop_map(|(dom, port, bits, link)| { Op::Scribble { dom, port, value: bits << 28 | link } }),
    ];
    prop_oneof![6 => binds, 8 => events, 3 => control, 5 => guest]
}

pub(crate) fn ops(longest: usize) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 1..longest)
}

/// The real thing, with domains 0 to 3 at indexes 0 to 3.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rig: Rig,
    /// The next page of RAM nobody has used, so that areas start with zeroes.
    next_page: u64,
}

fn domain(id: u16) -> DomainConfig {
    DomainConfig {
        vcpus: if id == 3 { 1 } else { 2 },
        max_evtchn_port: [u32::MAX, 1023, 4, 100][usize::from(id)],
        target: (id == 1).then_some(DomId(2)),
        ..config(id)
    }
}

pub(crate) fn create(world: &World, model: &mut Model, id: u16) {
    let DomainConfig { vcpus, privileged, max_evtchn_port: max_port, target, .. } = domain(id);
    let at = world.idx(id);
    let accepts = vec![(ram(at), ram(at) + PAGES * 4096 - 1)];
    let shared_info = shared_info(at);
    model.create(id, Config { vcpus, privileged, max_port, target: target.map(|dom| dom.0), shared_info, accepts });
}

impl World {
    pub(crate) fn new() -> Self {
        let mut ec = EventChannels::new(Policy { hardware_domain: Some(DomId(0)), silo: false }, DUMMY);
        let [d0, d1, d2, _] =
            [0, 1, 2, 3].map(|id| ec.create_domain(&domain(id), 0xE000_0000 + 4096 * u64::from(id)).unwrap());
        Self { rig: Rig { ec, mem: Flat::default(), d0, d1, d2 }, next_page: 0 }
    }

    pub(crate) fn idx(&self, id: u16) -> DomIdx {
        self.rig.ec.lookup(DomId(id)).unwrap()
    }

    fn page(&mut self) -> u64 {
        self.next_page += 1;
        self.next_page
    }

    fn caller(&self, id: u16, vcpu: u32) -> Caller {
        Caller { dom: self.idx(id), vcpu: Vcpu(vcpu) }
    }

    /// One operation; ports and other numbers come as a number, things without a number as 0.
    pub(crate) fn apply(&mut self, op: &Op) -> Result<u32, Stop<Fault>> {
        match *op {
            Op::AllocUnbound { by, dom, remote } => {
                let caller = self.caller(by, 0);
                let port = self.rig.ec.alloc_unbound(&mut self.rig.mem, caller, DomId(dom), DomId(remote))?;
                Ok(port.0)
            }
            Op::BindInterdomain { by, remote, port } => {
                let caller = self.caller(by, 0);
                let port = self.rig.ec.bind_interdomain(&mut self.rig.mem, caller, DomId(remote), Port(port))?;
                Ok(port.0)
            }
            Op::BindVirq { by, virq, vcpu } => {
                let caller = self.caller(by, 0);
                Ok(self.rig.ec.bind_virq(&mut self.rig.mem, caller, virq, Vcpu(vcpu))?.0)
            }
            Op::BindIpi { by, vcpu } => {
                let caller = self.caller(by, 0);
                Ok(self.rig.ec.bind_ipi(&mut self.rig.mem, caller, Vcpu(vcpu))?.0)
            }
            Op::BindVcpu { by, port, vcpu } => {
                let caller = self.caller(by, 0);
                Ok(self.rig.ec.bind_vcpu(caller, Port(port), Vcpu(vcpu)).map(|()| 0)?)
            }
            Op::Close { by, port } => {
                let caller = self.caller(by, 0);
                self.rig.ec.close(&mut self.rig.mem, caller, Port(port)).map(|()| 0)
            }
            Op::Send { by, port } => {
                let caller = self.caller(by, 0);
                self.rig.ec.send(&mut self.rig.mem, caller, Port(port)).map(|()| 0)
            }
            Op::Status { by, dom, port } => {
                let status = self.rig.ec.status(self.caller(by, 0), DomId(dom), Port(port))?;
                Ok(status.binding.code())
            }
            Op::Unmask { by, port } => {
                let caller = self.caller(by, 0);
                self.rig.ec.unmask(&mut self.rig.mem, caller, Port(port)).map(|()| 0)
            }
            Op::Poll { by, vcpu, ref ports } => self.poll(self.caller(by, vcpu), ports),
            _ => self.apply_control(op),
        }
    }

    /// Operations that hand memory over, or take all of it back.
    fn apply_control(&mut self, op: &Op) -> Result<u32, Stop<Fault>> {
        let page = self.page();
        match *op {
            Op::Register { by, vcpu } => {
                let caller = self.caller(by, 0);
                let frame = gfn(caller.dom, page);
                self.rig.ec.register_vcpu_info(&mut self.rig.mem, caller, Vcpu(vcpu), frame, 64).map(|()| 0)
            }
            Op::InitControl { by, vcpu } => {
                let caller = self.caller(by, 0);
                let frame = gfn(caller.dom, page);
                self.rig.ec.init_control(&mut self.rig.mem, caller, Vcpu(vcpu), frame, 0).map(u32::from)
            }
            Op::ExpandArray { by } => {
                let caller = self.caller(by, 0);
                let frame = gfn(caller.dom, page);
                self.rig.ec.expand_array(&mut self.rig.mem, caller, frame).map(|()| 0)
            }
            Op::SetPriority { by, port, priority } => {
                let caller = self.caller(by, 0);
                Ok(self.rig.ec.set_priority(caller, Port(port), priority).map(|()| 0)?)
            }
            Op::Reset { by, dom } => {
                let caller = self.caller(by, 0);
                self.rig.ec.reset(&mut self.rig.mem, caller, DomId(dom), ResetFrom::Start).map(|()| 0)
            }
            _ => self.apply_xen(op),
        }
    }

    fn poll(&mut self, caller: Caller, ports: &[u32]) -> Result<u32, Stop<Fault>> {
        let list = ram(caller.dom);
        for (addr, port) in (list..).step_by(4).zip(ports) {
            self.rig.mem.poke(addr, *port);
        }
        let request = evtchn::PollRequest { ports: list, nr_ports: ports.len() as u32, timeout: 0 };
        let result = self.rig.ec.poll(&mut self.rig.mem, caller, request);
        for (addr, _) in (list..).step_by(4).zip(ports) {
            self.rig.mem.poke(addr, 0);
        }
        result.map(|poll| u32::from(poll != Poll::Ready))
    }

    /// What no guest does by a hypercall.
    fn apply_xen(&mut self, op: &Op) -> Result<u32, Stop<Fault>> {
        let fault = |result: Result<(), Fault>| result.map(|()| 0).map_err(Stop::Fault);
        match *op {
            Op::PollTimeout { dom, vcpu } => {
                let dom = self.idx(dom);
                self.rig.ec.poll_timeout(&mut self.rig.mem, dom, Vcpu(vcpu));
                Ok(0)
            }
            Op::RaiseVirq { dom, vcpu, virq } => {
                let dom = self.idx(dom);
                let (ec, mem) = (&mut self.rig.ec, &mut self.rig.mem);
                fault(match virq {
                    0 | 1 | 7 | 13 => ec.raise_virq_vcpu(mem, dom, Vcpu(vcpu), virq),
                    11 => ec.raise_virq_domain(mem, dom, virq),
                    _ => ec.raise_virq_global(mem, virq),
                })
            }
            Op::SetHandler { dom, virq } => {
                let dom = self.idx(dom);
                Ok(self.rig.ec.set_virq_handler(dom, virq).map(|()| 0)?)
            }
            Op::Pause { dom, on } => {
                let dom = self.idx(dom);
                let result = if on { self.rig.ec.pause(dom) } else { self.rig.ec.unpause(dom) };
                Ok(result.map(|()| 0)?)
            }
            Op::XenAlloc { dom, vcpu, remote } => {
                let dom = self.idx(dom);
                let wanted = XenPort { dom, vcpu: Vcpu(vcpu), remote_dom: DomId(remote), handler: XenHandler::DEFAULT };
                self.rig.ec.xen_alloc_unbound(&mut self.rig.mem, None, wanted).map(|port| port.0)
            }
            Op::XenFree { dom, port } => {
                let dom = self.idx(dom);
                fault(self.rig.ec.xen_free(&mut self.rig.mem, dom, Port(port)))
            }
            Op::XenNotify { dom, port } => {
                let dom = self.idx(dom);
                fault(self.rig.ec.xen_notify(&mut self.rig.mem, dom, Port(port)))
            }
            Op::Replace { dom } => {
                let idx = self.idx(dom);
                self.rig.ec.kill(&mut self.rig.mem, idx)?;
                self.rig.ec.destroy(&mut self.rig.mem, idx)?;
                let (low, high) = (shared_info(idx), shared_info(idx) + 4096);
                self.rig.mem.words.retain(|addr, _| !(low..high).contains(addr));
                assert_eq!(self.rig.ec.create_domain(&domain(dom), low), Ok(idx));
                Ok(0)
            }
            _ => {
                self.guest(op);
                Ok(0)
            }
        }
    }

    fn guest(&mut self, op: &Op) {
        match *op {
            Op::Mask { dom, port, on } => {
                let dom = self.idx(dom);
                self.rig.set_mask(dom, Port(port), on);
            }
            Op::Acknowledge { dom, vcpu } => {
                let dom = self.idx(dom);
                if self.rig.ec.vcpu_info(dom, Vcpu(vcpu)).is_some() {
                    self.rig.acknowledge(dom, vcpu);
                }
            }
            Op::Consume { dom, port } => {
                let dom = self.idx(dom);
                if self.rig.ec.event_pages(dom).is_empty() {
                    self.rig.mem.set_bit(shared_info(dom) + 48, port, false);
                } else {
                    let (addr, old) = (self.rig.word_addr(dom, Port(port)), self.rig.word(dom, Port(port)));
                    self.rig.mem.poke(addr, old & 1 << 30);
                }
            }
            Op::Scribble { dom, port, value } => {
                let dom = self.idx(dom);
                let fifo = !self.rig.ec.event_pages(dom).is_empty();
                let addr = if fifo { self.rig.word_addr(dom, Port(port)) } else { self.rig.info(dom, 0) };
                self.rig.mem.poke(addr, value);
            }
            _ => unreachable!("{op:?} is not a guest's step"),
        }
    }

    /// The first word in which the model's memory is not the real one: address, real, model.
    pub(crate) fn first_difference(&self, model: &Model) -> Option<(u64, u32, u32)> {
        let real = &self.rig.mem;
        let written = real.contents().into_keys();
        let modelled = model.memory.pages().flat_map(|(page, _)| (page..page + 4096).step_by(4));
        let mut both = written.chain(modelled).map(|addr| (addr, real.peek(addr), model.memory.word(addr)));
        both.find(|(_, real, model)| real != model)
    }

    /// Brings what a guest did on its own to the model's memory.
    pub(crate) fn copy_to(&self, model: &mut Model) {
        for (addr, word) in &self.rig.mem.words {
            model.memory.set(*addr, *word);
        }
    }
}

/// The same operation on the model. Guest steps are not: their effect is read from the real memory.
pub(crate) fn apply_model(world: &World, model: &mut Model, op: &Op) -> Result<u32, evtchn::Errno> {
    // Where the real one was given a page, it was this.
    let page = |by| gfn(world.idx(by), world.next_page);
    model.signs = Signs::default();
    let done = match *op {
        Op::AllocUnbound { by, dom, remote } => return model.alloc_unbound(by, dom, remote),
        Op::BindInterdomain { by, remote, port } => return model.bind_interdomain(by, remote, port),
        Op::BindVirq { by, virq, vcpu } => return model.bind_virq(by, virq, vcpu),
        Op::BindIpi { by, vcpu } => return model.bind_ipi(by, vcpu),
        Op::Status { by, dom, port } => return model.status(by, dom, port).map(|chan| code(chan.state)),
        Op::Poll { by, vcpu, ref ports } => return model.poll(by, vcpu, ports).map(u32::from),
        Op::InitControl { by, vcpu } => return model.init_control(by, vcpu, page(by), 0),
        Op::XenAlloc { dom, vcpu, remote } => return model.xen_alloc(None, dom, vcpu, remote),
        Op::BindVcpu { by, port, vcpu } => model.bind_vcpu(by, port, vcpu),
        Op::Close { by, port } => model.close(by, port, true),
        Op::Send { by, port } => model.send(by, port),
        Op::Unmask { by, port } => model.unmask(by, port),
        Op::Register { by, vcpu } => model.register(by, vcpu, page(by), 64),
        Op::SetHandler { dom, virq } => model.set_handler(dom, virq),
        Op::Reset { by, dom } => model.reset(by, dom, false),
        Op::Pause { dom, on } => model.pause(dom, on),
        Op::ExpandArray { by } => model.expand_array(by, page(by)),
        Op::SetPriority { by, port, priority } => model.set_priority(by, port, priority),
        Op::PollTimeout { dom, vcpu } => {
            model.poll_timeout(dom, vcpu);
            Ok(())
        }
        Op::RaiseVirq { dom, vcpu, virq } => {
            model.raise_virq(dom, vcpu, virq);
            Ok(())
        }
        // Whatever is not there is left alone.
        Op::XenFree { dom, port } => model.close(dom, port, false).or(Ok(())),
        Op::XenNotify { dom, port } => {
            model.xen_notify(dom, port);
            Ok(())
        }
        Op::Replace { dom } => {
            model.kill(dom);
            create(world, model, dom);
            Ok(())
        }
        Op::Mask { .. } | Op::Acknowledge { .. } | Op::Consume { .. } | Op::Scribble { .. } => Ok(()),
    };
    done.map(|()| 0)
}

fn code(state: State) -> u32 {
    match state {
        State::Free | State::Reserved => 0,
        State::Unbound(_) => 1,
        State::Interdomain(..) => 2,
        State::Virq(_) => 4,
        State::Ipi => 5,
    }
}
