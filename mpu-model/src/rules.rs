//! Who may do what inside a region, and the switches for what the manuals leave open.
//!
//! Each switch says where its default comes from and how certain that is. DDI 0600 (Armv8-R `AArch64`) and DDI 0568
//! (Armv8-R `AArch32`) were read through those who quote or implement them, DDI 0487 (Armv8-A) as it is.

use crate::access::AccessKind;
use crate::attrs::{Ap, Attrs};
use crate::level::{El, Regime};

/// What a write to `PRBAR`, `PRLAR` or `PRENR` waits for before it is in force.
///
/// `PRSELR` and `SCTLR` are ordinary system registers and wait for a context synchronisation event only, under
/// either rule (DDI 0487 section D24.1.2.2).
///
/// Source of the default: DDI 0600B.a section C1.7.1, as Xen's `asm/mpu/mm.h` quotes it, and Xen's and Zephyr's code, which
/// have both barriers. Certain for what software may rely on. Bao and Fiasco use an ISB alone.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SyncRule {
    /// A DSB after the write, then a context synchronisation event (DDI 0600 section C1.7.1).
    #[default]
    DsbThenContextSync,
    /// A context synchronisation event alone, as some hypervisors rely on.
    ContextSyncOnly,
}

/// In which order writes that are not synchronised may come into force.
///
/// Under either rule each prefix of the pending writes may be in force: an access whose verdict hangs on how long it is, is a
/// hazard ([`crate::Hazard`]). The writes of `PRBAR` and `PRLAR` to one region are taken to come into force in the order
/// in which they were made: every port that was read relies on that.
///
/// Source of the default: DDI 0487 section D24.1.2.2 orders direct writes to one register among themselves and no others, until a
/// context synchronisation event; DDI 0600B.a section C1.7.1 asks for a DSB as well. Fiasco put an ISB between the
/// regions and `SCTLR.M` for that reason (commit 1f031f8b). Certain for what software may rely on; no part was found of which
/// somebody says that it does reorder them.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WriteOrder {
    /// A write that enables something may be in force before writes to regions that were made earlier: one to `SCTLR` or
    /// `PRENR` before those to any region, a `PRLAR` with EN set before those to other regions. One such write at a time
    /// runs ahead, together with the writes to `SCTLR` and `PRENR` before it.
    #[default]
    EnablesFirst,
    /// Writes come into force in the order in which they were made.
    Program,
}

/// What the two bits of `PRBAR_EL2.XN` mean for fetches by EL1 and EL0. Sources disagree; 0b00 means the same in all.
///
/// Source of the default: DDI 0600A.d section G1.3.19 has 0b01 as not permitted, as a review on xen-devel quotes it (8 April
/// 2025, "arm/mpu: Provide a constructor for `pr_t` type"); Arm's own Xen series has it so too, and uses it for guests
/// (`XN_P2M_ENABLED`). Bao and Fiasco write 0b10 for what nobody may execute. The default is the only reading under which both forbid.
/// Fairly certain for 0b01, which has a quotation; a guess for 0b10 and 0b11. PMSAv8-32 has one bit, which is certain.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum S2XnModel {
    /// Either bit forbids: only 00 may be fetched.
    #[default]
    EitherBit,
    /// As `FEAT_XNX` of VMSA has it (DDI 0487): 00 both may, 01 EL0 only, 10 none, 11 EL1 only. No source says that PMSA
    /// does.
    Xnx,
    /// Bit 1 forbids, bit 0 is ignored.
    Bit1Only,
    /// Bit 0 forbids, bit 1 is ignored: as comments of Arm's Xen series have it.
    Bit0Only,
}

/// Stage 2 with `HCR_EL2.VM` = 1 while `SCTLR_EL2.M` = 0. Sources disagree.
///
/// Source of the default: DDI 0568 figure C1-3, as Renode reads it (`arch/arm64/helper_v7.c` of antmicro/tlib, whose comment notes that section
/// C1.3 says otherwise); rust-embedded/aarch64-cpu has `SCTLR_EL2.M` for both stages too. Uncertain, and the choice that denies.
/// Hypervisors that were read set both bits at once.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum VmWithoutM {
    /// The access goes to the default map of EL2, which lower levels may not use: translation fault.
    #[default]
    TranslationFault,
    /// The regions of the EL2 MPU apply all the same, as in QEMU.
    RegionsApply,
}

