//! Where everything goes, and whether it can.

use crate::error::BootError;
use crate::image::{Image, Piece};
use crate::options::{File, Options};
use boards::{Board, Kind, Span};
use std::fs;
use std::io::Read as _;
use std::path::Path;
use words::shown;

/// Most bytes of one file, and of all.
const MOST: u64 = 1 << 30;
/// A device tree: its magic number, and the least that its header takes (Devicetree Specification, section 5.2).
const TREE_MAGIC: &[u8] = &[0xd0, 0x0d, 0xfe, 0xed];
const TREE_HEADER: u64 = 40;
/// A device tree that has no address goes to a multiple of this.
const TREE_ALIGNMENT: u64 = 0x20_0000;

/// One piece, and what it is called in messages.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) what: String,
    pub(crate) span: Span,
    pub(crate) bytes: Vec<u8>,
}

/// All that is loaded.
#[derive(Debug)]
pub(crate) struct Placement {
    pub(crate) pieces: Vec<Placed>,
    pub(crate) entry: u64,
    /// The address of the device tree.
    pub(crate) tree: Option<u64>,
}

/// Reads a file, of which at most so much may be.
fn read(path: &Path, expected: &'static str) -> Result<Vec<u8>, BootError> {
    let unreadable = |why: String| BootError::Unreadable { path: path.to_owned(), why, expected };
    if path.is_dir() {
        return Err(unreadable("it is a directory".into()));
    }
    let file = fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > MOST {
        return Err(BootError::TooMuch);
    }
    Ok(bytes)
}

fn unfit(path: &Path, why: impl Into<String>) -> BootError {
    BootError::Unfit { path: path.to_owned(), why: why.into() }
}

/// Reads all files and gives each its place.
pub(crate) fn place(options: &Options, board: &Board) -> Result<Placement, BootError> {
    let path = &options.image.path;
    let bytes = read(path, "an ELF file, an arm64 Image, or FILE@ADDR for raw bytes")?;
    let image = Image::read(bytes, options.image.address, board.image_base).map_err(|why| unfit(path, why))?;
    let mut pieces = Vec::new();
    let name = shown::path(path);
    let several = image.pieces.len() > 1;
    for (number, piece) in image.pieces.into_iter().enumerate() {
        let what = if several { format!("segment {number} of {name}") } else { name.clone() };
        put(&mut pieces, what, piece, board)?;
    }
    for File { path, address } in &options.loads {
        let bytes = read(path, "FILE@ADDR, bytes for an address")?;
        let address = address.ok_or_else(|| unfit(path, "it has no address; expected --load FILE@ADDR"))?;
        if bytes.is_empty() {
            return Err(unfit(path, "the file is empty; expected bytes for an address"));
        }
        let size = bytes.len() as u64;
        put(&mut pieces, shown::path(path), Piece { address, bytes, size }, board)?;
    }
    let tree = options.dtb.as_ref().map(|file| put_tree(&mut pieces, file, board)).transpose()?;
    no_overlap(&mut pieces)?;
    let entry = options.entry.unwrap_or(image.entry);
    if !entry.is_multiple_of(4) {
        return Err(BootError::Misaligned(entry));
    }
    if !pieces.iter().any(|piece| piece.span.contains(entry)) {
        let spans = pieces.iter().map(|piece| piece.span.to_string());
        return Err(BootError::EntryOutside { entry, loaded: some(spans) });
    }
    Ok(Placement { pieces, entry, tree })
}

/// The first few of a list, in words.
fn some(items: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 4;
    let all: Vec<_> = items.collect();
    let first = all.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if all.len() > SHOWN { format!("{first} and {} more", all.len() - SHOWN) } else { first }
}

fn put(pieces: &mut Vec<Placed>, what: String, piece: Piece, board: &Board) -> Result<(), BootError> {
    let Piece { address, bytes, size } = piece;
    let Some(span) = Span::with_size(address, size) else {
        return Err(BootError::Beyond { what, base: address, size });
    };
    let loaded: u64 = pieces.iter().map(|piece| piece.bytes.len() as u64).sum();
    if loaded + bytes.len() as u64 > MOST {
        return Err(BootError::TooMuch);
    }
    if board.memory_of(&span).is_none_or(|memory| memory.kind == Kind::Device) {
        let memory = some(board.ranges(|kind| kind != Kind::Device).map(|span| span.to_string()));
        return Err(BootError::NoMemory {
            what,
            base: span.base(),
            limit: span.limit(),
            board: board.name.clone(),
            memory,
        });
    }
    pieces.push(Placed { what, span, bytes });
    Ok(())
}

/// Puts the device tree behind all else that lies in its range of memory, if it has no address.
fn put_tree(pieces: &mut Vec<Placed>, file: &File, board: &Board) -> Result<u64, BootError> {
    let File { path, address } = file;
    let bytes = read(path, "a device tree (*.dtb)")?;
    let total =
        bytes.get(4..8).and_then(|bytes| bytes.first_chunk()).map(|bytes| u64::from(u32::from_be_bytes(*bytes)));
    let total = total.filter(|_| bytes.starts_with(TREE_MAGIC)).ok_or_else(|| {
        unfit(path, "it is no device tree; expected one that is compiled (*.dtb), which begins with d00dfeed")
    })?;
    let size = bytes.len() as u64;
    if !(TREE_HEADER..=size).contains(&total) {
        return Err(unfit(
            path,
            format!("its header says that it has {total} bytes, and it has {size}; expected the whole file"),
        ));
    }
    let at = match address {
        Some(address) if !address.is_multiple_of(8) => {
            return Err(unfit(path, format!("its address {address:#x} is not aligned; expected a multiple of 8")));
        }
        Some(address) => *address,
        None => behind(pieces, size, board).ok_or(BootError::NoRoom)?,
    };
    put(pieces, shown::path(path), Piece { address: at, bytes, size }, board)?;
    Ok(at)
}

/// The first multiple of 2 MiB behind all that lies in the range of memory in which the image begins.
fn behind(pieces: &[Placed], size: u64, board: &Board) -> Option<u64> {
    let range = board.memory_of(&pieces.first()?.span)?.span;
    let last = pieces.iter().map(|piece| piece.span.limit()).filter(|limit| range.contains(*limit)).max()?;
    let at = last.checked_add(1)?.checked_next_multiple_of(TREE_ALIGNMENT)?;
    range.covers(&Span::with_size(at, size)?).then_some(at)
}

fn no_overlap(pieces: &mut [Placed]) -> Result<(), BootError> {
    pieces.sort_by_key(|piece| piece.span.base());
    for pair in pieces.windows(2) {
        if let [one, other] = pair
            && one.span.overlaps(&other.span)
        {
            return Err(BootError::Overlap {
                one: one.what.clone(),
                one_base: one.span.base(),
                one_limit: one.span.limit(),
                other: other.what.clone(),
                other_base: other.span.base(),
                other_limit: other.span.limit(),
            });
        }
    }
    Ok(())
}
