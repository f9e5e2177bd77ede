//! Every kind of bad scenario: what is said, and at which line and column.
#![allow(clippy::too_many_lines, reason = "tables of cases are as long as they are")]

mod files;

use scenario::{LoadError, Scenario};
use sim_core::layout::PeId;
use std::path::Path;

/// A good scenario that the cases below spoil. Its lines count from 1.
const GOOD: &str = r#"board = "fvp-baser"
pes = 2
scheduler = "null"
heap = { base = 0x50000000, size = 0x20000000 }
sections = { guest_memory = { base = 0x20000000, size = 0x30000000 } }
[[domain]]
id = 1
name = "left"
ram = [{ base = 0x30000000, size = 0x10000000 }]
shared_info = 0x30010000
[[domain.vcpu]]
pe = 0
vcpu_info = 0x30012000
el1_mpu = [{ base = 0x30000000, size = 0x1000, access = "rw", execute = false }]
program = [
    "setup",
    { send = "link" },
    { alloc_unbound = { remote = 2, as = "x" } },
    { close = "x" },
    { read = { at = 0x30000000, width = 4, expect = "ok" } },
    { hypercall = { nr = 99, args = [1], expect = "-ENOSYS" } },
]
[[domain]]
id = 2
ram = [{ base = 0x20000000, size = 0x10000000 }]
[[domain.vcpu]]
pe = 1
[[shared]]
name = "mail"
base = 0x40000000
size = 0x1000
domains = [1, 2]
[[channel]]
name = "link"
listener = { domain = 2, port = 10 }
binder = { domain = 1, port = 11 }
[[timer]]
at = 100
every = 10
domain = 1
virq = "timer"
"#;

fn load(text: &str, sets: &[&str]) -> Result<Scenario, LoadError> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Scenario::from_text(Path::new("bad.toml"), text, &sets)
}

fn error(text: &str, sets: &[&str]) -> LoadError {
    match load(text, sets) {
        Ok(_) => panic!("this was taken for good:\n{text}\n{sets:?}"),
        Err(error) => error,
    }
}

