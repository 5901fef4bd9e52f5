//! `security-agent config`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};
use settings::{AgentSettings, Environment, Loaded};

use super::{ConfigArgs, runtime};
use crate::control::{self, Command};
use crate::report::terminal::printable;

/// The setting that can be changed while the agent runs.
const LOG_LEVEL: &str = "log_level";

/// Options of `config`.
#[derive(Debug, Args)]
pub(super) struct RunningConfigArgs {
    #[command(subcommand)]
    command: Option<RunningConfigCommand>,
    /// Print one JSON array in place of lines.
    #[arg(short = 'j', long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum RunningConfigCommand {
    /// Prints the value of one key.
    Get {
        /// The key, dotted.
        key: String,
    },
    /// Changes a setting of the running agent until it ends: `log_level` to trace, debug, info, warn, error or off.
    Set {
        /// The key.
        key: String,
        /// Its new value.
        value: String,
    },
    /// Lists the settings that can be changed while the agent runs.
    ListRuntime,
}

pub(super) fn run(args: &RunningConfigArgs, config: &ConfigArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        None => {
            let (keys, is_running) = effective_now(config)?;
            if !is_running && !args.json {
                eprintln!("no agent runs: this is what one would be started with here");
            }
            if args.json {
                println!("{keys}");
            } else {
                keys.as_array().into_iter().flatten().for_each(|key| println!("{}", line(key)));
            }
        }
        Some(RunningConfigCommand::Get { key }) => {
            let (keys, _) = effective_now(config)?;
            let found = keys.as_array().into_iter().flatten().find(|found| found["key"] == key.as_str());
            let found = found.ok_or_else(|| anyhow::anyhow!("no such key: {key}"))?;
            println!("{}", printable(found["value"].as_str().unwrap_or_default()));
        }
        Some(RunningConfigCommand::Set { key, value }) => {
            anyhow::ensure!(key == LOG_LEVEL, "{key} cannot be changed while the agent runs");
            let settings = config.load_quietly()?;
            let command = Command::SetLogLevel { level: value.clone() };
            runtime()?.block_on(control::call(&settings.privileges.command_socket, command))?;
            println!("{key} is now {}", printable(value));
        }
        Some(RunningConfigCommand::ListRuntime) => {
            println!("{LOG_LEVEL}: how much security-agent logs about itself");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The configuration of the running agent, or else the one that an agent would be started with; and whether one runs.
pub(super) fn effective_now(config: &ConfigArgs) -> anyhow::Result<(Json, bool)> {
    let loaded = config.load(&Environment::of_this_process())?;
    let socket = &loaded.value.privileges.command_socket;
    match runtime()?.block_on(control::call(socket, Command::Config)) {
        Ok((keys, _)) => Ok((keys, true)),
        Err(_) => Ok((effective(&loaded), false)),
    }
}

/// Every key with its value, secrets blotted out, and where that comes from.
pub(super) fn effective(loaded: &Loaded<AgentSettings>) -> Json {
    let keys = loaded.value.values();
    keys.into_iter()
        .map(|(key, value)| {
            let value = loaded.handles.shown(key).unwrap_or(value);
            let origin = loaded.origins.get(key);
            let source = origin.map_or_else(|| "default".to_owned(), ToString::to_string);
            json!({ "key": key, "value": value, "source": source })
        })
        .collect()
}

/// Valid YAML, so that it can be put into a file.
fn line(key: &Json) -> String {
    let text = |name: &str| printable(key[name].as_str().unwrap_or_default());
    format!("{}: {}  # {}", text("key"), text("value"), text("source"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_shown_with_its_source_and_without_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("security-agent.yaml");
        std::fs::write(&file, "site: example.com\nproxy.https: http://me:hunter2@proxy:1\n").unwrap();
        let environment = Environment::from_pairs([("DD_API_KEY", "hunter2"), ("DD_TAGS", "a:b c:d")]);
        let loaded = settings::agent::load(std::slice::from_ref(&file), &environment).unwrap();
        let keys = effective(&loaded);
        let text = keys.to_string();
        assert!(!text.contains("hunter2"), "{text}");
        let get = |name: &str| line(keys.as_array().unwrap().iter().find(|key| key["key"] == name).unwrap());
        assert_eq!(get("site"), format!("site: example.com  # {}:1:7", file.display()));
        assert_eq!(get("api_key"), "api_key: \"********\"  # environment variable DD_API_KEY");
        assert_eq!(get("tags"), "tags: [\"a:b\", \"c:d\"]  # environment variable DD_TAGS");
        assert_eq!(get("log_level"), "log_level: info  # default");
        // What is shown can be read back, but for secrets.
        let lines: Vec<String> = keys.as_array().unwrap().iter().map(line).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
        let again = settings::agent::load(&[file], &Environment::default()).unwrap().value;
        assert_eq!(again.values(), loaded.value.values());
    }
}
