//! Raw hypercalls: argument blocks in guest memory around the typed operations.
//!
//! A block is read whole before anything else; operations with outputs write it back whole, and only if they
//! succeeded. A write that fails gives -EFAULT after the operation has taken effect.

use core::fmt::Debug;

use crate::abi::{self, size};
use crate::op::{Block, Op, Output, SEND_SIZE, Shape, WORDS, command};
use crate::{Caller, DomId, Errno, EventChannels, Host, Poll, PollRequest, Port, ResetFrom, Route, Stop, Vcpu};

/// How a hypercall that did not stop early ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// With this result.
    Rc(i64),
    /// Not yet: the guest is to repeat the hypercall with these arguments.
    Continue {
        /// The command.
        cmd: u32,
        /// The pointer.
        arg: u64,
    },
}

/// How far [`EventChannels::start_op`] has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// To the end.
    Done(Done),
    /// All is checked; the event remains to be raised.
    Raise(Route),
}

/// What an operation has come to.
enum Performed {
    Output(Output),
    Raise(Route),
    /// A reset that is to go on.
    Preempted,
}

impl<A: Copy + Debug> EventChannels<A> {
    /// `event_channel_op(cmd, arg)`. An errno comes as [`Stop::Errno`].
    #[inline]
    pub fn event_channel_op<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        cmd: u32,
        arg: u64,
    ) -> Result<Done, Stop<H::Fault>> {
        match self.start_op(h, caller, cmd, arg)? {
            Started::Done(done) => Ok(done),
            Started::Raise(route) => {
                self.raise(h, route).map_err(Stop::Fault)?;
                Ok(Done::Rc(0))
            }
        }
    }

    /// `event_channel_op(cmd, arg)` up to where Xen has let go of its locks: for a hypervisor that lets other
    /// processors in before it raises the event. After [`Started::Raise`] the result is 0.
    #[inline]
    pub fn start_op<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        cmd: u32,
        arg: u64,
    ) -> Result<Started, Stop<H::Fault>> {
        // By far the most frequent; apart from the others, it does not pay for their frame.
        if cmd == command::SEND {
            let Block([port, ..]) = read_block(h, caller, arg, SEND_SIZE)?;
            return Ok(Started::Raise(self.route_send(caller, Port(port))?));
        }
        self.start_other(h, caller, cmd, arg)
    }

    #[inline(never)]
    fn start_other<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        cmd: u32,
        arg: u64,
    ) -> Result<Started, Stop<H::Fault>> {
        let shape = Shape::of_command(cmd).ok_or(Errno::ENOSYS)?;
        let mut block = read_block(h, caller, arg, shape.size)?;
        let op = Op::parse(cmd, &block).ok_or(Errno::ENOSYS)?;
        let output = match self.perform(h, caller, op)? {
            Performed::Output(Output::Nothing) => return Ok(Started::Done(Done::Rc(0))),
            Performed::Output(output) => output,
            Performed::Raise(route) => return Ok(Started::Raise(route)),
            Performed::Preempted => return Ok(Started::Done(Done::Continue { cmd: command::RESET_CONT, arg })),
        };
        op.put(output, &mut block);
        let bytes = block.to_bytes();
        let (block, _) = bytes.split_at(shape.size as usize);
        h.write_guest(caller.dom, arg, block)?;
        Ok(Started::Done(Done::Rc(0)))
    }

    fn perform<H: Host<Area = A>>(&mut self, h: &mut H, caller: Caller, op: Op) -> Result<Performed, Stop<H::Fault>> {
        let output = match op {
            Op::BindInterdomain { remote_dom, remote_port } => {
                Output::Port(self.bind_interdomain(h, caller, DomId(remote_dom), Port(remote_port))?)
            }
            Op::BindVirq { virq, vcpu } => Output::Port(self.bind_virq(h, caller, virq, Vcpu(vcpu))?),
            Op::BindPirq { .. } => return Err(Errno::EOPNOTSUPP.into()),
            Op::Close { port } => {
                self.close(h, caller, Port(port))?;
                Output::Nothing
            }
            Op::Send { port } => return Ok(Performed::Raise(self.route_send(caller, Port(port))?)),
            Op::Status { dom, port } => Output::Status(self.status(caller, DomId(dom), Port(port))?),
            Op::AllocUnbound { dom, remote_dom } => {
                Output::Port(self.alloc_unbound(h, caller, DomId(dom), DomId(remote_dom))?)
            }
            Op::BindIpi { vcpu } => Output::Port(self.bind_ipi(h, caller, Vcpu(vcpu))?),
            Op::BindVcpu { port, vcpu } => {
                self.bind_vcpu(caller, Port(port), Vcpu(vcpu))?;
                Output::Nothing
            }
            Op::Unmask { port } => return Ok(Performed::Raise(self.route_unmask(caller, Port(port))?)),
            Op::Reset { dom } => return self.perform_reset(h, caller, dom, ResetFrom::Start),
            Op::ResetCont { dom } => return self.perform_reset(h, caller, dom, ResetFrom::Preempted),
            Op::InitControl { control_gfn, offset, vcpu } => {
                Output::LinkBits(self.init_control(h, caller, Vcpu(vcpu), control_gfn, offset)?)
            }
            Op::ExpandArray { array_gfn } => {
                self.expand_array(h, caller, array_gfn)?;
                Output::Nothing
            }
            Op::SetPriority { port, priority } => {
                self.set_priority(caller, Port(port), priority)?;
                Output::Nothing
            }
        };
        Ok(Performed::Output(output))
    }

    fn perform_reset<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        dom: u16,
        from: ResetFrom,
    ) -> Result<Performed, Stop<H::Fault>> {
        match self.reset(h, caller, DomId(dom), from) {
            Ok(()) => Ok(Performed::Output(Output::Nothing)),
            Err(Stop::Errno(Errno::ERESTART)) => Ok(Performed::Preempted),
            Err(stop) => Err(stop),
        }
    }

    /// `event_channel_op_compat(arg)`: nothing on Arm; the pointer is not read.
    #[must_use]
    pub fn event_channel_op_compat() -> Errno {
        Errno::ENOSYS
    }

    /// `vcpu_op(cmd, vcpuid, arg)`, as far as it is about events: `register_vcpu_info`. Runstate areas are the
    /// scheduler's; a hypervisor that has them takes command 5 out first.
    pub fn vcpu_op<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        cmd: u32,
        vcpuid: u32,
        arg: u64,
    ) -> Result<i64, Stop<H::Fault>> {
        self.domain(caller.dom)?.require_vcpu(Vcpu(vcpuid))?;
        if cmd != abi::VCPUOP_REGISTER_VCPU_INFO {
            return Err(Errno::EINVAL.into());
        }
        let Block([low, high, offset, ..]) = read_block(h, caller, arg, size::REGISTER_VCPU_INFO)?;
        self.register_vcpu_info(h, caller, Vcpu(vcpuid), long(low, high), offset)?;
        Ok(0)
    }

    /// `sched_op(SCHEDOP_poll, arg)`.
    pub fn sched_poll<H: Host<Area = A>>(
        &mut self,
        h: &mut H,
        caller: Caller,
        arg: u64,
    ) -> Result<Poll, Stop<H::Fault>> {
        let Block([low, high, nr_ports, _, soon, late]) = read_block(h, caller, arg, size::SCHED_POLL)?;
        let request = PollRequest { ports: long(low, high), nr_ports, timeout: long(soon, late) };
        self.poll(h, caller, request)
    }
}

