//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::Parser;
use clap::Subcommand;

use crate::check;
use crate::plan::Family;
use crate::run;

/// Watches processes with BPF and streams events to security-agent.
#[derive(Debug, Parser)]
#[command(name = "system-probe", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs in the foreground until SIGTERM or SIGINT.
    Run(RunArgs),
    /// Shows what this kernel can do and how each event is watched; loads and attaches all of it for that moment.
    ///
    /// Ends with status 1 if anything can't be watched.
    Check(CheckArgs),
    /// Prints the version.
    Version,
}

/// Where the configuration is.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Configuration file, or the directory that holds system-probe.yaml.
    #[arg(short, long, value_name = "FILE|DIR", default_value = settings::probe::DEFAULT_FILE)]
    pub config: PathBuf,
}

/// How events are watched.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Watches by programs of this kind alone, where there is a choice; for tests. Without it, the best that works.
    #[arg(long, value_enum)]
    pub(crate) plan: Option<Family>,
}

/// Options of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How events are watched.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// File to write the process id to.
    #[arg(short, long = "pid", visible_alias = "pid-file", alias = "pidfile", value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
}

/// Options of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How events are watched.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Prints JSON.
    #[arg(long)]
    pub json: bool,
    /// Watches for so many seconds and counts the events by kind.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub events: Option<Duration>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
}

/// The command line, for the manual page and the completions of shells.
#[must_use]
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Parses the command line and runs what it says.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Version => {
            println!("system-probe {}", crate::VERSION);
            Ok(ExitCode::SUCCESS)
        }
    };
    result.unwrap_or_else(|error| {
        // Not through the log, which may not have been started or be off.
        eprintln!("system-probe: {error:#}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_commands_are_understood() {
        let run = |line: &str| match Cli::try_parse_from(line.split(' ')).unwrap().command {
            Command::Run(args) => (args.config.config, args.pid_file),
            other => panic!("{other:?}"),
        };
        let unit = "system-probe run --config=/etc/datadog-agent/system-probe.yaml --pid=/run/probe.pid";
        let expected = ("/etc/datadog-agent/system-probe.yaml".into(), Some("/run/probe.pid".into()));
        assert_eq!(run(unit), expected);
        assert_eq!(run("system-probe run -c /etc -p x"), ("/etc".into(), Some("x".into())));
        assert_eq!(run("system-probe run").0, PathBuf::from(settings::probe::DEFAULT_FILE));
    }

    #[test]
    fn durations_are_seconds() {
        assert_eq!(seconds("5"), Ok(Duration::from_secs(5)));
        assert_eq!(seconds("0.5s"), Ok(Duration::from_millis(500)));
        for bad in ["-1", "x", "", "1e30", "nan"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
