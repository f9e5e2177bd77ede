//! A board as it is written: in a file of its own, or in a scenario's table `[board]`. Nothing is checked beyond types.

use super::number::Number;
use super::range::RawRange;
use super::table::{Maybe, Table, choice};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use std::fmt;
use toml::Spanned;

choice!(RawDefaultMap { None = "none", Rw = "rw", Rwx = "rwx" });
choice!(RawSync { DsbCse = "dsb+cse", Cse = "cse" });
choice!(RawWriteOrder { EnablesFirst = "enables-first", Program = "program" });
choice!(RawPmsa { V64 = "pmsav8-64", V32 = "pmsav8-32" });
choice!(RawKind { Ram = "ram", Tcm = "tcm", Flash = "flash", Device = "device" });
choice!(RawS2Xn { Either = "either-bit", Xnx = "xnx", Bit1 = "bit-1", Bit0 = "bit-0" });
choice!(RawVmWithoutM { Fault = "fault", Regions = "regions" });
choice!(RawCrossing { Every = "every-byte", First = "first-byte", PerKilobyte = "first-byte-per-kilobyte" });
choice!(RawMixed { AsFirst = "as-first", Fault = "alignment-fault" });
choice!(RawEl0WithoutM { DefaultMap = "default-map", Fault = "fault" });
choice!(RawCodes { Arm = "arm", Background = "background-fault", Permission = "always-permission" });
choice!(RawHpfar { Translation = "translation", Always = "always" });

/// The board of a scenario.
#[derive(Debug)]
pub(super) enum RawBoard {
    /// A preset.
    Name(String),
    /// One of one's own.
    Table(Box<RawBoardTable>),
}

impl<'de> Deserialize<'de> for RawBoard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawBoard;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string (a preset's name) or a table")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<RawBoard, E> {
                Ok(RawBoard::Name(name.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawBoard, A::Error> {
                let table = RawBoardTable::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(RawBoard::Table(Box::new(table)))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A board of one's own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBoardTable {
    pub(super) name: Spanned<String>,
    pub(super) pmsa: Spanned<RawPmsa>,
    pub(super) pes: Maybe<Number>,
    pub(super) el2_regions: Spanned<Number>,
    pub(super) el1_regions: Spanned<Number>,
    pub(super) pa_bits: Maybe<Number>,
    pub(super) vmid_bits: Maybe<Number>,
    pub(super) memory: Spanned<Vec<Spanned<Table<RawMemory>>>>,
    pub(super) image: Spanned<Table<RawBoardImage>>,
    pub(super) uarts: Spanned<Vec<Spanned<Table<RawUart>>>>,
    pub(super) gic: Spanned<Table<RawGic>>,
    pub(super) timers: Maybe<Table<RawTimers>>,
    pub(super) default_map: Maybe<RawDefaultMap>,
    pub(super) rules: Maybe<Table<RawRules>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMemory {
    pub(super) name: Maybe<String>,
    pub(super) kind: Spanned<RawKind>,
    pub(super) pe: Maybe<Number>,
    pub(super) base: Spanned<Number>,
    pub(super) size: Spanned<Number>,
}

/// Where the hypervisor's image starts, and the sizes of its parts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBoardImage {
    pub(super) base: Spanned<Number>,
    pub(super) text: Maybe<Number>,
    pub(super) rodata: Maybe<Number>,
    pub(super) data: Maybe<Number>,
    pub(super) stack: Maybe<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUart {
    pub(super) name: Spanned<String>,
    pub(super) base: Spanned<Number>,
    pub(super) size: Spanned<Number>,
    pub(super) interrupt: Maybe<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGic {
    pub(super) base: Spanned<Number>,
    pub(super) size: Spanned<Number>,
    pub(super) redistributors: Maybe<Number>,
}

/// INTIDs of the timers' PPIs, and the counter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTimers {
    pub(super) el1_physical: Maybe<Number>,
    pub(super) el1_virtual: Maybe<Number>,
    pub(super) el2_physical: Maybe<Number>,
    pub(super) maintenance: Maybe<Number>,
    pub(super) frequency: Maybe<Number>,
    pub(super) control: Maybe<Table<RawRange>>,
}

/// What the MPUs do where the architecture leaves a choice.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRules {
    pub(super) sync: Maybe<RawSync>,
    pub(super) write_order: Maybe<RawWriteOrder>,
    pub(super) s2_xn: Maybe<RawS2Xn>,
    pub(super) vm_without_m: Maybe<RawVmWithoutM>,
    pub(super) crossing: Maybe<RawCrossing>,
    pub(super) mixed_attributes: Maybe<RawMixed>,
    pub(super) el0_without_m: Maybe<RawEl0WithoutM>,
    pub(super) status_codes: Maybe<RawCodes>,
    pub(super) hpfar: Maybe<RawHpfar>,
}
