//! The page of a report in a browser: nothing lies on anything else, nothing sticks out, on a desk and on a phone.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Once;
use tempfile::TempDir;

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/scenarios");
const CHECK: &str = include_str!("browser/check.html");

/// One line is enough.
static SAID: Once = Once::new();

/// Chromium, if there is one; where everything is required, there must be.
fn chromium() -> Option<&'static str> {
    let there = |name: &&str| Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok();
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(there);
    if found.is_none() {
        assert!(
            std::env::var_os("MPUSIM_REQUIRE_ALL").is_none(),
            "MPUSIM_REQUIRE_ALL is set, and there is no chromium"
        );
        // Not `eprintln`, which a test that passes keeps to itself.
        let line = b"skipped: no chromium to look at the page of a report with; `apt install chromium` brings one\n";
        SAID.call_once(|| std::io::stderr().write_all(line).unwrap());
    }
    found
}

fn mpusim(arguments: &[&str]) {
    let done = Command::new(env!("CARGO_BIN_EXE_mpusim")).args(arguments).stdout(Stdio::null()).status().unwrap();
    assert!(done.success(), "{arguments:?}");
}

/// What the browser found wrong, and how many pictures it saw.
fn look(chromium: &str, folder: &Path, width: u32) -> (u64, Vec<String>) {
    let check = folder.join("check.html");
    fs::write(&check, CHECK.replace("WIDTH", &width.to_string())).unwrap();
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
    let more =
        ["--disable-component-update", "--disable-sync", "--allow-file-access-from-files", "--window-size=1400,2200"];
    let mut command = Command::new(chromium);
    command.args(flags).args(more).args([&profile, "--virtual-time-budget=20000", "--dump-dom"]).arg(&check);
    let output = command.stderr(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let found = text.split("<pre id=\"found\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let json = found.unwrap_or_else(|| panic!("chromium printed {text:?}")).replace("&amp;", "&").replace("&lt;", "<");
    let found: serde_json::Value =
        serde_json::from_str(&json.replace("&gt;", ">")).unwrap_or_else(|_| panic!("{json}"));
    let wrong = found["found"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned());
    (found["pictures"].as_u64().unwrap(), wrong.collect())
}

#[test]
fn nothing_overlaps_on_a_desk_or_a_phone() {
    let Some(chromium) = chromium() else { return };
    let folder = TempDir::new().unwrap();
    let (ring, page) = (folder.path().join("ring.csv"), folder.path().join("page.html"));
    let scenario = |name: &str| format!("{SCENARIOS}/{name}");
    let vary = ["--vary", "board=tiny,fvp-baser", "--vary", "ring.domains=2..30:4"];
    mpusim(&[["sweep", &scenario("ring.toml"), "-q", "-o", ring.to_str().unwrap()].as_slice(), &vary].concat());
    let files = [ring.to_str().unwrap(), &scenario("thread-2022.toml"), &scenario("four-ring.toml")];
    mpusim(&[["report"].as_slice(), &files, &["-o", page.to_str().unwrap()]].concat());
    for width in [1280, 400] {
        let (pictures, found) = look(chromium, folder.path(), width);
        assert!(pictures > 20, "{pictures} pictures");
        assert_eq!(found, Vec::<String>::new(), "{width} pixels wide");
    }
}

#[test]
fn the_check_finds_what_it_looks_for() {
    let Some(chromium) = chromium() else { return };
    let folder = TempDir::new().unwrap();
    let text = |y: u32| format!("<text class=\"axis\" x=\"10\" y=\"{y}\">cycles (each)</text>");
    let svg = format!("<svg role=\"img\" width=\"600\" height=\"90\">{}{}</svg>", text(40), text(44));
    let wide = "<div style=\"width:900px\">wide</div>";
    fs::write(folder.path().join("page.html"), format!("<!DOCTYPE html><body>{svg}{wide}")).unwrap();
    let (pictures, found) = look(chromium, folder.path(), 400);
    assert_eq!((pictures, found.len()), (1, 2), "{found:?}");
}
