//! What is said when EL2 took an exception from itself: the facts of the simulator's crash report.

use crate::platform::Cpu;
use crate::{Board, current};
use board::semihosting;
use core::fmt::Write;
use sim_core::hyp::panic;
use sim_core::platform::{Platform, SysReg};
use sim_core::story::Seen;

/// Tells the fault, reports it, and lets the hypervisor say its last words on its own console.
pub(crate) fn report(board: &mut Board) {
    let (esr, far) = (Cpu.read(SysReg::EsrEl2), Cpu.read(SysReg::FarEl2));
    let _ = board.story.tell(0, Seen::Fault { esr, far });
    let core = &board.hyp.core;
    let mut out = semihosting::Console::new();
    // There is nobody to tell of a console that fails.
    let _ = write(&mut out, board, esr, far);
    let uart = core.layout.board().uart.span;
    let Ok(()) = panic::report(&mut Cpu, uart);
}

fn write(out: &mut impl Write, board: &Board, esr: u64, far: u64) -> core::fmt::Result {
    let core = &board.hyp.core;
    writeln!(out, "# PE 0 took an exception to EL2 from EL2")?;
    writeln!(out, "#   HSR={esr:#010x}: EC {:#04x}, status {:#04x}, WnR {}", esr >> 26, esr & 0x3f, esr >> 6 & 1)?;
    writeln!(out, "#   HDFAR={far:#010x}, owner {:?}", core.layout.owner(far).0)?;
    if let Some((area, offset)) = board.hyp.object_at(far) {
        writeln!(out, "#   object {:?} of domain {:?}, offset {offset:#x}", area.object, area.domain)?;
    }
    if let Some(vcpu) = current(&board.hyp) {
        writeln!(out, "#   on behalf of vCPU {} of domain {}", vcpu.vcpu, vcpu.domain)?;
    }
    if let Some(pe) = core.pes.first() {
        writeln!(out, "#   view in force {:?}:", pe.view.current())?;
        for slot in pe.view.enabled().iter() {
            let base = Cpu.read(SysReg::El2(mpu_model::MpuReg::PrbarN(slot)));
            let limit = Cpu.read(SysReg::El2(mpu_model::MpuReg::PrlarN(slot)));
            writeln!(out, "#     slot {slot:2}: HPRBAR={base:#010x} HPRLAR={limit:#010x}")?;
        }
    }
    Ok(())
}
