//! What instructions ask of their environment, and what they end in.

use super::{Asked, DATA, PC, Plain, registers, step};
use crate::a64::{Access, Alignment, Barrier, Hint, SysEncoding, decode};
use crate::exception::{Exit, Transfer};
use crate::features::Features;
use std::vec::Vec;

/// What is asked by a word whose base register X1 is [`DATA`].
fn asked(word: u32) -> Vec<Asked> {
    let (mut regs, mut env) = (registers(), Plain::new());
    regs.set_x(1, DATA);
    assert_eq!(step(word, &mut regs, &mut env), Ok(()), "{word:#010x}");
    env.asked
}

fn access(word: u32) -> Access {
    match asked(word).as_slice() {
        [
            Asked::Read(access)
            | Asked::Write(access, _)
            | Asked::Atomic(access, ..)
            | Asked::ReadExclusive(access)
            | Asked::WriteExclusive(access, _),
            ..,
        ] => *access,
        other => panic!("{word:#010x} asked {other:?}"),
    }
}

#[test]
fn a_syndrome_tells_of_single_registers_without_writeback() {
    let transfer = |size, sign_extend, register, sixty_four, ordered| {
        Some(Transfer { size, sign_extend, register, sixty_four, ordered })
    };
    // LDRSB W0; LDRSW X2; STR XZR; LDR W3 by register; LDAR X0; STLURB W0; LDTRH W0.
    assert_eq!(access(0x39c00020).transfer, transfer(0, true, 0, false, false));
    assert_eq!(access(0xb9800022).transfer, transfer(2, true, 2, true, false));
    assert_eq!(access(0xf900003f).transfer, transfer(3, false, 31, true, false));
    assert_eq!(access(0xb8626823).transfer, transfer(2, false, 3, false, false));
    assert_eq!(access(0xc8dffc20).transfer, transfer(3, false, 0, true, true));
    assert_eq!(access(0x19000020).transfer, transfer(0, false, 0, false, true));
    assert_eq!(access(0x78400820).transfer, transfer(1, false, 0, false, false));
    // LDR with writeback, LDP, LDXR, LDADD, CAS.
    for word in [0xf8408420, 0xa9400820, 0xc85f7c20, 0xf8220020, 0xc8a27c20] {
        assert_eq!(access(word).transfer, None, "{word:#010x}");
    }
}

#[test]
fn accesses_say_how_they_have_to_be_aligned() {
    // LDR, LDP, LDR Q0.
    for word in [0xf9400020, 0xa9400820] {
        assert_eq!(access(word).alignment, Alignment::Natural);
    }
    // LDAR, STLR, LDAPR, LDAPUR, STLUR, LDLAR.
    for word in [0xc8dffc20, 0xc89ffc20, 0xf8bfc020, 0xd9400020, 0xd9000020, 0xc8df7c20] {
        assert_eq!(access(word).alignment, Alignment::Ordered, "{word:#010x}");
    }
    // LDXR, LDAXR, STXR, SWP, CAS.
    for word in [0xc85f7c20, 0xc85ffc20, 0xc8037c20, 0xf8228020, 0xc8a27c20] {
        assert_eq!(access(word).alignment, Alignment::Atomic, "{word:#010x}");
    }
    // LDXP and CASP are one access of both registers.
    assert_eq!((access(0xc87f0820).bytes, access(0x48227c24).bytes, access(0x887f0820).bytes), (16, 16, 8));
    // LDTR, STTR.
    assert!(access(0xb8400820).unprivileged && access(0xf8000820).unprivileged && !access(0xf9400020).unprivileged);
}

#[test]
fn a_granule_is_sixteen_bytes() {
    let access = |address, bytes| access(0xf9400020).clone_at(address, bytes);
    assert!(access(0x1008, 8).in_granule() && access(0x1001, 8).in_granule() && access(0x1000, 16).in_granule());
    assert!(!access(0x1009, 8).in_granule() && !access(0x1001, 16).in_granule());
}

impl Access {
    /// The same elsewhere.
    fn clone_at(self, address: u64, bytes: u8) -> Self {
        Self { address, bytes, ..self }
    }
}

