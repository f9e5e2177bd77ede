//! The one seam between the hypervisor and what it runs on.
//!
//! The trait stands at the level of the architecture: a system register, a barrier, an access to a physical
//! word. It holds no policy, and no method hides a barrier: where hardware needs an `ISB`, the hypervisor above
//! calls [`Platform::isb`]. The slot driver ([`mpu_model::Slots`]) is therefore the same source on a laptop and on
//! a board.

pub mod over;
mod vmid;

use crate::outcome::ViewId;
use boards::PeId;
use mpu_model::MpuReg;
pub use vmid::Vmid;

/// A system register the hypervisor names. Names and fields are the Arm ARM's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SysReg {
    /// A register of the EL2 MPU (`PRBAR_EL2`, `SCTLR_EL2`, ...).
    El2(MpuReg),
    /// A register of the EL1 MPU (`PRBAR_EL1`, `SCTLR_EL1`, ...).
    El1(MpuReg),
    /// `HCR_EL2`: VM bit 0, IMO bit 4, TWI bit 13.
    HcrEl2,
    /// `VSCTLR_EL2`: VMID in bits 63:48, of which 63:56 are RES0 unless `VTCR_EL2.VS` is set; in bits 23:16 with PMSAv8-32.
    VsctlrEl2,
    /// `VTCR_EL2`: VS (bit 19) makes VMIDs 16 bits wide where the PE has such. Not with PMSAv8-32.
    VtcrEl2,
    /// `VMPIDR_EL2`: what the guest reads as its own affinity; here the vCPU's number within its domain.
    VmpidrEl2,
    /// `ESR_EL2`: syndrome of the exception last taken to EL2.
    EsrEl2,
    /// `FAR_EL2`: faulting address of the abort last taken to EL2.
    FarEl2,
    /// `ESR_EL1`: syndrome of the exception last taken to EL1.
    EsrEl1,
    /// `FAR_EL1`: faulting address of the abort last taken to EL1. `AArch32` has DFAR in bits 31:0 and IFAR in bits 63:32.
    FarEl1,
    /// `IFSR`: status of the prefetch abort last taken to EL1, which only `AArch32` keeps apart from that of data aborts.
    Ifsr,
    /// `ELR_EL1`: where the guest returns to after an exception at EL1.
    ElrEl1,
    /// `SPSR_EL1`: the guest's interrupted PSTATE.
    SpsrEl1,
    /// `VBAR_EL1`: base of the guest's vectors.
    VbarEl1,
    /// `ICH_LR0_EL2`: the list register that carries the event upcall to the guest.
    IchLr0,
    /// `ICC_IAR1_EL1` read at EL2: acknowledges the pending physical interrupt, gives its INTID.
    IccIar1,
    /// `ICC_EOIR1_EL1` written at EL2: ends the physical interrupt.
    IccEoir1,
    /// `CNTHP_CVAL_EL2`: when the hypervisor's timer fires.
    CnthpCval,
    /// `CNTHP_CTL_EL2`: bit 0 enables the hypervisor's timer.
    CnthpCtl,
}

/// `HCR_EL2` bits the hypervisor uses.
pub mod hcr {
    /// Stage 2 of EL1/EL0 is checked by the EL2 MPU.
    pub const VM: u64 = 1 << 0;
    /// Physical interrupts are taken to EL2; virtual ones reach EL1.
    pub const IMO: u64 = 1 << 4;
    /// `WFI` at EL1 traps to EL2.
    pub const TWI: u64 = 1 << 13;
}

/// `ICH_LR<n>_EL2` fields (`GICv3` architecture, list registers).
pub mod list_register {
    /// State: pending.
    pub const PENDING: u64 = 1 << 62;
    /// State: active.
    pub const ACTIVE: u64 = 1 << 63;
    /// Group 1.
    pub const GROUP1: u64 = 1 << 60;
}

/// INTIDs the hypervisor and the machine agree on (GIC architecture: SGIs 0 to 15, PPIs 16 to 31).
pub mod intid {
    /// SGI by which one PE asks another to look at its vCPUs.
    pub const KICK: u64 = 0;
    /// PPI of the EL2 physical timer.
    pub const HYP_TIMER: u64 = 26;
    /// PPI by which a domU gets its event upcall (`GUEST_EVTCHN_PPI` in Xen's public Arm header).
    pub const EVENT: u64 = 31;
    /// What an acknowledge reads when nothing is pending.
    pub const SPURIOUS: u64 = 1023;
}

