//! One behaviour of the shared set.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// A line of `examples.jsonl`.
#[derive(Debug, Deserialize)]
pub(crate) struct Behaviour {
    pub(crate) id: String,
    command: String,
    #[serde(default)]
    pub(crate) cleanup: String,
    #[serde(default)]
    pub(crate) expect_default_rule: String,
    #[serde(default)]
    needs: Vec<String>,
    run_in: String,
}

/// What needs a kernel of its own; the command looks by itself whether it has it.
const OF_KERNELS: &str = "kernel";

impl Behaviour {
    /// The command, in a container if that is where it belongs.
    pub(crate) fn command(&self) -> String {
        if self.run_in == "container" && !makes_container(&self.command) {
            self.in_container()
        } else {
            self.command.clone()
        }
    }

    /// The command inside of a container of its own.
    pub(crate) fn in_container(&self) -> String {
        format!("tools/ctr.sh -p sh -c {}", quoted(&self.command))
    }

    /// What it needs and this machine has not.
    pub(crate) fn missing(&self) -> Vec<&str> {
        let is_there = |name: &str| {
            // Packages whose programs have other names.
            let program = match name {
                "iproute2" => "ip",
                "procps" => "ps",
                "systemd" => "systemctl",
                "cron" => "crontab",
                name => name,
            };
            let directories = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
            name.ends_with(OF_KERNELS) || directories.iter().any(|at| Path::new(at).join(program).exists())
        };
        self.needs.iter().map(String::as_str).filter(|name| !is_there(name)).collect()
    }
}

/// Whether a command runs something in a container of its own.
pub(crate) fn makes_container(command: &str) -> bool {
    command.contains("tools/ctr.sh")
}

/// As one word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Reads the set.
pub(crate) fn read(file: &Path) -> Result<Vec<Behaviour>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

#[test]
fn a_command_is_one_word_whatever_it_holds() {
    assert_eq!(quoted("echo 'a b' \"$c\""), r#"'echo '\''a b'\'' "$c"'"#);
}
