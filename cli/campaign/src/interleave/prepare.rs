//! What is set up before anybody races, in the hypervisor and in the reference model alike.

use super::place::{CONTROL, domain_of, id_of, pe_of, vcpu_of};
use super::schedule::Who;
use super::script::Name;
use super::system::{NoSystem, System, positions};
use evtchn::abi::fifo::{MASKED, WORDS_PER_PAGE};
use evtchn::abi::{BitAt, control_block, shared_info, vcpu_info};
use evtchn::op::Op;
use evtchn::{AbiKind, DomId, DomIdx, Errno, EventChannels, Port, Stop, Vcpu, VirqKind, XenHandler, XenPort};
use sim_core::harness::Interfered;
use sim_core::hyp::guest_mem::Cx;
use sim_core::hyp::strategy::Builtin;
use sim_core::machine::{Cpu, Faulted};
use sim_core::outcome::Area;
use sim_core::platform::{Platform, SysReg};

/// Says that Xen refused something.
fn refused(pe: Who, what: &'static str) -> impl Fn(Errno) -> NoSystem {
    move |errno| NoSystem::Refused { pe, what, errno }
}

impl System {
    /// Binds a channel from the domain on one PE to the vCPU on another; gives the ports at either end.
    pub fn channel(&mut self, from: Who, to: Who) -> Result<(u32, u32), NoSystem> {
        let (domain, remote) = (domain_of(to), domain_of(from));
        let there = self.call(to, Op::AllocUnbound { dom: id_of(domain), remote_dom: id_of(remote) })?;
        let here = self.call(from, Op::BindInterdomain { remote_dom: id_of(domain), remote_port: there })?;
        if vcpu_of(to) != 0 {
            self.call(to, Op::BindVcpu { port: there, vcpu: vcpu_of(to) })?;
        }
        Ok((here, there))
    }

    /// As [`System::channel`], as boot code binds it.
    pub(super) fn static_channel(&mut self, from: Who, to: Who) -> Result<(u32, u32), NoSystem> {
        let (binder, listener) = (id_of(domain_of(from)), id_of(domain_of(to)));
        let there = self.model.alloc_unbound(listener, listener, binder).map_err(refused(to, "alloc_unbound"))?;
        let here = self.model.bind_interdomain(binder, listener, there).map_err(refused(from, "bind_interdomain"))?;
        self.as_xen(from, "a static channel", |channels, host, index| {
            let (binding, listening) = (index(domain_of(from))?, index(domain_of(to))?);
            channels.static_alloc_unbound(host, listening, DomId(binder), Some(Port(there)))?;
            let at = Some(Port(here));
            channels.static_bind_interdomain(host, binding, listening, Port(there), at).map(drop)
        })?;
        if vcpu_of(to) != 0 {
            self.call(to, Op::BindVcpu { port: there, vcpu: vcpu_of(to) })?;
        }
        Ok((here, there))
    }

    /// Xen's own port in the domain on a PE, which tells its vCPU's waiters, for the domain at `remote`.
    pub(super) fn xen_port(&mut self, pe: Who, remote: usize) -> Result<u32, NoSystem> {
        let (id, vcpu, remote) = (id_of(domain_of(pe)), vcpu_of(pe), id_of(remote));
        let port = self.model.xen_alloc(None, id, vcpu, remote).map_err(refused(pe, "Xen's own port"))?;
        self.as_xen(pe, "Xen's own port", |channels, host, index| {
            let dom = index(domain_of(pe))?;
            let (vcpu, remote_dom, handler) = (Vcpu(vcpu), DomId(remote), XenHandler::DEFAULT);
            channels.xen_alloc_unbound(host, None, XenPort { dom, vcpu, remote_dom, handler }).map(drop)
        })?;
        Ok(port)
    }

    /// Makes the domain on a PE the handler of a VIRQ, if that is global.
    pub(super) fn handle_virq(&mut self, pe: Who, virq: u32) -> Result<(), NoSystem> {
        if VirqKind::of(virq) != Some(VirqKind::Global) {
            return Ok(());
        }
        let what = "set_virq_handler";
        self.model.set_handler(id_of(domain_of(pe)), virq).map_err(refused(pe, what))?;
        self.as_xen(pe, what, |channels, _, index| Ok(channels.set_virq_handler(index(domain_of(pe))?, virq)?))
    }

    /// Opens a port of this number for the domain at `remote`, as boot code does.
    pub(super) fn port_at_number(&mut self, pe: Who, number: u32, remote: usize) -> Result<(), NoSystem> {
        let (id, remote) = (id_of(domain_of(pe)), id_of(remote));
        let mut below = Vec::new();
        loop {
            match self.model.alloc_unbound(id, id, remote).map_err(refused(pe, "a port"))? {
                port if port == number => break,
                port => below.push(port),
            }
        }
        for port in below {
            self.model.close(id, port, true).map_err(refused(pe, "a port"))?;
        }
        self.as_xen(pe, "a port", |channels, host, index| {
            let dom = index(domain_of(pe))?;
            channels.static_alloc_unbound(host, dom, DomId(remote), Some(Port(number))).map(drop)
        })
    }

