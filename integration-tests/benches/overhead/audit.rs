//! The audit subsystem of the kernel: with equivalent watches for comparison, and out of the way of what is measured.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Mark of the rules that are made here, so that no others are removed.
const KEY: &str = "cws-overhead";
/// New processes are not audited. Once audit has been on, all others are slower at every system call, even after it was
/// switched off.
const NO_PROCESS: &str = "never,task";

/// `auditctl`, on a kernel that answers it, with nobody else's rules in force. Processes that are started while this lives
/// are not audited; when it is dropped all is as it was before.
#[derive(Debug)]
pub(crate) struct Audit {
    had_rule: bool,
}

impl Audit {
    /// Why there is none, if so.
    pub(crate) fn find() -> Result<Self> {
        let rules = auditctl(&["-l"]).context("auditctl -l")?;
        let had_rule = rules.lines().any(|rule| rule == format!("-a {NO_PROCESS}"));
        let others =
            rules.lines().filter(|rule| *rule != format!("-a {NO_PROCESS}") && *rule != "No rules").count();
        ensure!(others == 0, "others have rules in force");
        let enabled = auditctl(&["-s"]).context("auditctl -s")?;
        ensure!(enabled.lines().any(|line| line == "enabled 0"), "others have it enabled");
        let found = Self { had_rule };
        if !had_rule {
            auditctl(&["-a", NO_PROCESS])?;
        }
        Ok(found)
    }

    /// Runs something while these files are watched for reading and writing.
    pub(crate) fn watching<T>(&self, paths: &[&str], run: impl FnOnce() -> Result<T>) -> Result<T> {
        let started = Self::start(paths);
        let outcome = started.and_then(|()| run());
        Self::stop()?;
        outcome
    }

    fn start(paths: &[&str]) -> Result<()> {
        auditctl(&["-d", NO_PROCESS])?;
        auditctl(&["-e", "1"])?;
        for path in paths {
            auditctl(&["-w", path, "-p", "rwa", "-k", KEY])?;
        }
        Ok(())
    }

    fn stop() -> Result<()> {
        auditctl(&["-D", "-k", KEY])?;
        auditctl(&["-e", "0"])?;
        auditctl(&["-a", NO_PROCESS]).map(drop)
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        if !self.had_rule
            && let Err(error) = auditctl(&["-d", NO_PROCESS])
        {
            eprintln!("the rule {NO_PROCESS} of audit is still there: {error:#}");
        }
    }
}

fn auditctl(arguments: &[&str]) -> Result<String> {
    let output = Command::new("auditctl").args(arguments).stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{}{text}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}
