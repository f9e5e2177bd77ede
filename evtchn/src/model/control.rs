//! Operations that hand memory over or take it back, VIRQs, and the end of domains.

use alloc::collections::BTreeMap;

use super::{Model, Rc, kind};
use crate::Errno::{EACCES, EAGAIN, EBUSY, EINVAL, ENOENT, ENOSPC, ENOSYS, ENXIO, EOPNOTSUPP, ERESTART};

impl Model {
    /// `VCPUOP_register_vcpu_info`.
    pub fn register(&mut self, by: u16, vcpu: u32, mfn: u64, offset: u32) -> Rc<()> {
        let dom = &self.doms[&by];
        if vcpu >= dom.config.vcpus {
            return Err(ENOENT);
        }
        let addr = mfn.wrapping_mul(4096).wrapping_add(u64::from(offset));
        if addr == u64::MAX || addr / 4096 != mfn {
            return Err(EINVAL);
        }
        if dom.infos.contains_key(&vcpu) {
            return Err(EBUSY);
        }
        if offset > 4048 || !offset.is_multiple_of(8) {
            return Err(ENXIO);
        }
        dom.accepts(addr, 48)?;
        let old = self.info(by, vcpu);
        for at in (0..48).step_by(4) {
            let word = if vcpu == 0 { self.memory.word(old + at) } else { 0 };
            self.memory.set(addr + at, word);
        }
        self.doms.get_mut(&by).unwrap().infos.insert(vcpu, addr);
        self.memory.set(addr + 8, u32::MAX);
        self.memory.set(addr + 12, u32::MAX);
        self.upcall(by, vcpu);
        Ok(())
    }

    /// `shared_info` moves to a page of the domain's, with what it holds.
    pub fn place_shared_info(&mut self, id: u16, address: u64) {
        let old = core::mem::replace(&mut self.doms.get_mut(&id).unwrap().config.shared_info, address);
        for offset in (0..1088).step_by(4) {
            let word = self.memory.word(old + offset);
            self.memory.set(address + offset, word);
        }
    }

    /// `XENMEM_add_to_physmap`: the domain says where its `shared_info` is to be.
    pub fn add_to_physmap(&mut self, by: u16, id: u16, space: u32, idx: u64, gpfn: u64) -> Rc<()> {
        if space == 4 {
            return Err(ENOSYS);
        }
        let id = self.look(by, id)?;
        self.target_rule(by, id)?;
        if gpfn == u64::MAX || space != 0 || idx != 0 {
            return Err(EINVAL);
        }
        let dom = &self.doms[&id];
        if dom.placed {
            return Err(EBUSY);
        }
        let addr = gpfn.checked_mul(4096).ok_or(EINVAL)?;
        dom.accepts(addr, 4096)?;
        self.place_shared_info(id, addr);
        self.doms.get_mut(&id).unwrap().placed = true;
        Ok(())
    }

    /// `XENMEM_remove_from_physmap`: `shared_info` goes back to where it was; all else stays.
    pub fn remove_from_physmap(&mut self, by: u16, id: u16, gpfn: u64) -> Rc<()> {
        let id = self.look(by, id)?;
        self.target_rule(by, id)?;
        let addr = gpfn.checked_mul(4096).ok_or(EINVAL)?;
        let dom = &self.doms[&id];
        let here = dom.placed && dom.config.shared_info == addr;
        if let Some(home) = dom.home.filter(|_| here) {
            self.place_shared_info(id, home);
            self.doms.get_mut(&id).unwrap().placed = false;
            return Ok(());
        }
        let its = here || dom.ram.iter().any(|(first, last)| (first..=last).contains(&&addr));
        Err(if its { EOPNOTSUPP } else { EINVAL })
    }

    /// `EVTCHNOP_init_control`: the bits of a link.
    pub fn init_control(&mut self, by: u16, vcpu: u32, gfn: u64, offset: u32) -> Rc {
        let dom = self.doms.get_mut(&by).unwrap();
        if vcpu >= dom.config.vcpus {
            return Err(ENOENT);
        }
        if offset > 4096 - 72 || !offset.is_multiple_of(8) || dom.blocks.contains_key(&vcpu) {
            return Err(EINVAL);
        }
        let addr = gfn.checked_mul(4096).ok_or(EINVAL)? + u64::from(offset);
        dom.accepts(addr, 72)?;
        dom.blocks.insert(vcpu, addr);
        if dom.fifo.is_none() {
            dom.fifo = Some(BTreeMap::new());
            for (port, chan) in (0u32..4096).zip(&mut dom.chans).skip(1) {
                let word = dom.config.shared_info + 48 + u64::from(port / 32 * 4);
                chan.priority = 7;
                chan.latched |= self.memory.word(word) & 1 << (port % 32) != 0;
            }
        }
        Ok(17)
    }

    /// `EVTCHNOP_expand_array`.
    pub fn expand_array(&mut self, by: u16, gfn: u64) -> Rc<()> {
        let dom = self.doms.get_mut(&by).unwrap();
        if dom.fifo.is_none() {
            return Err(EOPNOTSUPP);
        }
        if dom.pages.len() == 128 {
            return Err(ENOSPC);
        }
        let addr = gfn.checked_mul(4096).ok_or(EINVAL)?;
        dom.accepts(addr, 4096)?;
        let first = dom.pages.len() as u32 * 1024;
        dom.pages.push(addr);
        for port in first..first + 1024 {
            let Some(chan) = self.doms[&by].chans.get(port as usize).cloned() else {
                break;
            };
            if chan.latched {
                self.set_pending(by, port, chan.vcpu);
            }
        }
        Ok(())
    }

