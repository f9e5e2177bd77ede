//! The JSON form of what `explain` says.

use crate::wording as say;
use analysis::explain::{Answer, Change, How, Neighbour, Reshaped, Tried};
use analysis::judgement::{Other, System, Way};
use indexmap::IndexMap;
use mpu_model::{AccessKind, DenialKind, El, RegionWords, Slot, Stage};
use scenario::Scenario;
use serde::Serialize;
use sim_core::layout::Layout;
use sim_core::outcome::{Refused, VcpuRef, ViewId};
use sim_core::world::attempt::Through;

/// An explanation.
#[derive(Debug, Serialize)]
pub struct Explained {
    scenario: String,
    strategy: String,
    verdict: &'static str,
    view: String,
    vcpu: Option<String>,
    access: AccessForm,
    fault: Option<FaultForm>,
    owner: String,
    owned: Option<RangeForm>,
    object: Option<String>,
    rights: IndexMap<String, String>,
    stage1: Option<TriedForm>,
    el2: TriedForm,
    changes: Vec<ChangeForm>,
}

/// A system that does not fit its board.
#[derive(Debug, Serialize)]
pub struct NotExplained {
    scenario: String,
    strategy: String,
    verdict: &'static str,
    el2_total: u8,
    required: usize,
    boot_required: usize,
    views_required: usize,
    available: u8,
    reason: String,
}

#[derive(Debug, Serialize)]
struct AccessForm {
    el: u8,
    kind: String,
    address: String,
    size: u64,
}

#[derive(Debug, Serialize)]
struct FaultForm {
    mpu: &'static str,
    kind: &'static str,
    needs: Option<String>,
    slots: Vec<Slot>,
    ec: u8,
    fsc: u8,
    wnr: u8,
    esr: String,
    far: String,
    hpfar: Option<String>,
    taken_to: u8,
    emulated: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct RangeForm {
    base: String,
    limit: String,
}

#[derive(Debug, Serialize)]
struct TriedForm {
    slots: Vec<SlotForm>,
    below: Option<NearForm>,
    above: Option<NearForm>,
}

#[derive(Debug, Serialize)]
struct SlotForm {
    slot: Slot,
    #[serde(flatten)]
    range: Option<RangeForm>,
    access: Option<String>,
    owner: Option<String>,
    decides: bool,
    how: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    distance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<RangeForm>,
}

#[derive(Debug, Serialize)]
struct NearForm {
    slot: Slot,
    #[serde(flatten)]
    range: RangeForm,
    distance: String,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum ChangeForm {
    Views {
        views: Vec<String>,
    },
    Reach {
        by: &'static str,
        slot: Option<Slot>,
        mapped: Option<RangeForm>,
    },
    Strategy {
        name: &'static str,
        #[serde(flatten)]
        way: WayForm,
    },
    Placement {
        name: &'static str,
        #[serde(flatten)]
        way: WayForm,
    },
    HypDevices {
        name: &'static str,
        #[serde(flatten)]
        way: WayForm,
    },
    Overlap {
        mpu: &'static str,
        slot: Slot,
        beside: Slot,
        to: &'static str,
        limit: Option<String>,
        base: Option<String>,
    },
    Rights {
        mpu: &'static str,
        slot: Slot,
        access: String,
    },
    WxnClear,
    Stage1Off,
}

/// Another way to run the system, under which the access gets through.
#[derive(Debug, Serialize)]
pub(super) struct WayForm {
    by: &'static str,
    required: usize,
    fits: bool,
    boot_required: usize,
    views_required: usize,
    available: u8,
    refused: Option<String>,
    placement: Option<&'static str>,
    address: Option<String>,
}

impl From<&Way> for WayForm {
    fn from(way: &Way) -> Self {
        Self {
            by: by(way.by),
            required: way.needs.needed(),
            fits: way.refused.is_none(),
            boot_required: way.needs.boot,
            views_required: way.needs.views,
            available: way.needs.available,
            refused: way.refused.as_ref().map(ToString::to_string),
            placement: way.placement.map(words::placement),
            address: way.address.map(|address| format!("{address:#x}")),
        }
    }
}

/// By what an access gets through.
const fn by(by: Through) -> &'static str {
    match by {
        Through::Window { .. } => "window",
        Through::HypervisorView => "hypervisor-view",
        Through::Pin { .. } => "pin",
        Through::Heap { .. } => "heap",
        Through::DefaultMap => "default-map",
        Through::Standing { .. } => "view",
    }
}

const fn number(el: El) -> u8 {
    match el {
        El::El0 => 0,
        El::El1 => 1,
        El::El2 => 2,
    }
}

const fn mpu(stage: Stage) -> &'static str {
    match stage {
        Stage::One => "el1",
        Stage::Two => "el2",
    }
}

fn range(base: u64, limit: u64) -> RangeForm {
    RangeForm { base: format!("{base:#x}"), limit: format!("{limit:#x}") }
}

/// The JSON form of an answer.
#[must_use]
pub fn explain(scenario: &Scenario, strategy: &str, answer: &Answer) -> Explained {
    let layout = &scenario.layout;
    let question = answer.question;
    let vcpu = match question.view {
        ViewId::Guest(domain) if question.access.el != El::El2 => {
            let vcpu = u32::try_from(question.vcpu).unwrap_or(u32::MAX);
            Some(words::vcpu(layout, VcpuRef { domain, vcpu }))
        }
        _ => None,
    };
    Explained {
        scenario: scenario.name.clone(),
        strategy: strategy.into(),
        verdict: match answer.verdict {
            Ok(_) if answer.answers => "allowed",
            Ok(_) => "external-abort",
            Err(_) => "denied",
        },
        view: words::view(layout, question.view),
        vcpu,
        access: AccessForm {
            el: number(question.access.el),
            kind: question.access.kind.to_string(),
            address: format!("{:#x}", question.access.addr),
            size: question.access.size,
        },
        fault: fault(layout, answer),
        owner: words::owner(layout, answer.owner),
        owned: answer.owned.map(|span| range(span.base(), span.limit())),
        object: answer.object.map(|(area, offset)| words::object(layout, &area, offset)),
        rights: answer.rights.iter().map(|level| (format!("el{}", number(level.el)), say::rights(level))).collect(),
        stage1: answer.stage1.as_ref().map(|found| tried(scenario, found, Stage::One)),
        el2: tried(scenario, &answer.el2, Stage::Two),
        changes: answer.changes.iter().map(|change| self::change(scenario, change)).collect(),
    }
}