/// What is replaced in the good scenario, by what, the line and column to be named, and what the report has to say.
type Row<'a> = (&'a str, &'a str, (usize, usize), &'a [&'a str]);

fn spoiled(cases: &[Row<'_>]) {
    let mut wrong = Vec::new();
    for (from, to, at, words) in cases {
        assert_eq!(GOOD.matches(from).count(), 1, "{from:?} must stand in the good scenario once");
        wrong.extend(mismatch(&error(&GOOD.replace(from, to), &[]), *at, words, to));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn check(error: &LoadError, at: (usize, usize), words: &[&str], case: &str) {
    if let Some(wrong) = mismatch(error, at, words, case) {
        panic!("{wrong}");
    }
}

fn mismatch(error: &LoadError, at: (usize, usize), words: &[&str], case: &str) -> Option<String> {
    let shown = error.render(false);
    let place = format!(":{}:{}", at.0, at.1);
    let missing: Vec<&&str> = words.iter().filter(|word| !shown.contains(**word)).collect();
    let right = error.position() == Some(at) && shown.contains(&place) && missing.is_empty();
    let one_line = !error.to_string().contains('\n');
    (!(right && one_line))
        .then(|| format!("## {case}\nat {:?}, not {at:?}; missing {missing:?}\n{shown}", error.position()))
}

#[test]
fn the_good_scenario_is_good() {
    let scenario = load(GOOD, &[]).unwrap_or_else(|error| panic!("{}", error.render(false)));
    assert_eq!(scenario.name, "bad");
    assert_eq!((scenario.layout.domains().len(), scenario.programs.len()), (2, 2));
    assert_eq!(scenario.steps.len(), 7, "six steps, and the one of the vCPU without a program");
    assert_eq!((scenario.steps[1].line, scenario.steps[1].column), (17, 5));
    assert_eq!(scenario.steps[1].text, "{ send = \"link\" }");
    assert_eq!(scenario.programs[0].variables, 1);
    assert_eq!(
        scenario.config.timers[0].0,
        PeId::PRIMARY,
        "a timer is on its vCPU's PE unless the file says otherwise"
    );
}

#[test]
fn keys_and_words() {
    spoiled(&[
        ("board =", "bord =", (1, 1), &["unknown key `bord`", "did you mean `board`?", "heap", "hyp_devices"]),
        ("id = 2", "id = 2\ncolour = 3", (25, 1), &["unknown key `colour`", "max_evtchn_port"]),
        ("access = \"rw\"", "acess = \"rw\"", (14, 48), &["unknown key `acess`", "did you mean `access`?"]),
        ("\"fvp-baser\"", "\"fvp-base\"", (1, 9), &["unknown board `fvp-base`", "did you mean `fvp-baser`?", "tiny"]),
        ("\"null\"", "\"nul\"", (3, 13), &["unknown word `nul`", "did you mean `null`?", "rr"]),
        ("\"rw\"", "\"wo\"", (14, 57), &["unknown word `wo`", "rw, ro"]),
        ("heap =", "pool =", (1, 1), &["missing key `heap`", "add heap = {"]),
        ("id = 2\n", "", (23, 1), &["missing key `id`", "add id = 1"]),
        (", size = 0x20000000 }", " }", (4, 8), &["missing key `size`"]),
        ("\"fvp-baser\"", "7", (1, 9), &["wrong type: integer `7`", "expected a string"]),
        ("{ base = 0x50000000, size = 0x20000000 }", "[1, 2]", (4, 8), &["wrong type: sequence", "expected a table"]),
        ("pes = 2", "pes = 2\npes = 3", (3, 1), &["duplicate key"]),
        ("execute = false", "execute = 0", (14, 73), &["wrong type: integer `0`", "expected a boolean"]),
    ]);
}

#[test]
fn numbers() {
    spoiled(&[
        ("pes = 2", "pes = 0", (2, 7), &["pes is 0", "expected 1 to 64"]),
        ("pes = 2", "pes = 65", (2, 7), &["pes is 65", "expected 1 to 64"]),
        ("pes = 2", "pes = -1", (2, 7), &["-1 is negative"]),
        ("pes = 2", "pes = \"-0x10\"", (2, 7), &["-0x10 is negative"]),
        ("pes = 2", "pes = \"two\"", (2, 7), &["\"two\" is not a number"]),
        ("pes = 2", "pes = 2.5", (2, 7), &["wrong type: floating point `2.5`", "expected a number"]),
        ("pes = 2", "pes = 18446744073709551616", (2, 7), &["does not fit in 64 bits"]),
        ("pes = 2", "pes = \"0x1_0000_0000_0000_0000\"", (2, 7), &["does not fit in 64 bits"]),
        ("pes = 2", "el2_regions = 0", (2, 15), &["el2_regions is 0", "expected 1 to 255"]),
        ("pes = 2", "el1_regions = 256", (2, 15), &["el1_regions is 256", "expected 1 to 255"]),
        ("pes = 2", "pes = 2\nwindows = 0", (3, 11), &["windows is 0"]),
        ("pes = 2", "pes = 2\nquantum = 0", (3, 11), &["quantum is 0"]),
        ("pes = 2", "pes = 2\nstep_limit = 0", (3, 14), &["step_limit is 0"]),
        ("id = 2", "id = 0x7ff0", (24, 6), &["id is 32752", "expected 0 to 32751"]),
        ("id = 2", "id = 2\nmax_evtchn_port = 0x80000000", (25, 19), &["max_evtchn_port is 2147483648"]),
        ("every = 10", "every = 0", (39, 9), &["every is 0", "expected at least 1"]),
        ("at = 0x30000000", "at = -5", (20, 21), &["-5 is negative"]),
    ]);
}

#[test]
fn ranges() {
    spoiled(&[
        ("size = 0x20000000 }", "size = 0 }", (4, 36), &["the heap has size 0"]),
        (
            "size = 0x20000000 }",
            "size = \"0xffff_ffff_ffff_ffff\" }",
            (4, 36),
            &["the heap runs past the end", "from here", "does not fit in 64 bits"],
        ),
        ("base = 0x50000000", "base = 0x50000020", (4, 17), &["64-byte granules", "not a multiple of 64"]),
        ("size = 0x20000000 }", "size = 0x20000001 }", (4, 36), &["64-byte granules", "not a multiple of 64"]),
        (
            "base = 0x50000000",
            "base = 0x30000000",
            (4, 8),
            &["overlap", "RAM bank 0 of left is 0x30000000", "the heap is 0x30000000", "give each its own addresses"],
        ),
        ("base = 0x50000000", "base = 0x70000000", (4, 8), &["not inside the board's memory", "board's memory is"]),
        (
            "base = 0x50000000",
            "base = \"0xffff_ffff_0000_0000\"",
            (4, 8),
            &["the last address of board fvp-baser, which has 48 address bits"],
        ),
        ("size = 0x30000000 }", "size = 0x08000000 }", (9, 8), &["guest-memory section", "widen guest_memory"]),
        ("size = 0x20000000 }", "size = 0x1000 }", (4, 8), &["no room for 0x3000 bytes", "give it at least 0x3000"]),
        ("size = 0x1000\n", "size = 0\n", (31, 8), &["shared memory `mail` has size 0"]),
        (
            "base = 0x40000000",
            "base = 0x30000000",
            (9, 8),
            &["shared memory \"mail\"", "RAM bank 0 of left", "bad.toml:30:8"],
        ),
        ("base = 0x40000000", "base = 0x40000001", (30, 8), &["shared memory \"mail\"", "not a multiple of 64"]),
        ("pes = 2", "pes = 2\nimage_base = 0x50000000", (5, 8), &["the hypervisor's text", "the heap is"]),
        ("pes = 2", "pes = 2\nimage_base = \"0xffffffffffffffc0\"", (3, 14), &["image runs past the end"]),
        ("pes = 2", "pes = 2\nuart = { base = 0x50001000, size = 0x1000 }", (3, 8), &["the heap", "the UART"]),
        (
            "pes = 2",
            "pes = 2\ndevice_tree = { base = 0x30001000, size = 0x1000 }",
            (3, 15),
            &["overlap", "the device tree is 0x30001000", "RAM bank 0 of left is"],
        ),
        (
            "pes = 2",
            "pes = 2\ndevice_tree = { base = 1, size = 64 }",
            (3, 24),
            &["the device tree", "not a multiple of 64"],
        ),
        ("pes = 2", "pes = 2\nimage = { init_text = 0x41 }", (3, 23), &["init text", "not a multiple of 64"]),
        ("pes = 2", "pes = 2\nimage = { ro_after_init = 0x1001 }", (3, 27), &["ro-after-init", "not a multiple of 64"]),
        ("pes = 2", "pes = 2\nimage = { ro_after_init = 0x40000 }", (3, 27), &["ro_after_init", "262080"]),
        ("pes = 2", "pes = 2\nimage = { init_data = 0 }", (3, 23), &["init_data", "64"]),
        ("pes = 2", "pes = 2\nimage = { text = 0 }", (3, 11), &["unknown", "text", "init_text"]),
        ("pes = 2", "pes = 2\ngic = { base = 1, size = 0x40 }", (3, 16), &["the GIC", "not a multiple of 64"]),
        ("pes = 2", "pes = 2\nmemory = { base = 0, size = 0x40000000 }", (5, 8), &["board's memory"]),
        ("size = 0x1000, acc", "size = 0x1001, acc", (14, 40), &["EL1 region 0 of vCPU 0 of left", "granule"]),
        ("el1_mpu = [{ base = 0x30000000", "el1_mpu = [{ base = 0x30000001", (14, 21), &["not 64-byte aligned"]),
        (
            "el1_mpu = [",
            "el1_mpu = [{ base = 0, size = 0, access = \"ro\", execute = true }, ",
            (14, 31),
            &["has size 0"],
        ),
        (
            "sections = {",
            "sections = { boot_modules = { base = 0x50000000, size = 0x1000 },",
            (4, 8),
            &["the boot modules", "the heap"],
        ),
        (
            "pes = 2",
            "pes = 2\nplacement = \"pool\"\npool = { base = 0x7f000000, size = 0x1000 }",
            (4, 8),
            &["the pool", "no room"],
        ),
    ]);
}

#[test]
fn domains_and_vcpus() {
    spoiled(&[
        ("id = 2", "id = 1", (24, 6), &["two domains have id 1", "the second", "the first", "ids are unique"]),
        ("id = 2", "id = 2\nname = \"left\"", (25, 8), &["two domains have the name `left`", "the first"]),
        ("ram = [{ base = 0x20000000, size = 0x10000000 }]\n", "", (23, 1), &["dom2 has no RAM", "add ram ="]),
        ("[[domain.vcpu]]\npe = 1\n", "", (23, 1), &["0 vCPUs", "[[domain.vcpu]]"]),
        ("pe = 1", "pe = 2", (27, 6), &["on PE 2", "the board has 2", "say pes = 3"]),
        ("pe = 1", "pe = 0", (27, 6), &["PE 0 has two vCPUs", "scheduler `null`", "the first"]),
        ("shared_info = 0x30010000", "shared_info = 0x30010040", (10, 15), &["does not start a page"]),
        ("shared_info = 0x30010000", "shared_info = 0x20010000", (10, 15), &["not in its RAM"]),
        (
            "shared_info = 0x30010000",
            "shared_info = 0x30000000",
            (10, 15),
            &["the programs' scratch memory", "overlap"],
        ),
        ("vcpu_info = 0x30012000", "vcpu_info = 0x30012ff8", (13, 13), &["crosses a page's end"]),
        ("vcpu_info = 0x30012000", "vcpu_info = 0x30012004", (13, 13), &["not aligned"]),
        ("vcpu_info = 0x30012000", "vcpu_info = 0x40000000", (13, 13), &["not in its RAM"]),
        (
            "vcpu_info = 0x30012000",
            "vcpu_info = 0x30010100",
            (13, 13),
            &["shared_info (0x30010000) and vcpu_info of vCPU 0", "bad.toml:10:15"],
        ),
        ("pe = 1", "pe = 1\n[[domain.vcpu]]\nvcpu_info = 0x20020000", (29, 13), &["vCPU 1 names", "vCPU 0 does not"]),
        ("domains = [1, 2]", "domains = [1, 3]", (32, 15), &["no domain has id 3", "known ids: 1, 2"]),
        ("domains = [1, 2]", "domains = [1, 1]", (32, 15), &["names domain 1 twice"]),
        ("domains = [1, 2]", "domains = []", (32, 11), &["belongs to no domain"]),
        ("pes = 2", "pes = 2\nhardware_domain = 9", (3, 19), &["no domain has id 9"]),
    ]);
    let two = GOOD.replace("el1_mpu = [", "el1_mpu = [{ base = 0, size = 64, access = \"ro\", execute = true }, ");
    check(&error(&two, &["el1_regions=1"]), (11, 1), &["2 EL1 regions", "say el1_regions = 2"], "el1 regions");
    let many = GOOD.replace("pe = 1\n", &"[[domain.vcpu]]\n".repeat(128)).replace("\"null\"", "\"rr\"");
    check(&error(&many, &[]), (23, 1), &["129 vCPUs", "a domain has 1 to 128"], "vcpus");
}

#[test]
fn channels_and_timers() {
    spoiled(&[
        ("listener = { domain = 2", "listener = { domain = 5", (35, 23), &["no domain has id 5", "known ids: 1, 2"]),
        ("port = 10", "port = 0", (35, 33), &["port is 0", "expected 1 to 1023"]),
        ("port = 10", "port = 1024", (35, 33), &["port is 1024", "expected 1 to 1023"]),
        (
            "listener = { domain = 2, port = 10",
            "listener = { domain = 1, port = 11",
            (36, 31),
            &["used twice", "first time"],
        ),
        ("name = \"link\"", "name = \"1ink\"", (34, 8), &["`1ink` is not a name"]),
        ("domain = 1\nvirq", "domain = 7\nvirq", (40, 10), &["no domain has id 7"]),
        ("\"timer\"\n", "\"timr\"\n", (41, 8), &["unknown VIRQ `timr`", "did you mean `timer`?"]),
        ("\"timer\"\n", "3\n", (41, 8), &["VIRQ 3 is not one of a vCPU", "xenpmu"]),
        ("\"timer\"\n", "24\n", (41, 8), &["VIRQ 24 is not one of a vCPU"]),
        ("\"timer\"\n", "\"timer\"\nvcpu = 1\n", (42, 8), &["domain 1 has no vCPU 1", "counted from 0"]),
        ("\"timer\"\n", "\"timer\"\npe = 2\n", (42, 6), &["pe is 2", "expected 0 to 1"]),
    ]);
    let twice = format!(
        "{GOOD}[[channel]]\nname = \"link\"\nlistener = {{ domain = 2, port = 1 }}\nbinder = {{ domain = 1, port = 1 }}\n"
    );
    check(&error(&twice, &[]), (43, 8), &["two channels have the name `link`"], "channel names");
}

#[test]
fn steps() {
    let send = "{ send = \"link\" }";
    spoiled(&[
        ("\"setup\"", "\"setpu\"", (16, 5), &["unknown word `setpu`", "did you mean `setup`?", "bind_virq"]),
        ("\"setup\"", "\"send\"", (16, 5), &["step `send` needs to be told more", "{ send = 1 }"]),
        ("\"setup\"", "\"read\"", (16, 5), &["step `read` needs to be told more", "{ read = { at"]),
        ("\"setup\"", "7", (16, 5), &["wrong type: integer `7`", "expected a step"]),
        (send, "{ sned = 1 }", (17, 7), &["unknown word `sned`", "did you mean `send`?"]),
        (send, "{ console = \"ö\" }, { sned = 1 }", (17, 26), &["unknown word `sned`"]),
        (send, "{}", (17, 5), &["an empty table is not a step"]),
        (send, "{ send = 1, wait = 1 }", (17, 5), &["`send` and `wait` in one table"]),
        (send, "{ send = \"lnik\" }", (17, 14), &["unknown port `lnik`", "did you mean `link`?"]),
        (send, "{ send = \"x\" }", (17, 14), &["unknown port `x`", "names here: link"]),
        ("close = \"x\"", "close = \"y\"", (19, 15), &["unknown port `y`", "names here: x, link"]),
        (send, "{ send = \"link.listener\" }", (17, 14), &["not an end of a channel in this domain"]),
        (send, "{ send = \"link.middle\" }", (17, 14), &["no end `middle`", ".listener or .binder"]),
        (send, "{ send = -1 }", (17, 14), &["-1 is negative"]),
        (send, "{ send = 0x100000000 }", (17, 14), &["port is 4294967296"]),
        (send, "{ send = [1] }", (17, 14), &["wrong type: sequence"]),
        (send, "{ send = { port = 1, expct = 0 } }", (17, 26), &["unknown key `expct`", "did you mean `expect`?"]),
        (
            send,
            "{ send = { port = 1, expect = \"EINVAL\" } }",
            (17, 35),
            &["`EINVAL` is not what a hypercall", "-EINVAL"],
        ),
        (send, "{ send = { port = 1, expect = 9223372036854775808 } }", (17, 35), &["not what a hypercall returns"]),
        (send, "{ wait = { port = 1, expect = 0 } }", (17, 35), &["step `wait` gives nothing to expect"]),
        (send, "{ mask = { port = 1, expect = 0 } }", (17, 35), &["step `mask` gives nothing to expect"]),
        (send, "{ setup = { expect = 0 } }", (17, 26), &["step `setup` gives nothing to expect"]),
        (send, "{ compute = -3 }", (17, 17), &["-3 is negative"]),
        (send, "{ console = 3 }", (17, 17), &["wrong type: integer `3`", "expected a string"]),
        (send, "{ bind_vcpu = { port = \"link\" } }", (17, 19), &["missing key `vcpu`"]),
        (send, "{ bind_virq = { virq = \"tmier\", as = \"t\" } }", (17, 28), &["unknown VIRQ `tmier`"]),
        (send, "{ alloc_unbound = { remote = 65536, as = \"t\" } }", (17, 34), &["remote is 65536"]),
        ("as = \"x\"", "as = \"link\"", (18, 42), &["`link` is the name of a channel already"]),
        ("as = \"x\"", "as = \"x.y\"", (18, 42), &["`x.y` is not a name"]),
        ("args = [1]", "args = [1, 2, 3, 4, 5, 6]", (21, 53), &["6 arguments", "at most 5"]),
        ("nr = 99", "nr = 99, imm = 65536", (21, 36), &["imm is 65536"]),
        ("\"-ENOSYS\"", "\"-ENOSY\"", (21, 51), &["`-ENOSY`", "did you mean `-ENOSYS`?"]),
        ("width = 4", "width = 2", (20, 41), &["2 bytes wide", "expected 1, 4 or 8"]),
        ("expect = \"ok\"", "expect = \"okay\"", (20, 53), &["cannot be expected to give `okay`", "stage-2"]),
        ("expect = \"ok\"", "expect = 0x100000000", (20, 53), &["does not fit in 4 bytes"]),
        ("expect = \"ok\"", "expect = -1", (20, 53), &["-1 is not what a read gives"]),
        ("expect = \"ok\"", "expect = \"0xgg\"", (20, 53), &["`0xgg` is not a number"]),
        (send, "{ write = { at = 0, width = 1, value = 256 } }", (17, 44), &["0x100 does not fit in 1 bytes"]),
        (
            send,
            "{ write = { at = 0, value = 1, expect = 1 } }",
            (17, 45),
            &["step `write` cannot be expected to give `1`"],
        ),
        (send, "{ execute = { at = 0, expect = 1 } }", (17, 36), &["step `execute` cannot be expected"]),
        (send, "{ repeat = { times = 2 } }", (17, 16), &["missing key `steps`"]),
        (send, "{ repeat = { times = 2, steps = [\"yeild\"] } }", (17, 38), &["did you mean `yield`?"]),
        (send, "{ mix = 3 }", (17, 13), &["a table"]),
        (send, "{ mix = { of = [{ steps = [] }] } }", (17, 13), &["missing key `times`"]),
        (send, "{ mix = { times = 1, of = [] } }", (17, 31), &["a mix of nothing", "weight = 3"]),
        (
            send,
            "{ mix = { times = 10_000_001, of = [{ steps = [] }] } }",
            (17, 23),
            &["times is 10000001", "expected 0 to 10000000"],
        ),
        (
            send,
            "{ mix = { times = 1, of = [{ weight = 0, steps = [] }] } }",
            (17, 43),
            &["weight is 0", "expected 1 to 1000000"],
        ),
        (send, "{ mix = { times = 1, of = [{ weight = 2 }] } }", (17, 32), &["missing key `steps`"]),
        (send, "{ mix = { times = 1, of = [{ steps = [{ send = \"lnk\" }] }] } }", (17, 52), &["unknown port `lnk`"]),
    ]);
}

#[test]
fn emulated_devices() {
    let with = |device: &str| format!("[[device]]\nname = \"regs\"\n{device}\n[[shared]]");
    let good = with("base = 0x90000000\nsize = 0x1000\ndomains = [1, 2]\nconsole = 0");
    assert!(load(&GOOD.replace("[[shared]]", &good), &[]).is_ok());
    let cases: &[(&str, (usize, usize), &[&str])] = &[
        ("size = 64\ndomains = [1]", (28, 1), &["missing key `base`"]),
        (
            "base = 0x30000040\nsize = 64\ndomains = [1]",
            (30, 8),
            &["emulated device \"regs\"", "overlap", "RAM bank 0"],
        ),
        ("base = 0x200040\nsize = 64\ndomains = [1]", (30, 8), &["the hypervisor's text", "overlap"]),
        ("base = 0x50000040\nsize = 64\ndomains = [1]", (30, 8), &["the heap", "overlap"]),
        ("base = 0x90000020\nsize = 64\ndomains = [1]", (30, 8), &["not a multiple of 64"]),
        ("base = 0x90000000\nsize = 0\ndomains = [1]", (31, 8), &["has size 0"]),
        ("base = 0x90000000\nsize = 0x10040\ndomains = [1]", (31, 8), &["0x10040 bytes", "at most 0x10000"]),
        ("base = 0x90000000\nsize = 64\ndomains = []", (32, 11), &["belongs to no domain"]),
        ("base = 0x90000000\nsize = 64\ndomains = [1, 1]", (32, 15), &["names domain 1 twice"]),
        ("base = 0x90000000\nsize = 64\ndomains = [3]", (32, 12), &["no domain has id 3"]),
        ("base = 0x90000000\nsize = 64\ndomains = [1]\nconsole = 64", (33, 11), &["offset 0x40", "0x40 bytes"]),
        (
            "base = 0x90000000\nsize = 64\ndomains = [1]\n[[device]]\nname = \"regs\"\nbase = 0x90001000\nsize = 64\n\
             domains = [1]",
            (34, 8),
            &["two emulated devices have the name `regs`"],
        ),
    ];
    let wrong = cases.iter().filter_map(|(device, at, words)| {
        mismatch(&error(&GOOD.replace("[[shared]]", &with(device)), &[]), *at, words, device)
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn fixed_frames() {
    let with = |frames: &str| {
        GOOD.replace("scheduler = \"null\"", "scheduler = \"arinc653\"")
            .replace("[[shared]]", &format!("{frames}\n[[shared]]"))
    };
    let right = "[[frame]]\ndomain = 2\nruntime = 500";
    let left = "[[frame]]\ndomain = 1\nruntime = 500";
    assert!(load(&with(&format!("{left}\n[[frame]]\nruntime = 100\n{right}")), &[]).is_ok());
    // Frames wait for their scheduler.
    assert!(load(&with(left), &["scheduler=rr"]).is_ok());
    let cases: &[(String, (usize, usize), &[&str])] = &[
        (left.into(), (26, 1), &["vCPU 0 of dom2 has no frame", "would never run", "domain = 2, vcpu = 0"]),
        (format!("{right}\n[[frame]]\ndomain = 1\nruntime = 0"), (33, 11), &["a frame of 0 cycles"]),
        (format!("{right}\n[[frame]]\ndomain = 1"), (31, 1), &["missing key `runtime`"]),
        (
            format!("{right}\n[[frame]]\ndomain = 1\npe = 1\nruntime = 5"),
            (33, 6),
            &["PE 1", "runs on PE 0", "expected 0"],
        ),
        (
            format!("{right}\n[[frame]]\npe = 2\nruntime = 5"),
            (32, 6),
            &["PE 2, and the board has 2", "expected 0 to 1"],
        ),
        (format!("{right}\n[[frame]]\ndomain = 1\nvcpu = 1\nruntime = 5"), (33, 8), &["vCPU 1 of a domain"]),
        (format!("{right}\n[[frame]]\nvcpu = 1\nruntime = 5"), (32, 8), &["names a vCPU and no domain", "whose?"]),
        (format!("{right}\n[[frame]]\ndomain = 3\nruntime = 5"), (32, 10), &["no domain has id 3"]),
        (
            format!("{left}\n[[frame]]\nruntime = \"0xffff_ffff_ffff_ffff\"\n{right}"),
            (32, 11),
            &["runtimes of PE 0 do not fit in 64 bits"],
        ),
    ];
    let wrong = cases.iter().filter_map(|(frames, at, words)| mismatch(&error(&with(frames), &[]), *at, words, frames));
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
