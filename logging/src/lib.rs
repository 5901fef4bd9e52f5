//! The log of a process about itself: on the console (standard error, where the supervisor collects it), in a file that
//! rotates by size, in the system's log, or in all of them.
//!
//! The file is opened after the log has started, by [`Log::open_file`]: a process that gives up privileges opens it as
//! who it has become, so that it can rotate it. Lines from before are kept for the file. A line that the file cannot
//! take goes to the console, also where the console is off.
#![forbid(unsafe_code)]

pub mod rotation;
mod syslog;
mod writer;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, Layered, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use crate::rotation::Rotation;
use crate::writer::{Console, Shared, ToFile};

/// What a log is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is logged, as `LEVEL` or `LEVEL,TARGET=LEVEL,…`.
    pub filter: String,
    /// One JSON object a line in place of text.
    pub json: bool,
    /// Whether lines name the module that they come from. JSON always does.
    pub targets: bool,
    /// Whether it is on standard error.
    pub console: bool,
    /// The file that it is in.
    pub file: Option<PathBuf>,
    /// How that file rotates.
    pub rotation: Rotation,
    /// Where else it is.
    pub syslog: Option<Syslog>,
}

/// The system's log.
#[derive(Debug, Clone)]
pub struct Syslog {
    /// Its socket, `unix://PATH`. Empty: the usual one.
    pub uri: String,
    /// What this process is called there.
    pub name: &'static str,
}

/// The log of this process. It lives as long as this value: dropped before its file was opened, it writes what it
/// kept for the file to standard error.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    file: Option<(PathBuf, Rotation)>,
    filter: Filter,
}

type Layers = Vec<Box<dyn Layer<Registry> + Send + Sync>>;

/// What is logged, to be changed while the process runs.
#[derive(Clone)]
pub struct Filter(reload::Handle<Targets, Layered<Layers, Registry>>);

impl std::fmt::Debug for Filter {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Filter").finish_non_exhaustive()
    }
}

impl Filter {
    /// Changes it, to a filter as in [`Options::filter`].
    ///
    /// # Errors
    /// If it is none, or nothing logs any more.
    pub fn set(&self, filter: &str) -> anyhow::Result<()> {
        let filter: Targets = filter.parse().context("the filter of the log")?;
        self.0.reload(filter).context("nothing logs any more")
    }
}

/// Starts to log.
///
/// # Errors
/// If the filter is none, the system's log is no local one, or something logs already.
pub fn start(options: Options) -> anyhow::Result<Log> {
    let filter: Targets = options.filter.parse().context("the filter of the log")?;
    let shared = Arc::new(Shared::new(options.console, options.file.is_some()));
    let colour = std::io::stderr().is_terminal();
    let mut layers = vec![layer(&options, colour, Console(Arc::clone(&shared)))];
    if options.file.is_some() {
        layers.push(layer(&options, false, ToFile(Arc::clone(&shared))));
    }
    if let Some(Syslog { uri, name }) = &options.syslog {
        let syslog = syslog::Syslog::new(uri, name, options.console)?;
        layers.push(if options.json {
            layer(&options, false, syslog)
        } else {
            // The daemon knows the time, and the priority tells the level.
            let layer = tracing_subscriber::fmt::layer().with_writer(syslog).log_internal_errors(false);
            layer.with_ansi(false).with_target(options.targets).without_time().with_level(false).boxed()
        });
    }
    let (filter, handle) = reload::Layer::new(filter);
    let started = Registry::default().with(layers).with(filter).try_init();
    started.context("cannot start the log")?;
    let file = options.file.map(|path| (path, options.rotation));
    Ok(Log { shared, file, filter: Filter(handle) })
}

fn layer<W>(options: &Options, colour: bool, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    // Complaints about the log go to the log, where they can.
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).log_internal_errors(false);
    if options.json {
        layer.json().with_ansi(false).boxed()
    } else {
        layer.with_ansi(colour).with_target(options.targets).boxed()
    }
}

impl Log {
    /// Opens the file of the log, if it has one, and writes to it what was logged so far. A file that cannot be opened
    /// is a warning on the console, where the log then stays. Nothing happens if it is open already.
    pub fn open_file(&self) {
        let Some((path, rotation)) = &self.file else { return };
        if self.shared.is_settled() {
            return;
        }
        if let Err(error) = self.shared.open(path, *rotation) {
            tracing::warn!("cannot log to {}: {error}; logging to standard error only", path.display());
        }
    }

    /// Logs why the process ends, in the file only: whoever started it reads it on standard error anyway.
    pub fn failed(&self, error: &anyhow::Error) {
        self.shared.to_file_only(|| tracing::error!("{error:#}"));
    }

    /// What is logged.
    #[must_use]
    pub fn filter(&self) -> Filter {
        self.filter.clone()
    }

    /// The file that lines go to now.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_path()).filter(|_| self.shared.is_open())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.close();
    }
}
