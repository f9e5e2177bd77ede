//! Images that are read, refused and run.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use armv8r::machine::StopReason;
use boot::{Boot, BootError, Cause, End, File, Options, Report, Scripted, Sink, Streams};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// The words of a file, as bytes: hexadecimal; behind # are remarks, @ goes on at an offset.
fn words(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/boot").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let mut bytes = Vec::new();
    for word in text.lines().flat_map(|line| line.split('#').next().unwrap().split_whitespace()) {
        match word.strip_prefix('@') {
            Some(offset) => bytes.resize(usize::from_str_radix(offset, 16).unwrap(), 0),
            None => bytes.extend(u32::from_str_radix(word, 16).unwrap().to_le_bytes()),
        }
    }
    bytes
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn at(&self, bytes: &[u8], address: u64) -> Options {
        Options::new(File { path: self.put("image", bytes), address: Some(address) }, "fvp-baser")
    }

    fn image(&self, bytes: &[u8]) -> Options {
        Options::new(File { path: self.put("image", bytes), address: None }, "fvp-baser")
    }
}

fn run(options: &Options) -> (Report, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let boot = Boot::new(options).unwrap_or_else(|error| panic!("{error}"));
    let report = boot.run(Streams { out: &mut out, err: &mut err }, &AtomicBool::new(false));
    (report, String::from_utf8(out).unwrap())
}

fn refused(options: &Options) -> String {
    let error: BootError = Boot::new(options).err().unwrap_or_else(|| panic!("it was not refused"));
    error.to_string()
}

