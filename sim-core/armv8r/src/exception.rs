//! What an instruction may end in other than its result.

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
