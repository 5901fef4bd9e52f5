//! The least that watching a system call costs here: its tracepoint is on, with nothing at it, in an instance of the kernel's
//! own tracer that keeps no record.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

const INSTANCE: &str = "/sys/kernel/tracing/instances/cws-floor";
/// At the end of this call, as the pair is with rules about opened files.
const EVENT: &str = "events/syscalls/sys_exit_openat";
/// No call returns that.
const NEVER: &str = "ret == 1234567890";

/// The tracepoint is on as long as this lives.
pub(crate) struct Floor(PathBuf);

impl Floor {
    /// # Errors
    /// If the kernel's tracer is not to be had.
    pub(crate) fn begin() -> Result<Self> {
        fs::create_dir(INSTANCE).context(INSTANCE)?;
        let floor = Self(PathBuf::from(INSTANCE));
        floor.write("filter", NEVER)?;
        floor.write("enable", "1")?;
        Ok(floor)
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.0.join(EVENT).join(file);
        fs::write(&path, text).with_context(|| path.display().to_string())
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let ended = self.write("enable", "0").and_then(|()| Ok(fs::remove_dir(&self.0)?));
        if let Err(error) = ended {
            eprintln!("{INSTANCE} is left behind: {error:#}");
        }
    }
}
