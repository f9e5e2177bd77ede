//! What becomes of the file that `--trace` names.

use std::path::Path;
use std::process::Command;

/// Runs thread-2022 with a trace; the exit status.
fn traced(file: &Path, strategy: &str, set: &str) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpusim"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command.args(["run", "examples/scenarios/thread-2022.toml", "--strategy", strategy, "--set", set, "--trace"]);
    command.arg(file).output().unwrap().status.code()
}

/// No room for the pages that this strategy has in the heap.
const UNFIT: [&str; 2] = ["xen-pool", "heap.size=0x3000"];

#[test]
fn a_run_that_cannot_be_set_up_leaves_the_file_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["kept.json", "kept.jsonl"] {
        let file = folder.path().join(name);
        std::fs::write(&file, "an earlier trace\n").unwrap();
        assert_eq!(traced(&file, UNFIT[0], UNFIT[1]), Some(2));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "an earlier trace\n", "{name}");
    }
}

#[test]
fn a_run_that_cannot_be_set_up_leaves_no_file_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new.json");
    assert_eq!(traced(&file, UNFIT[0], UNFIT[1]), Some(2));
    assert!(!file.exists());
}

#[test]
fn a_run_replaces_a_longer_file_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (fresh, old) = (folder.path().join("fresh.jsonl"), folder.path().join("old.jsonl"));
    std::fs::write(&old, "x".repeat(50 << 20)).unwrap();
    for file in [&fresh, &old] {
        assert_eq!(traced(file, "map-page", "step_limit=5000"), Some(1));
    }
    let fresh = std::fs::read(&fresh).unwrap();
    assert!(!fresh.is_empty() && fresh == std::fs::read(&old).unwrap());
}
