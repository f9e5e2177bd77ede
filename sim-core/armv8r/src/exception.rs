//! What an instruction may end in other than its result, and the exceptions that come of it.

use mpu_model::El;

/// What the syndrome of a data abort tells of the instruction: ISS bits ISV to AR (Arm ARM, `ESR_ELx`, ISS encoding of a data abort).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Log2 of the bytes of the access.
    pub size: u8,
    /// The value is sign-extended.
    pub sign_extend: bool,
    /// The register loaded or stored, 31 for XZR.
    pub register: u8,
    /// The register is 64 bits wide.
    pub sixty_four: bool,
    /// It has acquire or release semantics.
    pub ordered: bool,
}

/// What ends an instruction without its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The instruction is UNDEFINED: no declared feature allocates the word, or it is not accessible here.
    Undefined,
    /// SVC, with its immediate.
    Svc(u16),
    /// HVC, with its immediate.
    Hvc(u16),
    /// SMC, with its immediate.
    Smc(u16),
    /// BRK, with its immediate.
    Brk(u16),
    /// HLT, with its immediate: the semihosting call of the machine, or UNDEFINED.
    Hlt(u16),
    /// The stack pointer is not aligned to 16 bytes.
    SpAlignment,
    /// An exception that whoever implements [`crate::a64::Env`] raised: it is kept there.
    Taken,
    /// An allocated instruction or register that is not built yet. The run stops with its name.
    NotBuilt(&'static str),
}

/// Which vector an exception takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionKind {
    /// Synchronous.
    Synchronous,
    /// IRQ or virtual IRQ.
    Irq,
    /// FIQ or virtual FIQ.
    Fiq,
    /// `SError` or virtual `SError`.
    SError,
}

/// An exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Which vector it takes.
    pub kind: ExceptionKind,
    /// The level that takes it.
    pub target: El,
    /// The exception class; 0 for an interrupt, which has none.
    pub ec: u8,
    /// The instruction specific syndrome, 25 bits.
    pub iss: u32,
    /// What FAR is set to, if it is.
    pub far: Option<u64>,
    /// What `HPFAR_EL2` is set to, if it is.
    pub hpfar: Option<u64>,
    /// The preferred return address.
    pub return_to: u64,
}

impl Exception {
    pub(crate) const fn synchronous(target: El, ec: u8, iss: u32, return_to: u64) -> Self {
        Self { kind: ExceptionKind::Synchronous, target, ec, iss, far: None, hpfar: None, return_to }
    }

    pub(crate) const fn interrupt(kind: ExceptionKind, target: El, return_to: u64) -> Self {
        Self { kind, ..Self::synchronous(target, 0, 0, return_to) }
    }

    pub(crate) const fn at(self, far: u64) -> Self {
        Self { far: Some(far), ..self }
    }

    /// `ESR_ELx`: every instruction of A64 is 32 bits long.
    #[must_use]
    pub const fn esr(&self) -> u64 {
        (self.ec as u64 & 0x3f) << 26 | 1 << 25 | (self.iss as u64 & 0x1ff_ffff)
    }
}
