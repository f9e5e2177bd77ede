//! A second implementation of the ABI, as plain and slow as can be: domains by number, ports found by walking from 0,
//! memory as sets of bits. No preemption and no races, which have tests of their own.

pub(crate) mod ops;

use std::collections::{BTreeMap, BTreeSet};

use evtchn::Errno::{self, *};

const PENDING: u32 = 1 << 31;
const MASKED: u32 = 1 << 30;
const LINKED: u32 = 1 << 29;
const BUSY: u32 = 1 << 28;
const LINK: u32 = (1 << 17) - 1;

/// What guests can see of the memory that matters.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Image {
    pub(crate) doms: BTreeMap<u16, DomImage>,
    pub(crate) dummy: Info,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct DomImage {
    pub(crate) pending: BTreeSet<u32>,
    pub(crate) masked: BTreeSet<u32>,
    pub(crate) legacy: Info,
    pub(crate) registered: BTreeMap<u32, Info>,
    /// Event words, as far as there are pages.
    pub(crate) words: Vec<u32>,
    pub(crate) blocks: BTreeMap<u32, Block>,
}

/// A `vcpu_info`: the word with the upcall bit, and the selector.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Info {
    pub(crate) upcall: u32,
    pub(crate) selector: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Block {
    pub(crate) ready: u32,
    pub(crate) heads: [u32; 16],
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum State {
    Free,
    Reserved,
    Unbound(u16),
    Interdomain(u16, u32),
    Virq(u32),
    Ipi,
}

#[derive(Debug, Clone)]
pub(crate) struct Chan {
    pub(crate) state: State,
    pub(crate) vcpu: u32,
    pub(crate) xen: bool,
    pub(crate) priority: u32,
    latched: bool,
    last_queue: (u32, u32),
}

impl Chan {
    fn usable(&self) -> bool {
        self.open() && !self.xen
    }

    pub(crate) fn open(&self) -> bool {
        self.state != State::Free && self.state != State::Reserved
    }
}

#[derive(Debug)]
pub(crate) struct Dom {
    pub(crate) vcpus: u32,
    privileged: bool,
    target: Option<u16>,
    max_port: u32,
    pub(crate) chans: Vec<Chan>,
    /// Ports by VIRQ and vcpu.
    pub(crate) virqs: BTreeMap<(u32, u32), u32>,
    /// Ports by vcpu that polls; None polls for any.
    pub(crate) polls: BTreeMap<u32, Option<u32>>,
    /// Tails by vcpu and queue, in FIFO mode.
    pub(crate) fifo: Option<BTreeMap<(u32, u32), u32>>,
    pauses: u32,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) doms: BTreeMap<u16, Dom>,
    pub(crate) image: Image,
    handlers: BTreeMap<u32, u16>,
    /// Signs of the last operation.
    pub(crate) kicks: Vec<(u16, u32)>,
    pub(crate) wakes: Vec<(u16, u32)>,
    pub(crate) hits: Vec<(u16, u32, u32)>,
}

type Rc<T = u32> = Result<T, Errno>;