/// The background region that `SCTLR_ELx.BR` lends to privileged accesses. PMSAv8-64 leaves its contents to the
/// implementation, so there is none unless the board declares one. `SCTLR_ELx.WXN` does not apply to it: that bit
/// speaks of regions.
///
/// Source of the default: DDI 0600 leaves the map IMPLEMENTATION DEFINED, and Xen keeps BR clear for that (`arm64/mpu/head.S`): certain. Of
/// PMSAv8-32: DDI 0568 tables C1-4 and C1-5, as quoted on qemu-devel and as QEMU has them: certain.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DefaultMap {
    /// Nothing is known of it: what hits no region faults even with BR set.
    #[default]
    None,
    /// The whole address space may be read and written, not executed.
    RwNoExec,
    /// The whole address space may be read, written and executed.
    Rwx,
    /// The fixed table of PMSAv8-32 (DDI 0568 table C1-4): everything may be read and written; what lies below
    /// 2 GiB is Normal memory and may be executed, what lies above is Device memory and may not.
    Pmsav8_32,
}

/// Where the default map of PMSAv8-32 turns from Normal to Device memory.
pub(crate) const DEVICE_HALF: u64 = 0x8000_0000;

/// An access whose parts lie in regions that all permit it and give it different memory types or shareability: CONSTRAINED
/// UNPREDICTABLE (Arm DDI 0487, "Crossing a page boundary with different memory types or Shareability attributes"). Asked
/// under [`Crossing::EveryByte`] only: the other two look at single bytes.
///
/// Source of the default: both are allowed by that section; the default is what a part does that judges the halves on their own.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MixedAttributes {
    /// It is made, as if all of it had the attributes of its first byte.
    #[default]
    AsFirst,
    /// It takes an alignment fault.
    AlignmentFault,
}

/// Which bytes of an access that spans several are judged.
///
/// Source of the default: no text of PMSA was found. DDI 0487 has each byte of an access checked on its own, and in
/// `HPFAR_EL2` (section D24.2.76) the lower of several addresses that fault reported. Likely, and the choice that denies.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Crossing {
    /// All of them; the lowest that is denied is what FAR names.
    #[default]
    EveryByte,
    /// The first.
    FirstByte,
    /// The first, and the first behind each line of 1 KiB that the access runs over, as QEMU does (its page size for
    /// R-profile).
    FirstBytePerKilobyte,
}

/// EL0 with `SCTLR_EL1.M` = 0. Sources disagree; software that was seen enables the EL1 MPU before EL0 runs.
///
/// Source of the default: QEMU's `target/arm/ptw.c`, measured too; and DDI 0487, where a stage 1 that is off denies nothing to
/// EL0. Uncertain: Renode reads DDI 0568 figure C1-2 the other way.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum El0WithoutM {
    /// It uses the default map, as in QEMU.
    #[default]
    DefaultMap,
    /// A translation fault, as in Renode's reading of DDI 0568 figure C1-2.
    TranslationFault,
}

/// Which status code a denial gets.
///
/// Source of the default: DDI 0600A.d table C1-4, as arm-jitter quotes it; Fiasco and Zephyr decode the same on both widths.
/// Certain for a miss and a denial; of an overlap no measurement was found.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StatusCodes {
    /// Translation fault for a miss and for an overlap, permission fault for a denial (DDI 0600 table C1-4).
    #[default]
    Arm,
    /// As `Arm`, but code 0b000000 for a miss: Renode's "background fault" of a Cortex-R52.
    BackgroundFault,
    /// Permission fault whatever the reason, as in QEMU.
    AlwaysPermission,
}

/// When `HPFAR_EL2` is filled. PMSA has one address, so FAR holds all of it anyway.
///
/// Alignment faults and external aborts fill it under neither rule: they are no faults of stage 2.
///
/// Source of the default: DDI 0487 section D24.2.76, which has it written by translation, access flag and address size faults of
/// stage 2 and UNKNOWN otherwise (permission faults count on a table walk, and an MPU walks none). Certain for Armv8-A;
/// no text of Armv8-R that differs was found.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HpfarRule {
    /// By translation faults and address size faults only; after a permission fault it is UNKNOWN.
    #[default]
    Translation,
    /// By every fault of stage 2, permission faults included, as in QEMU (`tlb_helper.c`).
    Always,
}

/// The switches one [`crate::Mpu`] runs under.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rules {
    /// What a register write waits for.
    pub sync: SyncRule,
    /// In which order writes may come into force.
    pub order: WriteOrder,
    /// How stage 2 reads XN.
    pub s2_xn: S2XnModel,
    /// Stage 2 asked of an MPU that is off.
    pub vm_without_m: VmWithoutM,
    /// The background region.
    pub default_map: DefaultMap,
    /// Which bytes are judged.
    pub crossing: Crossing,
    /// An access over regions that permit it all and have different attributes.
    pub mixed: MixedAttributes,
    /// EL0 below an EL1 MPU that is off.
    pub el0_without_m: El0WithoutM,
    /// Status codes.
    pub codes: StatusCodes,
    /// When HPFAR is filled.
    pub hpfar: HpfarRule,
}

