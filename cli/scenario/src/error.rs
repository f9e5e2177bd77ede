//! What is wrong with a scenario, and how that is shown.

use super::source::{Source, Sources};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::ops::Range;
use std::path::Path;
use words::shown;

/// Longer lines are named and not shown.
const LINE_SHOWN: usize = 2000;
/// Characters of a message that are shown.
const MESSAGE_SHOWN: usize = 400;

/// Something wrong, with spans into the [`Sources`].
#[derive(Debug)]
pub struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    title: String,
    at: Option<Range<usize>>,
    label: String,
    others: Vec<(Range<usize>, String)>,
    help: Option<String>,
}

impl Problem {
    /// A problem at no place in particular.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        let parts = Parts { title: title.into(), at: None, label: String::new(), others: Vec::new(), help: None };
        Self(Box::new(parts))
    }

    /// Where it is, and what to say at that place.
    #[must_use]
    pub fn at(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        (self.0.at, self.0.label) = (Some(span), label.into());
        self
    }

    /// Another place that has to do with it.
    #[must_use]
    pub fn and(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.0.others.push((span, label.into()));
        self
    }

    /// The same in a text that starts so far behind the start of the sources.
    pub(super) fn moved(mut self, by: usize) -> Self {
        let spans = self.0.at.iter_mut().chain(self.0.others.iter_mut().map(|(span, _)| span));
        for span in spans {
            *span = span.start + by..span.end + by;
        }
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// The problem in words and lines, free of the sources.
    #[must_use]
    pub fn found_in(self, sources: &Sources<'_>) -> LoadError {
        let Parts { title, at, label, others, help } = *self.0;
        let excerpt = |(span, label): (Range<usize>, String)| Excerpt::new(sources, &span, &label);
        LoadError {
            report: Box::new(Report {
                path: shown::path(sources.path()),
                title: cut(&title),
                primary: at.map(|at| (at, label)).and_then(excerpt),
                others: others.into_iter().filter_map(excerpt).collect(),
                help: help.as_deref().map(cut),
            }),
        }
    }
}

/// Messages quote what was found, and that may be megabytes, of any characters.
fn cut(text: &str) -> String {
    let text = shown::text(text);
    match text.char_indices().nth(MESSAGE_SHOWN) {
        Some((at, _)) => format!("{} ...", text.get(..at).unwrap_or_default()),
        None => text.into_owned(),
    }
}

/// A line of the file as it is shown, and where a part of it is then. Tabs are left to the renderer.
fn shown_line(line: &str, part: &Range<usize>) -> (Option<String>, Range<usize>) {
    let mut text = String::with_capacity(line.len());
    let mut range = part.clone();
    for (at, char) in line.char_indices() {
        if at == part.start {
            range.start = text.len();
        }
        if at == part.end {
            range.end = text.len();
        }
        if char == '\t' { text.push(char) } else { shown::put(&mut text, char) }
    }
    if part.start >= line.len() {
        range.start = text.len() + (part.start - line.len());
    }
    if part.end >= line.len() {
        range.end = text.len() + (part.end - line.len());
    }
    (Some(text), range)
}

/// A line with something to point at.
#[derive(Clone, Debug)]
struct Excerpt {
    /// The `--set` argument; `None`: a line of a file.
    set: Option<String>,
    /// What stands before the line: the file, or `--set`.
    path: String,
    line: usize,
    column: usize,
    /// The line; `None`: too long to show.
    text: Option<String>,
    range: Range<usize>,
    label: String,
}

impl Excerpt {
    fn new(sources: &Sources<'_>, span: &Range<usize>, label: &str) -> Option<Self> {
        let place = sources.place(span)?;
        let (text, range) =
            if place.text.len() > LINE_SHOWN { (None, place.range) } else { shown_line(place.text, &place.range) };
        let (set, path) = match place.origin {
            Source::Set(set) => (Some(shown::line(set).into_owned()), "--set".to_owned()),
            Source::File(path) => (None, shown::path(path)),
        };
        Some(Self { set, path, line: place.line, column: place.column, text, range, label: cut(label) })
    }

    fn same_line(&self, other: &Self) -> bool {
        (self.line, &self.set, &self.path) == (other.line, &other.set, &other.path)
    }
}

#[derive(Clone, Debug)]
struct Report {
    path: String,
    title: String,
    primary: Option<Excerpt>,
    others: Vec<Excerpt>,
    help: Option<String>,
}

impl Report {
    fn summary(&self) -> String {
        match &self.primary {
            Some(Excerpt { set: Some(set), .. }) => {
                format!("--set {}: {}", cut(set), self.title)
            }
            Some(at) => format!("{}:{}:{}: {}", at.path, at.line, at.column, self.title),
            None => format!("{}: {}", self.path, self.title),
        }
    }
}

/// Why a scenario cannot be loaded. `Display` is one line; [`LoadError::render`] shows the place.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .report.summary())]
pub struct LoadError {
    report: Box<Report>,
}

impl LoadError {
    /// An error about a file that was not even read.
    pub(crate) fn unread(path: &Path, title: impl Into<String>, help: Option<&str>) -> Self {
        let report = Report {
            path: shown::path(path),
            title: cut(&title.into()),
            primary: None,
            others: Vec::new(),
            help: help.map(cut),
        };
        Self { report: Box::new(report) }
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.report.title
    }

    /// Line and column, from 1, of what is wrong: in a file, or in the `--set` argument.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        self.report.primary.as_ref().map(|at| (at.line, at.column))
    }

    /// The `--set` argument that is to blame, if it is one.
    #[must_use]
    pub fn set(&self) -> Option<&str> {
        self.report.primary.as_ref()?.set.as_deref()
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.report.help.as_deref()
    }

    /// The report: the error, the line it is in with the place marked, and what to do.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let report = &*self.report;
        let mut error = Group::with_title(Level::ERROR.primary_title(report.title.as_str()));
        if let Some(primary) = &report.primary {
            // Marks in one line are shown on one line.
            let (near, far): (Vec<&Excerpt>, _) = report.others.iter().partition(|other| other.same_line(primary));
            error = add(error, primary, AnnotationKind::Primary, &near);
            error = far.into_iter().fold(error, |error, other| add(error, other, AnnotationKind::Context, &[]));
        } else {
            error = error.element(Origin::path(report.path.as_str()));
        }
        let help = report.help.as_deref().map(|help| Group::with_title(Level::HELP.secondary_title(help)));
        let groups: Vec<Group<'_>> = std::iter::once(error).chain(help).collect();
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&groups)
    }
}

fn add<'a>(group: Group<'a>, at: &'a Excerpt, kind: AnnotationKind, near: &[&'a Excerpt]) -> Group<'a> {
    let path = at.path.as_str();
    let Some(text) = &at.text else {
        let origin = Origin::path(path).line(at.line).char_column(at.column);
        return group.element(origin).element(Level::NOTE.message(at.label.as_str()));
    };
    let mark = |at: &'a Excerpt, kind: AnnotationKind| {
        let mark = kind.span(at.range.clone());
        if at.label.is_empty() { mark } else { mark.label(at.label.as_str()) }
    };
    let marks = near.iter().map(|near| mark(near, AnnotationKind::Context));
    let snippet = Snippet::source(text.as_str()).line_start(at.line).path(path).annotation(mark(at, kind));
    group.element(snippet.annotations(marks))
}
