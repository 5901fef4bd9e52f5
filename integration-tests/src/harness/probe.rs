//! The privileged process of a pair, which one test leaves to the next: most of what a test takes is that its programs are
//! loaded. It serves one agent after the other, as it does where agents are replaced.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::binaries::built;
use super::child::Running;
use super::setup::{USER, agent_ids};

/// The one that nobody uses. There is no more than this: tests that run at the same time start their own.
static LEFT: Mutex<Option<Probe>> = Mutex::new(None);

/// A system-probe with its configuration.
#[derive(Debug)]
pub(crate) struct Probe {
    // Dropped in this order.
    running: Running,
    guard: Option<Guard>,
    home: Home,
    /// None of a probe with a configuration of its own.
    kind: Option<Kind>,
}

/// What probes that are alike have in common: what they are told to attach to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kind {
    plan: Option<OsString>,
}

impl Probe {
    /// Starts one with these lines of configuration, and that plan or the environment's; without lines, one that
    /// another test has left will do.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn start(lines: &str, plan: Option<&str>) -> Result<Self> {
        let plan = plan.map(OsString::from).or_else(|| std::env::var_os("CWS_PLAN"));
        let kind = lines.is_empty().then(|| Kind { plan: plan.clone() });
        if kind.is_some()
            && let Some(mut left) = LEFT.lock().unwrap_or_else(PoisonError::into_inner).take()
            && left.kind == kind
            && left.running.check().is_ok()
        {
            return Ok(left);
        }
        let home = Home::new(lines, plan)?;
        let running = home.start()?;
        let guard = if kind.is_some() { Some(Guard::of(running.pid(), home.path())?) } else { None };
        Ok(Self { running, guard, home, kind })
    }

    /// Leaves it to the next test, unless this one has failed or has ended it.
    pub(crate) fn leave(mut self) {
        if self.guard.is_none() || std::thread::panicking() || self.running.check().is_err() {
            return;
        }
        *LEFT.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
    }

    /// Ends the process and starts it again, of which the first half may have been done.
    ///
    /// # Errors
    /// If that is not possible.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.running = self.home.start()?;
        Ok(())
    }

    /// The process; whoever asks for it may end it, so that no other test gets it.
    pub(crate) fn process(&mut self) -> &mut Running {
        self.guard = None;
        &mut self.running
    }

    /// # Errors
    /// If it has ended; the error holds its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.running.check()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    pub(crate) fn log(&self) -> String {
        self.running.log()
    }

    /// Where an agent finds it.
    pub(crate) fn socket(&self) -> PathBuf {
        self.home.socket()
    }

    /// Where it logs to.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.home.log_file()
    }
}

/// What a probe needs to run, in a directory that goes with this value.
#[derive(Debug)]
struct Home {
    directory: TempDir,
    plan: Option<OsString>,
}

impl Home {
    fn new(lines: &str, plan: Option<OsString>) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("cws-test.").tempdir()?;
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711))?;
        let home = Self { directory, plan };
        // The agent's user must reach the socket.
        let sockets = home.path().join("probe");
        fs::create_dir(&sockets)?;
        fs::set_permissions(&sockets, fs::Permissions::from_mode(0o750))?;
        chown(&sockets, Some(0), Some(agent_ids()?.1))?;
        let text = format!(
            "runtime_security_config:\n  enabled: true\n  socket: {}\nsecurity_agent.user: {USER}\n\
             system_probe_config.log_file: {}\n{lines}",
            home.socket().display(),
            home.log_file().display(),
        );
        fs::write(home.configuration(), text)?;
        Ok(home)
    }

    fn start(&self) -> Result<Running> {
        let mut command = Command::new(built("system-probe")?);
        command.arg("run").arg(format!("--config={}", self.configuration().display()));
        if let Some(plan) = &self.plan {
            command.arg("--plan").arg(plan);
        }
        Running::start("system-probe", &mut command, &self.path().join("system-probe.log"))
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn configuration(&self) -> PathBuf {
        self.path().join("system-probe.yaml")
    }

    fn socket(&self) -> PathBuf {
        self.path().join("probe/events.sock")
    }

    fn log_file(&self) -> PathBuf {
        self.path().join("probe/system-probe.log")
    }
}

/// Ends a probe when this process has ended, in whatever way, and removes its directory: nobody drops what is left at the end.
#[derive(Debug)]
struct Guard {
    /// Reads from a pipe that this process holds open.
    shell: Child,
}

impl Guard {
    fn of(pid: u32, directory: &Path) -> Result<Self> {
        // Where nobody waits for it, what has ended still has a number, but no program.
        const SCRIPT: &str = r#"
            ! read -r _ || exit
            kill "$1"
            while [ -e "/proc/$1/exe" ]; do sleep 0.1; done
            rm -rf "$2"
        "#;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(pid.to_string()).arg(directory);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { shell: command.spawn().context("start a shell")? })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        use std::io::Write as _;

        // Where this fails the shell has ended.
        let _told = self.shell.stdin.take().map(|mut pipe| pipe.write_all(b"no\n"));
        let _ended = self.shell.wait();
    }
}
