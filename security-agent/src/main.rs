//! Unprivileged half of the workload security agent: evaluates rules and reports.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use security_agent::cli::{self, Cli};

fn main() -> ExitCode {
    cli::run(Cli::parse()).unwrap_or_else(|error| {
        eprintln!("security-agent: {error:#}");
        ExitCode::FAILURE
    })
}
