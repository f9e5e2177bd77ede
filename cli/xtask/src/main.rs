//! Checks of this workspace that no compiler makes. `cargo xtask house` prints what each crate holds, and every import
//! circle, dependency upwards, crate or file that has grown too large.

#![forbid(unsafe_code)]

mod circles;
mod error;
mod house;
mod lines;
mod modules;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments != ["house"] {
        eprintln!("usage: cargo xtask house");
        return ExitCode::from(2);
    }
    // Two folders up: the workspace's.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    match house::look(workspace) {
        Ok(report) => {
            // A reader that has seen enough may close the pipe.
            let _ = write!(std::io::stdout(), "{report}");
            if report.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
