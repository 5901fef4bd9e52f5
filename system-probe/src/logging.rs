//! The log of the process: standard error, where the supervisor collects it.

use settings::LogLevel;
use tracing_subscriber::filter::LevelFilter;

/// Starts it. `json` gives one object a line.
pub(crate) fn start(level: LogLevel, json: bool) {
    let builder = tracing_subscriber::fmt().with_max_level(filter(level)).with_writer(std::io::stderr);
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    // An error means that a log was started before: tests do that.
    drop(if json {
        builder.json().try_init()
    } else {
        builder.with_ansi(terminal).with_target(false).try_init()
    });
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Critical => LevelFilter::ERROR,
        LogLevel::Off => LevelFilter::OFF,
    }
}