impl Rules {
    /// The defaults with the default map of PMSAv8-32, which is part of that architecture.
    #[must_use]
    pub fn pmsav8_32() -> Self {
        Self { default_map: DefaultMap::Pmsav8_32, ..Self::default() }
    }

    /// What QEMU 10.0 does on its `mps3-an536` board (Cortex-R52): measured, 28,000 accesses.
    #[must_use]
    pub fn qemu_an536() -> Self {
        Self {
            vm_without_m: VmWithoutM::RegionsApply,
            crossing: Crossing::FirstBytePerKilobyte,
            codes: StatusCodes::AlwaysPermission,
            hpfar: HpfarRule::Always,
            ..Self::pmsav8_32()
        }
    }
}

/// Reads, writes, fetches: which of the three someone may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rights {
    read: bool,
    write: bool,
    fetch: bool,
}

impl Rights {
    /// What the background region grants at `addr`.
    pub(crate) const fn of_default_map(map: DefaultMap, addr: u64) -> Option<Self> {
        match map {
            DefaultMap::Pmsav8_32 => Some(Self { read: true, write: true, fetch: addr < DEVICE_HALF }),
            DefaultMap::None => None,
            DefaultMap::RwNoExec => Some(Self { read: true, write: true, fetch: false }),
            DefaultMap::Rwx => Some(Self { read: true, write: true, fetch: true }),
        }
    }

    /// What a region with `attrs` grants to `el` in `regime`.
    ///
    /// A fetch needs XN clear and the right to read. `wxn` is `SCTLR_ELx.WXN`: at stage 1 what may be written may not
    /// be executed; stage 2 does not look at it. `uwxn` is `SCTLR.UWXN` of `AArch32`: EL1 does not execute what EL0 may
    /// write.
    pub(crate) fn of_region(attrs: Attrs, regime: Regime, el: El, (wxn, uwxn): (bool, bool), s2_xn: S2XnModel) -> Self {
        let (read, write) = match (regime, el) {
            // Below the MPU's own level.
            (Regime::Stage2, _) | (Regime::El1, El::El0) => (attrs.ap.lower(), attrs.ap == Ap::RwAll),
            // At its own level every region can be read; AP[0] is not looked at.
            (Regime::El2 | Regime::El1, _) => (true, attrs.ap.writable()),
        };
        let never = match regime {
            Regime::El1 if el != El::El0 && uwxn && attrs.ap == Ap::RwAll => true,
            Regime::El2 | Regime::El1 => attrs.xn.bit1() || (wxn && write),
            Regime::Stage2 => match s2_xn {
                S2XnModel::EitherBit => attrs.xn.bit0() || attrs.xn.bit1(),
                // Equal bits let EL1 execute, bit 1 clear lets EL0.
                S2XnModel::Xnx if el != El::El0 => attrs.xn.bit0() != attrs.xn.bit1(),
                S2XnModel::Xnx | S2XnModel::Bit1Only => attrs.xn.bit1(),
                S2XnModel::Bit0Only => attrs.xn.bit0(),
            },
        };
        Self { read, write, fetch: read && !never }
    }

