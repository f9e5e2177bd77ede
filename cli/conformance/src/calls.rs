//! Hypercalls: the argument block as the guest writes it, the trap, and what comes back in the block.

use super::format::{BadArg, Op};
use super::rig::{Rig, Trouble};
use super::system::PORT_LIST;
use evtchn::Errno;
use evtchn::abi::{self, hypercall as nr, op};
use serde_json::{Value, json};
use sim_core::convention::{self, XENMEM_ADD_TO_PHYSMAP, XENMEM_REMOVE_FROM_PHYSMAP, sched_cmd};
use sim_core::hyp::domain::RunState;
use sim_core::layout::PAGE_SIZE;
use sim_core::platform::Width;

/// What stands in output fields before the call: no result looks like this.
const UNWRITTEN: u32 = 0xa5a5_5a5a;
/// A pointer to memory that nobody owns.
const NOWHERE: u64 = 0xf_ffff_ffff_f000;

/// Where a hypercall's results are in its block.
#[derive(Clone, Copy)]
enum Output {
    Nothing,
    /// In this word, of this name.
    Word(usize, &'static str),
    Status,
    LinkBits,
}

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
    bad: Option<BadArg>,
    output: Output,
}

/// An argument block as 32-bit words.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Block {
    words: [u32; 6],
    len: usize,
}

impl Block {
    fn new<const N: usize>(given: [u32; N]) -> Self {
        let mut words = [0; 6];
        for (to, from) in words.iter_mut().zip(given) {
            *to = from;
        }
        Self { words, len: N }
    }
}

fn low(value: u64) -> u32 {
    value as u32
}

fn high(value: u64) -> u32 {
    (value >> 32) as u32
}

/// Two 16-bit fields.
fn halves(first: u64, second: u64) -> u32 {
    u32::from(first as u16) | u32::from(second as u16) << 16
}

fn event<const N: usize>(cmd: u32, words: [u32; N], bad: Option<BadArg>, output: Output) -> Call {
    Call { form: Form::Event(cmd), block: Block::new(words), bad, output }
}

