//! Any text as a scenario file: it loads or is refused with a message, and never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scenario::Scenario;
use std::path::Path;

fuzz_target!(|text: &str| {
    if let Err(error) = Scenario::from_text(Path::new("fuzzed.toml"), text, &[]) {
        assert!(!error.to_string().is_empty());
        assert!(!error.render(false).is_empty());
    }
});
