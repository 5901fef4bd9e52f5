//! The command line.

mod capture;
mod config;
pub mod eval;
pub mod fields;
mod flare;
mod output;
pub mod policy;
mod process_cache;
mod replay;
mod self_test;
mod start;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use settings::{AgentSettings, Environment, Loaded, Severity};

use crate::control::{self, Command as Control};
use crate::stream::client::VERSION;

/// Unprivileged half of the workload security agent: evaluates rules on what system-probe sees, and reports.
#[derive(Debug, Parser)]
#[command(name = "security-agent", version, about)]
pub struct Cli {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: Command,
}

/// Where the configuration is.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last
    /// file wins. Default: those in /etc/datadog-agent.
    #[arg(short = 'c', long = "cfgpath", value_name = "FILE", global = true)]
    files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs in the foreground until SIGTERM or SIGINT; SIGHUP loads the policies again.
    Start(start::StartArgs),
    /// Asks the running agent, and system-probe, how they are.
    Status(status::StatusArgs),
    /// Prints the configuration of the running agent: every key, its value, and where that comes from.
    Config(config::RunningConfigArgs),
    /// Collects what somebody who helps needs to know into an archive, without secrets. Nothing is sent.
    Flare(flare::FlareArgs),
    /// Prints the version.
    Version,
    /// Rules, policies and events.
    #[command(subcommand)]
    Runtime(RuntimeCommand),
}

#[derive(Debug, Subcommand)]
enum RuntimeCommand {
    /// Writes the stream of the running agent, or of system-probe if no agent runs, into a file.
    Capture(capture::CaptureArgs),
    /// Checks, tests and reloads policies.
    #[command(subcommand)]
    Policy(RuntimePolicyCommand),
    /// Lets the running agent load its policies again.
    #[command(hide = true)]
    Reload,
    /// Lets the running agent test whether events come through.
    SelfTest,
    /// The processes that the running agent knows.
    #[command(subcommand)]
    ProcessCache(process_cache::ProcessCacheCommand),
    /// Lists the fields that rules can use.
    Fields(fields::FieldsArgs),
    /// Evaluates expressions on events that are written down.
    Eval(eval::EvalArgs),
}

#[derive(Debug, Subcommand)]
enum RuntimePolicyCommand {
    /// Lets the running agent load its policies again.
    Reload,
    #[command(flatten)]
    Offline(policy::PolicyCommand),
}

/// The command line, for the manual page and the completions of shells.
#[must_use]
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Does what the command line says.
///
/// # Errors
/// If it could not be done, with the reason.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let config = cli.config;
    match cli.command {
        Command::Start(args) => start::run(&args, &config),
        Command::Status(args) => status::run(&args, &config),
        Command::Config(args) => config::run(&args, &config),
        Command::Flare(args) => flare::run(&args, &config),
        Command::Version => {
            println!("security-agent {VERSION}");
            Ok(ExitCode::SUCCESS)
        }
        Command::Runtime(RuntimeCommand::Capture(args)) => capture::run(&args, &config),
        Command::Runtime(RuntimeCommand::Policy(RuntimePolicyCommand::Offline(command))) => {
            policy::run(&policy::PolicyArgs { command })
        }
        Command::Runtime(RuntimeCommand::Reload | RuntimeCommand::Policy(RuntimePolicyCommand::Reload)) => {
            reload(&config)
        }
        Command::Runtime(RuntimeCommand::SelfTest) => self_test::run(&config),
        Command::Runtime(RuntimeCommand::ProcessCache(command)) => process_cache::run(&command, &config),
        Command::Runtime(RuntimeCommand::Fields(args)) => fields::run(&args),
        Command::Runtime(RuntimeCommand::Eval(args)) => eval::run(&args),
    }
}

impl ConfigArgs {
    fn load(&self, environment: &Environment) -> anyhow::Result<Loaded<AgentSettings>> {
        let defaults = || settings::agent::DEFAULT_FILES.map(PathBuf::from).to_vec();
        let files = if self.files.is_empty() { defaults() } else { self.files.clone() };
        Ok(settings::agent::load(&files, environment)?)
    }

    /// The settings for a command that only looks: what is odd about them was told when the agent started.
    fn load_quietly(&self) -> anyhow::Result<AgentSettings> {
        Ok(self.load(&Environment::of_this_process())?.value)
    }
}

/// Logs what is worth a line about the configuration.
fn log_warnings(loaded: &Loaded<AgentSettings>) {
    for warning in &loaded.warnings {
        match warning.severity {
            Severity::Info => tracing::info!("{warning}"),
            Severity::Warning => tracing::warn!("{warning}"),
        }
    }
}

/// One thread, as all but writing reports happens on it.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn reload(config: &ConfigArgs) -> anyhow::Result<ExitCode> {
    let settings = config.load_quietly()?;
    let (answer, _) =
        runtime()?.block_on(control::call(&settings.privileges.command_socket, Control::Reload))?;
    let count = |name: &str| answer["rules"][name].as_u64().unwrap_or(0);
    println!("{} rules loaded, {} skipped, {} errors", count("loaded"), count("skipped"), count("errors"));
    for diagnostic in answer["diagnostics"].as_array().into_iter().flatten() {
        let text = |name: &str| diagnostic[name].as_str().unwrap_or_default().to_owned();
        println!("{}:{}:{}: {}", text("file"), diagnostic["line"], diagnostic["column"], text("message"));
    }
    Ok(if count("errors") == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn documented_forms_are_understood() {
        for line in [
            "start -c a.yaml -c b.yaml",
            "-c a.yaml start",
            "start -p /run/agent.pid",
            "start --replay x.capture",
            "status --json -c a.yaml",
            "runtime capture x.capture --duration 5s",
            "runtime policy check --policies-dir d --json",
            "runtime policy test d",
            "runtime policy reload",
            "runtime reload",
            "runtime fields exec --json",
            "runtime eval --cases x.jsonl",
            "version",
            "config",
            "config get site",
            "config set log_level debug",
            "config list-runtime",
            "flare",
            "runtime self-test",
            "runtime process-cache dump --with-args",
        ] {
            let words = std::iter::once("security-agent").chain(line.split(' '));
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{line}: {error}");
            }
        }
    }
}
