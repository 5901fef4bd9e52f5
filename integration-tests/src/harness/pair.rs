//! The two processes, started together on one configuration.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal as Unix;
use serde_json::Value;

use super::binaries::built;
use super::child::{Running, patient};
use super::probe::Probe;
use super::setup::{Files, MARK_RULE, Setup};
use super::signals::{Signal, Signals};
use super::trigger::{Trigger, ordinary_program};

/// How long nothing at all may come through: loading programs, the first snapshot, a reconnection; a busy machine needs
/// patience.
const READY: Duration = Duration::from_secs(60);

/// How long the agent may take to work off what has happened, as long as signals come.
const BACKLOG: Duration = Duration::from_secs(600);

/// A running system-probe and security-agent.
#[derive(Debug)]
pub struct Pair {
    // Dropped in this order: the agent, the probe, the files.
    agent: Running,
    /// There until the pair is dropped.
    probe: Option<Probe>,
    /// The signals so far.
    pub signals: Signals,
    files: Files,
    marks: u64,
}

impl Pair {
    /// Starts both and waits until an event comes all the way through.
    ///
    /// # Errors
    /// If one of them ends, is not ready in time or refuses a rule; the error holds its log.
    pub fn start(setup: &Setup) -> Result<Self> {
        let probe = setup.start_probe()?;
        let files = setup.write(&probe.socket())?;
        let agent = start_agent(&files)?;
        let signals = Signals::of(&files.signals());
        let mut pair = Self { agent, probe: Some(probe), signals, files, marks: 0 };
        pair.settle()?;
        // What a refused rule does not match is no finding.
        let status = pair.status()?;
        let refused = status.pointer("/agent/pipeline/rules/errors").and_then(Value::as_u64);
        anyhow::ensure!(refused == Some(0), "{refused:?} rules of the test are refused\n{}", pair.logs());
        Ok(pair)
    }

