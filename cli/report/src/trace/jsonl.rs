//! The trace for programs: an object per line, described in `docs/trace.md`. Fields are added, never renamed or dropped.

use super::context::{Console, Of, standing};
use super::file::TraceFile;
use serde::Serialize;
use sim_core::layout::PeId;
use sim_core::outcome::{OnBehalf, Report, VcpuRef};
use sim_core::platform::Event;
use sim_core::world::watch::{Fate, Origin, Told};

/// The first line.
#[derive(Debug, Serialize)]
struct Head<'a> {
    trace: u32,
    scenario: &'a str,
    strategy: &'a str,
    seed: u64,
    profile: &'a str,
    unit: &'static str,
    pes: usize,
    domains: Vec<&'a str>,
}

/// The last line.
#[derive(Debug, Serialize)]
struct End {
    at: u64,
    what: &'static str,
    outcome: &'static str,
}

/// A line between them.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at: u64,
    pe: usize,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
enum What<'a> {
    Boot { phase: &'static str, enabled: usize, peak: usize },
    Stands { domain: &'a str, vcpu: u32, standing: &'static str },
    Enter { cause: String, domain: Option<&'a str>, vcpu: Option<u32>, step: Option<String> },
    Lock { until: u64 },
    Regions { view: String, enabled: usize },
    Inject { domain: &'a str, vcpu: u32 },
    Unblock { domain: &'a str, vcpu: u32 },
    XenHandler { domain: &'a str, vcpu: u32, port: u32 },
    Console { text: String },
    Kick { to: usize },
    Send { domain: &'a str, port: u32, since: u64, fate: &'static str },
    Raise { domain: &'a str, port: u32, fate: &'static str },
    Leave { domain: Option<&'a str>, vcpu: Option<u32> },
    HandlerBegin { domain: &'a str, vcpu: u32 },
    HandlerEnd { domain: &'a str, vcpu: u32 },
    Handled { domain: &'a str, vcpu: u32, port: u32, from: Option<&'static str>, since: Option<u64> },
    Unexpected { domain: &'a str, vcpu: u32, step: Option<String>, expected: String, got: String },
    Hazard { text: String },
    Fault { kind: &'static str, address: String, access: String },
}

const fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Pending => "pending",
        Fate::Coalesced => "coalesced",
        Fate::Waits => "waits",
        Fate::Lost => "lost",
    }
}

/// The writer.
#[derive(Debug)]
pub(super) struct Jsonl {
    console: Console,
    /// The PE that wrote to it last.
    speaker: PeId,
}

impl Jsonl {
    /// Writes the first line.
    pub(super) fn new(of: &Of<'_>, file: &mut TraceFile) -> Self {
        let layout = &of.scenario.layout;
        file.json(&Head {
            trace: 1,
            scenario: &of.scenario.name,
            strategy: of.strategy,
            seed: of.seed,
            profile: of.scenario.profile.name(),
            unit: "cycles",
            pes: layout.board().pes,
            domains: layout.domains().iter().map(|domain| domain.name.as_str()).collect(),
        });
        file.text("\n");
        Self { console: Console::default(), speaker: PeId::PRIMARY }
    }

    /// Writes the line of a happening.
    pub(super) fn tell(&mut self, of: &Of<'_>, file: &mut TraceFile, place: (u64, PeId), what: Told) {
        if let Told::Hypervisor(Event::Console(byte)) = what {
            self.speaker = place.1;
            if let Some(text) = self.console.byte(byte) {
                line(file, place, What::Console { text });
            }
            return;
        }
        if matches!(what, Told::Left(_)) {
            self.flush(file, place.0);
        }
        if let Some(what) = put(of, what) {
            line(file, place, what);
        }
    }

    /// Writes the last line.
    pub(super) fn finish(&mut self, file: &mut TraceFile, report: &Report) {
        self.flush(file, report.cycles);
        file.json(&End { at: report.cycles, what: "end", outcome: words::outcome(&report.outcome) });
        file.text("\n");
    }

    fn flush(&mut self, file: &mut TraceFile, at: u64) {
        if let Some(text) = self.console.rest() {
            line(file, (at, self.speaker), What::Console { text });
        }
    }
}

fn line(file: &mut TraceFile, (at, pe): (u64, PeId), what: What<'_>) {
    file.json(&Line { at, pe: pe.get(), what });
    file.text("\n");
}

fn put<'a>(of: &Of<'a>, what: Told) -> Option<What<'a>> {
    let scenario = of.scenario;
    let name = |position| words::domain(&scenario.layout, position);
    let step = |id| scenario.step(id);
    Some(match what {
        Told::Booted(used) => What::Boot { phase: used.phase.name(), enabled: used.enabled, peak: used.peak },
        Told::Stands(VcpuRef { domain, vcpu }, at) => {
            What::Stands { domain: name(domain), vcpu, standing: standing(at) }
        }
        Told::Entered(OnBehalf { trap, vcpu, step: at, .. }) => What::Enter {
            cause: words::trap(trap),
            domain: vcpu.map(|vcpu| name(vcpu.domain)),
            vcpu: vcpu.map(|vcpu| vcpu.vcpu),
            step: at.and_then(step),
        },
        Told::WaitsForLock(until) => What::Lock { until },
        Told::Hypervisor(event) => return told(of, event),
        Told::Kicks(to) => What::Kick { to: to.get() },
        Told::Raised { domain, port, origin: Origin::Sent(since), fate: end } => {
            What::Send { domain: name(domain), port, since, fate: fate(end) }
        }
        Told::Raised { domain, port, origin: Origin::Hypervisor, fate: end } => {
            What::Raise { domain: name(domain), port, fate: fate(end) }
        }
        Told::Left(runs) => {
            What::Leave { domain: runs.map(|vcpu| name(vcpu.domain)), vcpu: runs.map(|vcpu| vcpu.vcpu) }
        }
        Told::Handler(VcpuRef { domain, vcpu }, true) => What::HandlerBegin { domain: name(domain), vcpu },
        Told::Handler(VcpuRef { domain, vcpu }, false) => What::HandlerEnd { domain: name(domain), vcpu },
        Told::Handled(VcpuRef { domain, vcpu }, port, origin) => {
            let (from, since) = match origin {
                Some(Origin::Sent(since)) => (Some("send"), Some(since)),
                Some(Origin::Hypervisor) => (Some("hypervisor"), None),
                None => (None, None),
            };
            What::Handled { domain: name(domain), vcpu, port, from, since }
        }
        Told::Unexpected(failure) => What::Unexpected {
            domain: name(failure.vcpu.domain),
            vcpu: failure.vcpu.vcpu,
            step: step(failure.step),
            expected: words::expected(failure.expected),
            got: words::got(failure.got),
        },
        Told::Hazard(kind) => What::Hazard { text: words::hazard(&kind) },
        Told::Fault(fault) => What::Fault {
            kind: words::fault_kind(&fault.kind),
            address: format!("{:#x}", fault.syndrome.far),
            access: fault.access().to_string(),
        },
    })
}

fn told<'a>(of: &Of<'a>, event: Event) -> Option<What<'a>> {
    let layout = &of.scenario.layout;
    let name = |position| words::domain(layout, position);
    match event {
        Event::Regions { view, enabled } => Some(What::Regions { view: words::view(layout, view), enabled }),
        Event::Injected { domain, vcpu } => Some(What::Inject { domain: name(domain), vcpu }),
        Event::Unblocked { domain, vcpu } => Some(What::Unblock { domain: name(domain), vcpu }),
        Event::XenHandler { domain, vcpu, port, .. } => Some(What::XenHandler { domain: name(domain), vcpu, port }),
        // The console's lines are put together above; the rest is told as what the books make of it.
        Event::Console(_) | Event::TableScan | Event::EventWord { .. } | Event::Withheld { .. } => None,
    }
}
