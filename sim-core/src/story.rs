//! What happens at EL2, a line each: the compact text by which a run on the host and one on a board are compared.
//!
//! A line begins with the number of the PE. Times are left out, for a board has another clock, and so is the timer that they
//! go into; so are addresses of guests' instructions, for guests of the simulator have none.
//!
//! | line | what |
//! |---|---|
//! | `w el2.prlar3 0x2fffffc1` | a system register is written; `el1.` and `el2.` are the MPUs' |
//! | `isb`, `dsb` | a barrier |
//! | `hvc 1.0 32 0x4 0x20000000 0x0 0x0 0x0` | a hypercall of vCPU 0 of the domain at position 1: number and arguments |
//! | `smc 1.0 0x84000002` | a PSCI call |
//! | `wfi 1.0`, `irq` | `WFI`; a physical interrupt |
//! | `abort 1.0 ec=0x24 fsc=0x0c far=0x30000000` | another exception of a guest to EL2 |
//! | `run 1.0`, `run 1.0 = -22`, `idle` | who goes on, and what a hypercall gave; nobody |
//! | `word 0.SharedInfo+0x800 |= 0x400 (0x0)` | bits set in an event-channel area, and what stood there |
//! | `inject 1.0`, `unblock 1.0`, `withheld 1:10`, `handler 1:10` | what becomes of events |
//! | `regions Guest(1) 12` | the view in force and how many regions are on |
//! | `unexpected 1.0 step 7` | a step of the program gave something else than expected |
//! | `fault ec=0x25 fsc=0x0c far=0x20010800` | EL2 took an exception from itself |

use crate::convention::{Cause, Frame, TAG, ec};
use crate::outcome::{StepId, VcpuRef};
use crate::platform::over::Over;
use crate::platform::{Event, Platform, SysReg, list_register};
use alloc::vec::Vec;
use boards::PeId;
use core::fmt::{self, Write};
use mpu_model::MpuReg;

/// A happening at EL2.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// A system register is written.
    Write(SysReg, u64),
    /// An ISB.
    Isb,
    /// A DSB.
    Dsb,
    /// What the hypervisor tells.
    Event(Event),
    /// EL2 is entered from a guest.
    Entered {
        /// By which vector.
        cause: Cause,
        /// `ESR_EL2`.
        esr: u64,
        /// `FAR_EL2`.
        far: u64,
        /// Who ran.
        vcpu: Option<VcpuRef>,
        /// Its registers.
        frame: &'a Frame,
        /// The hypercall number, if it is a hypercall.
        number: u64,
    },
    /// EL2 is left for this vCPU, or to sleep.
    Left(Option<VcpuRef>, &'a Frame),
    /// A step of this vCPU's program gave something else than expected.
    Unexpected(VcpuRef, StepId),
    /// EL2 took an exception from itself.
    Fault {
        /// `ESR_EL2`.
        esr: u64,
        /// `FAR_EL2`.
        far: u64,
    },
}

/// Writes the lines.
#[derive(Debug)]
pub struct Story<W> {
    out: W,
    /// vCPUs whose hypercall has given nothing yet.
    calls: Vec<VcpuRef>,
}

