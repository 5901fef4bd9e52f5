//! Privileged half of the workload security agent: owns the BPF programs, streams kernel events.

use std::process::ExitCode;

fn main() -> ExitCode {
    system_probe::cli::main()
}
