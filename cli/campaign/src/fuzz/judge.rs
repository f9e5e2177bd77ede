//! What the reference model says to an operation, as a vector file has it.

use conformance::event;
use conformance::format::{Actor, BadArg, Op, Outcome};
use evtchn::Errno;
use evtchn::abi::virq;
use evtchn::model::{Config, Model};
use evtchn::op::Output;
use serde_json::{Value, json};

/// Rc and output.
type ResultAndOutput = (i64, Value);

fn rc(result: Result<(), Errno>) -> ResultAndOutput {
    (result.err().map_or(0, Errno::rc), json!({}))
}

/// A port that was made, under this name.
fn port(result: Result<u32, Errno>, name: &str) -> ResultAndOutput {
    match result {
        Ok(port) => (0, json!({ name: port })),
        Err(errno) => (errno.rc(), json!({})),
    }
}

/// The model's outcome of an operation; `None`: what guests do on their own, and the making of domains, the model does not
/// decide.
pub(super) fn judge(model: &mut Model, actor: Actor, op: &Op) -> Option<Outcome> {
    model.signs = evtchn::model::Signs::default();
    let (rc, out) = match actor {
        Actor::Guest { domain, .. } if matches!(op, Op::XenAllocUnbound { .. }) => control(model, Some(domain), op)?,
        Actor::Guest { domain, vcpu } => hypercall(model, domain, vcpu, op)?,
        Actor::Hypervisor => control(model, None, op)?,
    };
    let seen =
        |(id, vcpu): &(u16, u32)| model.doms.get(id).is_some_and(|dom| *vcpu == 0 || dom.infos.contains_key(vcpu));
    let injected = model.signs.kicks.iter().copied().filter(seen).collect();
    Some(Outcome { rc, out, injected, woken: model.signs.wakes.clone() })
}

fn bad_of(op: &Op) -> Option<BadArg> {
    match op {
        Op::Event { bad_arg, .. }
        | Op::RegisterVcpuInfo { bad_arg, .. }
        | Op::AddToPhysmap { bad_arg, .. }
        | Op::RemoveFromPhysmap { bad_arg, .. }
        | Op::Poll { bad_arg, .. } => *bad_arg,
        _ => None,
    }
}

fn hypercall(model: &mut Model, by: u16, vcpu: u32, op: &Op) -> Option<ResultAndOutput> {
    let bad = bad_of(op);
    if bad == Some(BadArg::In) {
        // All else is looked at after the block, but for the vCPU of a `vcpu_op`.
        let errno = match *op {
            Op::RegisterVcpuInfo { vcpuid, .. } if no_vcpu(model, by, vcpuid) => Errno::ENOENT,
            _ => Errno::EFAULT,
        };
        return Some((errno.rc(), json!({})));
    }
    Some(match *op {
        Op::Event { ref op, .. } => match model.event_channel_op(by, op) {
            // An output that cannot be written is an error after the fact.
            Ok(output) if output != Output::Nothing && bad == Some(BadArg::Out) => (Errno::EFAULT.rc(), json!({})),
            Ok(output) => (0, event::output(op, output)),
            Err(errno) => (errno.rc(), json!({})),
        },
        Op::RawOp { .. } | Op::CompatOp { .. } => rc(Err(Errno::ENOSYS)),
        Op::RegisterVcpuInfo { vcpuid, mfn, offset, .. } => rc(model.register(by, vcpuid as u32, mfn, offset as u32)),
        Op::AddToPhysmap { dom, space, idx, gpfn, .. } => {
            rc(model.add_to_physmap(by, dom as u16, space as u32, idx, gpfn))
        }
        Op::RemoveFromPhysmap { dom, gpfn, .. } => rc(model.remove_from_physmap(by, dom as u16, gpfn)),
        Op::GfFlipWord { port, times } => match model.doms.get(&by)?.word(port as u32) {
            None => (0, json!({ "word": null })),
            Some(word) => {
                model.flip_word(word, times);
                (0, json!({}))
            }
        },
        Op::VcpuOp { vcpuid, .. } => rc(Err(if no_vcpu(model, by, vcpuid) { Errno::ENOENT } else { Errno::EINVAL })),
        Op::Poll { ref ports, nr_ports, .. } => {
            let ports: Vec<u32> = ports.iter().map(|port| *port as u32).collect();
            let polled = if nr_ports > 128 { Err(Errno::EINVAL) } else { model.poll(by, vcpu, &ports) };
            (polled.err().map_or(0, Errno::rc), json!({ "blocked": polled.unwrap_or(false) }))
        }
        _ => return None,
    })
}

