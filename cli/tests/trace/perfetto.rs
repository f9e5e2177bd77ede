//! The Perfetto form, read strictly: what its reader would quietly drop is a failure here.

use super::{Form, each, faulted};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a track by the events so far.
#[derive(Default)]
struct Track {
    clock: u64,
    open: Vec<String>,
}

/// A trace, taken apart.
#[derive(Default)]
struct Read {
    tracks: BTreeMap<u64, Track>,
    named: BTreeSet<u64>,
    starts: BTreeMap<u64, u64>,
    latencies: Vec<u64>,
    /// The highest value of any counter.
    peak: u64,
    counters: BTreeMap<String, u64>,
    instants: Vec<String>,
}

fn keys(event: &Value) -> Vec<&str> {
    event.as_object().unwrap().keys().map(String::as_str).collect()
}

impl Read {
    fn event(&mut self, event: &Value) {
        let number = |key: &str| event[key].as_u64().unwrap_or_else(|| panic!("{key} of {event}"));
        let name = || event["name"].as_str().unwrap_or_else(|| panic!("name of {event}")).to_owned();
        let (ts, pid, tid) = (number("ts"), number("pid"), number("tid"));
        let known = ["name", "ph", "ts", "pid", "tid", "cat", "id", "bp", "s", "args"];
        assert!(keys(event).iter().all(|key| known.contains(key)), "{event}");
        assert!(pid != 0 && tid != 0, "{event}");
        match event["ph"].as_str().unwrap() {
            "M" => {
                if name() == "thread_name" {
                    assert!(self.named.insert(tid), "{event} is named twice");
                }
                return;
            }
            "C" => {
                let value = event["args"]["enabled"].as_u64().unwrap();
                let clock = self.counters.entry(name()).or_default();
                assert!(ts >= *clock, "{event} goes back from {clock}");
                *clock = ts;
                self.peak = self.peak.max(value);
                return;
            }
            _ => {}
        }
        assert!(self.named.contains(&tid), "{event} is on a track without a name");
        let track = self.tracks.entry(tid).or_default();
        assert!(ts >= track.clock, "{event} goes back from {}", track.clock);
        track.clock = ts;
        match event["ph"].as_str().unwrap() {
            "B" => track.open.push(name()),
            "E" => assert_eq!(track.open.pop(), Some(name()), "{event} ends another"),
            "i" => {
                assert_eq!(event["s"], "t", "{event}");
                self.instants.push(name());
            }
            "s" => {
                assert_eq!(track.open.last().map(String::as_str), Some("EL2: event_channel_op.send"), "{event}");
                let since = event["args"]["since"].as_u64().unwrap();
                assert!(self.starts.insert(number("id"), since).is_none(), "{event} starts twice");
            }
            "f" => {
                assert_eq!(event["bp"], "e", "{event}");
                let inside = track.open.last().map(String::as_str);
                assert!(matches!(inside, Some("running" | "upcall handler")), "{event} in {inside:?}");
                let since = self.starts.remove(&number("id")).unwrap_or_else(|| panic!("{event} was not started"));
                self.latencies.push(ts - since);
            }
            other => panic!("{other} is none of the format's that is used"),
        }
    }
}

#[test]
fn slices_nest_flows_arrive_and_counters_are_the_report_s() {
    each(Form::Perfetto, |run, report, text| {
        let whole: Value = serde_json::from_str(text).unwrap();
        assert_eq!(keys(&whole), ["displayTimeUnit", "otherData", "traceEvents"], "{run}");
        assert!(whole["otherData"]["time"].as_str().unwrap().contains("1 cycle of profile counts"), "{run}");
        let mut read = Read::default();
        whole["traceEvents"].as_array().unwrap().iter().for_each(|event| read.event(event));
        for (tid, track) in &read.tracks {
            assert!(track.open.is_empty(), "{run}: track {tid} ends with {:?} open", track.open);
            assert!(track.clock <= report.cycles, "{run}");
        }
        let events = &report.events;
        assert_eq!(read.latencies.len() as u64, events.delivered, "{run}");
        let latency = report.send_to_upcall();
        assert_eq!(read.latencies.iter().max().copied(), latency.max(), "{run}");
        assert_eq!(read.latencies.iter().min().copied(), latency.min(), "{run}");
        assert!(read.starts.len() as u64 + events.delivered + events.coalesced <= events.sent, "{run}");
        assert_eq!(read.peak, report.regions.peak as u64, "{run}");
        let faults = read.instants.iter().filter(|name| name.starts_with("hypervisor fault")).count();
        assert_eq!(faults, usize::from(faulted(report)), "{run}");
        let kicks = read.instants.iter().filter(|name| name.starts_with("kicks PE")).count();
        assert_eq!(kicks as u64, report.counts.kicks, "{run}");
    });
}
