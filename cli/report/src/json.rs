//! The JSON forms. They are a contract: fields are added, never renamed or dropped. `docs/json.md` describes them.

mod compare;
mod explain;
mod view;

use crate::render;
use analysis::judgement::NotSetUp;
pub use compare::{Comparison, comparison};
pub use explain::{Explained, NotExplained, explain, refused};
use indexmap::IndexMap;
use scenario::Scenario;
use scenario::profile::{Profile, Provenance};
use serde::Serialize;
use sim_core::outcome::{
    Counts, Distribution, El2Fault, EventTotals, HypervisorFault, MpuCounts, Outcome, Report, Trap, TrapCost,
};
pub use view::{ViewReport, view};
use words::waiting;

/// One run.
#[derive(Debug, Serialize)]
pub struct Run {
    scenario: String,
    strategy: String,
    seed: u64,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Vec<String>>,
    fault: Option<Fault>,
    events: Events,
    ports: Vec<PortForm>,
    hypercalls: IndexMap<String, Cost>,
    traps: IndexMap<String, Cost>,
    regions: Option<Regions>,
    counts: CountsForm,
    boot_counts: CountsForm,
    cycles: Cycles,
    hazards: Vec<String>,
    steps: u64,
    console: String,
}

#[derive(Debug, Serialize)]
struct Fault {
    el: u8,
    ec: u8,
    dfsc: u8,
    far: String,
    access: String,
    wnr: u8,
    kind: &'static str,
    owner: String,
    object: Option<String>,
    hypercall: String,
    pe: usize,
    vcpu: Option<String>,
    step: Option<String>,
    view: String,
    remedies: Vec<explain::ChangeForm>,
    recursive: Option<Nested>,
}

/// The fault raised while the first one was being reported.
#[derive(Debug, Serialize)]
struct Nested {
    kind: &'static str,
    ec: u8,
    dfsc: u8,
    far: String,
    access: String,
    wnr: u8,
}

#[derive(Debug, Serialize)]
struct Events {
    sent: u64,
    delivered: u64,
    coalesced: u64,
    lost: u64,
    held: u64,
    raised: u64,
    raised_delivered: u64,
}

#[derive(Debug, Serialize)]
struct PortForm {
    domain: String,
    port: u32,
    #[serde(flatten)]
    events: Events,
    send_to_upcall: Option<Stats>,
}

#[derive(Debug, Serialize)]
struct Cost {
    calls: u64,
    errors: IndexMap<String, u64>,
    counts: CountsForm,
    cycles: Option<Stats>,
    masked: Option<Stats>,
}

#[derive(Debug, Serialize)]
struct Stats {
    count: u64,
    min: u64,
    mean: f64,
    p50: u64,
    p99: u64,
    max: u64,
}

#[derive(Debug, Serialize)]
struct Regions {
    el2_total: u8,
    available: u8,
    required: usize,
    boot_required: usize,
    views_required: usize,
    fixed: usize,
    peak: usize,
    exposed: u64,
    boot: Vec<PhaseForm>,
    views: Vec<ViewForm>,
}

#[derive(Debug, Serialize)]
struct PhaseForm {
    phase: &'static str,
    enabled: usize,
    peak: usize,
    slots: usize,
}

#[derive(Debug, Serialize)]
struct ViewForm {
    view: String,
    fixed: usize,
    windows: usize,
    kept: usize,
    own: usize,
    total: usize,
    guest_bytes: u64,
}

#[derive(Debug, Serialize)]
struct MpuForm {
    prselr: u64,
    prbar: u64,
    prlar: u64,
    prenr: u64,
    sctlr: u64,
    reads: u64,
}

#[derive(Debug, Serialize)]
struct CountsForm {
    el2: MpuForm,
    el1: MpuForm,
    isb: u64,
    dsb: u64,
    tlbi: u64,
    exceptions: u64,
    erets: u64,
    el2_accesses: u64,
    table_scans: u64,
    sysreg_writes: u64,
    sysreg_reads: u64,
    kicks: u64,
    guest_actions: u64,
}

#[derive(Debug, Serialize)]
struct Cycles {
    profile: String,
    provenance: String,
    leans_on: Vec<&'static str>,
    total: u64,
    lock_wait: u64,
    send: Option<Stats>,
    send_to_upcall: Option<Stats>,
    masked: Option<Stats>,
}

