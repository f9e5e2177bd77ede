//! Reports for people. All wording of results lives here and in [`words`].

pub mod compare;
pub mod explain;
pub mod fault;
pub mod picture;
pub mod profile;
pub mod run;
pub mod table;
pub mod view;

/// The columns that a report for people fits.
pub const WIDTH: usize = 100;

/// `text` in lines of at most [`WIDTH`] columns, each ended, the second and later ones behind `indent`.
#[must_use]
pub fn wrapped(text: &str, indent: &str) -> String {
    let start = text.get(..text.len() - text.trim_start().len()).unwrap_or_default();
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(start)
        .subsequent_indent(indent)
        // Names of strategies have hyphens, and are copied from here to the command line.
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false);
    let mut out = textwrap::wrap(text.trim_start(), options).join("\n");
    out.push('\n');
    out
}
