//! `security-agent runtime self-test`.

use std::process::ExitCode;

use super::{ConfigArgs, runtime};
use crate::control::{self, Command};
use crate::report::terminal::printable;

/// The exit code is 0 if all that is tested works.
pub(super) fn run(config: &ConfigArgs) -> anyhow::Result<ExitCode> {
    let settings = config.load_quietly()?;
    let (answer, _) =
        runtime()?.block_on(control::call(&settings.privileges.command_socket, Command::SelfTest))?;
    let result = answer["result"].as_str().unwrap_or("error: no answer");
    println!("Runtime self test: {}", printable(result));
    Ok(if result == "OK" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