/// The JSON form of a run.
#[must_use]
pub fn run(scenario: &Scenario, strategy: &str, seed: u64, report: &Report) -> Run {
    let costs = |hypercalls: bool| {
        let chosen = report.traps.iter().filter(|(trap, _)| matches!(trap, Trap::Hypercall(_)) == hypercalls);
        chosen.map(|(trap, cost)| (words::trap(*trap), cost.into())).collect()
    };
    let (fault, detail) = match &report.outcome {
        Outcome::HypervisorFault(fault) | Outcome::Hazard(Some(fault)) => {
            (Some(self::fault(scenario, strategy, fault)), None)
        }
        outcome => (None, detail(scenario, outcome)),
    };
    Run {
        scenario: scenario.name.clone(),
        strategy: strategy.into(),
        seed,
        outcome: words::outcome(&report.outcome),
        detail,
        fault,
        events: report.events.into(),
        ports: report
            .ports
            .iter()
            .map(|port| PortForm {
                domain: words::domain(&scenario.layout, port.domain).into(),
                port: port.port,
                events: port.totals.into(),
                send_to_upcall: Stats::of(&port.latency),
            })
            .collect(),
        hypercalls: costs(true),
        traps: costs(false),
        regions: Some(Regions {
            el2_total: report.regions.needs.total,
            available: report.regions.needs.available,
            required: report.regions.needs.needed(),
            boot_required: report.regions.needs.boot,
            views_required: report.regions.needs.views,
            fixed: report.regions.fixed,
            peak: report.regions.peak,
            exposed: report.regions.exposed,
            boot: report
                .regions
                .boot
                .iter()
                .map(|used| PhaseForm {
                    phase: used.phase.name(),
                    enabled: used.enabled,
                    peak: used.peak,
                    slots: used.slots,
                })
                .collect(),
            views: report
                .regions
                .views
                .iter()
                .map(|view| ViewForm {
                    view: words::view(&scenario.layout, view.view),
                    fixed: view.fixed,
                    windows: view.windows,
                    kept: view.kept,
                    own: view.own,
                    total: view.total(),
                    guest_bytes: view.guest_bytes,
                })
                .collect(),
        }),
        counts: report.counts.into(),
        boot_counts: report.boot_counts.into(),
        cycles: cycles(
            scenario,
            report.cycles,
            report.lock_wait,
            [
                report.traps.iter().find(|(trap, _)| trap.is_send()).and_then(|(_, cost)| Stats::of(&cost.cycles)),
                Stats::of(&report.send_to_upcall()),
                Stats::of(&report.masked()),
            ],
        ),
        hazards: report.hazards.iter().map(|hazard| words::hazard(&hazard.kind)).collect(),
        steps: report.steps,
        console: report.console.clone(),
    }
}

/// The JSON form of a strategy that cannot be set up: as a run of which nothing took place, without regions, which nobody planned.
#[must_use]
pub fn not_set_up(scenario: &Scenario, strategy: &str, seed: u64, why: &NotSetUp) -> Run {
    let nothing = || Counts::default().into();
    Run {
        scenario: scenario.name.clone(),
        strategy: strategy.into(),
        seed,
        outcome: words::REFUSED,
        detail: Some(vec![why.to_string()]),
        fault: None,
        events: EventTotals::default().into(),
        ports: Vec::new(),
        hypercalls: IndexMap::new(),
        traps: IndexMap::new(),
        regions: None,
        counts: nothing(),
        boot_counts: nothing(),
        cycles: cycles(scenario, 0, 0, [None, None, None]),
        hazards: Vec::new(),
        steps: 0,
        console: String::new(),
    }
}

fn cycles(
    scenario: &Scenario,
    total: u64,
    lock_wait: u64,
    [send, send_to_upcall, masked]: [Option<Stats>; 3],
) -> Cycles {
    Cycles {
        profile: scenario.profile.name().into(),
        provenance: scenario.profile.about().into(),
        leans_on: leans_on(&scenario.profile),
        total,
        lock_wait,
        send,
        send_to_upcall,
        masked,
    }
}

/// Names of the figures that nobody measured one by one.
fn leans_on(profile: &Profile) -> Vec<&'static str> {
    let fitted = profile.of(Provenance::Fitted);
    fitted.chain(profile.of(Provenance::Assumed)).map(|figure| figure.key.name()).collect()
}

