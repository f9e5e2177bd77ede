//! What a guest has to set up under Xen, which gives it a whole interrupt controller (Arm IHI 0069) and a device tree.

use crate::tree::Tree;
use board::semihosting;
use core::arch::asm;
use core::fmt::Write;
use sim_core::export::Program;
use sim_core::guest::recorder::Recorder;
use sim_core::outcome::VcpuRef;

/// The upcall's interrupt where nothing names another (Xen's `public/arch-arm.h`).
const GUEST_EVTCHN_PPI: u32 = 31;

/// Registers of the distributor, and of the redistributor's two frames.
mod gic {
    pub(super) const GICD_CTLR: u64 = 0x0;
    pub(super) const GICR_WAKER: u64 = 0x14;
    /// The frame of private interrupts.
    pub(super) const SGI: u64 = 0x1_0000;
    pub(super) const IGROUPR0: u64 = SGI + 0x80;
    pub(super) const ISENABLER0: u64 = SGI + 0x100;
    pub(super) const IPRIORITYR: u64 = SGI + 0x400;
    /// `GICD_CTLR`: affinity routing, group 1.
    pub(super) const ON: u32 = 1 << 4 | 1 << 1;
}

/// Runs a program that is at home where Xen put it, and tells what it does and is given.
pub(crate) fn run(program: Program, tree: usize) -> ! {
    // SAFETY: Xen's boot protocol, which is Linux's: the address of the tree in the first register.
    let tree = unsafe { Tree::at(tree) };
    if let Err(Missing(what)) = open_upcalls(tree) {
        let _ = writeln!(semihosting::Console::new(), "refused: the device tree lacks {what}");
        crate::off()
    }
    let who = VcpuRef { domain: program.domain, vcpu: program.home.vcpu };
    let guest = Recorder::new(crate::guest(&program), semihosting::Console::new(), who, program.bank);
    // A step that gave something else is told by then.
    crate::run(guest, |_| {})
}

/// What of the tree a guest cannot do without.
#[derive(Clone, Copy, Debug)]
struct Missing(&'static str);

fn write(address: u64, value: u32) {
    // SAFETY: a register of the interrupt controller that the device tree names.
    unsafe { (address as usize as *mut u32).write_volatile(value) };
}

/// Lets the upcall's interrupt through to this vCPU, as it is in the simulator from the start.
fn open_upcalls(tree: Tree) -> Result<(), Missing> {
    let controller = tree.find("arm,gic-v3").ok_or(Missing("an interrupt controller of version 3"))?;
    let (Some(distributor), Some(redistributor)) = (controller.reg(0), controller.reg(1)) else {
        return Err(Missing("the frames of the interrupt controller"));
    };
    // A domain that Xen makes without a toolstack is told nothing, and has what the ABI says.
    let intid = match tree.find("xen,xen") {
        Some(hypervisor) => hypervisor.private_interrupt().ok_or(Missing("the upcall's interrupt"))?,
        None => GUEST_EVTCHN_PPI,
    };
    write(distributor + gic::GICD_CTLR, gic::ON);
    write(redistributor + gic::GICR_WAKER, 0);
    write(redistributor + gic::IGROUPR0, 1 << intid);
    let priority = redistributor + gic::IPRIORITYR + u64::from(intid);
    // SAFETY: as in `write`; priorities are a byte each.
    unsafe { (priority as usize as *mut u8).write_volatile(0x80) };
    write(redistributor + gic::ISENABLER0, 1 << intid);
    // SAFETY: the guest's own interface: ICC_SRE_EL1.SRE, then every priority, then group 1.
    unsafe {
        asm!(
            "msr s3_0_c12_c12_5, {sre}", "isb", "msr s3_0_c4_c6_0, {all}", "msr s3_0_c12_c12_7, {on}", "isb",
            sre = in(reg) 7u64, all = in(reg) 0xffu64, on = in(reg) 1u64
        );
    }
    Ok(())
}
