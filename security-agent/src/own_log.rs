//! The agent's own log, by its settings.

use logging::rotation::Rotation;
use logging::{Log, Options, Syslog};
use settings::LogLevel;
use settings::table::AgentLog;

/// Starts to log; to the file of the settings, if there is to be one, once that is opened. `service`: this is the agent
/// that runs beside a probe, and not a command that somebody gave on a terminal and that has no business in its log.
///
/// # Errors
/// If something logs already.
pub fn start(log: &AgentLog, service: bool) -> anyhow::Result<Log> {
    logging::start(Options {
        filter: filter(log.level),
        json: log.json,
        targets: true,
        console: log.console || !service,
        file: log.file.clone().filter(|_| service),
        syslog: (log.syslog && service)
            .then(|| Syslog { uri: log.syslog_uri.clone(), name: "security-agent" }),
        rotation: Rotation { max_size: log.file_max_size.0, max_files: log.file_max_rolls },
    })
}

/// What is logged at this level.
#[must_use]
pub fn filter(level: LogLevel) -> String {
    // Libraries below the agent have nothing to say to an administrator unless something is wrong.
    match level {
        LogLevel::Off | LogLevel::Critical | LogLevel::Error => level.directive().to_owned(),
        _ => format!("warn,security_agent={0},engine={0},logging={0},rule={0}", level.directive()),
    }
}
