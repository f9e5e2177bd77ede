//! Sessions at the command line, as the documents show them. `TRYCMD=overwrite cargo test --test sessions` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test may stop")]

use std::path::Path;

#[test]
fn documents_show_what_is_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    // Sessions name scenarios as somebody at the top of the repository would.
    std::env::set_current_dir(root).unwrap();
    trycmd::TestCases::new().case("examples/scenarios/*.md").case("cli/tests/cmd/*.md");

    let readme = std::fs::read_to_string("README.md").unwrap();
    let golden = std::fs::read_to_string("examples/scenarios/thread-2022.md").unwrap();
    let table = golden.split("```").find(|block| block.contains("mpusim compare")).unwrap();
    let (_, table) = table.split_once("thread-2022.toml\n").unwrap();
    assert!(readme.contains(table), "the README's table is not the one that compare prints:\n{table}");
}
