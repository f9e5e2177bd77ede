//! The trace for ui.perfetto.dev: Trace Event Format, of which it uses B and E (slices), s and f (flows), C (counters), i
//! (instants) and M (names).
//!
//! The format's clock is in microseconds: one of them is one cycle here.

use super::context::{Console, Of, standing};
use super::file::TraceFile;
use super::tracks::{Events, Tracks, Written};
use super::vcpus::Vcpus;
use serde_json::{Value, json};
use sim_core::layout::{PeId, PerPe};
use sim_core::outcome::{OnBehalf, Report, VcpuRef, ViewId};
use sim_core::platform::Event;
use sim_core::world::watch::{Fate, Origin, Told};
use std::collections::BTreeMap;

/// What is open on the tracks of a PE.
#[derive(Clone, Debug, Default)]
struct PeTracks {
    /// A slice says what it runs.
    runs: bool,
    /// A slice says which view is in force.
    view: Option<ViewId>,
}

/// The writer.
#[derive(Debug)]
pub(super) struct Perfetto {
    tracks: Tracks,
    written: Written,
    pes: PerPe<PeTracks>,
    vcpus: Vcpus,
    /// Of each port: the flow of the send that it is pending by.
    flows: BTreeMap<(usize, u32), u64>,
    next_flow: u64,
    console: Console,
    /// The PE that wrote to it last.
    speaker: PeId,
}

impl Perfetto {
    /// Writes what stands in front, and the names of the tracks.
    pub(super) fn new(of: &Of<'_>, file: &mut TraceFile) -> Self {
        let profile = of.scenario.profile.name();
        let about = json!({
            "scenario": of.scenario.name,
            "strategy": of.strategy,
            "seed": of.seed,
            "profile": profile,
            "time": format!("1 us of this trace is 1 cycle of profile {profile}: simulated, no time of any clock"),
        });
        file.text("{\"displayTimeUnit\":\"ns\",\"otherData\":");
        file.json(&about);
        file.text(",\"traceEvents\":[");
        let tracks = Tracks::new(of);
        let pes = PerPe::new(of.scenario.layout.board().pes, |_| PeTracks::default());
        let vcpus = Vcpus::new(&tracks);
        let mut written = Written::default();
        tracks.name(of, &mut Events { file, written: &mut written });
        let (flows, console) = (BTreeMap::new(), Console::default());
        Self { tracks, written, pes, vcpus, flows, next_flow: 1, console, speaker: PeId::PRIMARY }
    }

    /// Writes the events of a happening.
    pub(super) fn tell(&mut self, of: &Of<'_>, file: &mut TraceFile, (at, pe): (u64, PeId), what: Told) {
        let mut written = std::mem::take(&mut self.written);
        let out = &mut Events { file, written: &mut written };
        let track = Tracks::pe(pe);
        let mut instant = |cat: &str, name: String, args: Value| out.instant(at, track, cat, &name, args);
        match what {
            Told::Booted(used) => {
                instant("boot", format!("boot: {}", used.phase), json!({ "enabled": used.enabled, "peak": used.peak }));
                counter(out, at, pe, used.peak);
            }
            Told::Stands(vcpu, at_rest) => self.vcpus.stands(&self.tracks, out, at, (vcpu, standing(at_rest))),
            Told::Entered(on_behalf) => self.entered(of, out, (at, pe), &on_behalf),
            Told::WaitsForLock(until) => {
                out.begin(at, track, "lock", "waits for the hypervisor lock", Value::Null);
                out.end(until, track);
            }
            Told::Hypervisor(event) => self.event(of, out, (at, pe), event),
            Told::Kicks(to) => instant("kick", format!("kicks PE {to}"), Value::Null),
            Told::Raised { domain, port, origin, fate } => {
                self.raised(out, (at, pe), (domain, port), (origin, fate), of.domain(domain));
            }
            Told::Left(runs) => {
                self.console_rest(out, at);
                self.left(of, out, (at, pe), runs);
            }
            Told::Handler(vcpu, inside) => self.vcpus.handler(&self.tracks, out, at, (vcpu, inside)),
            Told::Handled(vcpu, port, origin) => self.handled(out, at, (vcpu, port), origin),
            Told::Unexpected(failure) => {
                let args = json!({
                    "step": of.scenario.step(failure.step),
                    "expected": words::expected(failure.expected),
                    "got": words::got(failure.got),
                });
                if let Some(place) = self.tracks.place(failure.vcpu) {
                    out.instant(at, self.tracks.vcpu(place), "unexpected", "not as expected", args);
                }
            }
            Told::Hazard(kind) => instant("hazard", "hazard".into(), json!({ "what": words::hazard(&kind) })),
            Told::Fault(fault) => {
                let far = format!("{:#x}", fault.syndrome.far);
                let args = json!({ "kind": words::fault_kind(&fault.kind), "access": fault.access().to_string(), "address": far });
                instant("fault", format!("hypervisor fault: {} at EL2", words::abort(fault.syndrome.ec)), args);
            }
        }
        self.written = written;
    }

    /// Ends what is open, and writes what stands behind.
    pub(super) fn finish(&mut self, file: &mut TraceFile, report: &Report) {
        let mut written = std::mem::take(&mut self.written);
        let out = &mut Events { file, written: &mut written };
        let at = report.cycles;
        self.console_rest(out, at);
        for (pe, open) in self.pes.iter() {
            if open.runs {
                out.end(at, Tracks::pe(pe));
            }
            if open.view.is_some() {
                out.end(at, self.tracks.view(pe));
            }
        }
        self.vcpus.finish(&self.tracks, out, at);
        file.text("\n]}\n");
    }

