//! The Armv8-R memory protection unit as software.
//!
//! # What PMSAv8-64 promises
//!
//! Arm DDI 0600 (Armv8-R `AArch64`; for `AArch32`, DDI 0568, the same holds) replaces page tables by two arrays of regions per processor. The *EL1 MPU* is
//! stage 1 of EL1 and EL0. The *EL2 MPU* is both stage 1 of EL2 itself and stage 2 of EL1 and EL0: hypervisor and
//! guest compete for the same slots, and whatever is enabled for a guest can be reached by EL2 too.
//!
//! * Addresses are never translated. A region only allows or denies, and gives attributes.
//! * A region is a base and an inclusive limit in granules of 64 bytes, with AP, XN, shareability and an index into
//!   `MAIR`. `PRLAR.EN` enables it; `PRENR` shows the enable bits of regions 0 to 31 once more.
//! * Enabled regions must not overlap. They have no priority: an address in two of them takes a translation fault,
//!   whatever either permits. An address in none takes one too, unless `SCTLR_ELx.BR` lends the access a background
//!   map. An address in one that forbids the access takes a permission fault. The level is always 0.
//! * Registers are written one by one, through a selector with banks of sixteen, and nothing written is sure to be in
//!   force before a barrier and a context synchronisation event (section C1.7.1). Until then old and new may be seen.
//!
//! The crate answers one question, at each of those points: may this access go ahead, and if not, why? It knows no
//! domain and no hypervisor, allocates nothing, and does not panic on any input.
//!
//! # Modules, top-down
//!
//! | module | holds |
//! |---|---|
//! | `stages` | [`check_guest`]: an EL1 or EL0 access through stage 1, then stage 2 |
//! | `mpu` | [`Mpu`]: one register file, its state in force, its newest state |
//! | `probe` | addresses judged again after every register write, cheaply |
//! | `pending` | writes that wait for a barrier, and accesses that do not wait for them |
//! | `fast` | the state in force compiled for many checks |
//! | `check` | one access against one state, byte-exact: the rule book |
//! | `rules` | who may do what in a region; the named switches |
//! | `slot`, `slot_set` | [`Slot`]: the number of a region; sets of them |
//! | `table` | the slots, and the search for those that an access touches |
//! | `region` | [`Region`]: cannot be built wrong |
//! | `regs`, `fields` | registers by name, the words of a region; typed fields |
//! | `pmsa`, `encoding` | in what the two register widths differ; how instructions name registers |
//! | `level`, `attrs` | exception levels and whose an MPU is; attributes of a region |
//! | `access`, `hazard`, `syndrome` | accesses, verdicts, denials; the [`Hazard`] of not waiting; what denials become in `ESR`, `FAR` |
//! | `memory` | memory types, and what those of two stages come to |
//! | `driver`, [`planner`] | regions into registers; from what is wanted to regions |
//! | `naive` | the checks a second time, plain and slow, to hold the rest against; only with the feature of that name |
//!
//! Only `regs`, `fields` and `table` know how PMSAv8-64 lays a word out. [`Mpu`] keeps words in that layout; with the
//! registers of PMSAv8-32 ([`Mpu::new_32`]) it converts where a word is written or read, where AP, SH and XN sit one bit
//! lower. That, and all else in which the two widths differ, is in `pmsa` and `encoding`.
//!
//! # Switches
//!
//! Where the manuals leave a choice, or sources disagree, [`Rules`] names it: [`SyncRule`] (what a write waits for), [`WriteOrder`] (which may be in force before others),
//! [`S2XnModel`] (the two XN bits at stage 2), [`VmWithoutM`] and [`El0WithoutM`] (an MPU that is off, asked for lower
//! levels), [`DefaultMap`] (what the background region is), [`Crossing`] (which bytes are judged), [`MixedAttributes`] (an access over
//! regions of different attributes), [`StatusCodes`] and
//! [`HpfarRule`] (what a fault tells). Where one choice denies and another does not, the default denies, but for EL0 below
//! an EL1 MPU that is off.
//!
//! # From the README
//!
#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![allow(clippy::similar_names, reason = "PRBAR and PRLAR are what the architecture calls them")]

#[cfg(feature = "naive")]
extern crate alloc;
#[cfg(feature = "proptest")]
extern crate std;

mod access;
mod attrs;
mod check;
mod driver;
mod encoding;
#[cfg(feature = "proptest")]
pub mod exhaustion;
mod fast;
mod fields;
mod hazard;
mod level;
mod memory;
mod mpu;
#[cfg(feature = "naive")]
pub mod naive;
mod pending;
pub mod planner;
mod pmsa;
mod probe;
mod region;
mod regs;
mod rules;
mod slot;
mod slot_set;
mod stages;
mod syndrome;
mod table;

pub use access::{Access, AccessKind, Denial, DenialKind, Hit, HitBy, Verdict};
pub use attrs::{Ap, Attrs, AttrsAt, Shareability, Xn};
pub use driver::{Registers, Slots};
pub use encoding::{Encoding, SysReg};
pub use hazard::{Hazard, Missing, PendingWrite, WriteHazard};
pub use level::{El, Level, Regime};
pub use memory::{Cacheability, DeviceType, Memory, MemoryType};
pub use mpu::Mpu;
pub use pmsa::Pmsa;
pub use probe::{Probe, ProbeId};
pub use region::{Region, RegionError};
pub use regs::{Hcr, MpuReg, Prbar, Prlar, RegionWords, Sctlr, Vsctlr, Vtcr};
pub use rules::{
    Crossing, DefaultMap, El0WithoutM, HpfarRule, MixedAttributes, Rules, S2XnModel, StatusCodes, SyncRule, VmWithoutM,
    WriteOrder,
};
pub use slot::Slot;
pub use slot_set::SlotSet;
pub use stages::{GuestDenial, GuestHit, GuestVerdict, Stage, check_guest};
pub use syndrome::Syndrome;

/// Bytes of the smallest region: base and limit are given in these units (DDI 0600 section C1.3).
pub const GRANULE: u64 = 64;

/// The most regions one MPU can report: `MPUIR.REGION` is 8 bits wide.
pub const MAX_REGIONS: usize = 255;

/// The highest address a region can hold: the BASE and LIMIT fields end at bit 51.
pub const PA_LIMIT: u64 = (1 << 52) - 1;