fn kind(virq: u32) -> char {
    match virq {
        0 | 1 | 7 | 13 => 'v',
        11 => 'd',
        _ => 'g',
    }
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            doms: BTreeMap::new(),
            image: Image::default(),
            handlers: BTreeMap::new(),
            kicks: vec![],
            wakes: vec![],
            hits: vec![],
        }
    }

    pub(crate) fn create(&mut self, id: u16, vcpus: u32, privileged: bool, max_port: u32, target: Option<u16>) {
        let mut dom = Dom {
            vcpus,
            privileged,
            target,
            max_port,
            chans: vec![],
            virqs: BTreeMap::new(),
            polls: BTreeMap::new(),
            fifo: None,
            pauses: 0,
        };
        dom.bucket();
        dom.chans[0].state = State::Reserved;
        self.doms.insert(id, dom);
        self.image.doms.insert(id, DomImage::default());
    }

    fn look(&self, caller: u16, id: u16) -> Rc<u16> {
        let id = if id == 0x7FF0 { caller } else { id };
        if self.doms.contains_key(&id) { Ok(id) } else { Err(ESRCH) }
    }

    fn target_rule(&self, caller: u16, id: u16) -> Rc<()> {
        let from = &self.doms[&caller];
        if caller == id || from.privileged || from.target == Some(id) { Ok(()) } else { Err(EPERM) }
    }

    fn free_port(&mut self, id: u16) -> Rc {
        let dom = self.doms.get_mut(&id).unwrap();
        let room = if dom.fifo.is_some() { 131_072 } else { 4096 };
        for port in 0..=dom.max_port {
            if port >= room {
                return Err(ENOSPC);
            }
            match dom.chans.get(port as usize) {
                None => {
                    dom.bucket();
                    return Ok(port);
                }
                Some(chan) => {
                    let words = &self.image.doms[&id].words;
                    let busy = dom.fifo.is_some() && words.get(port as usize).is_some_and(|word| word & LINKED != 0);
                    if chan.state == State::Free && !busy {
                        return Ok(port);
                    }
                }
            }
        }
        Err(ENOSPC)
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

    pub(crate) fn alloc_unbound(&mut self, by: u16, dom: u16, remote: u16) -> Rc {
        let dom = self.look(by, dom)?;
        let port = self.free_port(dom)?;
        self.target_rule(by, dom)?;
        let remote = if remote == 0x7FF0 { by } else { remote };
        self.bind(dom, port, State::Unbound(remote), 0, false);
        Ok(port)
    }

    pub(crate) fn bind_interdomain(&mut self, by: u16, remote: u16, remote_port: u32) -> Rc {
        let remote = self.look(by, remote)?;
        let port = self.free_port(by)?;
        let far = self.doms[&remote].chan(remote_port)?;
        if far.state != State::Unbound(by) {
            return Err(EINVAL);
        }
        self.doms.get_mut(&remote).unwrap().chans[remote_port as usize].state = State::Interdomain(by, port);
        self.bind(by, port, State::Interdomain(remote, remote_port), 0, false);
        self.set_pending(by, port, 0);
        Ok(port)
    }

    pub(crate) fn bind_virq(&mut self, by: u16, virq: u32, vcpu: u32) -> Rc {
        if virq >= 24 || kind(virq) != 'v' && vcpu != 0 {
            return Err(EINVAL);
        }
        if vcpu >= self.doms[&by].vcpus {
            return Err(ENOENT);
        }
        if kind(virq) == 'g' && self.handler(virq) != by {
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

    pub(crate) fn bind_ipi(&mut self, by: u16, vcpu: u32) -> Rc {
        if vcpu >= self.doms[&by].vcpus {
            return Err(ENOENT);
        }
        let port = self.free_port(by)?;
        self.bind(by, port, State::Ipi, vcpu, false);
        Ok(port)
    }

    pub(crate) fn bind_vcpu(&mut self, by: u16, port: u32, vcpu: u32) -> Rc {
        let dom = self.doms.get_mut(&by).unwrap();
        if vcpu >= dom.vcpus {
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
        Ok(0)
    }

    pub(crate) fn close(&mut self, id: u16, port: u32, guest: bool) -> Rc {
        let chan = self.doms[&id].chan(port)?.clone();
        if chan.xen && guest || !chan.open() {
            return Err(EINVAL);
        }
        if let State::Interdomain(peer, peer_port) = chan.state {
            self.doms.get_mut(&peer).unwrap().chans[peer_port as usize].state = State::Unbound(id);
        }
        let dom = self.doms.get_mut(&id).unwrap();
        dom.virqs.retain(|_, bound| *bound != port);
        let image = self.image.doms.get_mut(&id).unwrap();
        if chan.usable() && dom.fifo.is_none() {
            image.pending.remove(&port);
        } else if chan.usable()
            && let Some(word) = image.words.get_mut(port as usize)
        {
            *word &= !PENDING;
        }
        let chan = &mut dom.chans[port as usize];
        (chan.state, chan.vcpu, chan.xen) = (State::Free, 0, false);
        Ok(0)
    }

    pub(crate) fn send(&mut self, by: u16, port: u32) -> Rc {
        let chan = self.doms[&by].chan(port)?.clone();
        match chan.state {
            _ if chan.xen => Err(EINVAL),
            State::Interdomain(peer, peer_port) => {
                let far = self.doms[&peer].chans[peer_port as usize].clone();
                if far.xen {
                    self.hits.push((peer, far.vcpu, peer_port));
                } else {
                    self.set_pending(peer, peer_port, far.vcpu);
                }
                Ok(0)
            }
            State::Ipi => {
                self.set_pending(by, port, chan.vcpu);
                Ok(0)
            }
            State::Unbound(_) => Ok(0),
            _ => Err(EINVAL),
        }
    }

    pub(crate) fn status(&self, by: u16, dom: u16, port: u32) -> Rc {
        let dom = self.look(by, dom)?;
        let chan = self.doms[&dom].chan(port)?;
        self.target_rule(by, dom)?;
        Ok(match chan.state {
            State::Free | State::Reserved => 0,
            State::Unbound(_) => 1,
            State::Interdomain(..) => 2,
            State::Virq(_) => 4,
            State::Ipi => 5,
        })
    }

    pub(crate) fn unmask(&mut self, by: u16, port: u32) -> Rc {
        let chan = self.doms[&by].chan(port)?.clone();
        if !chan.usable() {
            return Ok(0);
        }
        let image = self.image.doms.get_mut(&by).unwrap();
        if self.doms[&by].fifo.is_some() {
            if let Some(word) = image.words.get_mut(port as usize) {
                *word &= !MASKED;
                if *word & PENDING != 0 {
                    self.set_pending(by, port, chan.vcpu);
                }
            }
        } else if image.masked.remove(&port) && image.pending.contains(&port) {
            self.select(by, port, chan.vcpu);
        }
        Ok(0)
    }

    pub(crate) fn register(&mut self, by: u16, vcpu: u32) -> Rc {
        if vcpu >= self.doms[&by].vcpus {
            return Err(ENOENT);
        }
        let image = self.image.doms.get_mut(&by).unwrap();
        if image.registered.contains_key(&vcpu) {
            return Err(EBUSY);
        }
        let old = if vcpu == 0 { image.legacy } else { Info::default() };
        image.registered.insert(vcpu, Info { selector: u64::MAX, ..old });
        self.upcall(by, vcpu);
        Ok(0)
    }

    pub(crate) fn poll(&mut self, by: u16, vcpu: u32, ports: &[u32]) -> Rc {
        if vcpu >= self.doms[&by].vcpus {
            return Err(ENOENT);
        }
        if ports.len() > 128 {
            return Err(EINVAL);
        }
        for port in ports {
            if !self.doms[&by].chan(*port)?.usable() {
                return Err(EINVAL);
            }
            let image = &self.image.doms[&by];
            let pending = if self.doms[&by].fifo.is_some() {
                image.words.get(*port as usize).is_some_and(|word| word & PENDING != 0)
            } else {
                image.pending.contains(port)
            };
            if pending {
                return Ok(0);
            }
        }
        let wanted = if let [port] = ports { Some(*port) } else { None };
        self.doms.get_mut(&by).unwrap().polls.insert(vcpu, wanted);
        Ok(1)
    }

    pub(crate) fn poll_timeout(&mut self, dom: u16, vcpu: u32) {
        if self.doms.get_mut(&dom).unwrap().polls.remove(&vcpu).is_some() {
            self.wakes.push((dom, vcpu));
        }
    }

    pub(crate) fn handler(&self, virq: u32) -> u16 {
        self.handlers.get(&virq).copied().unwrap_or(0)
    }

    pub(crate) fn set_handler(&mut self, dom: u16, virq: u32) -> Rc {
        if virq >= 24 || kind(virq) != 'g' {
            return Err(EINVAL);
        }
        let present = self.handler(virq);
        if present == dom {
            return Ok(0);
        }
        if self.doms[&present].virqs.contains_key(&(virq, 0)) {
            return Err(EBUSY);
        }
        self.handlers.insert(virq, dom);
        Ok(0)
    }

    pub(crate) fn raise_virq(&mut self, dom: u16, vcpu: u32, virq: u32) {
        let (dom, slot) = match kind(virq) {
            'v' => (dom, vcpu),
            'd' => (dom, 0),
            _ => (self.handler(virq), 0),
        };
        if let Some(port) = self.doms[&dom].virqs.get(&(virq, slot)).copied() {
            let vcpu = self.doms[&dom].chans[port as usize].vcpu;
            self.set_pending(dom, port, vcpu);
        }
    }

    pub(crate) fn reset(&mut self, by: u16, id: u16) -> Rc {
        let id = self.look(by, id)?;
        self.target_rule(by, id)?;
        if id != by && self.doms[&id].pauses == 0 {
            return Err(EINVAL);
        }
        for port in 1..self.doms[&id].chans.len() as u32 {
            let _ = self.close(id, port, true);
        }
        self.leave_fifo(id);
        Ok(0)
    }

    fn leave_fifo(&mut self, id: u16) {
        self.doms.get_mut(&id).unwrap().fifo = None;
        let image = self.image.doms.get_mut(&id).unwrap();
        image.words.clear();
        image.blocks.clear();
    }

    pub(crate) fn pause(&mut self, dom: u16, on: bool) -> Rc {
        let pauses = &mut self.doms.get_mut(&dom).unwrap().pauses;
        if !on && *pauses == 0 {
            return Err(EINVAL);
        }
        *pauses = if on { *pauses + 1 } else { *pauses - 1 };
        Ok(0)
    }

    /// With a block in a page of zeroes.
    pub(crate) fn init_control(&mut self, by: u16, vcpu: u32) -> Rc {
        let dom = self.doms.get_mut(&by).unwrap();
        if vcpu >= dom.vcpus {
            return Err(ENOENT);
        }
        let image = self.image.doms.get_mut(&by).unwrap();
        if image.blocks.contains_key(&vcpu) {
            return Err(EINVAL);
        }
        image.blocks.insert(vcpu, Block::default());
        if dom.fifo.is_none() {
            dom.fifo = Some(BTreeMap::new());
            for (port, chan) in dom.chans.iter_mut().enumerate().take(4096).skip(1) {
                chan.priority = 7;
                chan.latched |= image.pending.contains(&(port as u32));
            }
        }
        Ok(17)
    }

    /// With a page of zeroes.
    pub(crate) fn expand_array(&mut self, by: u16) -> Rc {
        if self.doms[&by].fifo.is_none() {
            return Err(EOPNOTSUPP);
        }
        let words = &mut self.image.doms.get_mut(&by).unwrap().words;
        let first = words.len() as u32;
        if first == 131_072 {
            return Err(ENOSPC);
        }
        words.resize(words.len() + 1024, 0);
        for port in first..first + 1024 {
            let Some(chan) = self.doms[&by].chans.get(port as usize).cloned() else {
                break;
            };
            if chan.latched {
                self.set_pending(by, port, chan.vcpu);
            }
        }
        Ok(0)
    }

    pub(crate) fn set_priority(&mut self, by: u16, port: u32, priority: u32) -> Rc {
        let dom = self.doms.get_mut(&by).unwrap();
        dom.chan(port)?;
        if dom.fifo.is_none() {
            return Err(ENOSYS);
        }
        if !dom.chan(port)?.usable() {
            return Err(EACCES);
        }
        if priority > 15 {
            return Err(EINVAL);
        }
        dom.chans[port as usize].priority = priority;
        Ok(0)
    }

    pub(crate) fn xen_alloc(&mut self, dom: u16, vcpu: u32, remote: u16) -> Rc {
        let port = self.free_port(dom)?;
        if vcpu >= self.doms[&dom].vcpus {
            return Err(ENOENT);
        }
        self.bind(dom, port, State::Unbound(remote), vcpu, true);
        Ok(port)
    }

    pub(crate) fn xen_notify(&mut self, dom: u16, port: u32) {
        if let Ok(Chan { state: State::Interdomain(peer, peer_port), .. }) = self.doms[&dom].chan(port) {
            let (peer, peer_port) = (*peer, *peer_port);
            let far = self.doms[&peer].chans[peer_port as usize].clone();
            if !far.xen {
                self.set_pending(peer, peer_port, far.vcpu);
            }
        }
    }

    /// The whole end of a domain.
    pub(crate) fn kill(&mut self, id: u16) {
        for port in (1..self.doms[&id].chans.len() as u32).rev() {
            let _ = self.close(id, port, false);
        }
        self.handlers.retain(|_, handler| *handler != id);
        self.raise_virq(0, 0, 3);
        self.doms.remove(&id);
        self.image.doms.remove(&id);
        self.raise_virq(0, 0, 3);
    }

    fn info(&mut self, id: u16, vcpu: u32) -> &mut Info {
        let image = self.image.doms.get_mut(&id).unwrap();
        match image.registered.get_mut(&vcpu) {
            Some(info) => info,
            None if vcpu == 0 => &mut image.legacy,
            None => &mut self.image.dummy,
        }
    }

    fn upcall(&mut self, id: u16, vcpu: u32) {
        let info = self.info(id, vcpu);
        let old = info.upcall;
        info.upcall |= 1;
        if old & 1 == 0 {
            self.kicks.push((id, vcpu));
            self.poll_timeout(id, vcpu);
        }
    }

    fn select(&mut self, id: u16, port: u32, vcpu: u32) {
        let info = self.info(id, vcpu);
        let old = info.selector;
        info.selector |= 1 << (port / 64);
        if info.selector != old {
            self.upcall(id, vcpu);
        }
    }

    fn wake(&mut self, id: u16, port: u32) {
        let polls = &mut self.doms.get_mut(&id).unwrap().polls;
        let woken: Vec<u32> = polls
            .iter()
            .filter(|(_, wanted)| wanted.is_none_or(|wanted| wanted == port))
            .map(|(vcpu, _)| *vcpu)
            .collect();
        for vcpu in woken {
            polls.remove(&vcpu);
            self.wakes.push((id, vcpu));
        }
    }

    fn set_pending(&mut self, id: u16, port: u32, vcpu: u32) {
        if self.doms[&id].fifo.is_some() {
            self.set_pending_fifo(id, port, vcpu);
            return;
        }
        let image = self.image.doms.get_mut(&id).unwrap();
        if !image.pending.insert(port) {
            return;
        }
        if !image.masked.contains(&port) {
            self.select(id, port, vcpu);
        }
        self.wake(id, port);
    }

    fn set_pending_fifo(&mut self, id: u16, port: u32, vcpu: u32) {
        let image = self.image.doms.get_mut(&id).unwrap();
        let dom = self.doms.get_mut(&id).unwrap();
        let tails = dom.fifo.as_mut().unwrap();
        let chan = &mut dom.chans[port as usize];
        if port as usize >= image.words.len() {
            chan.latched = true;
            return;
        }
        let Some(block) = image.blocks.get_mut(&vcpu) else {
            return;
        };
        let word = image.words.get_mut(port as usize).unwrap();
        let was_pending = *word & PENDING != 0;
        *word |= PENDING;
        let mut first = false;
        if *word & MASKED == 0 && *word & LINKED == 0 {
            *word |= LINKED;
            let queue = (vcpu, chan.priority);
            if tails.get(&chan.last_queue) == Some(&port) {
                tails.remove(&chan.last_queue);
            }
            chan.last_queue = queue;
            let tail = tails.insert(queue, port).and_then(|tail| image.words.get_mut(tail as usize));
            match tail {
                Some(tail) if *tail & LINKED != 0 => *tail = *tail & !BUSY & !LINK | port,
                _ => {
                    block.heads[chan.priority as usize] = port;
                    first = block.ready & 1 << chan.priority == 0;
                    block.ready |= 1 << chan.priority;
                }
            }
        }
        if first {
            self.upcall(id, vcpu);
        }
        if !was_pending {
            self.wake(id, port);
        }
    }
}

impl Dom {
    fn bucket(&mut self) {
        let chan = Chan { state: State::Free, vcpu: 0, xen: false, priority: 0, latched: false, last_queue: (0, 0) };
        self.chans.extend(vec![chan; 64]);
    }

    /// -EINVAL: not valid.
    fn chan(&self, port: u32) -> Rc<&Chan> {
        self.chans.get(port as usize).ok_or(EINVAL)
    }
}