/// A 64-bit field of a block.
fn long(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Reads a block of `size` bytes.
#[inline]
fn read_block<H: Host>(h: &mut H, caller: Caller, arg: u64, size: u32) -> Result<Block, Stop<H::Fault>> {
    let mut bytes = [0; WORDS * 4];
    let (block, _) = bytes.split_at_mut(size as usize);
    h.read_guest(caller.dom, arg, block)?;
    Ok(Block::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const OK: Result<Done, Errno> = Ok(Done::Rc(0));
    const SELF: u32 = abi::DOMID_SELF as u32;

    #[test]
    fn outputs_are_written_beside_the_inputs() {
        let mut rig = Rig::new();
        let (d0, d1, d2) = (rig.d0, rig.d1, rig.d2);
        assert_eq!(rig.hypercall(d2, command::ALLOC_UNBOUND, &[SELF | 1 << 16, 9]), (OK, [SELF | 1 << 16, 1].into()));
        // Bits beyond a short field are the guest's, and come back.
        let dom = 0xABCD_0002;
        assert_eq!(rig.hypercall(d1, command::BIND_INTERDOMAIN, &[dom, 1, 9]), (OK, [dom, 1, 1].into()));
        assert_eq!(rig.hypercall(d1, command::BIND_VIRQ, &[0, 1, 9]), (OK, [0, 1, 2].into()));
        assert_eq!(rig.hypercall(d1, command::BIND_IPI, &[1, 9]), (OK, [1, 3].into()));
        assert_eq!(
            rig.hypercall(d0, command::INIT_CONTROL, &[gfn(d0, 1) as u32, 0, 8, 1, 0x1234_56EE, 5]).1[4..],
            [0x1234_5611, 5]
        );
        let status =
            |rig: &mut Rig, dom, port| rig.hypercall(dom, command::STATUS, &[SELF, port, 8, 8, 0x7777_7777, 6]).1;
        assert_eq!(status(&mut rig, d1, 1)[2..], [2, 0, 0x7777_0002, 1]);
        assert_eq!(status(&mut rig, d1, 2)[2..], [4, 1, 0, 6]);
        assert_eq!(status(&mut rig, d1, 3)[2..], [5, 1, 0x7777_7777, 6]);
        assert_eq!(status(&mut rig, d1, 4)[2..], [0, 0, 0x7777_7777, 6]);
        rig.close(d1, Port(1)).unwrap();
        assert_eq!(status(&mut rig, d2, 1)[2..], [1, 0, 0x7777_0001, 6]);
    }

    #[test]
    fn operations_without_outputs_leave_their_block_alone() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        rig.unbound(d1, 2).unwrap();
        rig.mem.read_only = true;
        for (cmd, args) in [
            (command::SEND, &[1][..]),
            (command::UNMASK, &[1]),
            (command::BIND_VCPU, &[1, 1]),
            (command::CLOSE, &[1]),
            (command::RESET, &[SELF | 0xFFFF_0000]),
        ] {
            assert_eq!(rig.hypercall(d1, cmd, args), (OK, args.into()), "command {cmd}");
        }
        rig.init_control(d1, 0).unwrap();
        let page = [gfn(d1, 2) as u32, 0];
        assert_eq!(rig.hypercall(d1, command::EXPAND_ARRAY, &page), (OK, page.into()));
        assert_eq!(rig.hypercall(d1, command::SET_PRIORITY, &[1, 3]).0, Err(Errno::EACCES));
    }

    #[test]
    fn a_failing_operation_writes_nothing() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        for (cmd, args, errno) in [
            (command::BIND_INTERDOMAIN, &[9, 1, 7][..], Errno::ESRCH),
            (command::BIND_VIRQ, &[24, 0, 7], Errno::EINVAL),
            (command::STATUS, &[SELF, 64, 7, 7, 7, 7], Errno::EINVAL),
            (command::ALLOC_UNBOUND, &[9, 7], Errno::ESRCH),
            (command::BIND_IPI, &[2, 7], Errno::ENOENT),
            (command::INIT_CONTROL, &[5, 0, 0, 0, 7, 7], Errno::EINVAL),
            (command::BIND_PIRQ, &[0, 0, 7], Errno::EOPNOTSUPP),
            (command::RESET_CONT, &[SELF], Errno::EBUSY),
        ] {
            assert_eq!(rig.hypercall(d1, cmd, args), (Err(errno), args.into()), "command {cmd}");
        }
    }

    #[test]
    fn a_bad_pointer_comes_before_all_else() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        for cmd in 0..=14 {
            for arg in [0, ram(d1) - 1, ram(d1) + PAGES * 4096 - 1, u64::MAX] {
                let result = rc(rig.ec.event_channel_op(&mut rig.mem, caller(d1), cmd, arg));
                assert_eq!(result, Err(Errno::EFAULT), "command {cmd} at {arg:#x}");
            }
        }
        for cmd in [15, u32::MAX] {
            let result = rc(rig.ec.event_channel_op(&mut rig.mem, caller(d1), cmd, 0));
            assert_eq!(result, Err(Errno::ENOSYS), "the pointer is not read");
        }
        assert_eq!(rc(rig.ec.sched_poll(&mut rig.mem, caller(d1), 0)), Err(Errno::EFAULT));
    }

    #[test]
    fn blocks_are_as_long_as_the_abi_says() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        let end = ram(d1) + PAGES * 4096;
        for (cmd, size) in [12, 12, 12, 4, 4, 24, 8, 8, 8, 4, 2, 24, 8, 8, 2].into_iter().enumerate() {
            let mut call = |size| rc(rig.ec.event_channel_op(&mut rig.mem, caller(d1), cmd as u32, end - size));
            assert_ne!(call(size), Err(Errno::EFAULT), "command {cmd} fits");
            assert_eq!(call(size - 1), Err(Errno::EFAULT), "command {cmd} does not fit");
        }
    }

    #[test]
    fn an_output_that_cannot_be_written_undoes_nothing() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        rig.mem.read_only = true;
        assert_eq!(rig.hypercall(d1, command::BIND_IPI, &[0, 0]).0, Err(Errno::EFAULT));
        assert_eq!(rig.counts(d1), [64, 1, 0]);
    }

    #[test]
    fn a_preempted_reset_becomes_another_call() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        for _ in 0..70 {
            rig.ipi(d1, 0).unwrap();
        }
        rig.mem.preempt = [true].into();
        let Ok(Done::Continue { cmd, arg }) = rig.hypercall(d1, command::RESET, &[SELF]).0 else {
            panic!("not preempted")
        };
        assert_eq!(cmd, command::RESET_CONT);
        assert_eq!(rc(rig.ec.event_channel_op(&mut rig.mem, caller(d1), cmd, arg)), OK);
        assert_eq!(rig.counts(d1), [128, 0, 0]);
    }

    #[test]
    fn a_started_send_has_touched_nothing_yet() {
        let mut rig = Rig::new();
        let (d1, d2) = (rig.d1, rig.d2);
        let (here, there) = rig.channel(d1, d2);
        let arg = ram(d1);
        rig.mem.poke(arg, here.0);
        let Ok(Started::Raise(route)) = rc(rig.ec.start_op(&mut rig.mem, caller(d1), command::SEND, arg)) else {
            panic!("nothing to raise")
        };
        assert!(rig.mem.log.is_empty());
        rig.ec.raise(&mut rig.mem, route).unwrap();
        assert!(rig.is_pending(d2, there));
    }

    #[test]
    fn vcpu_op_knows_the_vcpu_before_the_command() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        let mut call = |cmd, vcpu, arg| rc(rig.ec.vcpu_op(&mut rig.mem, caller(d1), cmd, vcpu, arg));
        assert_eq!(call(99, 2, 0), Err(Errno::ENOENT));
        for cmd in [0, 1, 5, 9, 11, 99] {
            assert_eq!(call(cmd, 1, 0), Err(Errno::EINVAL));
        }
        assert_eq!(call(10, 1, 0), Err(Errno::EFAULT));
        assert_eq!(call(10, 1, ram(d1) + PAGES * 4096 - 15), Err(Errno::EFAULT));
        let arg = ram(d1);
        for (addr, word) in (arg..).step_by(4).zip([gfn(d1, 3) as u32, 0, 64, 0xFFFF_FFFF]) {
            rig.mem.poke(addr, word);
        }
        assert_eq!(rc(rig.ec.vcpu_op(&mut rig.mem, caller(d1), 10, 1, arg)), Ok(0));
        assert_eq!(rig.info(d1, 1), ram(d1) + 3 * 4096 + 64);
    }

    #[test]
    fn sixty_four_bit_fields_are_whole() {
        let mut rig = Rig::new();
        let d1 = rig.d1;
        // Their low halves alone would be good frames.
        assert_eq!(rig.hypercall(d1, command::INIT_CONTROL, &[gfn(d1, 1) as u32, 1, 0, 0, 0, 0]).0, Err(Errno::EINVAL));
        rig.init_control(d1, 0).unwrap();
        assert_eq!(rig.hypercall(d1, command::EXPAND_ARRAY, &[gfn(d1, 2) as u32, 1]).0, Err(Errno::EINVAL));
        assert_eq!(rig.poll(d1, 0, &[], 0x1_0000_0002), Ok(Poll::Block { timeout: 0x1_0000_0002 }));
    }
}
