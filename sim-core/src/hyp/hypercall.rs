//! Hypercalls: one flat match, one line per number.

use super::Hypervisor;
use super::domain::position_of;
use super::guest_mem::GuestMemory;
use super::strategy::Strategy;
use crate::convention::{CONSOLEIO_WRITE, nr, sched_cmd};
use crate::platform::{Event, Platform};
use evtchn::{Caller, DomId, DomIdx, Errno, Host, Poll, Route, Stop};

/// Bytes taken from the guest at a time, and between two looks for something more urgent.
const CONSOLE_CHUNK: u64 = 128;

/// A hypercall as it stands in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// x16.
    pub nr: u64,
    /// x0 to x4.
    pub args: [u64; 5],
}

/// How a hypercall ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// With this in x0.
    Rc(i64),
    /// Not yet: the guest is to execute its HVC again with these registers.
    Continue(Call),
}

/// How far [`Hypervisor::start`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// To the end.
    Done(Done),
    /// The event remains to be raised; the result is 0.
    Raise(Route),
}

impl<S: Strategy> Hypervisor<S> {
    /// Carries out one hypercall of `caller`. An errno is the guest's to see; a fault ends the run.
    pub fn dispatch<P: Platform>(&mut self, p: &mut P, caller: Caller, call: Call) -> Result<Done, Stop<P::Fault>> {
        match self.start(p, caller, call)? {
            Started::Done(done) => Ok(done),
            Started::Raise(route) => {
                self.raise(p, route).map_err(Stop::Fault)?;
                Ok(Done::Rc(0))
            }
        }
    }

    /// As [`Hypervisor::dispatch`], up to where Xen has let go of its locks.
    pub fn start<P: Platform>(&mut self, p: &mut P, caller: Caller, call: Call) -> Result<Started, Stop<P::Fault>> {
        let done = match call.nr {
            nr::MEMORY_OP => self.memory_op(p, caller, call).map(Done::Rc),
            nr::MULTICALL => self.multicall(p, caller, call),
            nr::XEN_VERSION => self.xen_version(p, caller, call).map(Done::Rc),
            nr::CONSOLE_IO => self.console_io(p, caller, call),
            nr::VCPU_OP => self.vcpu_op(p, caller, call).map(Done::Rc),
            nr::SCHED_OP => self.sched_op(p, caller, call).map(Done::Rc),
            nr::EVENT_CHANNEL_OP => return self.event_channel_op(p, caller, call),
            nr::HVM_OP => self.hvm_op(p, caller, call).map(Done::Rc),
            _ => Err(Errno::ENOSYS.into()),
        };
        done.map(Started::Done)
    }

    /// The rest of a hypercall that [`Hypervisor::start`] left off.
    pub(super) fn raise<P: Platform>(&mut self, p: &mut P, route: Route) -> Result<(), P::Fault> {
        self.channels.raise(&mut GuestMemory { core: &mut self.core, p }, route)
    }

    /// The domain that an argument names: the caller itself, or one it may act upon.
    pub(super) fn target(&self, caller: Caller, id: u16) -> Result<DomIdx, Errno> {
        let id = DomId(id);
        let dom = if id == DomId::SELF { Some(caller.dom) } else { self.channels.lookup(id) };
        let dom = dom.ok_or(Errno::ESRCH)?;
        self.channels.may_target(caller.dom, dom)?;
        Ok(dom)
    }

    fn event_channel_op<P: Platform>(
        &mut self,
        p: &mut P,
        caller: Caller,
        call: Call,
    ) -> Result<Started, Stop<P::Fault>> {
        let [cmd, arg, ..] = call.args;
        let mut host = GuestMemory { core: &mut self.core, p };
        Ok(match self.channels.start_op(&mut host, caller, cmd as u32, arg)? {
            evtchn::Started::Raise(route) => Started::Raise(route),
            evtchn::Started::Done(evtchn::Done::Rc(rc)) => Started::Done(Done::Rc(rc)),
            evtchn::Started::Done(evtchn::Done::Continue { cmd, arg }) => {
                let mut args = call.args;
                [args[0], args[1]] = [u64::from(cmd), arg];
                Started::Done(Done::Continue(Call { nr: call.nr, args }))
            }
        })
    }

    fn vcpu_op<P: Platform>(&mut self, p: &mut P, caller: Caller, call: Call) -> Result<i64, Stop<P::Fault>> {
        let [cmd, vcpu, arg, ..] = call.args;
        let mut host = GuestMemory { core: &mut self.core, p };
        self.channels.vcpu_op(&mut host, caller, cmd as u32, vcpu as u32, arg)
    }

    fn sched_op<P: Platform>(&mut self, p: &mut P, caller: Caller, call: Call) -> Result<i64, Stop<P::Fault>> {
        let pe = p.pe();
        match call.args[0] as u32 {
            sched_cmd::YIELD => self.core.give_way(pe),
            sched_cmd::BLOCK => self.core.block_current(p),
            sched_cmd::SHUTDOWN => {
                // `struct sched_shutdown`: the reason, which nobody here asks for; one that cannot be read is refused.
                GuestMemory { core: &mut self.core, p }.read_guest(caller.dom, call.args[1], &mut [0; 4])?;
                self.shutdown(p, position_of(caller.dom)).map_err(Stop::Fault)?;
            }
            sched_cmd::POLL => {
                let mut host = GuestMemory { core: &mut self.core, p };
                if let Poll::Block { timeout } = self.channels.sched_poll(&mut host, caller, call.args[1])? {
                    self.core.block_in_poll(pe, timeout);
                }
            }
            _ => return Err(Errno::ENOSYS.into()),
        }
        Ok(0)
    }

    /// `CONSOLEIO_write`: `count` bytes at `ptr` go to the UART. Long output is continued after anything more urgent,
    /// and in parts in any case.
    fn console_io<P: Platform>(&mut self, p: &mut P, caller: Caller, call: Call) -> Result<Done, Stop<P::Fault>> {
        let [cmd, mut count, mut ptr, ..] = call.args;
        if cmd as u32 != CONSOLEIO_WRITE {
            return Err(Errno::ENOSYS.into());
        }
        count &= 0xffff_ffff;
        let uart = self.core.layout.board().console.span;
        let mut memory = GuestMemory { core: &mut self.core, p };
        while count > 0 {
            let mut chunk = [0; CONSOLE_CHUNK as usize];
            let len = count.min(CONSOLE_CHUNK);
            let bytes = chunk.get_mut(..len as usize).unwrap_or_default();
            memory.read_guest(caller.dom, ptr, bytes)?;
            for byte in bytes {
                memory.device_write(uart, 0, *byte).map_err(Stop::Fault)?;
                memory.p.event(Event::Console(*byte));
            }
            count -= len;
            ptr = ptr.wrapping_add(len);
            if count > 0 && memory.should_stop() {
                let mut args = call.args;
                [args[1], args[2]] = [count, ptr];
                return Ok(Done::Continue(Call { nr: call.nr, args }));
            }
        }
        Ok(Done::Rc(0))
    }
}
