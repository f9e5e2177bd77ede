//! Any text as a recording: of event channels, of accesses through MPUs, of a running Xen. It replays or is refused with a
//! message that names the line, and never panics.
#![no_main]

use conformance::Options;
use conformance::ReplayError;
use conformance::Setting;
use conformance::file;
use conformance::mpu::MpuSummary;
use conformance::transcript;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let Ok(strategy) = scenario::strategy::parse("map-page", Default::default()) else { panic!("it is known") };
    let path = Path::new("fuzzed.jsonl");
    let options = Options { setting: Setting::of(strategy.clone()), skip_unsupported: false };
    told(file(path, text, &options));
    told(MpuSummary::default().add(path, text));
    told(transcript::file(path, text, &strategy));
});

/// An error is one that people can read.
fn told<T>(result: Result<T, ReplayError>) {
    if let Err(error) = result {
        assert!(!error.to_string().is_empty());
    }
}
