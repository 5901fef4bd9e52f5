//! Making things happen: small C programs that do one thing each and print what they did, as JSON.
//!
//! They are in C since what they do (vfork, execveat, exec by a thread …) is not expressible in safe Rust,
//! and static, so that they run in any root directory.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A compiled trigger.
#[derive(Debug, Clone)]
pub struct Trigger {
    path: PathBuf,
    /// The shell that starts it, if it is not the test.
    parent: Option<PathBuf>,
}

impl Trigger {
    /// Compiles `triggers/NAME.c` to the file NAME in `directory`. In a guest, where compiling takes long, one that was
    /// compiled before is copied from `CWS_TRIGGERS`.
    ///
    /// # Errors
    /// If the compiler is missing or not content.
    pub fn compile(name: &str, directory: &Path) -> Result<Self> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("triggers");
        let path = directory.join(name);
        if let Some(compiled) = std::env::var_os("CWS_TRIGGERS") {
            let compiled = Path::new(&compiled).join(name);
            std::fs::copy(&compiled, &path).with_context(|| format!("copy {}", compiled.display()))?;
            return Ok(Self { path, parent: None });
        }
        let output = Command::new("cc")
            .args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-pthread", "-o"])
            .arg(&path)
            .arg(sources.join(format!("{name}.c")))
            .output()
            .context("start cc")?;
        ensure!(output.status.success(), "cc {name}.c: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { path, parent: None })
    }

    /// The same program under another name.
    ///
    /// # Errors
    /// If it cannot be copied.
    pub fn named(&self, name: &str, directory: &Path) -> Result<Self> {
        let path = directory.join(name);
        std::fs::copy(&self.path, &path).with_context(|| format!("copy to {}", path.display()))?;
        Ok(Self { path, parent: None })
    }

    /// The same program, started by this shell, which waits for it.
    #[must_use]
    pub fn started_by(&self, shell: &Path) -> Self {
        Self { path: self.path.clone(), parent: Some(shell.to_owned()) }
    }

    /// The executable.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs it to its end and returns what it printed. What it executes shares its standard output: a trigger
    /// prints before it executes something, and what it executes prints nothing.
    ///
    /// # Errors
    /// If it fails, or prints no JSON.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Value> {
        self.finish(self.command().args(arguments))
    }

    /// As [`Trigger::run`], as the user and group with this id.
    ///
    /// # Errors
    /// As [`Trigger::run`].
    pub fn run_as<A: AsRef<OsStr>>(&self, id: u32, arguments: impl IntoIterator<Item = A>) -> Result<Value> {
        self.finish(self.command().uid(id).gid(id).args(arguments))
    }

    fn command(&self) -> Command {
        let Some(shell) = &self.parent else { return Command::new(&self.path) };
        let mut command = Command::new(shell);
        // What comes after it keeps the shell from becoming it.
        command.args(["-c", "\"$0\" \"$@\"; exit $?"]).arg(&self.path);
        command
    }

    /// Starts it and lets it run: it ends with what is returned.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Started> {
        let mut command = Command::new(&self.path);
        let child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        Ok(Started { child })
    }

    fn finish(&self, command: &mut Command) -> Result<Value> {
        let name = self.path.display();
        let output = command.stdin(Stdio::null()).output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name}: {}: {stderr}", output.status);
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{name} printed {:?}", String::from_utf8_lossy(&output.stdout)))
    }
}

/// A trigger that runs, and is killed with this.
#[derive(Debug)]
pub struct Started {
    child: Child,
}

impl Started {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Copies a program of the machine to `directory` under a name that nothing else has, and returns its path.
///
/// # Errors
/// If it cannot be copied.
pub fn ordinary_program(original: &str, name: &str, directory: &Path) -> Result<PathBuf> {
    let path = directory.join(name);
    // Follows symbolic links and keeps the mode.
    std::fs::copy(original, &path).with_context(|| format!("copy {original}"))?;
    Ok(path)
}