/// What there is to say about an outcome beside its name.
fn detail(scenario: &Scenario, outcome: &Outcome) -> Option<Vec<String>> {
    let at = |step| scenario.step(step).unwrap_or_default();
    match outcome {
        Outcome::Refused(refused) => Some(vec![refused.to_string()]),
        Outcome::IsolationBroken(breach) => Some(vec![words::breach(&scenario.layout, breach)]),
        Outcome::Limit(limit) => Some(vec![words::limit(*limit)]),
        Outcome::Deadlock(waiters) => Some(
            waiters
                .iter()
                .flat_map(|waiter| {
                    let step = waiter.step.map(at).unwrap_or_default();
                    let waits = format!("{} at {step}", waiting::waiter(&scenario.layout, waiter));
                    std::iter::once(waits).chain(waiting::events(waiter))
                })
                .collect(),
        ),
        Outcome::ExpectationFailed(failures) => Some(
            failures
                .iter()
                .map(|failure| {
                    let (expected, got) = (words::expected(failure.expected), words::got(failure.got));
                    format!("{}: expected {expected}, got {got}", at(failure.step))
                })
                .collect(),
        ),
        Outcome::Completed | Outcome::HypervisorFault(_) | Outcome::Hazard(_) => None,
    }
}

fn fault(scenario: &Scenario, strategy: &str, fault: &HypervisorFault) -> Fault {
    let layout = &scenario.layout;
    let syndrome = fault.fault.syndrome;
    Fault {
        el: 2,
        ec: syndrome.ec,
        dfsc: syndrome.fsc(),
        far: format!("{:#x}", syndrome.far),
        access: fault.fault.access().to_string(),
        wnr: u8::from(syndrome.wnr()),
        kind: words::fault_kind(&fault.fault.kind),
        owner: words::owner(layout, fault.owner),
        object: fault.object.map(|(area, offset)| words::object(layout, &area, offset)),
        hypercall: words::trap(fault.on_behalf.trap),
        pe: fault.fault.pe.get(),
        vcpu: fault.on_behalf.vcpu.map(|vcpu| words::vcpu(layout, vcpu)),
        step: fault.on_behalf.step.and_then(|step| scenario.step(step)),
        view: words::view(layout, fault.view),
        remedies: render::fault::ways(scenario, strategy, fault).iter().map(explain::way).collect(),
        recursive: fault.recursive.as_ref().map(Nested::from),
    }
}

impl From<&El2Fault> for Nested {
    fn from(fault: &El2Fault) -> Self {
        Self {
            kind: "recursive",
            ec: fault.syndrome.ec,
            dfsc: fault.syndrome.fsc(),
            far: format!("{:#x}", fault.syndrome.far),
            access: fault.access().to_string(),
            wnr: u8::from(fault.syndrome.wnr()),
        }
    }
}

impl From<EventTotals> for Events {
    fn from(totals: EventTotals) -> Self {
        let EventTotals { sent, delivered, coalesced, lost, held, raised, raised_delivered } = totals;
        Self { sent, delivered, coalesced, lost, held, raised, raised_delivered }
    }
}

impl From<&TrapCost> for Cost {
    fn from(cost: &TrapCost) -> Self {
        Self {
            calls: cost.calls,
            errors: cost.errors.iter().map(|(rc, times)| (words::rc(*rc), *times)).collect(),
            counts: cost.counts.into(),
            cycles: Stats::of(&cost.cycles),
            masked: Stats::of(&cost.masked),
        }
    }
}

impl Stats {
    fn of(values: &Distribution) -> Option<Self> {
        Some(Self {
            count: values.count(),
            min: values.min()?,
            mean: words::hundredths(values.mean_hundredths()?),
            p50: values.percentile(50)?,
            p99: values.percentile(99)?,
            max: values.max()?,
        })
    }
}

impl From<MpuCounts> for MpuForm {
    fn from(counts: MpuCounts) -> Self {
        let MpuCounts { prselr, prbar, prlar, prenr, sctlr, reads } = counts;
        Self { prselr, prbar, prlar, prenr, sctlr, reads }
    }
}

impl From<Counts> for CountsForm {
    fn from(counts: Counts) -> Self {
        Self {
            el2: counts.el2.into(),
            el1: counts.el1.into(),
            isb: counts.isb,
            dsb: counts.dsb,
            // MPU guests need no TLB maintenance, so the hypervisor has none.
            tlbi: 0,
            exceptions: counts.exceptions,
            erets: counts.erets,
            el2_accesses: counts.el2_accesses,
            table_scans: counts.table_scans,
            sysreg_writes: counts.sysreg_writes,
            sysreg_reads: counts.sysreg_reads,
            kicks: counts.kicks,
            guest_actions: counts.guest_actions,
        }
    }
}
