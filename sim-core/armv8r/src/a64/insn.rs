//! A decoded instruction: what it does, with its operands unpacked.
//!
//! Names of instructions and groups are those of the Arm ARM (DDI 0487), chapters C4 (encodings) and C6 (instructions).

use crate::a64::simd::{Immediate, SimdOp};
use crate::a64::slot::Slot;
use crate::a64::{Barrier, Hint, PointerKey, SysEncoding};

/// An instruction, decoded from its word by [`crate::a64::decode()`] and executed by [`crate::a64::execute()`].
///
/// It is small, so that blocks of them stay in caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insn(pub(in crate::a64) Op);

const _: () = assert!(size_of::<Insn>() <= 16, "an instruction takes 16 bytes");

impl Insn {
    /// Whether the word is unallocated for the features it was decoded for.
    #[must_use]
    pub const fn is_unallocated(&self) -> bool {
        matches!(self.0, Op::Unallocated)
    }

    /// The name of an allocated instruction, or of its group, that is not built yet.
    #[must_use]
    pub const fn not_built(&self) -> Option<&'static str> {
        match self.0 {
            Op::NotBuilt(name) => Some(*name),
            _ => None,
        }
    }

    /// Whether the next instruction may be another than the one behind it, or may be executed in another state of the PE: a
    /// branch, an exception, an exception return, an access to a system register, a system instruction, a barrier or a hint.
    #[must_use]
    pub const fn ends_block(&self) -> bool {
        matches!(
            self.0,
            Op::Unallocated
                | Op::NotBuilt(_)
                | Op::Branch { .. }
                | Op::BranchLink { .. }
                | Op::BranchIf { .. }
                | Op::CompareBranch { .. }
                | Op::TestBranch { .. }
                | Op::BranchRegister { .. }
                | Op::BranchAuthenticated { .. }
                | Op::ExceptionReturn
                | Op::ExceptionReturnAuthenticated { .. }
                | Op::Raise { .. }
                | Op::ReadSystem { .. }
                | Op::WriteSystem { .. }
                | Op::WritePstate { .. }
                | Op::System { .. }
                | Op::Hint(_)
                | Op::Barrier(_)
        )
    }
}

/// A bitwise operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Logic {
    And,
    Orr,
    Eor,
    /// AND that sets flags.
    Ands,
}

/// What a shifted register operand is shifted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Shift {
    Lsl,
    Lsr,
    Asr,
    Ror,
}

/// SBFM, BFM, UBFM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Bitfield {
    Signed,
    Insert,
    Unsigned,
}

/// Instructions of two source registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Two {
    UnsignedDivide,
    SignedDivide,
    Shift(Shift),
}

/// Instructions of one source register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum One {
    ReverseBits,
    /// REV16.
    Reverse16,
    /// REV32, and REV of a W register.
    Reverse32,
    /// REV of an X register.
    Reverse64,
    LeadingZeros,
    LeadingSigns,
}

/// What an atomic instruction of one register makes of what is there: [`crate::a64::Atomic`] but for CAS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Modify {
    Add,
    Clear,
    Eor,
    Set,
    SignedMax,
    SignedMin,
    UnsignedMax,
    UnsignedMin,
    Swap,
}

/// What is raised by an instruction on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Call {
    Svc,
    Hvc,
    Smc,
    Brk,
    Hlt,
}

/// How one general register is transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) struct Shape {
    /// Log2 of the bytes in memory.
    pub(in crate::a64) size: u8,
    /// A load extends the sign.
    pub(in crate::a64) signed: bool,
    /// The register is an X register.
    pub(in crate::a64) wide: bool,
    /// LDTR, STTR and their kin.
    pub(in crate::a64) unprivileged: bool,
}

/// When a base register is written back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Index {
    /// Never.
    Offset,
    /// With the address of the access.
    Pre,
    /// After the access at the base.
    Post,
}

/// Where an access by a SIMD&FP register goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Address {
    Immediate { n: Slot, offset: i32, index: Index },
    Register { n: Slot, m: Slot, extend: u8, amount: u8 },
    Literal { offset: i32 },
}

/// What LD1 to ST4 transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) struct Structure {
    pub(in crate::a64) load: bool,
    /// All 128 bits of each register.
    pub(in crate::a64) quad: bool,
    /// Log2 of the bytes of an element.
    pub(in crate::a64) size: u8,
    /// Elements of a structure.
    pub(in crate::a64) elements: u8,
    /// The first register.
    pub(in crate::a64) t: u8,
    pub(in crate::a64) n: Slot,
    /// What the base is incremented by: XZR read for the bytes transferred, XZR written for no writeback.
    pub(in crate::a64) m: Slot,
}

