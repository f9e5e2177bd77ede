//! Sessions at the command line, as the documents show them. `TRYCMD=overwrite cargo test --test sessions` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test may stop")]

use std::path::Path;

#[test]
fn documents_show_what_is_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    // Sessions name scenarios as somebody at the top of the repository would.
    std::env::set_current_dir(root).unwrap();
    images(&root.join("cli/tests/boot"));
    trycmd::TestCases::new().case("examples/scenarios/*.md").case("cli/tests/cmd/*.md");

    let readme = std::fs::read_to_string("README.md").unwrap();
    let golden = std::fs::read_to_string("examples/scenarios/thread-2022.md").unwrap();
    let table = golden.split("```").find(|block| block.contains("mpusim compare")).unwrap();
    let (_, table) = table.split_once("thread-2022.toml\n").unwrap();
    assert!(readme.contains(table), "the README's table is not the one that compare prints:\n{table}");
}

/// Assembles the images that sessions boot, into `target/boot`: words in hexadecimal; behind # are remarks, @ goes on at an offset.
fn images(folder: &Path) {
    let to = Path::new("target/boot");
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut bytes = Vec::new();
        for word in text.lines().flat_map(|line| line.split('#').next().unwrap_or_default().split_whitespace()) {
            match word.strip_prefix('@') {
                Some(offset) => bytes.resize(usize::from_str_radix(offset, 16).unwrap(), 0),
                None => bytes.extend(u32::from_str_radix(word, 16).unwrap().to_le_bytes()),
            }
        }
        std::fs::write(to.join(path.with_extension("bin").file_name().unwrap()), bytes).unwrap();
    }
    std::fs::write(to.join("empty"), "").unwrap();
}