    /// Waits until the agent has evaluated everything that happened before this call: starts a program that
    /// a rule of the harness matches, again and again, until one of these comes through. Events keep
    /// their order, so that whatever is not among the signals then will not come.
    ///
    /// # Errors
    /// If a process ends, or nothing comes through in time.
    pub fn settle(&mut self) -> Result<()> {
        let started = Instant::now();
        let (mut last_came, mut came) = (started, self.signals.all().len());
        let first = self.marks;
        loop {
            self.marks += 1;
            let status =
                Command::new(self.files.mark_program()).arg(format!("mark-{}", self.marks)).status()?;
            anyhow::ensure!(status.success(), "the program of the harness failed: {status}");
            let next = Instant::now() + Duration::from_millis(300);
            while Instant::now() < next {
                self.agent.check()?;
                self.probe()?.check()?;
                self.signals.update()?;
                if self.signals.of_rule(MARK_RULE).any(|signal| mark_of(signal) > Some(first)) {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            if self.signals.all().len() > came {
                (last_came, came) = (Instant::now(), self.signals.all().len());
            }
            if last_came.elapsed() > patient(READY) || started.elapsed() > BACKLOG {
                self.probe()?.process();
                bail!("no event came through within {:?}\n{}", started.elapsed(), self.logs());
            }
        }
    }

    /// Waits for a signal of `rule` that `wanted` accepts.
    ///
    /// # Errors
    /// If none is there once everything before this call has been evaluated; the error lists those of the rule.
    pub fn expect(&mut self, rule: &str, wanted: impl Fn(&Signal) -> bool) -> Result<Signal> {
        self.signals.update()?;
        if !self.signals.of_rule(rule).any(&wanted) {
            self.settle()?;
        }
        let found = self.signals.of_rule(rule).find(|signal| wanted(signal)).cloned();
        if found.is_none() {
            // Whatever it is that it does not see, the next test is not to suffer from it.
            self.probe()?.process();
        }
        found.with_context(|| {
            let others: Vec<String> = self.signals.of_rule(rule).map(|signal| signal.0.to_string()).collect();
            format!(
                "no such signal of {rule}; there are {}:\n{}\n{}\n{:#}",
                others.len(),
                others.join("\n"),
                self.logs(),
                self.status().unwrap_or_default()
            )
        })
    }

    /// Runs a command of security-agent with the configuration of the pair.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn command(&self, arguments: &[&str]) -> Result<std::process::Output> {
        let mut command = Command::new(built("security-agent")?);
        let command = command.args(arguments).arg("-c").arg(self.files.agent_configuration());
        command.output().context("run security-agent")
    }

    /// Answer of `security-agent status --json`.
    ///
    /// # Errors
    /// If the command fails or its answer is not JSON.
    pub fn status(&self) -> Result<Value> {
        let output = Command::new(built("security-agent")?)
            .args(["status", "--json", "-c"])
            .arg(self.files.agent_configuration())
            .output()?;
        anyhow::ensure!(
            output.status.success(),
            "status: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).context("status is not JSON")
    }

    /// Whether a program is at the return of this function of the kernel, by a trampoline or a probe.
    ///
    /// # Errors
    /// If there is no status.
    pub fn is_at(&self, function: &str) -> Result<bool> {
        Ok(self.functions()?.iter().any(|name| name == function))
    }

    /// Whether programs are at functions of the kernel at all: of those that watch what the rules are about.
    ///
    /// # Errors
    /// If there is no status.
    pub fn is_at_functions(&self) -> Result<bool> {
        Ok(!self.functions()?.is_empty())
    }

    /// The functions at whose return programs are.
    fn functions(&self) -> Result<Vec<String>> {
        let status = self.status()?;
        let observations = status["probe"]["observations"].as_array().cloned().unwrap_or_default();
        let programs = observations.iter().flat_map(|seen| seen["programs"].as_array().into_iter().flatten());
        let functions = programs.filter_map(|program| {
            let program = program.as_str()?;
            program.strip_prefix("fexit/").or(program.strip_prefix("kretprobe/"))
        });
        Ok(functions.map(str::to_owned).collect())
    }

    /// Replaces the rules, written as items of a policy's `rules:`, and lets the agent load them.
    ///
    /// # Errors
    /// If the file cannot be written or the agent cannot be told.
    pub fn replace_rules(&mut self, rules: &str) -> Result<()> {
        self.files.write_rules(rules)?;
        self.agent.signal(Unix::HUP)
    }

    /// Ends the agent as a crash would.
    ///
    /// # Errors
    /// If that is not possible.
    pub fn kill_agent(&mut self) -> Result<()> {
        self.agent.kill()
    }

    /// Starts the agent again.
    ///
    /// # Errors
    /// If that is not possible.
    pub fn restart_agent(&mut self) -> Result<()> {
        self.agent = start_agent(&self.files)?;
        Ok(())
    }

    /// Ends the probe as a crash would.
    ///
    /// # Errors
    /// If that is not possible.
    pub fn kill_probe(&mut self) -> Result<()> {
        self.probe()?.process().kill()
    }

    /// Starts the probe again.
    ///
    /// # Errors
    /// If that is not possible.
    pub fn restart_probe(&mut self) -> Result<()> {
        self.probe()?.restart()
    }

    /// Process ids of the probe and the agent.
    #[must_use]
    pub fn pids(&self) -> (u32, u32) {
        (self.probe.as_ref().map_or(0, Probe::pid), self.agent.pid())
    }

    /// Compiles `triggers/NAME.c` into the directory of this pair.
    ///
    /// # Errors
    /// If the compiler is missing or not content.
    pub fn trigger(&self, name: &str) -> Result<Trigger> {
        Trigger::compile(name, &self.files.path(""))
    }

    /// A copy of `/bin/true` in the directory of this pair under a name that nothing else has.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        ordinary_program("/bin/true", name, &self.files.path(""))
    }

    /// A path in the directory of this pair, which every user can enter.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.files.path(name)
    }

    /// Where the agent finds the probe.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.probe.as_ref().map(Probe::socket).unwrap_or_default()
    }

    /// The files that the probe and the agent log to.
    #[must_use]
    pub fn log_files(&self) -> [PathBuf; 2] {
        [self.probe.as_ref().map(Probe::log_file).unwrap_or_default(), self.files.agent_log()]
    }

    /// What both have logged.
    #[must_use]
    pub fn logs(&self) -> String {
        let probe = self.probe.as_ref().map(Probe::log).unwrap_or_default();
        format!("== system-probe\n{probe}\n== security-agent\n{}", self.agent.log())
    }

    /// Stops both as a service manager does. Returns how the probe and the agent ended.
    ///
    /// # Errors
    /// If one of them does not end.
    pub fn stop(&mut self) -> Result<(ExitStatus, ExitStatus)> {
        let agent = self.agent.stop()?;
        let probe = self.probe()?.process().stop()?;
        Ok((probe, agent))
    }

    fn probe(&mut self) -> Result<&mut Probe> {
        self.probe.as_mut().context("the pair has no probe")
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        // The next test has an agent of its own. This one may have ended already.
        let _killed = self.agent.kill();
        if let Some(probe) = self.probe.take() {
            probe.leave();
        }
    }
}

/// The number of the harness' own signal.
fn mark_of(signal: &Signal) -> Option<u64> {
    signal.args().iter().find_map(|arg| arg.strip_prefix("mark-")?.parse().ok())
}

fn start_agent(files: &Files) -> Result<Running> {
    let mut command = Command::new(built("security-agent")?);
    command.arg("start").arg("-c").arg(files.agent_configuration());
    Running::start("security-agent", &mut command, &files.path("security-agent.log"))
}
