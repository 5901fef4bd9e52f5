//! What is wrong with policies, said so that it can be put right: file, line, column, the text itself, a hint.
//!
//! Nothing here stops a load: diagnostics are collected, and everything that is right still loads.

pub mod codes;
mod excerpt;
mod render;

use std::sync::Arc;

use serde::Serialize;

pub use codes::Code;
pub use excerpt::Excerpt;
pub use render::{render, render_all};

use crate::limits;
use crate::source::{Location, Sources};
use crate::text::Text;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It loads, but may not do what was meant.
    Warning,
    /// The item that it is about does not load.
    Error,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable code, see [`codes`].
    pub code: &'static str,
    /// The file, as it was found.
    pub file: String,
    /// Line in the file, from 1; 0 if it is about the file as a whole.
    pub line: u32,
    /// Column in characters, from 1; 0 if it is about the file as a whole.
    pub column: u32,
    /// The rule or macro that it is about.
    pub rule: Option<String>,
    /// What is wrong.
    pub message: String,
    /// How to put it right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The part of the file, for people.
    #[serde(skip)]
    pub excerpt: Option<Excerpt>,
}

/// Collects the diagnostics of one load.
#[derive(Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    errors: usize,
    dropped: usize,
}

/// What a diagnostic is about.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A file as a whole.
    File(Arc<str>),
    /// A place in a file.
    At(Location),
    /// A range of bytes of a string of a policy.
    In(Text, usize, usize),
}

impl From<&Text> for Place {
    fn from(text: &Text) -> Self {
        Place::In(text.clone(), 0, text.as_str().len())
    }
}

impl From<Location> for Place {
    fn from(at: Location) -> Self {
        Place::At(at)
    }
}

/// A diagnostic that is being written.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    severity: Severity,
    code: &'static str,
    place: Place,
    message: String,
    rule: Option<String>,
    help: Option<String>,
}

impl Report {
    pub(crate) fn error(code: Code, place: impl Into<Place>, message: impl Into<String>) -> Self {
        let (place, message) = (place.into(), message.into());
        Report { severity: Severity::Error, code: code.id, place, message, rule: None, help: None }
    }

    pub(crate) fn warning(code: Code, place: impl Into<Place>, message: impl Into<String>) -> Self {
        Report { severity: Severity::Warning, ..Report::error(code, place, message) }
    }

    /// A diagnostic of the rule language, with its own code.
    pub(crate) fn language(
        severity: Severity,
        code: &'static str,
        place: impl Into<Place>,
        message: String,
    ) -> Self {
        Report { severity, code, place: place.into(), message, rule: None, help: None }
    }

    /// Says which rule or macro it is about.
    pub(crate) fn of(mut self, rule: impl Into<String>) -> Self {
        self.set_rule(&rule.into());
        self
    }

    pub(crate) fn set_rule(&mut self, rule: &str) {
        if self.rule.is_none() && !rule.is_empty() {
            self.rule = Some(clipped(rule, limits::ID_BYTES));
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    pub(crate) fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }
}

impl Diagnostics {
    /// Adds a diagnostic, resolving where it stands.
    pub(crate) fn add(&mut self, sources: &Sources, report: Report) {
        let error = report.severity == Severity::Error;
        self.errors += usize::from(error);
        // Errors are kept in preference to warnings, which a broken tool may produce by the thousand.
        let limit = if error { limits::DIAGNOSTICS } else { limits::DIAGNOSTICS / 2 };
        if self.list.len() >= limit {
            self.dropped += 1;
            return;
        }
        let (at, length) = match &report.place {
            Place::File(_) => (None, 0),
            Place::At(at) => (Some(*at), 1),
            Place::In(text, start, end) => {
                let at = text.locate(sources, *start);
                let shown =
                    text.as_str().get(*start..*end).and_then(|shown| shown.lines().next()).unwrap_or("");
                (Some(at), u32::try_from(shown.chars().count().max(1)).unwrap_or(1))
            }
        };
        let file = match (&report.place, at) {
            (Place::File(path), _) => path.to_string(),
            (_, Some(at)) => sources.path(at.file).to_owned(),
            (_, None) => String::new(),
        };
        let position = at.map(|at| sources.line_column(at));
        let excerpt =
            at.zip(position).map(|(at, position)| Excerpt::new(sources.line(at), position.column, length));
        self.list.push(Diagnostic {
            severity: report.severity,
            code: report.code,
            file,
            line: position.map_or(0, |position| position.line),
            column: position.map_or(0, |position| position.column),
            rule: report.rule,
            message: clipped(&report.message, limits::MESSAGE_BYTES),
            help: report.help.map(|help| clipped(&help, limits::MESSAGE_BYTES)),
            excerpt,
        });
    }

    /// All diagnostics, in the order of files and lines.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        self.list
    }

    /// The diagnostics in the order in which they were found.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// How many errors there were, with those that are not kept.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many diagnostics are not kept, because of [`limits::DIAGNOSTICS`].
    pub fn dropped(&self) -> usize {
        self.dropped
    }
}

/// A text, cut if it is longer than `limit` bytes.
fn clipped(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = (0..=limit).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or(""))
}
