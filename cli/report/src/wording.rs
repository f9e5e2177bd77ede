//! Wording of what `explain` and `compare` say.

use analysis::comparison::Unranked;
use analysis::explain::{Change, How, Neighbour, Refusal, Reshaped, Rights, TriedSlot, Verdict};
use analysis::judgement::{Other, Way};
use mpu_model::{Access, AccessKind, DenialKind, El, Level, Slot, Stage};
use scenario::Scenario;
use sim_core::layout::Layout;
use sim_core::outcome::ViewId;
use sim_core::world::attempt::Through;
use words::registers;

/// Why there is nothing to advise where neither memory nor a device is.
pub const NOTHING_ANSWERS: &str =
    "nothing answers at that address: whatever maps it, the access ends in an external abort";

/// More views than these are counted, not named.
const VIEWS_NAMED: usize = 6;

/// Why strategies are not ranked, in a sentence.
#[must_use]
pub fn unranked(why: Unranked) -> &'static str {
    match why {
        Unranked::NothingSent => "Nothing was sent: there is no ranking.",
        Unranked::TooFew => "Fewer than two strategies completed: there is no ranking.",
    }
}

/// An access: `EL2 write of 4 bytes at 0x20010030`.
#[must_use]
pub fn access(access: Access) -> String {
    let Access { addr, size, kind, el } = access;
    format!("{el} {kind} of {} at {addr:#x}", words::accessed(size))
}

/// Whose MPU is a stage of: `EL2 MPU`.
#[must_use]
pub fn mpu(stage: Stage) -> &'static str {
    match stage {
        Stage::One => "EL1 MPU",
        Stage::Two => "EL2 MPU",
    }
}

/// The level whose MPU is a stage, as rights name it.
#[must_use]
pub fn level(stage: Stage) -> Level {
    match stage {
        Stage::One => Level::El1,
        Stage::Two => Level::El2,
    }
}

/// Who takes the exception, and what comes of it under this hypervisor. `device` is the emulated one that it goes to.
#[must_use]
pub fn taker(refusal: &Refusal, device: Option<&str>) -> String {
    match (refusal.denial.access.el, refusal.to, device) {
        (El::El2, ..) => "taken by EL2 from itself: a hypervisor fault, and the end of the run".into(),
        (from, El::El2, Some(device)) => {
            format!("taken from {from} to EL2, which carries it out on emulated device {device}")
        }
        (from, El::El2, None) => format!("taken from {from} to EL2, which hands the guest an external abort at EL1"),
        (from, to, _) => format!("taken from {from} to {to}: the guest's own handler, the hypervisor is not told"),
    }
}

/// Read, write, fetch as `rw-`.
#[must_use]
pub fn rights(rights: &Rights) -> String {
    rights.may.iter().zip("rwx".chars()).map(|(may, right)| if *may { right } else { '-' }).collect()
}

/// Whether a slot matched, and what follows.
#[must_use]
pub fn how(tried: &TriedSlot, asked: Access, verdict: &Verdict) -> String {
    let held = match tried.how {
        How::Window => return "a window, off until something is mapped through it".into(),
        How::Off => return "programmed, and off in this view".into(),
        How::Below(0) => return "ends right below".into(),
        How::Above(0) => return "begins right above".into(),
        How::Below(distance) => return format!("ends {} below", words::bytes(distance)),
        How::Above(distance) => return format!("begins {} above", words::bytes(distance)),
        How::All => "holds it".into(),
        How::Part(first, last) => format!("holds {first:#x}-{last:#x} of it"),
    };
    if !tried.decides {
        return held;
    }
    match verdict {
        Ok(_) => format!("{held}, grants {}", needs(asked.kind)),
        Err(refusal) => match refusal.denial.kind {
            DenialKind::Permission { needs, .. } => format!("{held}, does not grant {needs}"),
            DenialKind::Overlap { first, second } => {
                format!("{held}, and so does slot {}", if first == tried.slot { second } else { first })
            }
            DenialKind::NoRegion | DenialKind::MixedAttributes | DenialKind::AddressSize => held,
        },
    }
}