/// An ELF file with one segment at `physical`, linked at `virtual_`.
fn elf(code: &[u8], (physical, virtual_): (u64, u64), entry: u64) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend(183_u16.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([entry, 64, 0].iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend([64_u16, 56, 1, 64, 0, 0].iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend([1_u32, 5].iter().flat_map(|word| word.to_le_bytes()));
    let size = code.len() as u64;
    bytes.extend([120, virtual_, physical, size, size + 64, 8].iter().flat_map(|word: &u64| word.to_le_bytes()));
    assert_eq!(bytes.len(), 120);
    bytes.extend(code);
    bytes
}

#[test]
fn an_image_prints_and_ends_itself() {
    let folder = Folder::new();
    let (report, said) = run(&folder.at(&words("hello.words"), 0x20_0000));
    assert_eq!(said, "hello from EL2\n");
    assert!(matches!(report.end, End::Machine(StopReason::Exit { code: 0, .. })), "{:?}", report.end);
    assert_eq!((report.status(), report.faults, report.console.len()), (0, 0, 15));
}

#[test]
fn an_elf_file_starts_where_its_segment_is_loaded() {
    let folder = Folder::new();
    let code = words("hello.words");
    for (physical, virtual_) in [(0x20_0000, 0x20_0000), (0x40_0000, 0xffff_0000_0000)] {
        let (report, said) = run(&folder.image(&elf(&code, (physical, virtual_), virtual_)));
        assert_eq!((said.as_str(), report.status()), ("hello from EL2\n", 0));
        assert!((physical..physical + 0x100).contains(&report.pes[0].pc));
    }
}

#[test]
fn its_own_status_is_passed_on_and_entries_are_counted() {
    let folder = Folder::new();
    let (report, _) = run(&folder.at(&words("hvc.words"), 0x20_0000));
    assert_eq!(report.status(), 101);
    let hvc = report.entries[&Cause::Class(0x16)];
    // b, subs, b.eq, isb, eret, twice; then to HLT.
    assert_eq!((hvc.entries, hvc.isb, hvc.most_instructions), (3, 2, 6));
    assert_eq!(report.entries[&Cause::Reset].other_writes, 4);
}

#[test]
fn a_fault_in_the_handler_ends_the_run_with_the_first_fault() {
    let folder = Folder::new();
    let (report, _) = run(&folder.at(&words("fault.words"), 0x20_0000));
    assert_eq!((&report.end, report.status()), (&End::FaultLoop, 1));
    let fault = report.fault.clone().unwrap();
    assert_eq!((fault.pc, fault.far, fault.esr), (0x20_0038, Some(0x2001_0030), 0x9600_0044));
    assert!(!fault.returned && fault.more > 100 && fault.slots.len() == 1);
    let text = boot::text(&report, words::Palette::new(false));
    for part in ["data abort", "0x20010030", "no enabled region", "nearest below", "RAM", "lets EL2 write"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(boot::json(&report)["fault"]["kind"], "no-region");
}

#[test]
fn a_fault_that_sleeps_and_one_that_branches_to_itself_end_the_run() {
    let folder = Folder::new();
    for (word, ends) in [(0xd503_207f_u32, End::Machine(StopReason::Asleep)), (0x1400_0000, End::Spinning)] {
        // A read where nothing answers; the vector is at 0x200, in RAM.
        let mut options = folder.at(&[0xd2b2_0000_u32, 0xf940_0000].map(u32::to_le_bytes).concat(), 0x20_0000);
        let handler = [word, 0x17ff_ffff].map(u32::to_le_bytes).concat();
        options.loads.push(File { path: folder.put("handler", &handler), address: Some(0x200) });
        let (report, _) = run(&options);
        assert_eq!((&report.end, report.status()), (&ends, 1));
        assert!(report.ends_in_fault(), "{:?}", report.fault);
        assert!(boot::text(&report, words::Palette::new(false)).contains("nothing of the board"));
    }
}

#[test]
fn limits_and_what_is_waited_for_end_a_run() {
    let folder = Folder::new();
    let mut options = folder.at(&words("hello.words"), 0x20_0000);
    options.max = Some(10);
    let (report, _) = run(&options);
    assert_eq!((&report.end, report.pes[0].instructions, report.status()), (&End::Max, 10, 1));
    options.max = None;
    options.until = Some("from".into());
    assert_eq!(run(&options).0.end, End::Until);
    // A branch to itself, with interrupts that may come.
    let mut options = folder.at(&[0xd503_47ff_u32, 0x1400_0000].map(u32::to_le_bytes).concat(), 0x20_0000);
    options.timeout = Some(std::time::Duration::from_millis(1));
    let (report, _) = run(&options);
    assert_eq!((&report.end, report.status()), (&End::Timeout, 1));
    let stop = AtomicBool::new(true);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let report = Boot::new(&options).unwrap().run(Streams { out: &mut out, err: &mut err }, &stop);
    assert_eq!((&report.end, report.status()), (&End::Interrupted, 130));
}

#[test]
fn a_log_and_a_uart_go_into_files_and_change_nothing() {
    let folder = Folder::new();
    let mut options = folder.at(&words("hello.words"), 0x20_0000);
    let plain = run(&options).0;
    let (uart, trace) = (folder.0.path().join("uart"), folder.0.path().join("trace"));
    options.uarts = vec![(0, Sink::File(uart.clone())), (1, Sink::Null)];
    options.trace = Some(trace.clone());
    options.trace_accesses = true;
    let (report, said) = run(&options);
    assert_eq!((said.as_str(), std::fs::read_to_string(uart).unwrap().as_str()), ("", "hello from EL2\n"));
    assert_eq!((report.time, &report.pes), (plain.time, &plain.pes));
    let log = std::fs::read_to_string(trace).unwrap();
    assert!(log.lines().count() > 30 && log.contains("\"address\":\"0x9c090000\""), "{log}");
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn what_cannot_be_is_refused_with_what_was_expected() {
    let folder = Folder::new();
    let code = words("hello.words");
    let good = elf(&code, (0x20_0000, 0x20_0000), 0x20_0000);
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    for (bytes, says) in [
        (Vec::new(), "empty"),
        (b"hello".to_vec(), "neither an ELF file"),
        (changed(4, 1), "32-bit"),
        (changed(5, 2), "big-endian"),
        (changed(18, 62), "x86-64"),
        (changed(16, 1), "no executable"),
        (good[..60].to_vec(), "cut off"),
        (good[..100].to_vec(), "cut off"),
        (good[..good.len() - 1].to_vec(), "behind the end of the file"),
        (changed(64, 3), "PT_INTERP"),
        (changed(64, 4), "no segment"),
        (elf(&code, (0x20_0000, 0x20_0000), 0x20_0002), "not aligned"),
        (elf(&code, (0x20_0000, 0x20_0000), 0x30_0000), "nothing was loaded at the entry"),
        (elf(&code, (0x9000_0000, 0x9000_0000), 0x9000_0000), "has memory at"),
        (elf(&code, (u64::MAX - 7, 0), 0), "beyond the last address"),
    ] {
        let error = refused(&folder.image(&bytes));
        assert!(error.contains(says), "{says}: {error}");
    }
}

#[test]
fn options_that_cannot_be_are_refused() {
    let folder = Folder::new();
    let image = words("hello.words");
    let with = |change: &dyn Fn(&mut Options)| {
        let mut options = folder.at(&image, 0x20_0000);
        change(&mut options);
        refused(&options)
    };
    let other = folder.put("other", &[0; 64]);
    let load = |address| File { path: other.clone(), address };
    for (error, says) in [
        (with(&|options| options.loads.push(load(Some(0x20_0010)))), "overlap"),
        (with(&|options| options.loads.push(load(None))), "no address"),
        (with(&|options| options.dtb = Some(load(None))), "no device tree"),
        (with(&|options| options.image.path = folder.0.path().to_owned()), "it is a directory"),
        (with(&|options| options.image.path = "/no/such/file".into()), "No such file"),
        (with(&|options| options.entry = Some(3)), "multiple of 4"),
        (with(&|options| options.entry = Some(0)), "nothing was loaded"),
        (with(&|options| options.pes = Some(0)), "--pes 1 to 8"),
        (with(&|options| options.pes = Some(usize::MAX)), "--pes 1 to 8"),
        (with(&|options| options.board = "fvp".into()), "there is no board"),
        (with(&|options| options.board = "an536".into()), "PMSAv8-32"),
        (with(&|options| options.uarts = vec![(0, Sink::Null), (0, Sink::Stdio)]), "given twice"),
        (with(&|options| options.uarts = vec![(4, Sink::Null)]), "no UART 4"),
        (with(&|options| options.input = vec![Scripted { uart: 9, bytes: Vec::new() }]), "no UART 9"),
        (with(&|options| options.uarts = vec![(0, Sink::File(folder.0.path().to_owned()))]), "directory"),
        (
            with(&|options| {
                options.uarts = vec![(0, Sink::File("a".into()))];
                options.trace = Some("a".into());
            }),
            "written twice",
        ),
    ] {
        assert!(error.contains(says), "{says}: {error}");
    }
}

#[test]
fn a_device_tree_is_told_in_x0() {
    let folder = Folder::new();
    let mut tree = vec![0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 48];
    tree.resize(48, 0);
    // exit(x0's lowest byte from bit 20 on): lsr, str into the block, exit.
    let code = [0xd354_fc00_u32, 0x1000_00a1, 0xf900_0420, 0x5280_0300, 0xd45e_0000, 0xd503_201f, 0x0002_0026, 0, 0, 0];
    let mut options = folder.at(&code.map(u32::to_le_bytes).concat(), 0x20_0000);
    options.dtb = Some(File { path: folder.put("tree", &tree), address: None });
    // The first multiple of 2 MiB behind the image: 4 MiB.
    assert_eq!(run(&options).0.status(), 4);
    options.dtb = Some(File { path: folder.put("tree", &tree), address: Some(0x4200_0000) });
    assert_eq!(run(&options).0.status(), 1, "0x420 is beyond 255");
    options.dtb = Some(File { path: folder.put("tree", &tree), address: Some(0x4200_0004) });
    assert!(refused(&options).contains("multiple of 8"));
}

proptest::proptest! {
    #[test]
    fn no_file_is_read_with_a_panic(at in 0_usize..120, byte: u8, length in 0_usize..200, base: u64) {
        let mut bytes = elf(&words("hello.words"), (0x20_0000, 0x20_0000), 0x20_0000);
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        bytes.truncate(length.max(1));
        let _ = boot::Image::read(bytes.clone(), None, base);
        if let Some(place) = bytes.get_mut(56..60) {
            place.copy_from_slice(b"ARM\x64");
            bytes[0] = byte;
        }
        let _ = boot::Image::read(bytes, None, base);
    }
}
