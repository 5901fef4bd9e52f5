//! The agent's own log, on standard error: the service manager knows where to put it.

use std::io::IsTerminal;

use anyhow::anyhow;
use settings::LogLevel;
use tracing_subscriber::EnvFilter;

/// Starts to log.
///
/// # Errors
/// If that was done before.
pub fn start(level: LogLevel, json: bool) -> anyhow::Result<()> {
    // Libraries below the agent have nothing to say to an administrator unless something is wrong.
    let directives = match level {
        LogLevel::Off | LogLevel::Critical | LogLevel::Error => level.directive().to_owned(),
        _ => format!("warn,security_agent={0},engine={0},rule={0}", level.directive()),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(directives))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = if json { builder.json().try_init() } else { builder.try_init() };
    started.map_err(|error| anyhow!("cannot start the log: {error}"))
}
