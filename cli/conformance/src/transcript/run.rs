//! One transcript from its first record to its last.

use super::super::diff::Difference;
use super::super::error::{Place, ReplayError};
use super::super::live::StepError;
use super::battery::Progress;
use super::calls::Got;
use super::known::{self, Reason};
use super::live::LiveSystem;
use super::outcome::{FileResult, RecordDifference, Totals};
use super::record::{self, Record};
use super::system::{System, Version};
use serde_json::{Map, Value, json};
use sim_core::hyp::strategy::Builtin;
use std::collections::BTreeMap;
use std::path::Path;

/// What the hypervisor answers to hypercalls it does not have.
const ENOSYS: i64 = -38;
/// Hypercalls that it may not have.
const OPTIONAL: [&str; 1] = ["HVMOP_get_param"];
/// Records about the machine or the recording.
const MACHINE: [&str; 6] = ["boot", "layout", "note", "bench", "psci_cpu_on", "xen_version"];

/// What came of one record.
enum Outcome {
    Machine,
    Got(Got),
    /// Refused by a rule younger than the recording, and this came once the guest was let.
    Let(Reason, Got),
    /// Something other than a result came: what is different, and whether it goes on after it.
    Else(Difference, bool),
}

/// Records of other domains that a domain waits for, at most.
const PATIENCE: usize = 16;

/// Replays one file.
pub fn file(path: &Path, text: &str, strategy: &Builtin) -> Result<FileResult, ReplayError> {
    let place = Place { path };
    let records = record::parse(&place, text)?;
    let system = System::of(path, &records);
    tracing::debug!(file = %path.display(), ?system, records = records.len(), "replaying a transcript");
    let live = LiveSystem::new(&system, strategy).map_err(|why| place.setup(why))?;
    let (major, minor) = system.version;
    let result = FileResult {
        path: path.to_owned(),
        xen: format!("{major}.{minor}"),
        policy: system.policy(),
        totals: Totals { records: records.len(), ..Totals::default() },
        explained: BTreeMap::new(),
        machine: BTreeMap::new(),
        unsupported: BTreeMap::new(),
        differences: Vec::new(),
    };
    let left = (0..records.len()).collect();
    let mut run = Run {
        place,
        records: &records,
        version: system.version,
        live,
        progress: BTreeMap::new(),
        left,
        waited: BTreeMap::new(),
        result,
    };
    while !run.left.is_empty() {
        if !run.turn()? {
            run.result.totals.unreached = run.left.len();
            break;
        }
    }
    Ok(run.result)
}

/// A file while it is replayed.
struct Run<'a> {
    place: Place<'a>,
    records: &'a [Record],
    version: Version,
    live: LiveSystem,
    progress: BTreeMap<u16, Progress>,
    /// Records to come, by index.
    left: Vec<usize>,
    /// How many records of others each domain has waited for.
    waited: BTreeMap<u16, usize>,
    result: FileResult,
}

impl<'a> Run<'a> {
    /// One record: the first in the file whose domain does not wait. Domains ran at once and printed a little later than
    /// they acted, so a record may come before what it depends on. Says whether it goes on.
    fn turn(&mut self) -> Result<bool, ReplayError> {
        let records = self.records;
        let mut waiting: Vec<u16> = Vec::new();
        loop {
            let ready = |number: &usize| records.get(*number).is_some_and(|it| !waiting.contains(&it.domain));
            let slot = self.left.iter().position(ready);
            let forced = slot.is_none();
            let slot = slot.unwrap_or_default();
            let Some((number, record)) = self.left.get(slot).and_then(|number| Some((*number, records.get(*number)?)))
            else {
                return Ok(false);
            };
            let later = records.get(number + 1..).unwrap_or_default();
            let stepped = self.live.step(self.version, record, later);
            let outcome = told(&self.place, record, stepped)?;
            let waited = self.waited.get(&record.domain).copied().unwrap_or_default();
            let others =
                self.left.iter().filter_map(|number| records.get(*number)).any(|it| it.domain != record.domain);
            if !forced && others && waited < PATIENCE && may_wait(self.version, record, &outcome) {
                waiting.push(record.domain);
                continue;
            }
            self.left.remove(slot);
            for domain in waiting {
                *self.waited.entry(domain).or_default() += 1;
            }
            self.waited.remove(&record.domain);
            return self.finish(record, outcome, later);
        }
    }

    fn finish(&mut self, record: &'a Record, outcome: Outcome, later: &[Record]) -> Result<bool, ReplayError> {
        if !self.result.judge(self.version, record, outcome) {
            return Ok(false);
        }
        let progress = self.progress.entry(record.domain).or_default();
        let live = &mut self.live;
        let between = live.run(record.domain, record.vcpu).and_then(|()| live.between(record, progress, later));
        match told(&self.place, record, between.map(|()| Outcome::Machine))? {
            Outcome::Else(difference, goes_on) => {
                self.result.totals.compared += 1;
                self.result.differ(record, vec![difference]);
                Ok(goes_on)
            }
            _ => Ok(true),
        }
    }
}

