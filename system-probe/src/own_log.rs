//! The probe's own log, by its settings.

use logging::Log;
use logging::Options;
use logging::Syslog;
use logging::rotation::Rotation;
use settings::table::ProbeLog;

/// Starts to log; to the file of the settings, if there is to be one, once that is opened.
///
/// # Errors
///
/// If something logs already.
pub(crate) fn start(log: &ProbeLog) -> anyhow::Result<Log> {
    logging::start(Options {
        filter: log.level.directive().to_owned(),
        json: log.json,
        targets: false,
        console: log.console,
        file: log.file.clone(),
        syslog: log.syslog.then(|| Syslog { uri: log.syslog_uri.clone(), name: "system-probe" }),
        rotation: Rotation { max_size: log.file_max_size.0, max_files: log.file_max_rolls },
    })
}