    /// The right that `kind` lacks, if any. A read-modify-write lacks the read first: the architecture reports it as a
    /// write only where a read would have gone ahead.
    pub(crate) const fn missing(self, kind: AccessKind) -> Option<AccessKind> {
        match kind {
            AccessKind::Read | AccessKind::Rmw if !self.read => Some(AccessKind::Read),
            AccessKind::Write | AccessKind::Rmw if !self.write => Some(AccessKind::Write),
            AccessKind::Fetch if !self.fetch => Some(AccessKind::Fetch),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attrs::{Shareability, Xn};

    fn rights(ap: Ap, xn: Xn, regime: Regime, el: El, wxn: bool, s2_xn: S2XnModel) -> [bool; 3] {
        let attrs = Attrs { ap, xn, sh: Shareability::Non, attr_index: 0, ns: false };
        let Rights { read, write, fetch } = Rights::of_region(attrs, regime, el, (wxn, false), s2_xn);
        [read, write, fetch]
    }

    /// As measured on QEMU 10.0.2, `mps3-an536`.
    #[test]
    fn choices_of_qemu() {
        let Rules { sync, order, s2_xn, vm_without_m, default_map, crossing, mixed, el0_without_m, codes, hpfar } =
            Rules::qemu_an536();
        assert_eq!((vm_without_m, el0_without_m), (VmWithoutM::RegionsApply, El0WithoutM::DefaultMap));
        assert_eq!((crossing, default_map), (Crossing::FirstBytePerKilobyte, DefaultMap::Pmsav8_32));
        assert_eq!(mixed, MixedAttributes::default());
        assert_eq!((codes, hpfar), (StatusCodes::AlwaysPermission, HpfarRule::Always));
        let untold = (sync, order, s2_xn);
        assert_eq!(untold, (SyncRule::default(), WriteOrder::default(), S2XnModel::default()), "none was told apart");
    }

    /// Rows AP 00 01 10 11; read, write, fetch with XN = 0.
    #[test]
    fn permissions_by_level() {
        const T: bool = true;
        const F: bool = false;
        let table = |regime, el| {
            [Ap::RwPrivileged, Ap::RwAll, Ap::RoPrivileged, Ap::RoAll]
                .map(|ap| rights(ap, Xn::Exec, regime, el, false, S2XnModel::Xnx))
        };
        let own = [[T, T, T], [T, T, T], [T, F, T], [T, F, T]];
        let lower = [[F, F, F], [T, T, T], [F, F, F], [T, F, T]];
        assert_eq!(table(Regime::El2, El::El2), own);
        assert_eq!(table(Regime::El1, El::El1), own);
        assert_eq!(table(Regime::El1, El::El0), lower);
        assert_eq!(table(Regime::Stage2, El::El1), lower);
        assert_eq!(table(Regime::Stage2, El::El0), lower);
    }

    /// Columns XN 00 01 10 11: may it be fetched?
    #[test]
    fn execute_never_by_regime_and_model() {
        let row = |regime, el, model| {
            [Xn::Exec, Xn::Bits01, Xn::Never, Xn::Bits11]
                .map(|xn| u8::from(rights(Ap::RoAll, xn, regime, el, false, model)[2]))
        };
        for model in [S2XnModel::EitherBit, S2XnModel::Xnx, S2XnModel::Bit1Only, S2XnModel::Bit0Only] {
            assert_eq!(row(Regime::El2, El::El2, model), [1, 1, 0, 0]);
            assert_eq!(row(Regime::El1, El::El1, model), [1, 1, 0, 0]);
            assert_eq!(row(Regime::El1, El::El0, model), [1, 1, 0, 0]);
        }
        assert_eq!(row(Regime::Stage2, El::El1, S2XnModel::Xnx), [1, 0, 0, 1]);
        assert_eq!(row(Regime::Stage2, El::El0, S2XnModel::Xnx), [1, 1, 0, 0]);
        for el in [El::El0, El::El1] {
            assert_eq!(row(Regime::Stage2, el, S2XnModel::default()), [1, 0, 0, 0]);
            assert_eq!(row(Regime::Stage2, el, S2XnModel::Bit1Only), [1, 1, 0, 0]);
            assert_eq!(row(Regime::Stage2, el, S2XnModel::Bit0Only), [1, 0, 1, 0]);
        }
    }

    #[test]
    fn wxn_takes_fetches_from_what_is_writable_at_stage_1_only() {
        let fetch = |ap, regime, el| rights(ap, Xn::Exec, regime, el, true, S2XnModel::Xnx)[2];
        assert!(!fetch(Ap::RwPrivileged, Regime::El2, El::El2));
        assert!(!fetch(Ap::RwAll, Regime::El1, El::El0));
        assert!(fetch(Ap::RoPrivileged, Regime::El2, El::El2));
        assert!(fetch(Ap::RoAll, Regime::El1, El::El0));
        assert!(fetch(Ap::RwAll, Regime::Stage2, El::El1));
    }

    #[test]
    fn uwxn_keeps_el1_from_executing_what_el0_may_write() {
        let fetch = |ap, el| {
            let attrs = Attrs { ap, xn: Xn::Exec, sh: Shareability::Non, attr_index: 0, ns: false };
            Rights::of_region(attrs, Regime::El1, el, (false, true), S2XnModel::Xnx).fetch
        };
        assert!(!fetch(Ap::RwAll, El::El1) && fetch(Ap::RwAll, El::El0));
        assert!(fetch(Ap::RwPrivileged, El::El1) && fetch(Ap::RoAll, El::El1));
    }

    #[test]
    fn a_read_modify_write_lacks_the_read_first() {
        let missing = |read, write| Rights { read, write, fetch: false }.missing(AccessKind::Rmw);
        assert_eq!(missing(true, true), None);
        assert_eq!(missing(true, false), Some(AccessKind::Write));
        assert_eq!(missing(false, false), Some(AccessKind::Read));
    }
}
