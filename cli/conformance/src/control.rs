//! What the hypervisor, boot code and the control domain do: straight to the event channels' own functions.

use super::format::{Actor, Op, Stage, VirqFor};
use super::live::{LiveSystem, StepError};
use evtchn::abi::virq;
use evtchn::{DomId, DomIdx, Errno, Port, Stop, Vcpu, XenHandler, XenPort};
use serde_json::{Value, json};

/// As a step gives it: the result and the output.
type ResultAndOutput = (i64, Value);

/// 0 and what came, or the errno and nothing.
fn told<T>(result: Result<T, Errno>, out: impl FnOnce(T) -> Value) -> ResultAndOutput {
    match result {
        Ok(value) => (0, out(value)),
        Err(errno) => (errno.rc(), json!({})),
    }
}

fn done(result: Result<(), Errno>) -> ResultAndOutput {
    told(result, |()| json!({}))
}

/// A port number that may be left to the hypervisor.
fn chosen(port: u64) -> Option<Port> {
    (port != 0).then_some(Port(port as u32))
}

impl LiveSystem {
    /// A step of the hypervisor or the control domain; `None` if the operation is not one.
    pub(super) fn control_step(&mut self, actor: Actor, op: &Op) -> Result<Option<ResultAndOutput>, StepError> {
        let channels = &mut self.harness.hyp.channels;
        let lookup =
            |dom: u64, channels: &evtchn::EventChannels<_>| channels.lookup(DomId(dom as u16)).ok_or(Errno::ESRCH);
        Ok(Some(match *op {
            Op::RaiseVirq { kind, virq, dom, vcpu } => self.raise_virq(kind, virq as u32, dom, Vcpu(vcpu as u32))?,
            Op::SetVirqHandler { dom, virq } => {
                done(lookup(dom, channels).and_then(|dom| channels.set_virq_handler(dom, virq as u32)))
            }
            Op::VirqEnabled { dom, vcpu, virq } => {
                let bound = |dom| channels.virq_bound(dom, Vcpu(vcpu as u32), virq as u32).is_some();
                told(lookup(dom, channels), |dom| json!({ "enabled": bound(dom) }))
            }
            Op::DomExcHandler {} => {
                let handler = channels.virq_handler(virq::DOM_EXC).and_then(|dom| channels.id_of(dom));
                (0, json!({ "dom": handler.map_or(-1, |id| i32::from(id.0)) }))
            }
            Op::Pause { dom } => {
                let dom = self.lookup(dom);
                let (mut pe, hyp) = self.el2();
                done(dom.and_then(|dom| hyp.pause(&mut pe, dom)))
            }
            Op::Unpause { dom } => {
                let dom = self.lookup(dom);
                let (mut pe, hyp) = self.el2();
                done(dom.and_then(|dom| hyp.unpause(&mut pe, dom)))
            }
            Op::PollTimeout { dom, vcpu } => {
                let dom = self.lookup(dom);
                done(self.on_its_own(|channels, mut host| {
                    channels.poll_timeout(&mut host, dom?, Vcpu(vcpu as u32));
                    Ok(())
                })?)
            }
            Op::Preempt { n } => {
                self.forced.checks = n;
                done(Ok(()))
            }
            Op::DomainKill { dom, stage: Some(Stage::Begin) } => {
                done(lookup(dom, channels).and_then(|dom| channels.begin_kill(dom)))
            }
            Op::DomainKill { dom, stage: None } => done(self.kill(dom)?),
            Op::DomainCreate { .. } => done(self.create(op)?),
            Op::KeyE {} => done(Ok(())),
            _ => return self.port_step(actor, op),
        }))
    }

    fn raise_virq(&mut self, kind: VirqFor, virq: u32, dom: u64, vcpu: Vcpu) -> Result<ResultAndOutput, StepError> {
        let dom = self.lookup(dom);
        Ok(done(self.on_its_own(|channels, mut host| {
            match kind {
                VirqFor::Vcpu => channels.raise_virq_vcpu(&mut host, dom?, vcpu, virq),
                VirqFor::Domain => channels.raise_virq_domain(&mut host, dom?, virq),
                VirqFor::Global => channels.raise_virq_global(&mut host, virq),
            }
            .map_err(Stop::Fault)
        })?))
    }

    /// Ports that Xen or boot code makes.
    fn port_step(&mut self, actor: Actor, op: &Op) -> Result<Option<ResultAndOutput>, StepError> {
        Ok(Some(match *op {
            Op::XenAllocUnbound { dom, vcpu, remote_dom, handler } => {
                let dom = self.lookup(dom);
                self.xen_alloc_unbound(actor, dom, Vcpu(vcpu as u32), DomId(remote_dom as u16), handler)?
            }
            Op::XenFree { dom, port } => {
                let (dom, port) = (self.lookup(dom), Port(port as u32));
                done(
                    self.on_its_own(|channels, mut host| {
                        channels.xen_free(&mut host, dom?, port).map_err(Stop::Fault)
                    })?,
                )
            }
            Op::XenNotify { dom, port } => {
                let (dom, port) = (self.lookup(dom), Port(port as u32));
                done(
                    self.on_its_own(|channels, mut host| {
                        channels.xen_notify(&mut host, dom?, port).map_err(Stop::Fault)
                    })?,
                )
            }
            Op::StaticAllocUnbound { dom, remote_dom, port } => {
                let (dom, remote) = (self.lookup(dom), DomId(remote_dom as u16));
                let made = self.on_its_own(|channels, mut host| {
                    channels.static_alloc_unbound(&mut host, dom?, remote, chosen(port))
                })?;
                told(made, |port| json!({ "port": port.0 }))
            }
            Op::StaticBindInterdomain { dom, remote_dom, remote_port, lport } => {
                let (dom, remote) = (self.lookup(dom), self.lookup(remote_dom));
                let made = self.on_its_own(|channels, mut host| {
                    let far = Port(remote_port as u32);
                    channels.static_bind_interdomain(&mut host, dom?, remote?, far, chosen(lport))
                })?;
                told(made, |port| json!({ "local_port": port.0 }))
            }
            _ => return Ok(None),
        }))
    }

    fn xen_alloc_unbound(
        &mut self,
        actor: Actor,
        dom: Result<DomIdx, Errno>,
        vcpu: Vcpu,
        remote_dom: DomId,
        handler: u64,
    ) -> Result<ResultAndOutput, StepError> {
        let Some(handler) = u8::try_from(handler).ok().and_then(XenHandler::new) else {
            return Err(StepError::Step(format!("there is no handler {handler}")));
        };
        let on_behalf = match actor {
            Actor::Guest { .. } => Some(self.caller()?.dom),
            Actor::Hypervisor => None,
        };
        let made = self.on_its_own(|channels, mut host| {
            let wanted = XenPort { dom: dom?, vcpu, remote_dom, handler };
            channels.xen_alloc_unbound(&mut host, on_behalf, wanted)
        })?;
        Ok(told(made, |port| json!({ "port": port.0 })))
    }
}
