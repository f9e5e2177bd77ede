//! The format of a file of MPU accesses: a header, then a case per line with its registers and probes.

use super::super::error::{Place, ReplayError};
use serde::{Deserialize, Deserializer, de};

/// The first line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) v: u64,
    pub(super) arch: String,
    pub(super) el2_regions: u8,
    pub(super) el1_regions: u8,
    #[serde(rename = "seed")]
    _seed: u64,
    #[serde(rename = "theme")]
    _theme: String,
    #[serde(rename = "source")]
    _source: String,
}

/// A region's words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegionLine {
    pub(super) i: u8,
    #[serde(deserialize_with = "hex")]
    pub(super) prbar: u32,
    #[serde(deserialize_with = "hex")]
    pub(super) prlar: u32,
}

/// Registers, and what was asked of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbeCase {
    #[serde(rename = "theme")]
    _theme: String,
    pub(super) el2: Vec<RegionLine>,
    pub(super) el1: Vec<RegionLine>,
    pub(super) sctlr_el2_m: Bit,
    pub(super) br: Bit,
    pub(super) el2_wxn: Bit,
    pub(super) hcr_vm: Bit,
    pub(super) sctlr_el1_m: Bit,
    pub(super) el1_br: Bit,
    pub(super) el1_wxn: Bit,
    pub(super) el1_uwxn: Bit,
    pub(super) probes: Vec<Probe>,
}

/// One access and what came of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Probe {
    pub(super) el: u8,
    pub(super) acc: Kind,
    #[serde(deserialize_with = "hex")]
    pub(super) addr: u32,
    pub(super) size: u64,
    pub(super) res: Res,
    pub(super) to: Option<u8>,
    pub(super) kind: Option<Abort>,
    pub(super) ec: Option<u8>,
    pub(super) dfsc: Option<u8>,
    pub(super) adfsc: Option<u8>,
    #[serde(default, deserialize_with = "maybe_hex")]
    pub(super) far: Option<u32>,
    pub(super) wnr: Option<u8>,
    #[serde(default, deserialize_with = "maybe_hex")]
    pub(super) hsr: Option<u32>,
    #[serde(default, deserialize_with = "maybe_hex")]
    pub(super) hpfar: Option<u32>,
    #[serde(default, deserialize_with = "maybe_hex")]
    pub(super) fsr: Option<u32>,
    /// Why another source might have answered otherwise.
    #[serde(default)]
    pub(super) amb: Vec<Ambiguity>,
}

/// A register bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub(super) struct Bit(pub(super) bool);

impl TryFrom<u8> for Bit {
    type Error = String;

    fn try_from(value: u8) -> Result<Self, String> {
        if value > 1 { Err(format!("{value} is no bit")) } else { Ok(Self(value == 1)) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    R,
    W,
    X,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Res {
    Ok,
    Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Abort {
    Dabt,
    Pabt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ambiguity {
    Cross,
    VmM0,
    El0M0,
}

fn hex<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let text = String::deserialize(from)?;
    let digits =
        text.strip_prefix("0x").ok_or_else(|| de::Error::custom(format!("{text:?} does not start with 0x")))?;
    u32::from_str_radix(digits, 16).map_err(|error| de::Error::custom(format!("{text:?}: {error}")))
}

fn maybe_hex<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    hex(from).map(Some)
}

/// Parses a whole file: the header, and each case with its line.
pub(super) fn parse(at: &Place<'_>, text: &str) -> Result<(Header, Vec<(usize, ProbeCase)>), ReplayError> {
    let mut lines = text.lines();
    let header: Header = lines
        .next()
        .ok_or_else(|| at.bad(1, "a header line", "the file is empty"))
        .and_then(|line| serde_json::from_str(line).map_err(|error| at.bad(1, "a header line", error)))?;
    if header.v != 1 {
        return Err(at.bad(1, "version 1", header.v));
    }
    if header.arch != "pmsav8-32" {
        return Err(at.bad(1, "\"arch\": \"pmsav8-32\"", &header.arch));
    }
    let case = |(line, number): (&str, usize)| {
        let case: ProbeCase = serde_json::from_str(line).map_err(|error| at.bad(number, "a case", error))?;
        let beyond = |regions: &[RegionLine], count: u8| regions.iter().find(|region| region.i >= count).map(|r| r.i);
        if let Some(slot) = beyond(&case.el2, header.el2_regions).or(beyond(&case.el1, header.el1_regions)) {
            return Err(at.bad(number, "regions that the header's MPUs have", format!("region {slot}")));
        }
        if let Some(probe) = case.probes.iter().find(|probe| probe.el > 2 || !matches!(probe.size, 1 | 2 | 4 | 8)) {
            let found = format!("el {} and size {}", probe.el, probe.size);
            return Err(at.bad(number, "el 0 to 2 and size 1, 2, 4 or 8", found));
        }
        Ok((number, case))
    };
    let cases = lines.zip(2..).map(case).collect::<Result<_, _>>()?;
    Ok((header, cases))
}
