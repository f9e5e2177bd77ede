//! ELF executables (System V ABI, gABI chapter 4; Arm, ELF for the Arm 64-bit Architecture): segments at physical addresses.

use crate::image::{Format, Image, Piece};
use object::LittleEndian;
use object::elf::{EM_AARCH64, ET_DYN, ET_EXEC, FileHeader64, PT_INTERP, PT_LOAD};
use object::read::elf::{FileHeader as _, ProgramHeader as _};

/// What an ELF file begins with.
pub(crate) const MAGIC: &[u8] = b"\x7fELF";

/// What was expected instead.
const EXPECTED: &str = "expected a 64-bit little-endian executable for AArch64";

/// Machines that are met by mistake.
fn machine(number: u16) -> String {
    let name = match number {
        3 => "x86",
        40 => "Arm (AArch32)",
        62 => "x86-64",
        243 => "RISC-V",
        _ => return format!("machine {number}"),
    };
    name.into()
}

/// Reads an ELF file.
///
/// # Errors
///
/// What is wrong with it, and what was expected.
pub(crate) fn read(bytes: &[u8]) -> Result<Image, String> {
    let class = bytes.get(4).copied();
    if class == Some(1) {
        return Err(format!("it is a 32-bit ELF file; {EXPECTED}"));
    }
    if bytes.get(5) == Some(&2) {
        return Err(format!("it is a big-endian ELF file; {EXPECTED}"));
    }
    let truncated = |_| "its ELF header is cut off or damaged; expected the whole file".to_owned();
    let header = FileHeader64::<LittleEndian>::parse(bytes).map_err(truncated)?;
    let endian = header.endian().map_err(truncated)?;
    let of = header.e_machine(endian);
    if of != EM_AARCH64 {
        return Err(format!("it is an ELF file for {}; {EXPECTED}", machine(of.0)));
    }
    let kind = header.e_type(endian);
    if kind != ET_EXEC && kind != ET_DYN {
        return Err(format!("it is no executable (an object file?); {EXPECTED}"));
    }
    let segments = header.program_headers(endian, bytes);
    let segments = segments.map_err(|_| "its table of segments is cut off; expected the whole file".to_owned())?;
    if segments.iter().any(|segment| segment.p_type(endian) == PT_INTERP) {
        return Err(
            "it wants an operating system's loader (PT_INTERP); expected an image that is linked statically".into()
        );
    }
    let mut pieces = Vec::new();
    let entry = header.e_entry(endian);
    let mut starts = None;
    for (number, segment) in segments.iter().enumerate() {
        let size = segment.p_memsz(endian);
        if segment.p_type(endian) != PT_LOAD || size == 0 {
            continue;
        }
        let (physical, virtual_) = (segment.p_paddr(endian), segment.p_vaddr(endian));
        let file = segment.p_filesz(endian);
        if file > size {
            return Err(format!(
                "segment {number} has {file:#x} bytes in the file and {size:#x} in memory; {EXPECTED}"
            ));
        }
        let data = segment.data(endian, bytes).map_err(|()| {
            format!(
                "segment {number} ends behind the end of the file; expected the whole file ({:#x} bytes are there)",
                bytes.len()
            )
        })?;
        // Where a branch to the entry would go once the image runs at the addresses that it is loaded at.
        let inside = entry.checked_sub(virtual_).filter(|offset| *offset < size);
        starts = starts.or_else(|| inside.and_then(|offset| physical.checked_add(offset)));
        pieces.push(Piece { address: physical, bytes: data.to_vec(), size });
    }
    if pieces.is_empty() {
        return Err(format!("it has no segment that is loaded; {EXPECTED}"));
    }
    Ok(Image { format: Format::Elf, pieces, entry: starts.unwrap_or(entry) })
}
