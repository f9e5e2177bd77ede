//! What an exception leaves behind: the registers of whoever was interrupted, and syndromes.

/// Registers of the interrupted guest, as an exception entry to EL2 leaves them. Those of an `AArch32` guest stand where the
/// architecture maps them ([`super::aarch32`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// x0 to x30.
    pub x: [u64; 31],
    /// `ELR_EL2`: where the guest continues.
    pub elr: u64,
    /// `SPSR_EL2`: the guest's PSTATE.
    pub spsr: u64,
    /// `SPSR_abt`, `SPSR_und`, `SPSR_irq`, `SPSR_fiq` of an `AArch32` guest.
    pub banked_spsr: [u32; 4],
    /// Registers of an `AArch64` guest that the hypervisor has no use for and that each vCPU finds as it left them: `SP_EL0`,
    /// `SP_EL1`, `TPIDR_EL0`, `TPIDRRO_EL0`, `TPIDR_EL1`, `CONTEXTIDR_EL1`, `CPACR_EL1`, `CNTKCTL_EL1`, `AMAIR_EL1`, `PAR_EL1`.
    pub kept: [u64; 10],
}

/// What EL1's syndrome registers hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct El1Syndrome {
    /// `ESR_EL1`, or DFSR.
    pub esr: u64,
    /// IFSR.
    pub ifsr: u64,
    /// `FAR_EL1`, or IFAR and DFAR.
    pub far: u64,
}

/// A synchronous exception that EL2 made a guest take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The syndrome in the form of `ESR_EL1`.
    pub esr: u64,
    /// The faulting address, 0 if there is none.
    pub far: u64,
}