impl<W: Write> Story<W> {
    /// A story that goes to `out`.
    pub const fn new(out: W) -> Self {
        Self { out, calls: Vec::new() }
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// Tells one happening on a PE.
    pub fn tell(&mut self, pe: PeId, seen: Seen<'_>) -> fmt::Result {
        let out = &mut self.out;
        match seen {
            Seen::Write(reg, value) => write_register(out, pe, reg, value),
            Seen::Isb => writeln!(out, "{pe} isb"),
            Seen::Dsb => writeln!(out, "{pe} dsb"),
            Seen::Event(event) => tell_event(out, pe, event),
            Seen::Entered { cause: Cause::Irq, .. } => writeln!(out, "{pe} irq"),
            Seen::Entered { esr, far, vcpu, frame, number, .. } => {
                let Some(vcpu) = vcpu else { return writeln!(out, "{pe} stray {esr:#x}") };
                let VcpuRef { domain, vcpu: index } = vcpu;
                match esr >> 26 {
                    ec::HVC64 | ec::HVC32 if esr & 0xffff == u64::from(TAG) => {
                        self.calls.push(vcpu);
                        let [x0, x1, x2, x3, x4, ..] = frame.x;
                        writeln!(out, "{pe} hvc {domain}.{index} {number} {x0:#x} {x1:#x} {x2:#x} {x3:#x} {x4:#x}")
                    }
                    ec::HVC64 | ec::HVC32 => writeln!(out, "{pe} smc {domain}.{index} {:#x}", frame.x[0]),
                    ec::WFX => writeln!(out, "{pe} wfi {domain}.{index}"),
                    class => {
                        let fsc = esr & 0x3f;
                        writeln!(out, "{pe} abort {domain}.{index} ec={class:#04x} fsc={fsc:#04x} far={far:#x}")
                    }
                }
            }
            Seen::Unexpected(VcpuRef { domain, vcpu }, StepId(step)) => {
                writeln!(out, "{pe} unexpected {domain}.{vcpu} step {step}")
            }
            Seen::Left(None, _) => writeln!(out, "{pe} idle"),
            Seen::Left(Some(vcpu), frame) => {
                let VcpuRef { domain, vcpu: index } = vcpu;
                match self.calls.iter().position(|call| *call == vcpu) {
                    Some(at) => {
                        self.calls.swap_remove(at);
                        writeln!(out, "{pe} run {domain}.{index} = {}", frame.x[0].cast_signed())
                    }
                    None => writeln!(out, "{pe} run {domain}.{index}"),
                }
            }
            Seen::Fault { esr, far } => {
                writeln!(out, "{pe} fault ec={:#04x} fsc={:#04x} far={far:#x}", esr >> 26, esr & 0x3f)
            }
        }
    }
}

fn write_register(out: &mut impl Write, pe: PeId, reg: SysReg, value: u64) -> fmt::Result {
    let (level, reg) = match reg {
        SysReg::El1(reg) => (1, reg),
        SysReg::El2(reg) => (2, reg),
        SysReg::HcrEl2 => return writeln!(out, "{pe} w hcr {value:#x}"),
        SysReg::VsctlrEl2 => return writeln!(out, "{pe} w vsctlr {value:#x}"),
        SysReg::VtcrEl2 => return writeln!(out, "{pe} w vtcr {value:#x}"),
        SysReg::VmpidrEl2 => return writeln!(out, "{pe} w vmpidr {value:#x}"),
        SysReg::IchLr0 => {
            let state = match (value & list_register::PENDING != 0, value & list_register::ACTIVE != 0) {
                (false, false) => return writeln!(out, "{pe} w lr0 empty"),
                (true, false) => "pending",
                (false, true) => "active",
                (true, true) => "pending+active",
            };
            return writeln!(out, "{pe} w lr0 {state} {}", value & 0xffff_ffff);
        }
        // Time, and the state of guests that run where a simulated one has no address.
        _ => return Ok(()),
    };
    let el = format_args!("{pe} w el{level}");
    match reg {
        MpuReg::PrbarN(n) => writeln!(out, "{el}.prbar{n} {value:#x}"),
        MpuReg::PrlarN(n) => writeln!(out, "{el}.prlar{n} {value:#x}"),
        MpuReg::Prbar => writeln!(out, "{el}.prbar {value:#x}"),
        MpuReg::Prlar => writeln!(out, "{el}.prlar {value:#x}"),
        MpuReg::Prselr => writeln!(out, "{el}.prselr {value:#x}"),
        MpuReg::Prenr => writeln!(out, "{el}.prenr {value:#x}"),
        MpuReg::Sctlr => writeln!(out, "{el}.sctlr {value:#x}"),
        MpuReg::Mair => writeln!(out, "{el}.mair {value:#x}"),
        MpuReg::Mair1 => writeln!(out, "{el}.mair1 {value:#x}"),
        MpuReg::Mpuir => writeln!(out, "{el}.mpuir {value:#x}"),
    }
}

fn tell_event(out: &mut impl Write, pe: PeId, event: Event) -> fmt::Result {
    match event {
        Event::TableScan | Event::Console(_) => Ok(()),
        Event::EventWord { domain, object, offset, bits, old } => {
            writeln!(out, "{pe} word {domain}.{object:?}+{offset:#x} |= {bits:#x} ({old:#x})")
        }
        Event::Injected { domain, vcpu } => writeln!(out, "{pe} inject {domain}.{vcpu}"),
        Event::Unblocked { domain, vcpu } => writeln!(out, "{pe} unblock {domain}.{vcpu}"),
        Event::Withheld { domain, port, .. } => writeln!(out, "{pe} withheld {domain}:{port}"),
        Event::XenHandler { domain, port, .. } => writeln!(out, "{pe} handler {domain}:{port}"),
        Event::Regions { view, enabled } => writeln!(out, "{pe} regions {view:?} {enabled}"),
    }
}

/// A platform whose use is told.
#[derive(Debug)]
pub struct Telling<'a, P, W> {
    /// The platform.
    pub p: &'a mut P,
    /// Whom it is told to.
    pub story: &'a mut Story<W>,
}

impl<P: Platform, W: Write> Telling<'_, P, W> {
    /// Where a story goes that cannot be written, it is not for the hypervisor to know.
    fn tell(&mut self, seen: Seen<'_>) {
        let _ = self.story.tell(self.p.pe(), seen);
    }
}

impl<P: Platform, W: Write> Over for Telling<'_, P, W> {
    type Below = P;

    fn below(&self) -> &P {
        self.p
    }

    fn below_mut(&mut self) -> &mut P {
        self.p
    }

    fn write(&mut self, reg: SysReg, value: u64) -> Result<(), P::Fault> {
        self.tell(Seen::Write(reg, value));
        self.p.write(reg, value)
    }

    fn isb(&mut self) -> Result<(), P::Fault> {
        self.tell(Seen::Isb);
        self.p.isb()
    }

    fn dsb(&mut self) -> Result<(), P::Fault> {
        self.tell(Seen::Dsb);
        self.p.dsb()
    }

    fn event(&mut self, event: Event) {
        self.tell(Seen::Event(event));
        self.p.event(event);
    }
}
