//! The audit subsystem of the kernel with equivalent watches, for comparison.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Mark of the rules that are made here, so that no others are removed.
const KEY: &str = "cws-overhead";

/// `auditctl`, on a kernel that answers it, with nobody else's rules in force.
#[derive(Debug)]
pub(crate) struct Audit(());

impl Audit {
    /// Why there is none, if so.
    pub(crate) fn find() -> Result<Self> {
        let rules = auditctl(&["-l"]).context("auditctl -l")?;
        ensure!(rules.contains("No rules"), "others have rules in force");
        Ok(Self(()))
    }

    /// Watches files for reading and writing.
    pub(crate) fn watch(&self, paths: &[&str]) -> Result<()> {
        auditctl(&["-e", "1"])?;
        for path in paths {
            auditctl(&["-w", path, "-p", "rwa", "-k", KEY])?;
        }
        Ok(())
    }

    /// Removes the watches.
    pub(crate) fn stop(&self) -> Result<()> {
        auditctl(&["-D", "-k", KEY])?;
        auditctl(&["-e", "0"]).map(drop)
    }
}

fn auditctl(arguments: &[&str]) -> Result<String> {
    let output = Command::new("auditctl").args(arguments).stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{}{text}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}