fn needs(kind: AccessKind) -> &'static str {
    match kind {
        AccessKind::Read => "read",
        AccessKind::Write => "write",
        AccessKind::Fetch => "fetch",
        AccessKind::Rmw => "read and write",
    }
}

/// A region beside the address.
#[must_use]
pub fn neighbour(neighbour: Option<&Neighbour>, whose: impl FnOnce(Slot) -> String) -> String {
    neighbour.map_or_else(
        || "nothing".into(),
        |found| {
            let away = match found.distance {
                0 => "right beside it".into(),
                distance => format!("{} away", words::bytes(distance)),
            };
            format!(
                "slot {}{}, {:#x}-{:#x}, {away}",
                found.slot,
                whose(found.slot),
                found.span.base(),
                found.span.limit()
            )
        },
    )
}

/// What would change a verdict.
#[must_use]
pub fn change(scenario: &Scenario, strategy: &str, change: &Change) -> String {
    match change {
        Change::Views(list) => format!("another view in force: {}", views(&scenario.layout, list)),
        Change::Reach(by) => {
            format!("{strategy} itself: before the hypervisor touches it, {}", self::by(scenario, *by))
        }
        Change::Way(way) => self::way(scenario, way),
        Change::Reshaped { stage, slot, beside, to } => {
            let to = match to {
                Reshaped::Off => "off".into(),
                Reshaped::Ends(limit) => format!("ending before slot {beside}, at {limit:#x}"),
                Reshaped::Begins(base) => format!("beginning behind slot {beside}, at {base:#x}"),
                Reshaped::Split(limit, base) => {
                    format!(
                        "in two slots around slot {beside}: one that ends at {limit:#x}, one that begins at {base:#x}"
                    )
                }
            };
            format!("slot {slot} of the {} {to}", mpu(*stage))
        }
        Change::Rights { stage, slot, attrs } => {
            format!("slot {slot} of the {} as {}", mpu(*stage), attrs.at(level(*stage)))
        }
        Change::WxnClear => {
            let control = registers::control(scenario.pmsa());
            format!("{control}.WXN clear: the region itself may be executed")
        }
        Change::StageOneOff => "the vCPU's EL1 MPU off".into(),
    }
}

/// Another strategy or placement that lets an access through, with what it needs. `run` and `explain` say it alike.
#[must_use]
pub fn way(scenario: &Scenario, way: &Way) -> String {
    let other = match way.other {
        Other::Strategy(name) => format!("--strategy {name}"),
        Other::Placement(placement) => format!("--set placement={}", words::placement(placement)),
        Other::FixedDevices => "--set hyp_devices=fixed".into(),
    };
    let place = match (way.placement, way.address) {
        (Some(placement), Some(at)) => {
            format!("under placement {} it lies at {at:#x}, and ", words::placement(placement))
        }
        _ => String::new(),
    };
    let (count, verdict) = (words::regions_of(&way.needs), words::fits(way.refused.as_ref().map(|why| why.shortage)));
    format!("{other}: {place}{}; {count} needed: {verdict}", by(scenario, way.by))
}

fn by(scenario: &Scenario, by: Through) -> String {
    match by {
        Through::Window { slot, range: (first, last) } => {
            format!("{first:#x}-{last:#x} is mapped through slot {slot}")
        }
        Through::HypervisorView => "the hypervisor view is loaded".into(),
        Through::Pin { slot } => format!("its page, once handed over, keeps slot {slot}"),
        Through::Heap { slot } => format!("the heap's region, slot {slot}, is widened over it"),
        Through::DefaultMap => format!("{}.BR lends the default map", registers::control(scenario.pmsa())),
        Through::Standing { slot } => format!("slot {slot} of the view holds it"),
    }
}

fn views(layout: &Layout, views: &[ViewId]) -> String {
    let named: Vec<String> = views.iter().take(VIEWS_NAMED).map(|view| words::view(layout, *view)).collect();
    let rest = views.len().saturating_sub(named.len());
    let named = named.join(", ");
    if rest == 0 { named } else { format!("{named} and {rest} more") }
}
