//! Operations on ports, and what each operation of `event_channel_op` comes to here.

use super::{Chan, Model, Rc, State, kind};
use crate::Errno::{EBUSY, EEXIST, EINVAL, ENOENT, ENOSPC, EOPNOTSUPP};
use crate::op::{Op, Output};
use crate::{Binding, DomId, Port, PortStatus, Vcpu};

/// LINKED of an event word.
const LINKED: u32 = 1 << 29;

/// What a port is, as a guest reads it.
fn told(chan: &Chan) -> PortStatus {
    let binding = match chan.state {
        State::Free | State::Reserved => Binding::Closed,
        State::Unbound(dom) => Binding::Unbound { dom: DomId(dom) },
        State::Interdomain(dom, port) => Binding::Interdomain { dom: DomId(dom), port: Port(port) },
        State::Virq(virq) => Binding::Virq(virq),
        State::Ipi => Binding::Ipi,
    };
    PortStatus { binding, vcpu: Vcpu(chan.vcpu) }
}

impl Model {
    /// `event_channel_op` by a domain, up to what stands in the block then. -ERESTART: a reset was preempted.
    pub fn event_channel_op(&mut self, by: u16, op: &Op) -> Rc<Output> {
        let port = |port| Output::Port(Port(port));
        let nothing = |()| Output::Nothing;
        match *op {
            Op::BindInterdomain { remote_dom, remote_port } => {
                self.bind_interdomain(by, remote_dom, remote_port).map(port)
            }
            Op::BindVirq { virq, vcpu } => self.bind_virq(by, virq, vcpu).map(port),
            Op::BindPirq { .. } => Err(EOPNOTSUPP),
            Op::Close { port } => self.close(by, port, true).map(nothing),
            Op::Send { port } => self.send(by, port).map(nothing),
            Op::Status { dom, port } => self.status(by, dom, port).map(|chan| Output::Status(told(&chan))),
            Op::AllocUnbound { dom, remote_dom } => self.alloc_unbound(by, dom, remote_dom).map(port),
            Op::BindIpi { vcpu } => self.bind_ipi(by, vcpu).map(port),
            Op::BindVcpu { port, vcpu } => self.bind_vcpu(by, port, vcpu).map(nothing),
            Op::Unmask { port } => self.unmask(by, port).map(nothing),
            Op::Reset { dom } => self.reset(by, dom, false).map(nothing),
            Op::InitControl { control_gfn, offset, vcpu } => {
                self.init_control(by, vcpu, control_gfn, offset).map(|bits| Output::LinkBits(bits as u8))
            }
            Op::ExpandArray { array_gfn } => self.expand_array(by, array_gfn).map(nothing),
            Op::SetPriority { port, priority } => self.set_priority(by, port, priority).map(nothing),
            Op::ResetCont { dom } => self.reset(by, dom, true).map(nothing),
        }
    }

    fn free_port(&mut self, id: u16) -> Rc {
        let dom = self.doms.get_mut(&id).unwrap();
        if dom.dying {
            return Err(EINVAL);
        }
        let room = if dom.fifo.is_some() { 131_072 } else { 4096 };
        for port in 0..=dom.config.max_port.min(0x7FFF_FFFF) {
            if port >= room {
                return Err(ENOSPC);
            }
            match dom.chans.get(port as usize) {
                None => {
                    dom.bucket();
                    return Ok(port);
                }
                Some(chan) => {
                    let busy =
                        dom.fifo.is_some() && dom.word(port).is_some_and(|word| self.memory.word(word) & LINKED != 0);
                    if chan.state == State::Free && !busy {
                        return Ok(port);
                    }
                }
            }
        }
        Err(ENOSPC)
    }

    /// A port of the given number, or with 0 any. Nobody asks whether the domain is dying.
    fn chosen_port(&mut self, id: u16, port: u32) -> Rc {
        if port == 0 {
            return self.free_port(id);
        }
        let dom = self.doms.get_mut(&id).unwrap();
        let room = if dom.fifo.is_some() { 131_072 } else { 4096 };
        if port > dom.config.max_port || port >= room {
            return Err(ENOSPC);
        }
        match dom.chans.get(port as usize) {
            Some(chan) if chan.state != State::Free => return Err(EBUSY),
            Some(_) => {
                let linked = dom.word(port).filter(|_| dom.fifo.is_some());
                if linked.is_some_and(|word| self.memory.word(word) & LINKED != 0) {
                    return Err(EBUSY);
                }
            }
            None => {
                while dom.chans.len() <= port as usize {
                    dom.bucket();
                }
            }
        }
        Ok(port)
    }