/// The hypercall that an operation is, if it is one.
fn call_of(op: &Op) -> Option<Call> {
    let nothing = Output::Nothing;
    Some(match *op {
        Op::AllocUnbound { dom, remote_dom, bad_arg } => {
            event(op::ALLOC_UNBOUND, [halves(dom, remote_dom), UNWRITTEN], bad_arg, Output::Word(1, "port"))
        }
        Op::BindInterdomain { remote_dom, remote_port, bad_arg } => {
            let block = [halves(remote_dom, 0), low(remote_port), UNWRITTEN];
            event(op::BIND_INTERDOMAIN, block, bad_arg, Output::Word(2, "local_port"))
        }
        Op::BindVirq { virq, vcpu, bad_arg } => {
            event(op::BIND_VIRQ, [low(virq), low(vcpu), UNWRITTEN], bad_arg, Output::Word(2, "port"))
        }
        Op::BindPirq { pirq, flags, bad_arg } => {
            event(op::BIND_PIRQ, [low(pirq), low(flags), UNWRITTEN], bad_arg, Output::Word(2, "port"))
        }
        Op::BindIpi { vcpu, bad_arg } => event(op::BIND_IPI, [low(vcpu), UNWRITTEN], bad_arg, Output::Word(1, "port")),
        Op::Close { port, bad_arg } => event(op::CLOSE, [low(port)], bad_arg, nothing),
        Op::Send { port, bad_arg } => event(op::SEND, [low(port)], bad_arg, nothing),
        Op::Status { dom, port, bad_arg } => {
            let block = [halves(dom, 0), low(port), UNWRITTEN, UNWRITTEN, UNWRITTEN, UNWRITTEN];
            event(op::STATUS, block, bad_arg, Output::Status)
        }
        Op::BindVcpu { port, vcpu, bad_arg } => event(op::BIND_VCPU, [low(port), low(vcpu)], bad_arg, nothing),
        Op::Unmask { port, bad_arg } => event(op::UNMASK, [low(port)], bad_arg, nothing),
        Op::Reset { dom, bad_arg } => event(op::RESET, [halves(dom, 0)], bad_arg, nothing),
        Op::ResetCont { dom, bad_arg } => event(op::RESET_CONT, [halves(dom, 0)], bad_arg, nothing),
        Op::InitControl { control_gfn, offset, vcpu, bad_arg } => {
            let block = [low(control_gfn), high(control_gfn), low(offset), low(vcpu), UNWRITTEN, UNWRITTEN];
            event(op::INIT_CONTROL, block, bad_arg, Output::LinkBits)
        }
        Op::ExpandArray { array_gfn, bad_arg } => {
            event(op::EXPAND_ARRAY, [low(array_gfn), high(array_gfn)], bad_arg, nothing)
        }
        Op::SetPriority { port, priority, bad_arg } => {
            event(op::SET_PRIORITY, [low(port), low(priority)], bad_arg, nothing)
        }
        Op::RawOp { cmd } => event(low(cmd), [UNWRITTEN; 6], None, nothing),
        Op::CompatOp { cmd } => Call { form: Form::Compat, block: Block::new([low(cmd)]), bad: None, output: nothing },
        Op::RegisterVcpuInfo { vcpuid, mfn, offset, bad_arg } => Call {
            form: Form::Vcpu(abi::VCPUOP_REGISTER_VCPU_INFO, low(vcpuid)),
            block: Block::new([low(mfn), high(mfn), low(offset), 0]),
            bad: bad_arg,
            output: nothing,
        },
        Op::AddToPhysmap { dom, space, idx, gpfn, bad_arg } => Call {
            form: Form::Memory(XENMEM_ADD_TO_PHYSMAP),
            block: Block::new([halves(dom, 0), low(space), low(idx), high(idx), low(gpfn), high(gpfn)]),
            bad: bad_arg,
            output: nothing,
        },
        Op::RemoveFromPhysmap { dom, gpfn, bad_arg } => Call {
            form: Form::Memory(XENMEM_REMOVE_FROM_PHYSMAP),
            block: Block::new([halves(dom, 0), 0, low(gpfn), high(gpfn)]),
            bad: bad_arg,
            output: nothing,
        },
        Op::VcpuOp { cmd, vcpuid } => {
            let form = Form::Vcpu(low(cmd), low(vcpuid));
            Call { form, block: Block::new([0; 4]), bad: None, output: nothing }
        }
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
            for (address, word) in (arguments..).step_by(4).zip(call.block.words).take(call.block.len) {
                self.machine.ram.write(address, 4, word.into());
            }
        } else {
            self.write_block(arguments, &call.block)?;
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
        let after = self.read_block(arguments, call.block.len)?;
        if rc == 0 {
            return Ok((0, output(call.output, &after)));
        }
        // A call that fails writes nothing.
        let out = if after == call.block { json!({}) } else { json!({ "argument block written": true }) };
        Ok((rc, out))
    }

    fn write_block(&mut self, arguments: u64, block: &Block) -> Result<(), Trouble> {
        for (address, word) in (arguments..).step_by(4).zip(block.words).take(block.len) {
            self.store(address, Width::Word, word.into())?;
        }
        Ok(())
    }

    fn read_block(&mut self, arguments: u64, len: usize) -> Result<Block, Trouble> {
        let mut words = [0; 6];
        for (address, word) in (arguments..).step_by(4).zip(&mut words).take(len) {
            *word = self.load(address, Width::Word)? as u32;
        }
        Ok(Block { words, len })
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
        self.write_block(arguments, &Block::new(block))?;
        let arg = if bad == Some(BadArg::In) { NOWHERE } else { arguments };
        let rc = self.hypercall(nr::SCHED_OP, [sched_cmd::POLL.into(), arg, 0, 0, 0])?;
        let position = self.guest(caller.0)?.position;
        let domains = &self.hyp.core.domains;
        let state = domains.id(position, caller.1).and_then(|id| domains.vcpu(id));
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
            Op::InitControl { control_gfn, offset, vcpu, .. } => {
                if let Ok(vcpu) = self.guest_vcpu((domain, low(vcpu))) {
                    vcpu.block = Some(control_gfn.wrapping_mul(PAGE_SIZE).wrapping_add(low(offset).into()));
                }
            }
            Op::ExpandArray { array_gfn, .. } => {
                if let Ok(guest) = self.guest(domain) {
                    guest.pages.push(array_gfn.wrapping_mul(PAGE_SIZE));
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
            Op::Reset { dom, .. } | Op::ResetCont { dom, .. } => {
                if let Ok(guest) = self.guest(named(dom, domain)) {
                    guest.forget_fifo();
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

fn output(output: Output, block: &Block) -> Value {
    let [_, _, status, vcpu, first, second] = block.words;
    match output {
        Output::Nothing => json!({}),
        Output::Word(index, name) => {
            let mut out = serde_json::Map::new();
            out.insert(name.into(), json!(block.words.get(index)));
            Value::Object(out)
        }
        Output::Status => match status {
            abi::stat::UNBOUND => {
                json!({ "status": status, "vcpu": vcpu, "u": { "unbound": { "dom": first as u16 } } })
            }
            abi::stat::INTERDOMAIN => {
                let peer = json!({ "dom": first as u16, "port": second });
                json!({ "status": status, "vcpu": vcpu, "u": { "interdomain": peer } })
            }
            abi::stat::VIRQ => json!({ "status": status, "vcpu": vcpu, "u": { "virq": first } }),
            _ => json!({ "status": status, "vcpu": vcpu }),
        },
        Output::LinkBits => json!({ "link_bits": first as u8 }),
    }
}
