//! Hypercalls: the argument block as the guest writes it, the trap, and what comes back in the block.

use super::event;
use super::format::{BadArg, Op};
use super::rig::{Rig, Trouble};
use super::system::PORT_LIST;
use evtchn::abi::hypercall as nr;
use evtchn::op::{Block, Op as EventOp};
use evtchn::{Errno, abi};
use serde_json::{Value, json};
use sim_core::convention;
use sim_core::convention::{XENMEM_ADD_TO_PHYSMAP, XENMEM_REMOVE_FROM_PHYSMAP, sched_cmd};
use sim_core::hyp::domain::RunState;
use sim_core::layout::PAGE_SIZE;
use sim_core::platform::Width;

/// What stands in output fields before the call: no result looks like this.
const UNWRITTEN: u32 = 0xa5a5_5a5a;
/// A pointer to memory that nobody owns.
const NOWHERE: u64 = 0xf_ffff_ffff_f000;

/// Which registers hold what.
#[derive(Clone, Copy)]
enum Form {
    /// `event_channel_op(cmd, ptr)`.
    Event(u32),
    /// `vcpu_op(cmd, vcpuid, ptr)`.
    Vcpu(u32, u32),
    /// `memory_op(cmd, ptr)`.
    Memory(u32),
    /// `event_channel_op_compat(ptr)`.
    Compat,
}

struct Call {
    form: Form,
    block: Block,
    /// Words of the block.
    len: usize,
    bad: Option<BadArg>,
    /// The operation whose outputs come back in the block, if it has any.
    event: Option<EventOp>,
}

impl Call {
    fn new<const N: usize>(form: Form, words: [u32; N], bad: Option<BadArg>) -> Self {
        let mut block = Block::default();
        for (to, from) in block.0.iter_mut().zip(words) {
            *to = from;
        }
        Self { form, block, len: N, bad, event: None }
    }
}

fn low(value: u64) -> u32 {
    value as u32
}

fn high(value: u64) -> u32 {
    (value >> 32) as u32
}

/// A 16-bit field alone in its word.
fn short(value: u64) -> u32 {
    u32::from(value as u16)
}

/// The hypercall that an operation is, if it is one.
fn call_of(op: &Op) -> Option<Call> {
    Some(match *op {
        Op::Event { op, bad_arg } => {
            let shape = op.shape();
            let block = op.emit(shape.unwritten(UNWRITTEN));
            Call { form: Form::Event(op.command()), block, len: shape.words(), bad: bad_arg, event: Some(op) }
        }
        Op::RawOp { cmd } => Call::new(Form::Event(low(cmd)), [UNWRITTEN; 6], None),
        Op::CompatOp { cmd } => Call::new(Form::Compat, [low(cmd)], None),
        Op::RegisterVcpuInfo { vcpuid, mfn, offset, bad_arg } => {
            let form = Form::Vcpu(abi::VCPUOP_REGISTER_VCPU_INFO, low(vcpuid));
            Call::new(form, [low(mfn), high(mfn), low(offset), 0], bad_arg)
        }
        Op::AddToPhysmap { dom, space, idx, gpfn, bad_arg } => {
            let block = [short(dom), low(space), low(idx), high(idx), low(gpfn), high(gpfn)];
            Call::new(Form::Memory(XENMEM_ADD_TO_PHYSMAP), block, bad_arg)
        }
        Op::RemoveFromPhysmap { dom, gpfn, bad_arg } => {
            Call::new(Form::Memory(XENMEM_REMOVE_FROM_PHYSMAP), [short(dom), 0, low(gpfn), high(gpfn)], bad_arg)
        }
        Op::VcpuOp { cmd, vcpuid } => Call::new(Form::Vcpu(low(cmd), low(vcpuid)), [0; 4], None),
        _ => return None,
    })
}

impl Rig {
    /// A guest's hypercall; `None` if the operation is not one.
    pub(super) fn call_step(&mut self, caller: (u16, u32), op: &Op) -> Option<Result<(i64, Value), Trouble>> {
        if let Op::Poll { ports, nr_ports, timeout, bad_arg } = op {
            return Some(self.poll(caller, ports, *nr_ports, *timeout, *bad_arg));
        }
        let call = call_of(op)?;
        Some(self.call(caller, &call).map(|(rc, out)| {
            // Where only the answer could not be written, the call is done.
            if rc == 0 || call.bad == Some(BadArg::Out) && rc == Errno::EFAULT.rc() {
                self.remember(caller, op);
            }
            (rc, out)
        }))
    }

    fn call(&mut self, caller: (u16, u32), call: &Call) -> Result<(i64, Value), Trouble> {
        let mut arguments = self.guest_vcpu(caller)?.arguments;
        if call.bad == Some(BadArg::Out) {
            // Where the guest can read and not write; what stands there, the control domain put there.
            arguments += self.ground.read_only_distance();
            for (address, word) in (arguments..).step_by(4).zip(call.block.0).take(call.len) {
                self.harness.machine.put(address, 4, word.into());
            }
        } else {
            self.write_block(arguments, &call.block, call.len)?;
        }
        let arg = if call.bad == Some(BadArg::In) { NOWHERE } else { arguments };
        let rc = match call.form {
            Form::Event(cmd) => self.hypercall(nr::EVENT_CHANNEL_OP, [cmd.into(), arg, 0, 0, 0])?,
            Form::Vcpu(cmd, vcpu) => self.hypercall(nr::VCPU_OP, [cmd.into(), vcpu.into(), arg, 0, 0])?,
            Form::Memory(cmd) => self.hypercall(convention::nr::MEMORY_OP, [cmd.into(), arg, 0, 0, 0])?,
            Form::Compat => self.hypercall(nr::EVENT_CHANNEL_OP_COMPAT, [arg, 0, 0, 0, 0])?,
        };
        self.result(call, arguments, rc)
    }

