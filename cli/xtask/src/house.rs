//! The rules of the house, and what the workspace makes of them.

use crate::circles::{circles, graph};
use crate::error::Error;
use crate::lines::{Lines, count};
use crate::modules::Modules;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Most of the code of the crates below that one of them may hold, in percent.
const MOST: usize = 25;
/// Lines of a file above which its first line has to say why.
const LONG: usize = 500;
/// What the first line of such a file begins with.
const REASON: &str = "// Long: ";

/// A crate of the house.
struct Room {
    folder: &'static str,
    /// Crates stand on lower floors than those that depend on them.
    floor: u8,
    /// Most of all code that it may hold, in percent.
    most: usize,
}

const fn room(folder: &'static str, floor: u8) -> Room {
    Room { folder, floor, most: MOST }
}

/// Every crate that ships, from the bottom.
const HOUSE: &[Room] = &[
    room("mpu-model", 0),
    room("evtchn", 0),
    room("sim-core/boards", 1),
    Room { folder: "sim-core/armv8r", floor: 2, most: 30 },
    room("sim-core", 2),
    room("cli/words", 3),
    room("cli/scenario", 4),
    room("cli/analysis", 5),
    room("cli/boot", 5),
    room("cli/conformance", 5),
    room("cli/campaign", 6),
    room("cli/report", 7),
    room("cli", 8),
];

/// One crate as it is.
#[derive(Debug)]
struct Looked {
    folder: &'static str,
    files: usize,
    lines: Lines,
    most: usize,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rooms: Vec<Looked>,
    /// What breaks a rule, a paragraph each.
    pub(crate) broken: Vec<String>,
}

/// Looks at the workspace that stands in this folder.
pub(crate) fn look(workspace: &Path) -> Result<Report, Error> {
    let mut report = Report::default();
    for room in HOUSE {
        let folder = workspace.join(room.folder);
        let manifest = manifest(&folder)?;
        report.arrows(room, &manifest);
        let mut looked = Looked { folder: room.folder, files: 0, lines: Lines::default(), most: room.most };
        let mut read = Vec::new();
        for root in ["src/lib.rs", "src/main.rs"].map(|root| folder.join(root)) {
            if root.exists() {
                let modules = Modules::read(&root)?;
                report.circles(workspace, &modules);
                read.extend(modules.files);
            }
        }
        looked.files = read.len();
        for file in sources(&folder)? {
            let text = std::fs::read_to_string(&file).map_err(|source| Error::Read { file: file.clone(), source })?;
            let lines = count(&file, &text)?;
            if read.contains(&file) {
                looked.lines.code += lines.code;
                looked.lines.tests += lines.tests;
            } else {
                looked.lines.tests += lines.code + lines.tests;
            }
            looked.lines.all += lines.all;
            if lines.all > LONG && !text.starts_with(REASON) {
                report.broken.push(format!(
                    "{}: {} lines, more than {LONG}; split it, or say why in its first line: \"{REASON}...\"",
                    shown(workspace, &file),
                    lines.all
                ));
            }
        }
        report.rooms.push(looked);
    }
    report.shares();
    Ok(report)
}

impl Report {
    fn circles(&mut self, workspace: &Path, modules: &Modules) {
        let graph = graph(modules);
        let name = |file: &usize| modules.files.get(*file).map_or_else(String::new, |file| shown(workspace, file));
        for circle in circles(&graph) {
            let mut text = format!("import circle of {} files:", circle.len());
            for from in &circle {
                for (to, line) in graph.get(from).into_iter().flatten().filter(|(to, _)| circle.contains(to)) {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "\n  {}:{line} imports {}", name(from), name(to));
                }
            }
            self.broken.push(text);
        }
    }

    fn arrows(&mut self, room: &Room, manifest: &toml::Table) {
        let depends =
            manifest.get("dependencies").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
        for other in depends.filter_map(|name| HOUSE.iter().find(|other| package(other.folder) == name)) {
            if other.floor >= room.floor {
                self.broken.push(format!("{} depends on {}, which does not stand below it", room.folder, other.folder));
            }
        }
    }

    fn all_code(&self) -> usize {
        self.rooms.iter().map(|room| room.lines.code).sum()
    }

    fn shares(&mut self) {
        let all = self.all_code();
        for room in &self.rooms {
            if room.lines.code * 100 > all * room.most {
                self.broken.push(format!(
                    "{}: {} of all code, more than {} %",
                    room.folder,
                    percent(room.lines.code, all),
                    room.most
                ));
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.all_code();
        writeln!(f, "{:<24} {:>5} {:>7} {:>7} {:>7} {:>12}", "crate", "files", "code", "share", "tests", "tests/code")?;
        for Looked { folder, files, lines, .. } in &self.rooms {
            let ratio = hundredths(lines.tests, lines.code);
            let share = percent(lines.code, all);
            writeln!(f, "{folder:<24} {files:>5} {:>7} {share:>7} {:>7} {ratio:>12}", lines.code, lines.tests)?;
        }
        for broken in &self.broken {
            writeln!(f, "\n{broken}")?;
        }
        Ok(())
    }
}

fn percent(part: usize, whole: usize) -> String {
    let tenths = part * 1000 / whole.max(1);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn hundredths(part: usize, whole: usize) -> String {
    let hundredths = part * 100 / whole.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// A crate's name from its folder.
fn package(folder: &str) -> &str {
    match folder.rsplit('/').next() {
        Some("cli") => "mpusim",
        Some(last) => last,
        None => folder,
    }
}

fn shown(workspace: &Path, file: &Path) -> String {
    file.strip_prefix(workspace).unwrap_or(file).display().to_string()
}

fn manifest(folder: &Path) -> Result<toml::Table, Error> {
    let file = folder.join("Cargo.toml");
    let text = std::fs::read_to_string(&file).map_err(|source| Error::Read { file: file.clone(), source })?;
    text.parse().map_err(|source| Error::Manifest { file, source: Box::new(source) })
}

/// Every source of a crate, but not those of crates in folders below it, nor examples and benches.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for part in ["src", "tests"] {
        for entry in WalkDir::new(folder.join(part)).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.path().extension().is_some_and(|extension| extension == "rs") => {
                    found.push(entry.into_path());
                }
                Ok(_) => {}
                // A crate may have no tests of that kind.
                Err(error) if error.depth() == 0 => {}
                Err(error) => {
                    let file = error.path().unwrap_or(folder).to_path_buf();
                    return Err(Error::Read { file, source: error.into() });
                }
            }
        }
    }
    Ok(found)
}
