//! Finding vector files and reading them.

use super::error::{Place, ReplayError};
use super::format::{self, MAX_FILE, Recording};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;
use words::file::{self, Unread};

/// What the paths named come to.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The files to replay: named ones as they come, a folder's sorted by path.
    pub(super) files: Vec<PathBuf>,
    /// Those of them that record accesses through MPUs.
    pub(super) mpu: Vec<PathBuf>,
    /// `*.jsonl` files of folders that are something else.
    pub(super) others: usize,
}

/// Looks at every path named.
pub(super) fn find(paths: &[PathBuf]) -> Result<Found, ReplayError> {
    let mut found = Found::default();
    if paths.is_empty() {
        return Err(ReplayError::NoPaths);
    }
    for path in paths {
        if is_folder(path)? {
            folder(path, &mut found)?;
        } else {
            // Whatever is wrong with a file that was named, its parser says.
            let mpu = recording(path).is_ok_and(|recording| recording == Recording::Mpu);
            if mpu { &mut found.mpu } else { &mut found.files }.push(path.clone());
        }
    }
    Ok(found)
}

fn folder(path: &Path, found: &mut Found) -> Result<(), ReplayError> {
    let before = found.files.len() + found.mpu.len();
    for file in below(path)? {
        match recording(&file)? {
            Recording::Events => found.files.push(file),
            Recording::Mpu => found.mpu.push(file),
            Recording::Other => found.others += 1,
        }
    }
    if found.files.len() + found.mpu.len() == before {
        return Err(ReplayError::NoVectors { path: path.to_owned() });
    }
    Ok(())
}

/// Whether a path that was named is a folder, or a link to one.
pub(super) fn is_folder(path: &Path) -> Result<bool, ReplayError> {
    fs::metadata(path).map(|found| found.is_dir()).map_err(|source| io(path, source))
}

/// Every `*.jsonl` below a folder, sorted by path. Links to folders below it are not followed.
pub(super) fn below(folder: &Path) -> Result<Vec<PathBuf>, ReplayError> {
    let mut found = Vec::new();
    for entry in WalkDir::new(folder) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).to_owned();
            ReplayError::Io { path, source: error.into() }
        })?;
        if !entry.file_type().is_dir() && entry.path().extension().is_some_and(|extension| extension == "jsonl") {
            found.push(entry.into_path());
        }
    }
    found.sort();
    Ok(found)
}

/// What a file records. A first line that cannot be read is an error: it may be a spoilt header.
fn recording(path: &Path) -> Result<Recording, ReplayError> {
    let file = File::open(path).map_err(|source| io(path, source))?;
    let mut first = Vec::new();
    let mut reader = BufReader::new(file.take(MAX_FILE));
    reader.read_until(b'\n', &mut first).map_err(|source| io(path, source))?;
    let place = Place { path };
    let line = String::from_utf8_lossy(&first);
    format::looks_like_header(&line).map_err(|error| place.bad(1, "a header line", error))
}

/// Reads a file as text.
pub(super) fn read(path: &Path) -> Result<String, ReplayError> {
    file::text(path, MAX_FILE).map_err(|error| match error {
        Unread::Io(error) => io(path, error),
        Unread::TooLarge => ReplayError::TooLarge { path: path.to_owned(), limit: MAX_FILE },
        Unread::NotUtf8 { line, error, .. } => Place { path }.bad(line, "UTF-8 text", error),
    })
}

fn io(path: &Path, source: std::io::Error) -> ReplayError {
    ReplayError::Io { path: path.to_owned(), source }
}