fn no_vcpu(model: &Model, by: u16, vcpu: u64) -> bool {
    model.doms.get(&by).is_none_or(|dom| vcpu as u32 >= dom.config.vcpus)
}

/// What hypervisor and control domain do; `by`: the domain on whose behalf.
fn control(model: &mut Model, by: Option<u16>, op: &Op) -> Option<ResultAndOutput> {
    let mut done = Ok(());
    match *op {
        Op::Preempt { n } => {
            model.preempt_at(n);
            return Some(rc(Ok(())));
        }
        Op::DomExcHandler {} => {
            return Some((0, json!({ "dom": model.handler(virq::DOM_EXC).map_or(-1, i32::from) })));
        }
        _ => {}
    }
    let (Op::RaiseVirq { dom, .. }
    | Op::SetVirqHandler { dom, .. }
    | Op::Pause { dom }
    | Op::Unpause { dom }
    | Op::PollTimeout { dom, .. }
    | Op::DomainKill { dom, .. }
    | Op::XenAllocUnbound { dom, .. }
    | Op::XenFree { dom, .. }
    | Op::XenNotify { dom, .. }
    | Op::VirqEnabled { dom, .. }
    | Op::StaticAllocUnbound { dom, .. }
    | Op::StaticBindInterdomain { dom, .. }) = *op
    else {
        return None;
    };
    let dom = dom as u16;
    if let Op::RaiseVirq { kind: conformance::format::VirqFor::Global, virq, .. } = *op {
        model.raise_virq(dom, 0, virq as u32);
        return Some(rc(Ok(())));
    }
    if !model.doms.contains_key(&dom) {
        return Some(rc(Err(Errno::ESRCH)));
    }
    match *op {
        Op::RaiseVirq { virq, vcpu, .. } => model.raise_virq(dom, vcpu as u32, virq as u32),
        Op::SetVirqHandler { virq, .. } => done = model.set_handler(dom, virq as u32),
        Op::Pause { .. } => done = model.pause(dom, true),
        Op::Unpause { .. } => done = model.pause(dom, false),
        Op::PollTimeout { vcpu, .. } => model.poll_timeout(dom, vcpu as u32),
        Op::DomainKill { stage: Some(_), .. } => model.begin_kill(dom),
        Op::DomainKill { stage: None, .. } => done = model.go_on_killing(dom),
        Op::XenAllocUnbound { vcpu, remote_dom, .. } => {
            return Some(port(model.xen_alloc(by, dom, vcpu as u32, remote_dom as u16), "port"));
        }
        Op::VirqEnabled { vcpu, virq, .. } => {
            return Some((0, json!({ "enabled": model.virq_bound(dom, vcpu as u32, virq as u32) })));
        }
        Op::StaticAllocUnbound { remote_dom, port: wanted, .. } => {
            return Some(port(model.static_alloc(dom, remote_dom as u16, wanted as u32), "port"));
        }
        Op::StaticBindInterdomain { remote_dom, remote_port, lport, .. } => {
            let remote = remote_dom as u16;
            if !model.doms.contains_key(&remote) {
                return Some(rc(Err(Errno::ESRCH)));
            }
            return Some(port(model.static_bind(dom, remote, remote_port as u32, lport as u32), "local_port"));
        }
        // Ports that are no one's are left alone.
        Op::XenFree { port, .. } => {
            let _: Result<(), Errno> = model.close(dom, port as u32, false);
        }
        Op::XenNotify { port, .. } => model.xen_notify(dom, port as u32),
        _ => return None,
    }
    Some(rc(done))
}

/// What a domain is to the model.
pub(super) fn config(domain: &conformance::format::DomainHeader, shared_info: u64, accepts: Vec<(u64, u64)>) -> Config {
    Config {
        vcpus: domain.vcpus as u32,
        privileged: domain.privileged,
        max_port: domain.max_evtchn_port,
        target: domain.target,
        shared_info,
        accepts,
    }
}
