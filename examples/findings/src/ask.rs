//! Asks `mpusim`: runs the command that the page shows, and reads what it wrote.

use crate::Fallible;
use campaign::sweep::{Line, Table};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The program beside this one.
fn mpusim() -> Fallible<PathBuf> {
    let here = std::env::current_exe()?;
    let program = here.with_file_name("mpusim");
    if program.exists() {
        Ok(program)
    } else {
        Err("there is no mpusim to ask; `cargo build --release` makes it".into())
    }
}

/// A sweep of the scenario ring, and its rows.
pub(crate) struct Sweep {
    /// What was asked.
    pub(crate) command: String,
    table: Table,
}

impl Sweep {
    /// Runs a sweep. `arguments` stand behind the scenario, as words without blanks.
    pub(crate) fn run(arguments: &str) -> Fallible<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("rows.csv");
        let call = format!("sweep examples/scenarios/ring.toml {arguments}");
        let mut command = Command::new(mpusim()?);
        command.args(call.split_whitespace()).arg("--quiet").arg("-o").arg(&file);
        let done = command.stdout(Stdio::null()).status()?;
        if !done.success() {
            return Err(format!("mpusim {call}: {done}").into());
        }
        Ok(Self { command: format!("mpusim {call} -o FILE"), table: Table::read(&file)? })
    }

    /// The rows whose columns have these values.
    pub(crate) fn rows(&self, wanted: &[(&str, &str)]) -> Vec<Line<'_>> {
        let takes = |line: &Line<'_>| wanted.iter().all(|(column, value)| line.get(column).text() == *value);
        self.table.rows().filter(takes).collect()
    }

    /// The first of these rows.
    pub(crate) fn row(&self, wanted: &[(&str, &str)]) -> Option<Line<'_>> {
        self.rows(wanted).into_iter().next()
    }
}

/// What a command prints under `--format json`, and the command.
pub(crate) fn json(call: &str) -> Fallible<(String, Value)> {
    let output = Command::new(mpusim()?).args(call.split_whitespace()).args(["--format", "json"]).output()?;
    // 1: the system does not work, which is an answer.
    if !matches!(output.status.code(), Some(0 | 1)) {
        return Err(format!("mpusim {call}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok((format!("mpusim {call}"), serde_json::from_slice(&output.stdout)?))
}