#[test]
fn sp_has_to_be_aligned_where_that_is_checked() {
    // LDR X0, [SP]; STP X0, X2, [SP, #-16]!; LDXR X0, [SP]; LDADD X2, X0, [SP]; LDR Q0, [SP].
    for word in [0xf94003e0, 0xa9bf0be0, 0xc85f7fe0, 0xf82203e0, 0x3dc003e0] {
        let (mut regs, mut env) = (registers(), Plain::new());
        regs.set_sp(DATA + 8);
        let before = regs.clone();
        assert_eq!(step(word, &mut regs, &mut env), Err(Exit::SpAlignment), "{word:#010x}");
        assert_eq!(regs, before);
        env.checks_sp = false;
        assert_eq!(step(word, &mut regs, &mut env), Ok(()), "{word:#010x}");
    }
    // PRFM checks nothing.
    let mut regs = registers();
    regs.set_sp(1);
    assert_eq!(step(0xf98003e0, &mut regs, &mut Plain::new()), Ok(()));
}

#[test]
fn exclusives_go_by_the_monitor() {
    let (mut regs, mut env) = (registers(), Plain::new());
    regs.set_x(1, DATA);
    regs.set_x(2, 7);
    // LDXR X0, [X1]; STXR W3, X2, [X1], twice.
    assert_eq!(step(0xc85f7c20, &mut regs, &mut env), Ok(()));
    assert_eq!(step(0xc8037c22, &mut regs, &mut env), Ok(()));
    assert_eq!((regs.x(3), env.memory.get(DATA as usize)), (0, Some(&7)));
    assert_eq!(step(0xc8037c22, &mut regs, &mut env), Ok(()));
    assert_eq!(regs.x(3), 1);
    // LDAXP W0, W2, [X1]; STLXP W3, W0, W2, [X1].
    assert_eq!(step(0x887f8820, &mut regs, &mut env), Ok(()));
    assert_eq!(step(0x88238820, &mut regs, &mut env), Ok(()));
    assert_eq!(regs.x(3), 0);
    assert_eq!(asked(0xd5033f5f), [Asked::ClearExclusive]);
}

#[test]
fn a_fault_leaves_registers_and_the_pc() {
    // LDR X0, [X1], #8; LDP X0, X2, [X1, #-8]; STR X0, [X1, #8]!; LD1 {V0.16B}, [X1], #16; LDADD X2, X0, [X1].
    for word in [0xf8408420, 0xa97f8820, 0xf8008c20, 0x4cdf7020, 0xf8220020] {
        let (mut regs, mut env) = (registers(), Plain::new());
        regs.set_x(1, 0x1_0000);
        let before = regs.clone();
        assert_eq!(step(word, &mut regs, &mut env), Err(Exit::Taken), "{word:#010x}");
        assert_eq!(regs, before, "{word:#010x}");
    }
}

#[test]
fn exceptions_on_purpose_carry_their_immediate() {
    let cases = [
        (0xd4024681, Exit::Svc(0x1234)),
        (0xd41d5c22, Exit::Hvc(0xeae1)),
        (0xd4000003, Exit::Smc(0)),
        (0xd4200020, Exit::Brk(1)),
        (0xd45e0000, Exit::Hlt(0xf000)),
        // DCPS1, DRPS, UDF.
        (0xd4a00001, Exit::Undefined),
        (0xd6bf03e0, Exit::Undefined),
        (0x00000000, Exit::Undefined),
        // FADD S0, S0, S0.
        (0x1e202800, Exit::NotBuilt("FMUL, FDIV, FADD, FSUB, FMAX, FMIN, FMAXNM, FMINNM, FNMUL")),
    ];
    for (word, exit) in cases {
        let mut regs = registers();
        assert_eq!(step(word, &mut regs, &mut Plain::new()), Err(exit), "{word:#010x}");
        assert_eq!(regs.pc, PC);
    }
}