    /// `EVTCHNOP_set_priority`.
    pub fn set_priority(&mut self, by: u16, port: u32, priority: u32) -> Rc<()> {
        let dom = self.doms.get_mut(&by).unwrap();
        let usable = dom.chan(port)?.usable();
        if dom.fifo.is_none() {
            return Err(ENOSYS);
        }
        if !usable {
            return Err(EACCES);
        }
        if priority > 15 {
            return Err(EINVAL);
        }
        dom.chans[port as usize].priority = priority;
        Ok(())
    }

    /// The domain that handles a global VIRQ.
    #[must_use]
    pub fn handler(&self, virq: u32) -> Option<u16> {
        let hardware = self.hardware.filter(|id| self.doms.contains_key(id));
        self.handlers.get(&virq).copied().or(hardware)
    }

    /// `XEN_DOMCTL_set_virq_handler`.
    pub fn set_handler(&mut self, dom: u16, virq: u32) -> Rc<()> {
        if virq >= 24 || kind(virq) != 'g' {
            return Err(EINVAL);
        }
        if self.handlers.get(&virq) == Some(&dom) {
            return Ok(());
        }
        if self.doms[&dom].dying {
            return Err(EINVAL);
        }
        let present = self.handler(virq);
        if present == Some(dom) {
            return Ok(());
        }
        if present.is_some_and(|present| self.doms[&present].virqs.contains_key(&(virq, 0))) {
            return Err(EBUSY);
        }
        self.handlers.insert(virq, dom);
        Ok(())
    }

    /// Whether a VIRQ has a port, seen from a vcpu: one that is not per vcpu is seen from each.
    #[must_use]
    pub fn virq_bound(&self, dom: u16, vcpu: u32, virq: u32) -> bool {
        let slot = if kind(virq) == 'v' { vcpu } else { 0 };
        self.doms.get(&dom).is_some_and(|dom| vcpu < dom.config.vcpus && dom.virqs.contains_key(&(virq, slot)))
    }

    /// A VIRQ, for a vcpu of a domain if it is per vcpu, for a domain if it is a domain's.
    pub fn raise_virq(&mut self, dom: u16, vcpu: u32, virq: u32) {
        let (dom, slot) = match kind(virq) {
            'v' => (Some(dom), vcpu),
            'd' => (Some(dom), 0),
            _ => (self.handler(virq), 0),
        };
        let bound = dom.and_then(|dom| Some((dom, *self.doms.get(&dom)?.virqs.get(&(virq, slot))?)));
        if let Some((dom, port)) = bound {
            let vcpu = self.doms[&dom].chans[port as usize].vcpu;
            self.set_pending(dom, port, vcpu);
        }
    }

    /// `EVTCHNOP_reset`, or with `go_on` `EVTCHNOP_reset_cont`. -ERESTART: it was preempted, and goes on by the latter.
    pub fn reset(&mut self, by: u16, id: u16, go_on: bool) -> Rc<()> {
        let id = self.look(by, id)?;
        self.target_rule(by, id)?;
        if id != by && self.doms[&id].pauses == 0 {
            return Err(EINVAL);
        }
        let from = self.doms[&id].next_reset;
        if go_on != (from != 0) {
            return Err(EBUSY);
        }
        let mut port = from.max(1);
        let mut left = self.doms[&id].chans.iter().filter(|chan| chan.usable()).count();
        while left > 0 && (port as usize) < self.doms[&id].chans.len() {
            left -= usize::from(self.close(id, port, true).is_ok());
            if port.is_multiple_of(64) && self.preempted() {
                self.doms.get_mut(&id).unwrap().next_reset = port;
                return Err(ERESTART);
            }
            port += 1;
        }
        let dom = self.doms.get_mut(&id).unwrap();
        dom.next_reset = 0;
        // Those that came behind its back.
        if left > 0 {
            return Err(EAGAIN);
        }
        dom.fifo = None;
        dom.pages.clear();
        dom.blocks.clear();
        Ok(())
    }

    /// The control domain pauses a domain, or takes that back.
    pub fn pause(&mut self, dom: u16, on: bool) -> Rc<()> {
        let pauses = &mut self.doms.get_mut(&dom).unwrap().pauses;
        if !on && *pauses == 0 {
            return Err(EINVAL);
        }
        *pauses = if on { *pauses + 1 } else { *pauses - 1 };
        Ok(())
    }

    /// The end of a domain begins: it gets no more ports.
    pub fn begin_kill(&mut self, id: u16) {
        self.doms.get_mut(&id).unwrap().dying = true;
    }

    /// The whole end of a domain, whatever stops it on the way.
    pub fn kill(&mut self, id: u16) {
        while self.go_on_killing(id).is_err() {}
    }

    /// The end of a domain as far as it goes. -ERESTART: it was preempted, and the ports above are no more; again.
    pub fn go_on_killing(&mut self, id: u16) -> Rc<()> {
        let dom = self.doms.get_mut(&id).unwrap();
        (dom.dying, dom.ending) = (true, true);
        for port in (1..dom.chans.len() as u32).rev() {
            let _ = self.close(id, port, false);
            if port.is_multiple_of(64) && self.preempted() {
                self.doms.get_mut(&id).unwrap().chans.truncate(port as usize);
                return Err(ERESTART);
            }
        }
        self.handlers.retain(|_, handler| *handler != id);
        self.raise_virq(0, 0, 3);
        self.doms.remove(&id);
        for other in self.doms.values_mut() {
            if other.config.target == Some(id) {
                other.config.target = None;
            }
        }
        self.raise_virq(0, 0, 3);
        Ok(())
    }
}
