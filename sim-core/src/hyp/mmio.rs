//! Devices that the hypervisor plays: a guest's access that stage 2 refused, carried out.

use super::Hypervisor;
use super::emulate::Access;
use super::guest_mem::GuestMemory;
use super::strategy::Strategy;
use crate::convention::Frame;
use crate::platform::{Event, Platform};

impl<S: Strategy> Hypervisor<S> {
    /// Carries out an access to the device at this position; the vCPU then goes on behind the instruction. Says whether the device
    /// has the register.
    pub(super) fn emulate<P: Platform>(
        &mut self,
        p: &mut P,
        frame: &mut Frame,
        access: Access,
        at: usize,
        offset: u64,
    ) -> Result<bool, P::Fault> {
        let Some(bytes) = self.core.devices.bytes(at, offset, access.size) else {
            return Ok(false);
        };
        frame.elr = frame.elr.wrapping_add(4);
        if !access.write {
            let value = bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte));
            if let Some(register) = frame.x.get_mut(access.register) {
                *register = access.loaded(value);
            }
            return Ok(true);
        }
        let value = frame.x.get(access.register).copied().unwrap_or(0).to_le_bytes();
        bytes.iter_mut().zip(value).for_each(|(to, from)| *to = from);
        let console = self.core.layout.parts().emulated.get(at).and_then(|device| device.console);
        if console == Some(offset) {
            let uart = self.core.layout.board().console.span;
            GuestMemory { core: &mut self.core, p }.device_write(uart, 0, value[0])?;
            p.event(Event::Console(value[0]));
        }
        Ok(true)
    }
}
