//! A64 instruction words.

mod arithmetic;
mod atomic;
mod bits;
mod decode;
mod execute;
mod insn;
mod pauth;
mod regs;
mod simd;
mod slot;
#[cfg(test)]
mod tests;

pub use atomic::Atomic;
pub use decode::decode;
pub use execute::execute;
pub use insn::Insn;
pub use regs::Regs;

use crate::exception::{Exit, Transfer};

/// When an access whose address is not aligned to its bytes faults (Arm ARM, B2.5 with `FEAT_LSE2`; `AArch64.CheckAlignment`).
/// Whatever this says, it does where `SCTLR_ELx.A` is 1 or the memory is Device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// Nowhere else.
    Natural,
    /// LDAR, STLR, LDAPR and their kin: if its bytes are not all in one 16-byte granule and `SCTLR_ELx.nAA` is 0.
    Ordered,
    /// Exclusive and atomic accesses: if its bytes are not all in one 16-byte granule.
    Atomic,
}

impl Access {
    /// Whether the bytes of the access lie in one granule of 16 bytes that is aligned to 16.
    #[must_use]
    pub const fn in_granule(&self) -> bool {
        (self.address & 15) + self.bytes as u64 <= 16
    }
}

/// How memory is accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The virtual address, of which PMSA makes the physical one.
    pub address: u64,
    /// Bytes: 1, 2, 4, 8 or 16.
    pub bytes: u8,
    /// When an address that is no multiple of `bytes` is a fault.
    pub alignment: Alignment,
    /// As from EL0: LDTR and STTR while PSTATE.UAO is 0.
    pub unprivileged: bool,
    /// What a syndrome tells of it, for single registers without writeback.
    pub transfer: Option<Transfer>,
}

/// A system register or system instruction: op0, op1, `CRn`, `CRm`, op2, as bits 20:5 of its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SysEncoding(pub u16);

/// What waits or hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// YIELD.
    Yield,
    /// WFE.
    Wfe,
    /// WFI.
    Wfi,
    /// SEV.
    Sev,
    /// SEVL.
    Sevl,
    /// ESB.
    Esb,
}

/// What barriers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// DMB.
    Dmb,
    /// DSB.
    Dsb,
    /// ISB.
    Isb,
    /// SB.
    Sb,
}

/// A PE as instructions see it beside the registers that they name: memory, system registers, exceptions. The PE implements it;
/// a test does over plain memory.
pub trait Env {
    /// Reads memory.
    fn read(&mut self, access: Access) -> Result<u128, Exit>;
    /// Writes memory.
    fn write(&mut self, access: Access, value: u128) -> Result<(), Exit>;
    /// Reads and writes memory as one; gives what was there. `Access::bytes` is 16 for CASP of doublewords.
    fn atomic(&mut self, access: Access, operation: Atomic, operand: u128) -> Result<u128, Exit>;
    /// LDXR: reads memory and marks it for the exclusive monitor.
    fn read_exclusive(&mut self, access: Access) -> Result<u128, Exit>;
    /// STXR: writes memory if it still is marked; says whether it did.
    fn write_exclusive(&mut self, access: Access, value: u128) -> Result<bool, Exit>;
    /// CLREX.
    fn clear_exclusive(&mut self);
    /// MRS; SYSL, whose op0 is 1.
    fn read_register(&mut self, regs: &Regs, register: SysEncoding) -> Result<u64, Exit>;
    /// MSR of a register.
    fn write_register(&mut self, regs: &mut Regs, register: SysEncoding, value: u64) -> Result<(), Exit>;
    /// MSR immediate: op1, op2 and the immediate, of PSTATE fields (`DAIFSet`, `DAIFClr`, `SPSel`, PAN, UAO, DIT, SSBS).
    fn write_pstate(&mut self, regs: &mut Regs, op1: u8, op2: u8, immediate: u8) -> Result<(), Exit>;
    /// SYS: cache, TLB, address translation and prediction maintenance, DC ZVA.
    fn system(&mut self, regs: &Regs, operation: SysEncoding, value: u64) -> Result<(), Exit>;
    /// A barrier.
    fn barrier(&mut self, barrier: Barrier) -> Result<(), Exit>;
    /// A hint.
    fn hint(&mut self, hint: Hint) -> Result<(), Exit>;
    /// ERET: PC and PSTATE become what ELR and SPSR of this EL hold. ERETAA and ERETAB authenticate `link` first, which is ELR
    /// otherwise.
    fn exception_return(&mut self, regs: &mut Regs, link: Option<u64>) -> Result<(), Exit>;
    /// Whether instructions of floating point and Advanced SIMD may be executed here.
    fn fp_access(&mut self) -> Result<(), Exit>;
    /// ELR of this EL, for ERETAA and ERETAB.
    fn link(&self) -> u64;
    /// `SCTLR_ELx.SA` or SA0 of this EL: an access whose base is SP faults where SP is not aligned to 16 bytes.
    fn checks_sp(&self) -> bool;
    /// Whether pointer authentication is enabled here for this key; the key, if so. `Err`: it traps.
    fn pointer_key(&mut self, key: PointerKey) -> Result<Option<u128>, Exit>;
}

/// Keys of pointer authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointerKey {
    /// `APIAKey`.
    InstructionA,
    /// `APIBKey`.
    InstructionB,
    /// `APDAKey`.
    DataA,
    /// `APDBKey`.
    DataB,
    /// `APGAKey`.
    Generic,
}