/// What an instruction does. `wide`: its operands are 64 bits wide. Where the name does not say which instructions they are:
///
/// * `Adr`: ADR.
/// * `AdrPage`: ADRP.
/// * `Move`: MOVZ, MOVN.
/// * `MoveKeep`: MOVK.
/// * `AddImmediate`: ADD and SUB immediate, the latter as an addition of the negative.
/// * `AddImmediateFlags`: ADDS and SUBS immediate, the latter as an addition of the complement with a carry.
/// * `AddCarry`: ADC, SBC.
/// * `Compare`: CCMP, CCMN of registers.
/// * `CompareImmediate`: CCMP, CCMN of an immediate.
/// * `Select`: CSEL, CSINC, CSINV, CSNEG.
/// * `Crc32`: CRC32B to CRC32CX; `size` is log2 of the bytes.
/// * `MultiplyAdd`: MADD, MSUB.
/// * `MultiplyAddLong`: SMADDL, SMSUBL, UMADDL, UMSUBL.
/// * `MultiplyHigh`: SMULH, UMULH.
/// * `SetFlags`: SETF8, SETF16.
/// * `InvertCarry`: CFINV.
/// * `Sign`: PACIA and its kin; the hint forms name their registers.
/// * `Authenticate`: AUTIA and its kin.
/// * `Strip`: XPACI, XPACD, XPACLRI.
/// * `SignGeneric`: PACGA.
/// * `BranchIf`: B.cond.
/// * `CompareBranch`: CBZ, CBNZ.
/// * `TestBranch`: TBZ, TBNZ.
/// * `BranchRegister`: BR, BLR, RET.
/// * `BranchAuthenticated`: BRAA, BLRAA, RETAA and their kin.
/// * `ExceptionReturn`: ERET.
/// * `ExceptionReturnAuthenticated`: ERETAA, ERETAB.
/// * `ReadSystem`: MRS, SYSL.
/// * `WriteSystem`: MSR of a register.
/// * `WritePstate`: MSR immediate.
/// * `System`: SYS.
/// * `ClearExclusive`: CLREX.
/// * `LoadPair`: LDP, LDNP, LDPSW.
/// * `StorePair`: STP, STNP.
/// * `LoadOrdered`: LDAR, LDLAR, LDAPR, LDAPUR and their kin.
/// * `StoreOrdered`: STLR, STLLR, STLUR and their kin.
/// * `LoadExclusive`: LDXR, LDAXR.
/// * `LoadExclusivePair`: LDXP, LDAXP; `size` is that of each register.
/// * `StoreExclusive`: STXR, STLXR.
/// * `StoreExclusivePair`: STXP, STLXP.
/// * `Atomic`: LDADD and its kin, SWP.
/// * `CompareSwap`: CAS; `s` is read and written.
/// * `CompareSwapPair`: CASP; `s` and `t` are the first registers of pairs, numbers as in the word.
/// * `LoadAuthenticated`: LDRAA, LDRAB.
/// * `LoadVector`: LDR of a SIMD&FP register.
/// * `StoreVector`: STR of a SIMD&FP register.
/// * `LoadVectorPair`: LDP, LDNP of SIMD&FP registers.
/// * `StoreVectorPair`: STP, STNP of SIMD&FP registers.
/// * `Structures`: LD1 to LD4 and ST1 to ST4 of multiple structures, `repeat` times.
/// * `Structure`: LD1 to LD4 and ST1 to ST4 of a single structure; `lane` 255: to all lanes.
/// * `Simd`: data processing of SIMD&FP registers.
/// * `SimdImmediate`: MOVI, MVNI, ORR, BIC and FMOV of an immediate, by its value in each half of the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Op {
    Unallocated,
    NotBuilt(&'static &'static str),
    Nop,
    Adr { d: Slot, offset: i64 },
    AdrPage { d: Slot, offset: i64 },
    Move { d: Slot, value: u64 },
    MoveKeep { wide: bool, d: Slot, shift: u8, value: u16 },
    AddImmediate { wide: bool, d: Slot, n: Slot, value: u64 },
    AddImmediateFlags { wide: bool, carry: bool, d: Slot, n: Slot, value: u64 },
    LogicalImmediate { wide: bool, logic: Logic, d: Slot, n: Slot, value: u64 },
    Bitfield { wide: bool, kind: Bitfield, d: Slot, n: Slot, rotate: u8, last: u8 },
    Extract { wide: bool, d: Slot, n: Slot, m: Slot, lsb: u8 },
    Logical { wide: bool, logic: Logic, invert: bool, d: Slot, n: Slot, m: Slot, shift: Shift, amount: u8 },
    AddShifted { wide: bool, sub: bool, flags: bool, d: Slot, n: Slot, m: Slot, shift: Shift, amount: u8 },
    AddExtended { wide: bool, sub: bool, flags: bool, d: Slot, n: Slot, m: Slot, extend: u8, amount: u8 },
    AddCarry { wide: bool, sub: bool, flags: bool, d: Slot, n: Slot, m: Slot },
    Compare { wide: bool, sub: bool, condition: u8, flags: u8, n: Slot, m: Slot },
    CompareImmediate { wide: bool, sub: bool, condition: u8, flags: u8, n: Slot, value: u8 },
    Select { wide: bool, invert: bool, increment: bool, condition: u8, d: Slot, n: Slot, m: Slot },
    Two { wide: bool, two: Two, d: Slot, n: Slot, m: Slot },
    One { wide: bool, one: One, d: Slot, n: Slot },
    Crc32 { castagnoli: bool, size: u8, d: Slot, n: Slot, m: Slot },
    MultiplyAdd { wide: bool, sub: bool, d: Slot, n: Slot, m: Slot, a: Slot },
    MultiplyAddLong { signed: bool, sub: bool, d: Slot, n: Slot, m: Slot, a: Slot },
    MultiplyHigh { signed: bool, d: Slot, n: Slot, m: Slot },
    RotateFlags { n: Slot, amount: u8, mask: u8 },
    SetFlags { n: Slot, bits: u8 },
    InvertCarry,

    Sign { key: PointerKey, d: Slot, modifier: Slot },
    Authenticate { key: PointerKey, d: Slot, modifier: Slot },
    Strip { d: Slot },
    SignGeneric { d: Slot, n: Slot, m: Slot },

    Branch { offset: i32 },
    BranchLink { offset: i32 },
    BranchIf { condition: u8, offset: i32 },
    CompareBranch { wide: bool, nonzero: bool, t: Slot, offset: i32 },
    TestBranch { bit: u8, nonzero: bool, t: Slot, offset: i32 },
    BranchRegister { link: bool, n: Slot },
    BranchAuthenticated { link: bool, key: PointerKey, n: Slot, modifier: Slot },
    ExceptionReturn,
    ExceptionReturnAuthenticated { key: PointerKey },
    Raise { call: Call, value: u16 },

    ReadSystem { register: SysEncoding, t: Slot },
    WriteSystem { register: SysEncoding, t: Slot },
    WritePstate { op1: u8, op2: u8, value: u8 },
    System { operation: SysEncoding, t: Slot },
    Hint(Hint),
    Barrier(Barrier),
    ClearExclusive,

    Load { shape: Shape, t: Slot, n: Slot, offset: i32 },
    Store { shape: Shape, t: Slot, n: Slot, offset: i32 },
    LoadRegister { shape: Shape, t: Slot, n: Slot, m: Slot, extend: u8, amount: u8 },
    StoreRegister { shape: Shape, t: Slot, n: Slot, m: Slot, extend: u8, amount: u8 },
    LoadIndexed { shape: Shape, t: Slot, n: Slot, offset: i32, post: bool },
    StoreIndexed { shape: Shape, t: Slot, n: Slot, offset: i32, post: bool },
    LoadLiteral { shape: Shape, t: Slot, offset: i32 },
    LoadPair { size: u8, signed: bool, index: Index, t: Slot, t2: Slot, n: Slot, offset: i32 },
    StorePair { size: u8, index: Index, t: Slot, t2: Slot, n: Slot, offset: i32 },
    LoadOrdered { shape: Shape, t: Slot, n: Slot, offset: i32 },
    StoreOrdered { shape: Shape, t: Slot, n: Slot, offset: i32 },
    LoadExclusive { size: u8, t: Slot, n: Slot },
    LoadExclusivePair { size: u8, t: Slot, t2: Slot, n: Slot },
    StoreExclusive { size: u8, s: Slot, t: Slot, n: Slot },
    StoreExclusivePair { size: u8, s: Slot, t: Slot, t2: Slot, n: Slot },
    Atomic { modify: Modify, size: u8, s: Slot, t: Slot, n: Slot },
    CompareSwap { size: u8, s: u8, t: Slot, n: Slot },
    CompareSwapPair { size: u8, s: u8, t: u8, n: Slot },
    LoadAuthenticated { key: PointerKey, writeback: bool, t: Slot, n: Slot, offset: i32 },

    LoadVector { size: u8, t: u8, address: Address },
    StoreVector { size: u8, t: u8, address: Address },
    LoadVectorPair { size: u8, index: Index, t: u8, t2: u8, n: Slot, offset: i32 },
    StoreVectorPair { size: u8, index: Index, t: u8, t2: u8, n: Slot, offset: i32 },
    Structures { structure: Structure, repeat: u8 },
    Structure { structure: Structure, lane: u8 },
    Simd(SimdOp),
    SimdImmediate { immediate: Immediate, quad: bool, d: u8, value: u64 },
}