#[test]
fn system_registers_and_instructions_go_by_their_encoding() {
    // MRS X0, MIDR_EL1; MSR VBAR_EL2, X1; MSR DAIFSet, #2; DC ZVA, X1; IC IALLU; SYSL X0, #0, C7, C1, #0.
    assert_eq!(asked(0xd5380000), [Asked::ReadRegister(SysEncoding(0xc000))]);
    assert_eq!(asked(0xd51cc001), [Asked::WriteRegister(SysEncoding(0xe600), DATA)]);
    assert_eq!(asked(0xd50342df), [Asked::WritePstate(3, 6, 2)]);
    assert_eq!(asked(0xd50b7421), [Asked::System(SysEncoding(0x5ba1), DATA)]);
    assert_eq!(asked(0xd508751f), [Asked::System(SysEncoding(0x43a8), 0)]);
    assert_eq!(asked(0xd5287100), [Asked::ReadRegister(SysEncoding(0x4388))]);
    // MSR PAN, #1; MSR UAO, #0; MSR SPSel, #1; MSR DIT, #1; MSR SSBS, #1; MSR DAIFClr, #15.
    let fields = [(0xd500419f, 0, 4, 1), (0xd500407f, 0, 3, 0), (0xd50041bf, 0, 5, 1), (0xd503415f, 3, 2, 1)];
    for (word, op1, op2, value) in fields.into_iter().chain([(0xd503413f, 3, 1, 1), (0xd5034fff, 3, 7, 15)]) {
        assert_eq!(asked(word), [Asked::WritePstate(op1, op2, value)]);
    }
    let mut regs = registers();
    assert_eq!(step(0xd5380002, &mut regs, &mut Plain::new()), Ok(()));
    assert_eq!((regs.x(2), regs.pc), (0x5555, PC + 4));
}

#[test]
fn barriers_hints_and_returns_are_asked_for() {
    let barriers = [(0xd5033fbf, Barrier::Dmb), (0xd5033f9f, Barrier::Dsb), (0xd5033fdf, Barrier::Isb)];
    for (word, barrier) in barriers.into_iter().chain([(0xd50330ff, Barrier::Sb)]) {
        assert_eq!(asked(word), [Asked::Barrier(barrier)]);
    }
    let hints = [(1, Hint::Yield), (2, Hint::Wfe), (3, Hint::Wfi), (4, Hint::Sev), (5, Hint::Sevl), (16, Hint::Esb)];
    for (number, hint) in hints {
        assert_eq!(asked(0xd503201f | (number << 5)), [Asked::Hint(hint)]);
    }
    assert_eq!(asked(0xd69f03e0), [Asked::ExceptionReturn(None)]);
    assert_eq!(asked(0x0e208400), [Asked::FpAccess]);
}

#[test]
fn without_fp_and_simd_their_words_are_undefined() {
    // LDR Q0, [X1]; STP D0, D1, [X1]; LD1 {V0.16B}, [X1]; ADD V0.16B; FMOV X0, D0; FADD S0, S0, S0; LDR S0, label.
    for word in [0x3dc00020, 0x6d000420, 0x4c407020, 0x4e208400, 0x9e660000, 0x1e202800, 0x1c000000] {
        assert!(decode(word, Features { fp_simd: false }).is_unallocated(), "{word:#010x}");
        assert!(!decode(word, Features { fp_simd: true }).is_unallocated(), "{word:#010x}");
    }
}

#[test]
fn what_no_declared_feature_allocates_is_undefined() {
    // SUBP, IRG, STG, LDG (MTE); AESE, SHA1C, SHA512H, PMULL 1Q (Crypto); FADD H0 (FP16); AXFLAG, XAFLAG (FlagM2); LD64B; CPYFP;
    // FRINT32Z; BFDOT; SVE; RNDR is a register's business.
    let words = [
        0x9ac20020, 0x9ac21020, 0xd9200820, 0xd9600020, 0x4e284820, 0x5e020020, 0xce628020, 0x0ee0e000, 0x1ee02800,
        0xd500405f, 0xd500403f, 0xf83fd020, 0x19020443, 0x1e284020, 0x6e40fc00, 0x04200000,
    ];
    for word in words {
        assert!(decode(word, Features { fp_simd: true }).is_unallocated(), "{word:#010x}");
    }
}

#[test]
fn blocks_end_where_something_else_may_follow() {
    let ends = |word| decode(word, Features { fp_simd: true }).ends_block();
    // B, BL, B.EQ, CBZ, TBZ, RET, RETAA, SVC, ERET, MSR, ISB, WFI, UDF, FADD.
    for word in [
        0x14000001, 0x94000001, 0x54000000, 0xb4000000, 0x36000000, 0xd65f03c0, 0xd65f0bff, 0xd4000001, 0xd69f03e0,
        0xd51cc001, 0xd5033fdf, 0xd503207f, 0, 0x1e202800,
    ] {
        assert!(ends(word), "{word:#010x}");
    }
    // ADD, LDR, NOP, LDADD.
    assert!(![0x8b020020, 0xf9400020, 0xd503201f, 0xf8220020].into_iter().any(ends));
}