/// Whether a record that did not go as recorded can be tried again: it has changed nothing.
fn may_wait(version: Version, record: &Record, outcome: &Outcome) -> bool {
    let Outcome::Got(got) = outcome else {
        return false;
    };
    let looks = matches!(record.op.as_str(), "status" | "shared_info" | "fifo");
    let failed = record.rc == 0 && got.0 < 0 && got.0 != ENOSYS;
    let found = if looks || failed { compare(record, got) } else { Vec::new() };
    !found.is_empty() && known::reason(version, record, got, &found).is_none()
}

fn told(place: &Place, record: &Record, outcome: Result<Outcome, StepError>) -> Result<Outcome, ReplayError> {
    let different = |field: &str, got: String, goes_on| {
        let difference = Difference { field: field.into(), expected: "done".into(), got };
        Ok(Outcome::Else(difference, goes_on))
    };
    match outcome {
        Ok(outcome) => Ok(outcome),
        Err(StepError::Hypervisor) => different("hypervisor", "it took an exception from itself".into(), false),
        Err(StepError::Guest(refusal)) => different("guest access", format!("{refusal:?}"), true),
        Err(StepError::Step(found)) => Err(place.bad(record.line, "a record that can be repeated here", found)),
    }
}

impl LiveSystem {
    fn step(&mut self, version: Version, record: &Record, later: &[Record]) -> Result<Outcome, StepError> {
        if record.op == "psci_cpu_on" {
            let target = record.word("target")?;
            if let Some(gic) = self.guest(record.domain)?.gic(target) {
                gic.online |= record.rc == 0;
            }
        }
        if record.op == "bench"
            && let Some(wrong) = self.rounds(record, later)?
        {
            let difference = Difference { field: "rounds".into(), expected: "done".into(), got: wrong };
            return Ok(Outcome::Else(difference, true));
        }
        if MACHINE.contains(&record.op.as_str()) {
            return Ok(Outcome::Machine);
        }
        self.run(record.domain, record.vcpu)?;
        self.prepare(record)?;
        let looked = match record.op.as_str() {
            "shared_info" => Some(self.dump_shared(record.domain, record.vcpu)?),
            "fifo" => Some(self.dump_fifo(record.domain, record.vcpu)?),
            "icc_iar1" => {
                let gic = self.guest(record.domain)?.gic(record.vcpu);
                let id = gic.map(super::gic::Gic::acknowledge);
                Some(Map::from_iter([("intid".to_owned(), json!(id))]))
            }
            _ => None,
        };
        if let Some(out) = looked {
            return Ok(Outcome::Got((0, out)));
        }
        let unknown = || StepError::Step(format!("operation {:?} is not known", record.op));
        let got = self.call(record)?.ok_or_else(unknown)?;
        if known::is_new_virq_rule(version, record, &got) && self.make_handler(record.domain, record.word("virq")?) {
            return Ok(Outcome::Let(Reason::GlobalVirq, self.call(record)?.ok_or_else(unknown)?));
        }
        Ok(Outcome::Got(got))
    }
}

impl FileResult {
    /// Counts a record; says whether there is a next.
    fn judge(&mut self, version: Version, record: &Record, outcome: Outcome) -> bool {
        let (why, got) = match outcome {
            Outcome::Machine => {
                self.totals.machine += 1;
                *self.machine.entry(record.op.clone()).or_default() += 1;
                return true;
            }
            Outcome::Else(difference, goes_on) => {
                self.totals.compared += 1;
                self.differ(record, vec![difference]);
                return goes_on;
            }
            Outcome::Got(got) => (None, got),
            Outcome::Let(reason, got) => (Some(reason), got),
        };
        if got.0 == ENOSYS && record.rc != ENOSYS && OPTIONAL.contains(&record.op.as_str()) {
            self.totals.unsupported += 1;
            *self.unsupported.entry(record.op.clone()).or_default() += 1;
            return true;
        }
        self.totals.compared += 1;
        let found = compare(record, &got);
        let why = if found.is_empty() { why } else { known::reason(version, record, &got, &found) };
        if let Some(reason) = why {
            self.totals.explained += 1;
            *self.explained.entry(reason.text()).or_default() += 1;
        } else if found.is_empty() {
            self.totals.equal += 1;
        } else {
            self.differ(record, found);
        }
        true
    }

    fn differ(&mut self, record: &Record, differences: Vec<Difference>) {
        self.totals.different += 1;
        let text = record.text.clone();
        self.differences.push(RecordDifference { line: record.line, record: text, differences });
    }
}

/// The differences of a record. A dump must be the same in all it lists and leaves out; of a hypercall, outputs that the
/// record does not have are not compared.
fn compare(record: &Record, (rc, out): &Got) -> Vec<Difference> {
    let mut found = Vec::new();
    if record.rc != *rc {
        found.push(Difference { field: "rc".into(), expected: record.rc.to_string(), got: rc.to_string() });
    }
    let mut add = |key: &str, expected: Option<&Value>, got: Option<&Value>| {
        if expected != got {
            let text = |value: Option<&Value>| value.map_or_else(|| "(absent)".to_owned(), Value::to_string);
            found.push(Difference { field: format!("out.{key}"), expected: text(expected), got: text(got) });
        }
    };
    for (key, expected) in &record.out {
        add(key, Some(expected), out.get(key));
    }
    if matches!(record.op.as_str(), "shared_info" | "fifo") {
        for (key, got) in out.iter().filter(|(key, _)| !record.out.contains_key(*key)) {
            add(key, None, Some(got));
        }
    }
    found
}
