//! The tracks of a Perfetto trace, and the events as its format has them.
//!
//! A "process" for each kind of track, a "thread" for each track: what PEs run, what vCPUs do, which view is in force on
//! each PE. Numbers of threads are unique over all of them.

use super::context::Of;
use super::file::TraceFile;
use serde::Serialize;
use serde_json::{Value, json};
use sim_core::layout::PeId;
use sim_core::outcome::VcpuRef;
use std::collections::BTreeMap;

/// A track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Track {
    pub(super) pid: usize,
    tid: usize,
}

const PES: usize = 1;
const VCPUS: usize = 2;
const VIEWS: usize = 3;

/// The first number of a thread: none is that of its process, which would make it the main thread.
const FIRST: usize = 11;

/// All tracks of a system.
#[derive(Debug)]
pub(super) struct Tracks {
    pes: usize,
    /// Of each domain: how many vCPUs there are before its own, and how many it has.
    vcpus: Vec<(usize, usize)>,
}

impl Tracks {
    /// The tracks of a scenario.
    pub(super) fn new(of: &Of<'_>) -> Self {
        let layout = &of.scenario.layout;
        let mut before = 0;
        let vcpus = layout.domains().iter().map(|domain| {
            let count = domain.vcpus.len();
            before += count;
            (before - count, count)
        });
        Self { pes: layout.board().pes, vcpus: vcpus.collect() }
    }

    /// What a PE runs.
    pub(super) const fn pe(pe: PeId) -> Track {
        Track { pid: PES, tid: FIRST + pe.get() }
    }

    /// Which view is in force on a PE.
    pub(super) const fn view(&self, pe: PeId) -> Track {
        Track { pid: VIEWS, tid: FIRST + self.pes + pe.get() }
    }

    /// A vCPU's place among all, if there is such a vCPU.
    pub(super) fn place(&self, vcpu: VcpuRef) -> Option<usize> {
        let (before, count) = *self.vcpus.get(vcpu.domain)?;
        let number = usize::try_from(vcpu.vcpu).ok().filter(|number| *number < count)?;
        Some(before + number)
    }

    /// What the vCPU at that place does.
    pub(super) const fn vcpu(&self, place: usize) -> Track {
        Track { pid: VCPUS, tid: FIRST + 2 * self.pes + place }
    }

    /// How many vCPUs there are.
    pub(super) fn vcpus(&self) -> usize {
        self.vcpus.iter().map(|(_, count)| count).sum()
    }

    /// Names every track.
    pub(super) fn name(&self, of: &Of<'_>, out: &mut Events<'_>) {
        for (pid, name) in [(PES, "PEs"), (VCPUS, "vCPUs"), (VIEWS, "views in force")] {
            let track = Track { pid, tid: pid };
            out.metadata(track, "process_name", json!({ "name": name }));
            out.metadata(track, "process_sort_index", json!({ "sort_index": pid }));
        }
        let mut thread = |track: Track, name: String| {
            out.metadata(track, "thread_name", json!({ "name": name }));
            out.metadata(track, "thread_sort_index", json!({ "sort_index": track.tid }));
        };
        for pe in of.scenario.layout.board().pe_ids() {
            thread(Self::pe(pe), format!("PE {pe}"));
            thread(self.view(pe), format!("on PE {pe}"));
        }
        for (domain, planned) in of.scenario.layout.domains().iter().enumerate() {
            for (vcpu, planned) in (0u32..).zip(&planned.vcpus) {
                let vcpu = VcpuRef { domain, vcpu };
                if let Some(place) = self.place(vcpu) {
                    thread(self.vcpu(place), format!("{} on PE {}", of.vcpu(vcpu), planned.pe));
                }
            }
        }
    }
}

/// One event of the format.
#[derive(Debug, Serialize)]
struct Line<'a> {
    name: &'a str,
    ph: char,
    ts: u64,
    pid: usize,
    tid: usize,
    #[serde(skip_serializing_if = "str::is_empty")]
    cat: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<char>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<char>,
    #[serde(skip_serializing_if = "Value::is_null")]
    args: Value,
}

/// What was written so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// Anything at all.
    any: bool,
    /// The names of the slices that are open, by thread.
    open: BTreeMap<usize, Vec<String>>,
}

/// Where events go.
#[derive(Debug)]
pub(super) struct Events<'a> {
    pub(super) file: &'a mut TraceFile,
    pub(super) written: &'a mut Written,
}

impl Events<'_> {
    fn put(&mut self, line: &Line<'_>) {
        self.file.text(if std::mem::replace(&mut self.written.any, true) { ",\n" } else { "\n" });
        self.file.json(line);
    }

    fn metadata(&mut self, track: Track, name: &str, args: Value) {
        self.put(&Line { args, ..bare(name, 'M', 0, track) });
    }

    /// A slice begins.
    pub(super) fn begin(&mut self, ts: u64, track: Track, cat: &str, name: &str, args: Value) {
        self.put(&Line { cat, args, ..bare(name, 'B', ts, track) });
        self.written.open.entry(track.tid).or_default().push(name.to_owned());
    }

    /// The slice that began last on the track ends. Its name is said once more: some readers go by it.
    pub(super) fn end(&mut self, ts: u64, track: Track) {
        let name = self.written.open.get_mut(&track.tid).and_then(Vec::pop).unwrap_or_default();
        self.put(&bare(&name, 'E', ts, track));
    }

    /// Something happens.
    pub(super) fn instant(&mut self, ts: u64, track: Track, cat: &str, name: &str, args: Value) {
        self.put(&Line { cat, s: Some('t'), args, ..bare(name, 'i', ts, track) });
    }

    /// A flow starts in the slice that began last on the track.
    pub(super) fn flow_starts(&mut self, ts: u64, track: Track, id: u64, args: Value) {
        self.put(&Line { cat: "event", id: Some(id), args, ..bare("send", 's', ts, track) });
    }

    /// A flow ends in the slice that began last on the track.
    pub(super) fn flow_ends(&mut self, ts: u64, track: Track, id: u64) {
        self.put(&Line { cat: "event", id: Some(id), bp: Some('e'), ..bare("send", 'f', ts, track) });
    }

    /// A counter has this value from here on.
    pub(super) fn counter(&mut self, ts: u64, track: Track, name: &str, value: usize) {
        self.put(&Line { args: json!({ "enabled": value }), ..bare(name, 'C', ts, track) });
    }
}

const fn bare(name: &str, ph: char, ts: u64, track: Track) -> Line<'_> {
    let Track { pid, tid } = track;
    Line { name, ph, ts, pid, tid, cat: "", id: None, bp: None, s: None, args: Value::Null }
}
