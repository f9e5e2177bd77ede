//! What addresses and registers are called and look like under each of the two architectures: `AArch64` with PMSAv8-64, and
//! `AArch32` with PMSAv8-32 (Arm DDI 0568).

use mpu_model::{El, Pmsa, RegionWords, Syndrome};

/// The range of a region, in digits of its own architecture's addresses.
#[must_use]
pub fn range(pmsa: Pmsa, words: RegionWords) -> String {
    span(pmsa, words.base(), words.limit())
}

/// A range of addresses.
#[must_use]
pub fn span(pmsa: Pmsa, base: u64, limit: u64) -> String {
    match pmsa {
        Pmsa::V64 => format!("{base:#012x}-{limit:#012x}"),
        Pmsa::V32 => format!("{base:#010x}-{limit:#010x}"),
    }
}

/// The registers that an exception taken to `to` leaves: its syndrome and its address.
#[must_use]
pub fn taken(pmsa: Pmsa, to: El, fetch: bool, syndrome: &Syndrome) -> String {
    let status = match (pmsa, to) {
        (Pmsa::V64, _) => format!("ESR_{to} {:#010x}", syndrome.esr()),
        (Pmsa::V32, El::El2) => format!("HSR {:#010x}", syndrome.esr()),
        (Pmsa::V32, _) => format!("{}FSR {:#010x}", kind(fetch), syndrome.fsr()),
    };
    format!("{status}, {}", far(pmsa, to, fetch, syndrome))
}

/// The register with the address of an exception taken to `to`.
#[must_use]
pub fn far(pmsa: Pmsa, to: El, fetch: bool, syndrome: &Syndrome) -> String {
    let far = syndrome.far;
    match (pmsa, to) {
        (Pmsa::V64, _) => format!("FAR_{to} {far:#018x}"),
        (Pmsa::V32, El::El2) => format!("H{}FAR {far:#010x}", kind(fetch)),
        (Pmsa::V32, _) => format!("{}FAR {far:#010x}", kind(fetch)),
    }
}

/// `AArch32` has registers of their own for instruction and data aborts.
const fn kind(fetch: bool) -> char {
    if fetch { 'I' } else { 'D' }
}

/// The register with the page of a stage 2 fault.
#[must_use]
pub const fn page(pmsa: Pmsa) -> &'static str {
    match pmsa {
        Pmsa::V64 => "HPFAR_EL2",
        Pmsa::V32 => "HPFAR",
    }
}

/// EL2's system control register.
#[must_use]
pub const fn control(pmsa: Pmsa) -> &'static str {
    match pmsa {
        Pmsa::V64 => "SCTLR_EL2",
        Pmsa::V32 => "HSCTLR",
    }
}