/// The JSON form of a refusal.
#[must_use]
pub fn refused(system: &System, strategy: &str, refused: &Refused) -> NotExplained {
    NotExplained {
        scenario: system.scenario.name.clone(),
        strategy: strategy.into(),
        verdict: "refused",
        el2_total: refused.needs.total,
        required: refused.needs.needed(),
        boot_required: refused.needs.boot,
        views_required: refused.needs.views,
        available: refused.needs.available,
        reason: refused.to_string(),
    }
}

fn fault(layout: &Layout, answer: &Answer) -> Option<FaultForm> {
    let refusal = answer.verdict.err()?;
    let (needs, slots): (Option<AccessKind>, Vec<Slot>) = match refusal.denial.kind {
        DenialKind::Permission { slot, needs } => (Some(needs), slot.into_iter().collect()),
        DenialKind::Overlap { first, second } => (None, vec![first, second]),
        DenialKind::NoRegion | DenialKind::MixedAttributes | DenialKind::AddressSize => (None, Vec::new()),
    };
    let syndrome = refusal.syndrome;
    Some(FaultForm {
        mpu: mpu(refusal.stage),
        kind: words::denial_kind(refusal.denial.kind),
        needs: needs.map(|needs| needs.to_string()),
        slots,
        ec: syndrome.ec,
        fsc: syndrome.fsc(),
        wnr: u8::from(syndrome.wnr()),
        esr: format!("{:#x}", syndrome.esr()),
        far: format!("{:#x}", syndrome.far),
        hpfar: refusal.hpfar.map(|hpfar| format!("{hpfar:#x}")),
        taken_to: number(refusal.to),
        emulated: answer.emulated.map(|device| words::emulated(layout, device).into()),
    })
}

fn tried(scenario: &Scenario, found: &Tried, stage: Stage) -> TriedForm {
    let slots = found.slots.iter().map(|tried| {
        let (how, distance, held) = match tried.how {
            How::Window | How::Off => ("off", None, None),
            How::Below(distance) => ("below", Some(distance), None),
            How::Above(distance) => ("above", Some(distance), None),
            How::All => ("all", None, None),
            How::Part(first, last) => ("part", None, Some(range(first, last))),
        };
        let words = Some(tried.words).filter(RegionWords::enabled);
        SlotForm {
            slot: tried.slot,
            range: words.map(|words| range(words.base(), words.limit())),
            access: words.map(|words| words.attrs().at(say::level(stage)).to_string()),
            owner: (stage == Stage::Two).then(|| words::owners(&scenario.layout, &tried.owners)),
            decides: tried.decides,
            how,
            distance: distance.map(|distance| format!("{distance:#x}")),
            held,
        }
    });
    let near = |found: Neighbour| NearForm {
        slot: found.slot,
        range: range(found.span.base(), found.span.limit()),
        distance: format!("{:#x}", found.distance),
    };
    TriedForm { slots: slots.collect(), below: found.below.map(near), above: found.above.map(near) }
}

fn change(scenario: &Scenario, change: &Change) -> ChangeForm {
    match change {
        Change::Views(views) => {
            ChangeForm::Views { views: views.iter().map(|view| words::view(&scenario.layout, *view)).collect() }
        }
        Change::Reach(through) => {
            let (slot, mapped) = match *through {
                Through::Window { slot, range: (first, last) } => (Some(slot), Some(range(first, last))),
                Through::Pin { slot } | Through::Heap { slot } | Through::Standing { slot } => (Some(slot), None),
                Through::HypervisorView | Through::DefaultMap => (None, None),
            };
            ChangeForm::Reach { by: by(*through), slot, mapped }
        }
        Change::Way(way) => self::way(way),
        Change::Reshaped { stage, slot, beside, to } => {
            let hex = |value: u64| Some(format!("{value:#x}"));
            let (to, limit, base) = match *to {
                Reshaped::Off => ("off", None, None),
                Reshaped::Ends(limit) => ("ends", hex(limit), None),
                Reshaped::Begins(base) => ("begins", None, hex(base)),
                Reshaped::Split(limit, base) => ("split", hex(limit), hex(base)),
            };
            ChangeForm::Overlap { mpu: mpu(*stage), slot: *slot, beside: *beside, to, limit, base }
        }
        Change::Rights { stage, slot, attrs } => {
            ChangeForm::Rights { mpu: mpu(*stage), slot: *slot, access: attrs.at(say::level(*stage)).to_string() }
        }
        Change::WxnClear => ChangeForm::WxnClear,
        Change::StageOneOff => ChangeForm::Stage1Off,
    }
}

/// Another strategy or placement.
pub(super) fn way(way: &Way) -> ChangeForm {
    let form = way.into();
    match way.other {
        Other::Strategy(name) => ChangeForm::Strategy { name, way: form },
        Other::Placement(placement) => ChangeForm::Placement { name: words::placement(placement), way: form },
        Other::FixedDevices => ChangeForm::HypDevices { name: "fixed", way: form },
    }
}