    fn result(&mut self, call: &Call, arguments: u64, rc: i64) -> Result<(i64, Value), Trouble> {
        let after = self.read_block(arguments, call)?;
        let out = match &call.event {
            Some(op) if rc == 0 => event::output(op, op.output(&after)),
            // A call that fails writes nothing.
            _ if rc != 0 && after != call.block => json!({ "argument block written": true }),
            _ => json!({}),
        };
        Ok((rc, out))
    }

    fn write_block(&mut self, arguments: u64, block: &Block, len: usize) -> Result<(), Trouble> {
        for (address, word) in (arguments..).step_by(4).zip(block.0).take(len) {
            self.store(address, Width::Word, word.into())?;
        }
        Ok(())
    }

    /// The block as it is in memory after a call.
    fn read_block(&mut self, arguments: u64, call: &Call) -> Result<Block, Trouble> {
        let mut block = call.block;
        for (address, word) in (arguments..).step_by(4).zip(&mut block.0).take(call.len) {
            *word = self.load(address, Width::Word)? as u32;
        }
        Ok(block)
    }

    fn poll(
        &mut self,
        caller: (u16, u32),
        ports: &[u64],
        nr_ports: u64,
        timeout: u64,
        bad: Option<BadArg>,
    ) -> Result<(i64, Value), Trouble> {
        let arguments = self.guest_vcpu(caller)?.arguments;
        let list = arguments + PORT_LIST;
        let count = low(nr_ports);
        if count <= abi::POLL_MAX_PORTS && ports.len() != count as usize {
            return Err(Trouble::Step(format!("nr_ports is {nr_ports} and the list has {} ports", ports.len())));
        }
        for (address, port) in (list..).step_by(4).zip(ports).take(abi::POLL_MAX_PORTS as usize) {
            self.store(address, Width::Word, u64::from(low(*port)))?;
        }
        let block = [low(list), high(list), count, 0, low(timeout), high(timeout)];
        self.write_block(arguments, &Block(block), block.len())?;
        let arg = if bad == Some(BadArg::In) { NOWHERE } else { arguments };
        let rc = self.hypercall(nr::SCHED_OP, [sched_cmd::POLL.into(), arg, 0, 0, 0])?;
        let position = self.guest(caller.0)?.position;
        let hyp = &self.harness.hyp;
        let state = hyp.vcpu_id(position, caller.1).map(|id| hyp.vcpu(id));
        let blocks = rc == 0 && state.is_some_and(|vcpu| vcpu.run == RunState::Blocked);
        // Where the block could not be read, recordings say nothing.
        let out = if rc == Errno::EFAULT.rc() { json!({}) } else { json!({ "blocked": blocks }) };
        Ok((rc, out))
    }

    /// What the guest knows once the hypervisor agreed.
    fn remember(&mut self, (domain, _): (u16, u32), op: &Op) {
        match *op {
            Op::RegisterVcpuInfo { vcpuid, mfn, offset, .. } => {
                if let Ok(vcpu) = self.guest_vcpu((domain, low(vcpuid))) {
                    vcpu.registered = Some(mfn.wrapping_mul(PAGE_SIZE).wrapping_add(low(offset).into()));
                }
            }
            Op::Event { op: EventOp::InitControl { control_gfn, offset, vcpu }, .. } => {
                if let Ok(vcpu) = self.guest_vcpu((domain, vcpu)) {
                    vcpu.block = Some(control_gfn.wrapping_mul(PAGE_SIZE).wrapping_add(offset.into()));
                }
            }
            Op::Event { op: EventOp::ExpandArray { array_gfn }, .. } => {
                if let Ok(guest) = self.guest(domain) {
                    guest.pages.push(array_gfn.wrapping_mul(PAGE_SIZE));
                }
            }
            Op::Event { op: EventOp::Reset { dom } | EventOp::ResetCont { dom }, .. } => {
                if let Ok(guest) = self.guest(named(dom.into(), domain)) {
                    guest.forget_fifo();
                }
            }
            Op::AddToPhysmap { dom, gpfn, .. } => {
                if let Ok(guest) = self.guest(named(dom, domain)) {
                    guest.place_shared_info(Some(gpfn.wrapping_mul(PAGE_SIZE)));
                }
            }
            Op::RemoveFromPhysmap { dom, .. } => {
                if let Ok(guest) = self.guest(named(dom, domain)) {
                    guest.place_shared_info(None);
                }
            }
            _ => {}
        }
    }
}

/// The domain that a guest of `by` names.
fn named(dom: u64, by: u16) -> u16 {
    if dom as u16 == abi::DOMID_SELF { by } else { dom as u16 }
}
