//! What the reference model says to an operation, as a vector file has it.

use conformance::format::{Actor, BadArg, Op, Outcome};
use evtchn::Errno;
use evtchn::abi::virq;
use evtchn::model::{Chan, Config, Model, State};
use serde_json::{Value, json};

/// Rc and output.
type Told = (i64, Value);

fn rc(result: Result<(), Errno>) -> Told {
    (result.err().map_or(0, Errno::rc), json!({}))
}

/// An operation with an output; one that cannot be written is an error after the fact.
fn with(result: Result<Value, Errno>, bad: Option<BadArg>) -> Told {
    match result {
        Ok(_) if bad == Some(BadArg::Out) => (Errno::EFAULT.rc(), json!({})),
        Ok(out) => (0, out),
        Err(errno) => (errno.rc(), json!({})),
    }
}

fn port(result: Result<u32, Errno>, name: &str, bad: Option<BadArg>) -> Told {
    with(result.map(|port| json!({ name: port })), bad)
}

fn status(chan: &Chan) -> Value {
    let vcpu = chan.vcpu;
    match chan.state {
        State::Free | State::Reserved => json!({ "status": 0, "vcpu": vcpu }),
        State::Unbound(dom) => json!({ "status": 1, "vcpu": vcpu, "u": { "unbound": { "dom": dom } } }),
        State::Interdomain(dom, port) => {
            json!({ "status": 2, "vcpu": vcpu, "u": { "interdomain": { "dom": dom, "port": port } } })
        }
        State::Virq(virq) => json!({ "status": 4, "vcpu": vcpu, "u": { "virq": virq } }),
        State::Ipi => json!({ "status": 5, "vcpu": vcpu }),
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
        Op::AllocUnbound { bad_arg, .. }
        | Op::BindInterdomain { bad_arg, .. }
        | Op::BindVirq { bad_arg, .. }
        | Op::BindPirq { bad_arg, .. }
        | Op::BindIpi { bad_arg, .. }
        | Op::Close { bad_arg, .. }
        | Op::Send { bad_arg, .. }
        | Op::Status { bad_arg, .. }
        | Op::BindVcpu { bad_arg, .. }
        | Op::Unmask { bad_arg, .. }
        | Op::Reset { bad_arg, .. }
        | Op::ResetCont { bad_arg, .. }
        | Op::InitControl { bad_arg, .. }
        | Op::ExpandArray { bad_arg, .. }
        | Op::SetPriority { bad_arg, .. }
        | Op::RegisterVcpuInfo { bad_arg, .. }
        | Op::AddToPhysmap { bad_arg, .. }
        | Op::RemoveFromPhysmap { bad_arg, .. }
        | Op::Poll { bad_arg, .. } => *bad_arg,
        _ => None,
    }
}

fn hypercall(model: &mut Model, by: u16, vcpu: u32, op: &Op) -> Option<Told> {
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
        Op::AllocUnbound { dom, remote_dom, .. } => {
            port(model.alloc_unbound(by, dom as u16, remote_dom as u16), "port", bad)
        }
        Op::BindInterdomain { remote_dom, remote_port, .. } => {
            port(model.bind_interdomain(by, remote_dom as u16, remote_port as u32), "local_port", bad)
        }
        Op::BindVirq { virq, vcpu, .. } => port(model.bind_virq(by, virq as u32, vcpu as u32), "port", bad),
        Op::BindPirq { .. } => rc(Err(Errno::EOPNOTSUPP)),
        Op::BindIpi { vcpu, .. } => port(model.bind_ipi(by, vcpu as u32), "port", bad),
        Op::Close { port, .. } => rc(model.close(by, port as u32, true)),
        Op::Send { port, .. } => rc(model.send(by, port as u32)),
        Op::Status { dom, port, .. } => with(model.status(by, dom as u16, port as u32).map(|chan| status(&chan)), bad),
        Op::BindVcpu { port, vcpu, .. } => rc(model.bind_vcpu(by, port as u32, vcpu as u32)),
        Op::Unmask { port, .. } => rc(model.unmask(by, port as u32)),
        Op::Reset { dom, .. } => rc(model.reset(by, dom as u16, false)),
        Op::ResetCont { dom, .. } => rc(model.reset(by, dom as u16, true)),
        Op::InitControl { control_gfn, offset, vcpu, .. } => {
            let made = model.init_control(by, vcpu as u32, control_gfn, offset as u32);
            with(made.map(|bits| json!({ "link_bits": bits })), bad)
        }
        Op::ExpandArray { array_gfn, .. } => rc(model.expand_array(by, array_gfn)),
        Op::SetPriority { port, priority, .. } => rc(model.set_priority(by, port as u32, priority as u32)),
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
fn control(model: &mut Model, by: Option<u16>, op: &Op) -> Option<Told> {
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
            return Some(port(model.xen_alloc(by, dom, vcpu as u32, remote_dom as u16), "port", None));
        }
        Op::VirqEnabled { vcpu, virq, .. } => {
            return Some((0, json!({ "enabled": model.virq_bound(dom, vcpu as u32, virq as u32) })));
        }
        Op::StaticAllocUnbound { remote_dom, port: wanted, .. } => {
            return Some(port(model.static_alloc(dom, remote_dom as u16, wanted as u32), "port", None));
        }
        Op::StaticBindInterdomain { remote_dom, remote_port, lport, .. } => {
            let remote = remote_dom as u16;
            if !model.doms.contains_key(&remote) {
                return Some(rc(Err(Errno::ESRCH)));
            }
            return Some(port(model.static_bind(dom, remote, remote_port as u32, lport as u32), "local_port", None));
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