    /// Boot code opens a port of its choice; 0: any.
    pub fn static_alloc(&mut self, id: u16, remote: u16, port: u32) -> Rc {
        let port = self.chosen_port(id, port)?;
        self.bind(id, port, State::Unbound(remote), 0, false);
        Ok(port)
    }

    /// Boot code connects a port of its choice, 0: any, to one that waits.
    pub fn static_bind(&mut self, id: u16, remote: u16, remote_port: u32, port: u32) -> Rc {
        let port = self.chosen_port(id, port)?;
        self.connect(id, port, remote, remote_port)
    }

    fn connect(&mut self, id: u16, port: u32, remote: u16, remote_port: u32) -> Rc {
        let far = self.doms[&remote].chan(remote_port)?;
        if far.state != State::Unbound(id) {
            return Err(EINVAL);
        }
        self.doms.get_mut(&remote).unwrap().chans[remote_port as usize].state = State::Interdomain(id, port);
        self.bind(id, port, State::Interdomain(remote, remote_port), 0, false);
        self.set_pending(id, port, 0);
        Ok(port)
    }

    fn bind(&mut self, id: u16, port: u32, state: State, vcpu: u32, xen: bool) {
        let dom = self.doms.get_mut(&id).unwrap();
        let fifo = dom.fifo.is_some();
        let chan = &mut dom.chans[port as usize];
        (chan.state, chan.vcpu, chan.xen) = (state, vcpu, xen);
        if fifo && !xen {
            chan.priority = 7;
        }
    }

    /// `EVTCHNOP_alloc_unbound`.
    pub fn alloc_unbound(&mut self, by: u16, dom: u16, remote: u16) -> Rc {
        let dom = self.look(by, dom)?;
        let port = self.free_port(dom)?;
        self.target_rule(by, dom)?;
        let remote = if remote == 0x7FF0 { by } else { remote };
        self.bind(dom, port, State::Unbound(remote), 0, false);
        Ok(port)
    }

    /// `EVTCHNOP_bind_interdomain`.
    pub fn bind_interdomain(&mut self, by: u16, remote: u16, remote_port: u32) -> Rc {
        let remote = self.look(by, remote)?;
        let port = self.free_port(by)?;
        self.connect(by, port, remote, remote_port)
    }

    /// `EVTCHNOP_bind_virq`.
    pub fn bind_virq(&mut self, by: u16, virq: u32, vcpu: u32) -> Rc {
        if virq >= 24 || kind(virq) != 'v' && vcpu != 0 {
            return Err(EINVAL);
        }
        if vcpu >= self.doms[&by].config.vcpus {
            return Err(ENOENT);
        }
        if kind(virq) == 'g' && self.handler(virq) != Some(by) {
            return Err(EBUSY);
        }
        if self.doms[&by].virqs.contains_key(&(virq, vcpu)) {
            return Err(EEXIST);
        }
        let port = self.free_port(by)?;
        self.bind(by, port, State::Virq(virq), vcpu, false);
        self.doms.get_mut(&by).unwrap().virqs.insert((virq, vcpu), port);
        Ok(port)
    }

    /// `EVTCHNOP_bind_ipi`.
    pub fn bind_ipi(&mut self, by: u16, vcpu: u32) -> Rc {
        if vcpu >= self.doms[&by].config.vcpus {
            return Err(ENOENT);
        }
        let port = self.free_port(by)?;
        self.bind(by, port, State::Ipi, vcpu, false);
        Ok(port)
    }

    /// `EVTCHNOP_bind_vcpu`.
    pub fn bind_vcpu(&mut self, by: u16, port: u32, vcpu: u32) -> Rc<()> {
        let dom = self.doms.get_mut(&by).unwrap();
        if vcpu >= dom.config.vcpus {
            return Err(ENOENT);
        }
        dom.chan(port)?;
        let chan = &mut dom.chans[port as usize];
        let fixed = match chan.state {
            State::Unbound(_) | State::Interdomain(..) => false,
            State::Virq(virq) => kind(virq) == 'v',
            _ => true,
        };
        if chan.xen || fixed {
            return Err(EINVAL);
        }
        chan.vcpu = vcpu;
        Ok(())
    }