    /// Pauses the domain at `position` as a toolstack does.
    pub(super) fn pause(&mut self, position: usize) -> Result<(), NoSystem> {
        let refused = refused(CONTROL, "pause");
        self.model.pause(id_of(position), true).map_err(&refused)?;
        let dom = self.harness.hyp.index(position).ok_or(NoSystem::Lacks("a domain"))?;
        let mut cpu = Cpu { machine: &mut self.harness.machine, pe: pe_of(CONTROL) };
        self.harness.hyp.pause(&mut cpu, dom).map_err(&refused)?;
        Ok(self.take_kicks()?)
    }

    /// Does something with Xen's own rights on a PE.
    fn as_xen(
        &mut self,
        pe: Who,
        what: &'static str,
        work: impl FnOnce(
            &mut EventChannels<Area>,
            &mut Cx<'_, Interfered<'_, ()>, Builtin>,
            &dyn Fn(usize) -> Result<DomIdx, Errno>,
        ) -> Result<(), Stop<Faulted>>,
    ) -> Result<(), NoSystem> {
        let indices: Vec<Option<DomIdx>> = positions().map(|position| self.harness.hyp.index(position)).collect();
        let index = |position: usize| indices.get(position).copied().flatten().ok_or(Errno::ESRCH);
        match self.harness.on_its_own(&mut (), pe_of(pe), |channels, mut host| work(channels, &mut host, &index))? {
            Ok(()) => Ok(self.take_kicks()?),
            Err(errno) => Err(refused(pe, what)(errno)),
        }
    }

    /// Makes the vCPU on a PE forget all events so far, as if it had handled them: what binding and registering raised.
    pub fn quiet(&mut self, pe: Who) -> Result<(), NoSystem> {
        let dom = self.harness.hyp.index(domain_of(pe)).ok_or(NoSystem::Lacks("a domain"))?;
        let channels = &self.harness.hyp.channels;
        let info = channels.vcpu_info(dom, Vcpu(vcpu_of(pe))).ok_or(NoSystem::Lacks("a vcpu_info"))?.area().address;
        let selector = info + u64::from(vcpu_info::PENDING_SEL);
        // In either ABI, what says that a port is pending, and what leads to it.
        let mut clear: Vec<(u64, u32)> = [(info, u32::MAX), (selector, u32::MAX), (selector + 4, u32::MAX)].into();
        let pages = channels.event_pages(dom);
        for port in channels.channels(dom).map(|used| used.port.0) {
            let page = pages.get((port / WORDS_PER_PAGE) as usize);
            clear.extend(page.map(|page| (page.address + u64::from(port % WORDS_PER_PAGE * 4), !MASKED)));
            let area = channels.shared_info(dom).filter(|_| channels.abi_kind(dom) == Some(AbiKind::TwoLevel));
            let bit = BitAt::of(port);
            clear.extend(area.map(|area| (area.address + u64::from(shared_info::PENDING + bit.word), bit.mask)));
        }
        let block = channels.control_block(dom, Vcpu(vcpu_of(pe)));
        clear.extend(block.map(|block| (block.address + u64::from(control_block::READY), u32::MAX)));
        for (address, bits) in clear {
            let old = self.harness.machine.look_at(address, 4) as u32;
            self.poke(address, old & !bits);
        }
        Ok(Cpu { machine: &mut self.harness.machine, pe: pe_of(pe) }.write(SysReg::IchLr0, 0)?)
    }

    /// Remembers two ends of something under a name: the PE and the port of each.
    pub(super) fn named(&mut self, name: &str, one: (Who, u32), other: (Who, u32)) {
        for (pe, port) in [one, other] {
            self.names.insert((name.into(), domain_of(pe)), port);
        }
    }

    /// The number of a port of the domain on a PE.
    pub(super) fn number(&self, pe: Who, name: &Name) -> Result<u32, NoSystem> {
        match name {
            Name::Number(port) => Ok(*port),
            Name::Of(name) => {
                let found = self.names.get(&(name.clone(), domain_of(pe))).copied();
                found.ok_or_else(|| NoSystem::NoPort { pe, name: name.clone() })
            }
        }
    }

    /// Whether the domain at `position` is on FIFO.
    pub(super) fn is_fifo(&self, position: usize) -> bool {
        let dom = self.harness.hyp.index(position);
        dom.and_then(|dom| self.harness.hyp.channels.abi_kind(dom)) == Some(AbiKind::Fifo)
    }
}