/// Width of a data access.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 8 bits.
    Byte,
    /// 32 bits.
    Word,
    /// 64 bits.
    Double,
}

impl Width {
    /// Size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Byte => 1,
            Self::Word => 4,
            Self::Double => 8,
        }
    }
}

/// An atomic operation on a 32-bit word of memory: one access that reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rmw {
    /// Set these bits.
    Or(u32),
    /// Keep only these bits.
    And(u32),
    /// If the word equals `current`, put `new`.
    CompareExchange {
        /// Expected value.
        current: u32,
        /// Value to put.
        new: u32,
    },
}

impl Rmw {
    /// The word after the operation on `old`.
    #[must_use]
    pub const fn apply(self, old: u32) -> u32 {
        match self {
            Self::Or(bits) => old | bits,
            Self::And(bits) => old & bits,
            Self::CompareExchange { current, new } => {
                if old == current {
                    new
                } else {
                    old
                }
            }
        }
    }
}

/// What the hypervisor tells whoever watches. A board prints or drops it; the simulator keeps books by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The hypervisor looked through the software copy of the region table.
    TableScan,
    /// The hypervisor set `bits` in a 32-bit word of an event-channel area; `old` is what stood there.
    EventWord {
        /// Position of the domain whose area it is.
        domain: usize,
        /// Which area.
        object: evtchn::Object,
        /// Byte offset of the word in the area.
        offset: u32,
        /// The bits set.
        bits: u32,
        /// The word before.
        old: u32,
    },
    /// The event interrupt was raised for a vCPU: its upcall byte went from 0 to 1.
    Injected {
        /// Position of its domain.
        domain: usize,
        /// The vCPU.
        vcpu: u32,
    },
    /// A vCPU that was polling is to go on.
    Unblocked {
        /// Position of its domain.
        domain: usize,
        /// The vCPU.
        vcpu: u32,
    },
    /// An event for a FIFO port set no bit, because the guest has not handed over what it takes.
    Withheld {
        /// Position of the port's domain.
        domain: usize,
        /// The port.
        port: u32,
        /// Why, and what becomes of the event.
        why: evtchn::Withheld,
    },
    /// The handler of a channel that the hypervisor owns itself was called.
    XenHandler {
        /// Position of the domain the port belongs to.
        domain: usize,
        /// The vCPU it is bound to.
        vcpu: u32,
        /// The port.
        port: u32,
        /// Which handler.
        handler: evtchn::XenHandler,
    },
    /// The regions that are enabled on this PE changed.
    Regions {
        /// The view in force, windows aside.
        view: ViewId,
        /// How many are enabled now.
        enabled: usize,
    },
    /// A byte for the console.
    Console(u8),
}

/// What the hypervisor needs of a PE. See the module's text for what must not be in here.
pub trait Platform {
    /// An EL2 exception taken from EL2. A board takes a real exception instead and says [`core::convert::Infallible`].
    type Fault;

    /// The number of this PE, from 0.
    fn pe(&self) -> PeId;

    /// Reads a system register.
    fn read(&mut self, reg: SysReg) -> u64;

    /// Writes a system register. A write may make the running code unreachable, so it can fault.
    fn write(&mut self, reg: SysReg, value: u64) -> Result<(), Self::Fault>;

    /// Instruction synchronisation barrier: a context synchronisation event.
    fn isb(&mut self) -> Result<(), Self::Fault>;

    /// Data synchronisation barrier, full system.
    fn dsb(&mut self) -> Result<(), Self::Fault>;

    /// Loads from physical memory, zero-extended.
    fn load(&mut self, address: u64, width: Width) -> Result<u64, Self::Fault>;

    /// Stores the low bytes of `value` to physical memory.
    fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), Self::Fault>;

    /// One atomic read-modify-write of an aligned 32-bit word; gives the old value.
    fn rmw(&mut self, address: u64, op: Rmw) -> Result<u32, Self::Fault>;

    /// Sends SGI [`intid::KICK`] to another PE.
    fn kick(&mut self, pe: PeId);

    /// This PE's time in cycles.
    fn now(&self) -> u64;

    /// Whether a long operation should stop at its next check point: an interrupt is pending on this PE.
    fn preemption_due(&mut self) -> bool;

    /// Tells whoever watches.
    fn event(&mut self, event: Event);
}
