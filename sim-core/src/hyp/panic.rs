//! What the hypervisor does when it took an exception from itself: a line on the console, and nothing after it.

use crate::layout::Span;
use crate::platform::{Event, Platform, SysReg, Width};
use core::fmt::{self, Write};

/// The console as a panicking hypervisor uses it: straight to the UART, through whatever view is in force.
struct Console<'a, P: Platform> {
    p: &'a mut P,
    uart: Span,
    fault: Option<P::Fault>,
}

impl<P: Platform> Write for Console<'_, P> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if let Err(fault) = self.p.store(self.uart.base(), Width::Byte, u64::from(byte)) {
                self.fault = Some(fault);
                return Err(fmt::Error);
            }
            self.p.event(Event::Console(byte));
        }
        Ok(())
    }
}

/// Says on the console what happened. The view in force may not map the UART: then this faults in turn, and that fault is
/// what comes back.
pub fn report<P: Platform>(p: &mut P, uart: Span) -> Result<(), P::Fault> {
    let (pe, esr, far) = (p.pe(), p.read(SysReg::EsrEl2), p.read(SysReg::FarEl2));
    let mut console = Console { p, uart, fault: None };
    // The only error there is is the fault, which is looked at below.
    let _ = writeln!(console, "PE{pe}: unexpected exception at EL2: ESR_EL2={esr:#010x} FAR_EL2={far:#018x}");
    console.fault.map_or(Ok(()), Err)
}
