//! Decoded instructions that process SIMD&FP registers.
//!
//! Names are those of the Arm ARM, C4.1.90 (encodings, issue I.a) and C7.2 (instructions).

use crate::a64::simd::lane::Lanes;
use crate::a64::slot::Slot;

/// Lane by lane, of two registers. What depends on the sign of lanes is told by `unsigned` beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Same {
    HalvingAdd,
    RoundingHalvingAdd,
    HalvingSub,
    SaturatingAdd,
    SaturatingSub,
    Greater,
    GreaterOrEqual,
    /// SSHL and its kin: by a signed count.
    Shift {
        saturating: bool,
        rounding: bool,
    },
    Maximum,
    Minimum,
    Difference,
    /// SABA, UABA.
    DifferenceAdd,
    Add,
    Sub,
    /// CMTST.
    Test,
    Equal,
    /// MLA.
    MultiplyAdd,
    /// MLS.
    MultiplySub,
    Multiply,
    /// PMUL.
    PolynomialMultiply,
    /// SQDMULH, SQRDMULH.
    DoublingHigh {
        rounding: bool,
    },
    /// SQRDMLAH, SQRDMLSH.
    DoublingHighAdd {
        sub: bool,
    },
}

/// Pair by pair, of two registers side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Pairwise {
    Maximum,
    Minimum,
    Add,
}

/// Bitwise, of two registers and the one that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Bitwise {
    And,
    Bic,
    Orr,
    Orn,
    Eor,
    /// BSL.
    Select,
    /// BIT.
    InsertIf,
    /// BIF.
    InsertUnless,
}

/// Lanes of half the width make lanes of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Long {
    Add,
    Sub,
    Difference,
    DifferenceAdd,
    Multiply,
    MultiplyAdd,
    MultiplySub,
    PolynomialMultiply,
    /// SQDMULL.
    Doubling,
    /// SQDMLAL.
    DoublingAdd,
    /// SQDMLSL.
    DoublingSub,
}

/// Lane by lane, of one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Unary {
    /// SUQADD, USQADD.
    SaturatingAddOther,
    LeadingSigns,
    LeadingZeros,
    /// CNT.
    CountBits,
    SaturatingAbsolute,
    SaturatingNegate,
    GreaterThanZero,
    GreaterOrEqualZero,
    EqualZero,
    LessOrEqualZero,
    LessThanZero,
    Absolute,
    Negate,
    Not,
    /// RBIT.
    ReverseBits,
}

/// How lanes are narrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Narrow {
    /// The low half.
    Truncate,
    /// SQXTN, SQSHRN.
    Signed,
    /// UQXTN, UQSHRN.
    Unsigned,
    /// SQXTUN, SQSHRUN: of signed lanes to unsigned ones.
    SignedToUnsigned,
}

/// Shifts by an immediate, lane by lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum ShiftBy {
    /// SSHR, SSRA, SRSHR, SRSRA and their unsigned kin.
    Right { rounding: bool, add: bool },
    /// SRI.
    RightInsert,
    /// SHL.
    Left,
    /// SLI.
    LeftInsert,
    /// SQSHL, UQSHL.
    LeftSaturating,
    /// SQSHLU.
    LeftSignedToUnsigned,
}

/// All lanes to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Across {
    /// SADDLV, UADDLV.
    AddLong,
    Maximum,
    Minimum,
    Add,
}

/// ZIP, UZP, TRN; the second of each where `odd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Permute {
    Unzip,
    Transpose,
    Zip,
}

/// What is done with an immediate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum Immediate {
    /// MOVI, MVNI, FMOV.
    Move,
    Orr,
    Bic,
}

/// What an instruction does. Registers are numbers as in the word; general ones are slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::a64) enum SimdOp {
    Same { same: Same, unsigned: bool, lanes: Lanes, d: u8, n: u8, m: u8 },
    // By element: lane `at` of the last register stands for all of its lanes.
    ByElement { same: Same, lanes: Lanes, at: u8, d: u8, n: u8, m: u8 },
    Pairwise { pairwise: Pairwise, unsigned: bool, lanes: Lanes, d: u8, n: u8, m: u8 },
    // ADDP of a scalar.
    PairwiseScalar { d: u8, n: u8 },
    Bitwise { bitwise: Bitwise, quad: bool, d: u8, n: u8, m: u8 },
    // `lanes` are those of the sources, from the upper half where `upper`; `wide`: the first source has wide lanes.
    Long { long: Long, unsigned: bool, wide: bool, upper: bool, lanes: Lanes, d: u8, n: u8, m: u8 },
    LongByElement { long: Long, unsigned: bool, upper: bool, lanes: Lanes, at: u8, d: u8, n: u8, m: u8 },
    // ADDHN, SUBHN and their rounding kin; `size` is that of the result.
    HighNarrow { sub: bool, rounding: bool, upper: bool, size: u8, d: u8, n: u8, m: u8 },
    Unary { unary: Unary, unsigned: bool, lanes: Lanes, d: u8, n: u8 },
    // REV16, REV32, REV64: lanes within containers of `1 << container` bytes.
    Reverse { container: u8, lanes: Lanes, d: u8, n: u8 },
    // SADDLP, SADALP and their unsigned kin.
    AddLongPairs { unsigned: bool, add: bool, lanes: Lanes, d: u8, n: u8 },
    // `lanes` are those of the result.
    Narrow { narrow: Narrow, upper: bool, shift: u8, rounding: bool, lanes: Lanes, d: u8, n: u8 },
    // SSHLL, USHLL, SHLL: `lanes` are those of the source.
    ShiftLong { unsigned: bool, upper: bool, shift: u8, lanes: Lanes, d: u8, n: u8 },
    ShiftBy { shift_by: ShiftBy, unsigned: bool, amount: u8, lanes: Lanes, d: u8, n: u8 },
    Across { across: Across, unsigned: bool, lanes: Lanes, d: u8, n: u8 },
    Permute { permute: Permute, odd: bool, lanes: Lanes, d: u8, n: u8, m: u8 },
    // EXT.
    Extract { at: u8, quad: bool, d: u8, n: u8, m: u8 },
    // TBL, TBX.
    Table { registers: u8, keep: bool, quad: bool, d: u8, n: u8, m: u8 },
    // DUP of an element.
    Duplicate { at: u8, lanes: Lanes, d: u8, n: u8 },
    // DUP of a general register.
    DuplicateGeneral { lanes: Lanes, d: u8, n: Slot },
    // INS of an element.
    Insert { size: u8, to: u8, from: u8, d: u8, n: u8 },
    // INS of a general register; FMOV to the upper half.
    InsertGeneral { size: u8, to: u8, d: u8, n: Slot },
    // SMOV, UMOV, FMOV to a general register.
    MoveToGeneral { size: u8, at: u8, signed: bool, wide: bool, d: Slot, n: u8 },
    // FMOV from a general register.
    MoveFromGeneral { size: u8, d: u8, n: Slot },
    // FMOV of a scalar register.
    MoveScalar { size: u8, d: u8, n: u8 },
    // FCSEL.
    Select { size: u8, condition: u8, d: u8, n: u8, m: u8 },
    // SDOT, UDOT; `at` 255: lane by lane.
    DotProduct { unsigned: bool, at: u8, lanes: Lanes, d: u8, n: u8, m: u8 },
}