    /// `EVTCHNOP_close`; without `guest`, with Xen's rights.
    pub fn close(&mut self, id: u16, port: u32, guest: bool) -> Rc<()> {
        let chan = self.doms[&id].chan(port)?.clone();
        if chan.xen && guest || !chan.open() {
            return Err(EINVAL);
        }
        if let State::Interdomain(peer, peer_port) = chan.state {
            self.doms.get_mut(&peer).unwrap().chans[peer_port as usize].state = State::Unbound(id);
        }
        let dom = self.doms.get_mut(&id).unwrap();
        dom.virqs.retain(|_, bound| *bound != port);
        let bit = dom.config.shared_info + 48 + u64::from(port / 32 * 4);
        if chan.usable() && dom.fifo.is_none() {
            self.memory.and(bit, !(1 << (port % 32)));
        } else if let Some(word) = dom.word(port).filter(|_| chan.usable()) {
            self.memory.and(word, !(1 << 31));
        }
        let chan = &mut dom.chans[port as usize];
        (chan.state, chan.vcpu, chan.xen) = (State::Free, 0, false);
        Ok(())
    }

    /// `EVTCHNOP_send`.
    pub fn send(&mut self, by: u16, port: u32) -> Rc<()> {
        let chan = self.doms[&by].chan(port)?.clone();
        match chan.state {
            _ if chan.xen => return Err(EINVAL),
            State::Interdomain(peer, peer_port) => {
                let far = self.doms[&peer].chans[peer_port as usize].clone();
                if far.xen {
                    self.signs.hits.push((peer, far.vcpu, peer_port));
                } else {
                    self.set_pending(peer, peer_port, far.vcpu);
                }
            }
            State::Ipi => self.set_pending(by, port, chan.vcpu),
            State::Unbound(_) => {}
            _ => return Err(EINVAL),
        }
        Ok(())
    }

    /// `EVTCHNOP_status`: the channel.
    pub fn status(&self, by: u16, dom: u16, port: u32) -> Rc<Chan> {
        let id = self.look(by, dom)?;
        let chan = self.doms[&id].chan(port)?;
        self.target_rule(by, id)?;
        Ok(chan.clone())
    }

    /// `EVTCHNOP_unmask`.
    pub fn unmask(&mut self, by: u16, port: u32) -> Rc<()> {
        let dom = &self.doms[&by];
        let chan = dom.chan(port)?.clone();
        if !chan.usable() {
            return Ok(());
        }
        if dom.fifo.is_some() {
            if let Some(word) = dom.word(port)
                && self.memory.and(word, !(1 << 30)) & 1 << 31 != 0
            {
                self.set_pending(by, port, chan.vcpu);
            }
            return Ok(());
        }
        let (at, bit) = (dom.config.shared_info + u64::from(port / 32 * 4), 1 << (port % 32));
        let was_masked = self.memory.and(at + 560, !bit) & bit != 0;
        if was_masked && self.memory.word(at + 48) & bit != 0 {
            self.select(by, port, chan.vcpu);
        }
        Ok(())
    }

    /// `SCHEDOP_poll` with no interrupt on its way: whether it blocks.
    pub fn poll(&mut self, by: u16, vcpu: u32, ports: &[u32]) -> Rc<bool> {
        if vcpu >= self.doms[&by].config.vcpus {
            return Err(ENOENT);
        }
        if ports.len() > 128 {
            return Err(EINVAL);
        }
        for port in ports {
            let dom = &self.doms[&by];
            if !dom.chan(*port)?.usable() {
                return Err(EINVAL);
            }
            let pending = if dom.fifo.is_some() {
                dom.word(*port).is_some_and(|word| self.memory.word(word) & 1 << 31 != 0)
            } else {
                let word = dom.config.shared_info + 48 + u64::from(port / 32 * 4);
                self.memory.word(word) & 1 << (port % 32) != 0
            };
            if pending {
                return Ok(false);
            }
        }
        let wanted = if let [port] = ports { Some(*port) } else { None };
        self.doms.get_mut(&by).unwrap().polls.insert(vcpu, wanted);
        Ok(true)
    }

    /// A port that is Xen's own; `by`: the domain on whose behalf.
    pub fn xen_alloc(&mut self, by: Option<u16>, dom: u16, vcpu: u32, remote: u16) -> Rc {
        let port = self.free_port(dom)?;
        if let Some(by) = by {
            self.target_rule(by, dom)?;
        }
        if vcpu >= self.doms[&dom].config.vcpus {
            return Err(ENOENT);
        }
        self.bind(dom, port, State::Unbound(remote), vcpu, true);
        Ok(port)
    }

    /// Xen tells the peer of a port.
    pub fn xen_notify(&mut self, dom: u16, port: u32) {
        if let Ok(Chan { state: State::Interdomain(peer, peer_port), .. }) = self.doms[&dom].chan(port) {
            let (peer, peer_port) = (*peer, *peer_port);
            let far = self.doms[&peer].chans[peer_port as usize].clone();
            if !far.xen {
                self.set_pending(peer, peer_port, far.vcpu);
            }
        }
    }
}
