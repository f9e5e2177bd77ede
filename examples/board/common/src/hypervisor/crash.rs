//! What is said when EL2 took an exception from itself: the facts of the simulator's crash report.

use super::pe::{Pe, isb};
use super::{Board, Running, current};
use crate::semihosting;
use core::fmt::Write;
use evtchn::Object;
use mpu_model::{MpuReg, Pmsa};
use sim_core::hyp::panic;
use sim_core::layout::PeId;
use sim_core::outcome::ViewId;
use sim_core::platform::SysReg;
use sim_core::story::Seen;

/// What the registers are called in a report.
struct Names {
    syndrome: &'static str,
    address: &'static str,
    base: &'static str,
    limit: &'static str,
}

const fn names(pmsa: Pmsa) -> Names {
    match pmsa {
        Pmsa::V64 => Names { syndrome: "ESR_EL2", address: "FAR_EL2", base: "PRBAR_EL2", limit: "PRLAR_EL2" },
        Pmsa::V32 => Names { syndrome: "HSR", address: "HDFAR", base: "HPRBAR", limit: "HPRLAR" },
    }
}

/// Tells the fault, reports it, and lets the hypervisor say its last words on its own console.
pub(super) fn report<B: Board>(p: &mut Pe<B>, running: &mut Running<B::Rule>, elr: u64) {
    let (esr, far) = (B::read(SysReg::EsrEl2), B::read(SysReg::FarEl2));
    running.voice.tell(Seen::Fault { esr, far });
    let mut out = semihosting::Console::new();
    // There is nobody to tell of a console that fails.
    let _ = writeln!(out, "# PE 0 took an exception to EL2 from EL2, at the instruction at {elr:#010x}");
    let _ = write::<B>(&mut out, running, esr, far);
    let Ok(()) = panic::report(p, running.hyp.layout().board().console.span);
}

fn write<B: Board>(out: &mut impl Write, running: &Running<B::Rule>, esr: u64, far: u64) -> core::fmt::Result {
    let hyp = &running.hyp;
    let Names { syndrome, address, base, limit } = names(B::PMSA);
    writeln!(
        out,
        "#   {syndrome}={esr:#010x}: EC {:#04x}, status {:#04x}, WnR {}",
        esr >> 26,
        esr & 0x3f,
        esr >> 6 & 1
    )?;
    write!(out, "#   {address}={far:#010x}, owner ")?;
    place(out, hyp.layout().owner(far).0.place())?;
    if let Some((area, offset)) = hyp.object_at(far) {
        let object = match area.object {
            Object::SharedInfo => ("shared_info", None),
            Object::VcpuInfo(vcpu) => ("vcpu_info of vCPU", Some(vcpu.0 as usize)),
            Object::ControlBlock(vcpu) => ("control block of vCPU", Some(vcpu.0 as usize)),
            Object::EventArray(page) => ("page of event words", Some(page as usize)),
        };
        write!(out, "#   object at offset {offset:#x}: ")?;
        place(out, object)?;
        if let Some(domain) = area.domain {
            writeln!(out, "#   it is domain {domain}'s")?;
        }
    }
    if let Some(vcpu) = current(hyp) {
        writeln!(out, "#   on behalf of vCPU {} of domain {}", vcpu.vcpu, vcpu.domain)?;
    }
    let view = hyp.view_on(PeId::PRIMARY);
    write!(out, "#   view in force: ")?;
    place(
        out,
        match view.current() {
            ViewId::Idle => ("idle", None),
            ViewId::Guest(domain) => ("guest view of domain", Some(domain)),
            ViewId::Hypervisor => ("hypervisor", None),
        },
    )?;
    for slot in view.enabled().iter() {
        B::write(SysReg::El2(MpuReg::Prselr), slot.into());
        isb();
        let (first, last) = (B::read(SysReg::El2(MpuReg::Prbar)), B::read(SysReg::El2(MpuReg::Prlar)));
        writeln!(out, "#     slot {slot:2}: {base}={first:#010x} {limit}={last:#010x}")?;
    }
    Ok(())
}

/// Writes the end of a line: what, and which one.
fn place(out: &mut impl Write, (what, which): (&str, Option<usize>)) -> core::fmt::Result {
    match which {
        Some(which) => writeln!(out, "{what} {which}"),
        None => writeln!(out, "{what}"),
    }
}
