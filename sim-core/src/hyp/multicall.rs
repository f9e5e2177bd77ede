//! `multicall`: several hypercalls in one trap (Xen's `common/multicall.c`).

use super::Hypervisor;
use super::guest_mem::GuestMemory;
use super::hypercall::{Call, Done};
use super::strategy::Strategy;
use crate::convention::nr;
use crate::platform::Platform;
use evtchn::{Caller, Errno, Host, Stop};

/// `struct multicall_entry`: op u64 at 0, result i64 at 8, six arguments u64 from 16.
const ENTRY_SIZE: u64 = 64;
const RESULT: u64 = 8;
const ARGS: u64 = 16;

impl<S: Strategy> Hypervisor<S> {
    /// Carries out the calls of a list in order, each result written into its entry. Stops for something more urgent
    /// between two entries, or inside one that has to be continued, and after so many entries in any case.
    pub(super) fn multicall<P: Platform>(
        &mut self,
        p: &mut P,
        caller: Caller,
        call: Call,
    ) -> Result<Done, Stop<P::Fault>> {
        let [mut list, count, ..] = call.args;
        for left in (1..=count & 0xffff_ffff).rev() {
            let entry = self.read_entry(p, caller, list)?;
            // A list inside a list is refused, as in Xen.
            let done = if entry.nr == nr::MULTICALL {
                Err(Stop::Errno(Errno::EINVAL))
            } else {
                self.dispatch(p, caller, entry)
            };
            let rc = match done {
                Ok(Done::Rc(rc)) => rc,
                Err(Stop::Errno(errno)) => errno.rc(),
                Err(fault) => return Err(fault),
                Ok(Done::Continue(rest)) => {
                    self.write_args(p, caller, list, &rest)?;
                    return Ok(resume(call, list, left));
                }
            };
            let mut host = GuestMemory { core: &mut self.core, p };
            let at = list.checked_add(RESULT).ok_or(Errno::EFAULT)?;
            host.write_guest(caller.dom, at, &rc.to_le_bytes())?;
            list = list.checked_add(ENTRY_SIZE).ok_or(Errno::EFAULT)?;
            if left > 1 && host.should_stop() {
                return Ok(resume(call, list, left - 1));
            }
        }
        Ok(Done::Rc(0))
    }

    fn read_entry<P: Platform>(&mut self, p: &mut P, caller: Caller, at: u64) -> Result<Call, Stop<P::Fault>> {
        let mut host = GuestMemory { core: &mut self.core, p };
        let mut word = |offset: u64| {
            let mut raw = [0; 8];
            let at = at.checked_add(offset).ok_or(Errno::EFAULT)?;
            host.read_guest(caller.dom, at, &mut raw).map(|()| u64::from_le_bytes(raw))
        };
        let nr = word(0)?;
        let mut args = [0; 5];
        for (offset, arg) in (ARGS..).step_by(8).zip(&mut args) {
            *arg = word(offset)?;
        }
        Ok(Call { nr, args })
    }

    fn write_args<P: Platform>(
        &mut self,
        p: &mut P,
        caller: Caller,
        at: u64,
        call: &Call,
    ) -> Result<(), Stop<P::Fault>> {
        let mut host = GuestMemory { core: &mut self.core, p };
        for (offset, arg) in (ARGS..).step_by(8).zip(&call.args) {
            let at = at.checked_add(offset).ok_or(Errno::EFAULT)?;
            host.write_guest(caller.dom, at, &arg.to_le_bytes())?;
        }
        Ok(())
    }
}

/// The call again, for what is left of the list.
fn resume(mut call: Call, list: u64, left: u64) -> Done {
    [call.args[0], call.args[1]] = [list, left];
    Done::Continue(call)
}
