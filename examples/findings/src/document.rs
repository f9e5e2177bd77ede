//! The page: sections, tables, sentences.

use std::collections::BTreeMap;

/// The longest line of text.
const WIDTH: usize = 140;

/// A page of Markdown that grows.
pub(crate) struct Document {
    head: String,
    points: Vec<String>,
    text: String,
}

impl Document {
    pub(crate) fn new(title: &str, introduction: &str) -> Self {
        Self { head: format!("# {title}\n\n{introduction}"), points: Vec::new(), text: String::new() }
    }

    pub(crate) fn section(&mut self, title: &str) {
        self.text += &format!("\n## {title}\n");
    }

    /// A paragraph, in lines.
    pub(crate) fn say(&mut self, text: &str) {
        self.text += &format!("\n{}", wrapped(text, ""));
    }

    /// A table with the command that it was made from.
    pub(crate) fn table(&mut self, command: &str, head: &[String], rows: &[Vec<String>]) {
        self.text += &format!("\n```console\n$ {command}\n```\n\n");
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        self.text += &line(head);
        let rule: Vec<String> =
            head.iter().enumerate().map(|(at, _)| if at == 0 { "---" } else { "---:" }.into()).collect();
        self.text += &line(&rule);
        self.text.extend(rows.iter().map(|row| line(row)));
    }

    /// What a section found, for the summary at the top.
    pub(crate) fn point(&mut self, text: &str) {
        self.points.push(wrapped(&format!("* {text}"), "  "));
    }

    pub(crate) fn finish(self) -> String {
        format!("{}\n## In short\n\n{}{}", self.head, self.points.concat(), self.text)
    }
}

fn wrapped(text: &str, indent: &str) -> String {
    let options = textwrap::Options::new(WIDTH).word_splitter(textwrap::WordSplitter::NoHyphenation);
    let mut text = textwrap::wrap(text, options.break_words(false).subsequent_indent(indent)).join("\n");
    text.push('\n');
    text
}

/// A number with at most one digit behind the point.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// Things in a sentence.
pub(crate) fn list(words: &[String]) -> String {
    match words {
        [] => "none".into(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

/// Names by value, so that equal ones stand together, the smallest value first.
pub(crate) fn grouped(values: impl Iterator<Item = (String, u64)>) -> String {
    let mut groups: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (name, value) in values {
        groups.entry(value).or_default().push(format!("`{name}`"));
    }
    let said: Vec<String> = groups.iter().map(|(value, names)| format!("{} {value}", list(names))).collect();
    said.join("; ")
}
