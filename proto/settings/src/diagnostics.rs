//! What can be wrong with a configuration, and what is merely worth a line in the log.

use std::fmt;
use std::path::PathBuf;

use crate::node::Position;

/// Where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a file.
    File {
        /// The file as it was named on the command line.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// In the environment variable of this name.
    Environment(String),
    /// A file as a whole, such as one that cannot be read.
    WholeFile(PathBuf),
}

impl Location {
    pub(crate) fn at(path: &std::path::Path, position: Position) -> Self {
        Self::File { path: path.to_owned(), line: position.line, column: position.column }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(out, "{}:{line}:{column}", path.display()),
            Self::Environment(name) => write!(out, "environment variable {name}"),
            Self::WholeFile(path) => write!(out, "{}", path.display()),
        }
    }
}

/// One reason why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file exists and cannot be read.
    #[error("{location}: cannot be read: {reason}")]
    Unreadable {
        /// The file.
        location: Location,
        /// The system's or our own reason.
        reason: String,
    },
    /// None of the files given could be read.
    #[error("no configuration file could be read: {}", list(.tried))]
    NoFile {
        /// The files that were looked for.
        tried: Vec<PathBuf>,
    },
    /// The file is not YAML, or exceeds a limit.
    #[error("{location}: {message}")]
    Malformed {
        /// Where reading stopped.
        location: Location,
        /// What is wrong there.
        message: String,
    },
    /// The value is not of the key's type or out of its range.
    #[error("{location}: {key}: expected {expected}, found {found}")]
    WrongType {
        /// Where the value is.
        location: Location,
        /// The key as the table has it.
        key: String,
        /// What the key takes.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The value is the handle of a secret that can't be had.
    #[error("{location}: {key}: {reason}")]
    Secret {
        /// Where the handle is.
        location: Location,
        /// The key as the table has it.
        key: String,
        /// Why not; never the secret.
        reason: String,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Everything that is wrong with a configuration, not only the first thing. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            write!(out, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// How loudly a [`Warning`] asks to be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Info,
    /// Probably a mistake.
    Warning,
}

/// Something about a configuration that does not prevent its use. Each is reported once per load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// How loudly to log it.
    pub severity: Severity,
    /// What it is about.
    pub location: Location,
    /// What is to be said, without the location.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.location, self.message)
    }
}