    fn entered(&mut self, of: &Of<'_>, out: &mut Events<'_>, (at, pe): (u64, PeId), on_behalf: &OnBehalf) {
        let OnBehalf { trap, vcpu, step, .. } = *on_behalf;
        let args = json!({
            "for": vcpu.map(|vcpu| of.vcpu(vcpu)),
            "step": step.and_then(|step| of.scenario.step(step)),
        });
        self.runs(out, (at, pe), "el2", &format!("EL2: {}", words::trap(trap)), args);
    }

    fn left(&mut self, of: &Of<'_>, out: &mut Events<'_>, (at, pe): (u64, PeId), runs: Option<VcpuRef>) {
        let Some(vcpu) = runs else {
            return self.runs(out, (at, pe), "idle", "idle", Value::Null);
        };
        self.runs(out, (at, pe), "guest", &of.vcpu(vcpu), Value::Null);
        self.vcpus.runs(&self.tracks, out, at, vcpu);
    }

    /// The PE does something else from here on.
    fn runs(&mut self, out: &mut Events<'_>, (at, pe): (u64, PeId), cat: &str, name: &str, args: Value) {
        let track = Tracks::pe(pe);
        if std::mem::replace(&mut self.pes[pe].runs, true) {
            out.end(at, track);
        }
        out.begin(at, track, cat, name, args);
    }

    fn raised(
        &mut self,
        out: &mut Events<'_>,
        (at, pe): (u64, PeId),
        port: (usize, u32),
        (origin, fate): (Origin, Fate),
        name: &str,
    ) {
        let track = Tracks::pe(pe);
        let to = format!("{name} port {}", port.1);
        match (origin, fate) {
            (Origin::Sent(since), Fate::Pending | Fate::Waits) => {
                self.flows.insert(port, self.next_flow);
                out.flow_starts(at, track, self.next_flow, json!({ "to": to, "since": since }));
                self.next_flow += 1;
            }
            (Origin::Sent(_), Fate::Coalesced) => {
                out.instant(at, track, "event", &format!("coalesced: {to}"), Value::Null);
            }
            (Origin::Sent(_), Fate::Lost) => {
                out.instant(at, track, "event", &format!("lost: {to}"), Value::Null);
            }
            (Origin::Hypervisor, _) => {
                // Whatever flow the port is pending by ends with the send that it is of.
                out.instant(at, track, "event", &format!("raised: {to}"), Value::Null);
            }
        }
    }

    fn handled(&mut self, out: &mut Events<'_>, at: u64, (vcpu, port): (VcpuRef, u32), origin: Option<Origin>) {
        let Some(place) = self.tracks.place(vcpu) else { return };
        let track = self.tracks.vcpu(place);
        if let (Some(Origin::Sent(_)), Some(flow)) = (origin, self.flows.remove(&(vcpu.domain, port))) {
            // In front of the instant: readers take what began last on the track for where it ends.
            out.flow_ends(at, track, flow);
        }
        out.instant(at, track, "event", &format!("finds port {port}"), Value::Null);
    }

    fn event(&mut self, of: &Of<'_>, out: &mut Events<'_>, (at, pe): (u64, PeId), event: Event) {
        let track = Tracks::pe(pe);
        let mut instant = |cat: &str, name: String| out.instant(at, track, cat, &name, Value::Null);
        match event {
            Event::Regions { view, enabled } => {
                let open = &mut self.pes[pe];
                let before = open.view.replace(view);
                let track = self.tracks.view(pe);
                if before != Some(view) {
                    if before.is_some() {
                        out.end(at, track);
                    }
                    out.begin(at, track, "view", &words::view(&of.scenario.layout, view), Value::Null);
                }
                counter(out, at, pe, enabled);
            }
            Event::Injected { domain, vcpu } => {
                instant("inject", format!("injects into {}", of.vcpu(VcpuRef { domain, vcpu })));
            }
            Event::Unblocked { domain, vcpu } => {
                instant("inject", format!("unblocks {}", of.vcpu(VcpuRef { domain, vcpu })));
            }
            Event::XenHandler { domain, port, .. } => {
                instant("event", format!("hypervisor's own handler: {} port {port}", of.domain(domain)));
            }
            Event::Console(byte) => {
                self.speaker = pe;
                if let Some(text) = self.console.byte(byte) {
                    console(out, (at, pe), &text);
                }
            }
            // Told as what the books make of it.
            Event::TableScan | Event::EventWord { .. } | Event::Withheld { .. } => {}
        }
    }

    fn console_rest(&mut self, out: &mut Events<'_>, at: u64) {
        if let Some(text) = self.console.rest() {
            console(out, (at, self.speaker), &text);
        }
    }
}

fn console(out: &mut Events<'_>, (at, pe): (u64, PeId), text: &str) {
    out.instant(at, Tracks::pe(pe), "console", "console", json!({ "text": text }));
}

fn counter(out: &mut Events<'_>, at: u64, pe: PeId, enabled: usize) {
    out.counter(at, Tracks::pe(pe), &format!("EL2 regions of PE {pe}"), enabled);
}
