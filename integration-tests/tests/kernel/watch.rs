//! A pair that watches one type of events, and the comparison with what the trigger did.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use integration_tests::harness::{Expected, Live, Pair, Setup, Signal, Trigger, Truth, can_run};
use serde_json::{Value, json};

/// A running pair and the trigger.
pub(crate) struct Watch {
    pub(crate) pair: Pair,
    trigger: Trigger,
    event: &'static str,
}

/// What the trigger has done; it lives on.
pub(crate) struct Done {
    pub(crate) live: Live,
    pub(crate) truth: Value,
}

impl Watch {
    /// Watches for events of a type with this condition by the trigger; `None` if the tests cannot run here.
    pub(crate) fn of(event: &'static str, condition: &str) -> Result<Option<Self>> {
        if !can_run() {
            return Ok(None);
        }
        let rule = format!("{condition} && process.file.name == \"kernel\"");
        let setup = Setup::new().agent_line("tags: [team:blue]").agent_line("env: test").rule(event, &rule);
        let pair = Pair::start(&setup)?;
        let trigger = pair.trigger("kernel")?;
        Ok(Some(Self { pair, trigger, event }))
    }

    /// Lets the trigger act.
    pub(crate) fn act(&self, arguments: &[&str]) -> Result<Done> {
        let live = Live::start(Command::new(self.trigger.path()).args(arguments))?;
        let truth = live.truth.clone();
        Ok(Done { live, truth })
    }

    /// The only signal that this caused.
    pub(crate) fn signal(&mut self, done: &Done) -> Result<Signal> {
        self.pair.settle()?;
        let by_it = |signal: &&Signal| signal.at("process.pid") == &done.truth["pid"];
        let mut signals: Vec<Signal> = self.pair.signals.of_rule(self.event).filter(by_it).cloned().collect();
        ensure!(
            signals.len() == 1,
            "{} signals: {signals:#?}\n{}\n{:#}",
            signals.len(),
            self.pair.logs(),
            self.pair.status()?
        );
        signals.pop().context("one")
    }

    /// Fails unless the whole signal is what is expected, with these members besides those that all events have.
    pub(crate) fn check(
        &self,
        signal: &Signal,
        done: &Done,
        members: Vec<(&'static str, Value)>,
    ) -> Result<()> {
        let process = Truth::of(done.live.number("pid")?, "event")?;
        let me = Truth::of(std::process::id().into(), "snapshot")?;
        let mut forked = me.clone().with(&[
            ("pid", process.members["pid"].clone()),
            ("tid", process.members["pid"].clone()),
            ("ppid", me.members["pid"].clone()),
            ("comm", json!(std::fs::read_to_string("/proc/thread-self/comm")?.trim_end())),
            ("is_thread", json!(true)),
            ("source", json!("event")),
        ]);
        forked.start_ticks = process.start_ticks;
        let rule = (self.event, String::new());
        let ancestors = vec![forked, me];
        Expected { rule, event: self.event, process, ancestors, parent: 1, members }.check_but_rule(signal)
    }
}

/// Fails unless the process at `path` is the child of the trigger, in every member that `/proc` tells.
pub(crate) fn target(signal: &Signal, path: &str, done: &Done) -> Result<()> {
    let child = Truth::of(done.truth["child"].as_u64().context("child")?, "event")?;
    let members: Vec<(String, Value)> =
        child.members.iter().map(|(name, value)| (format!("{path}.{name}"), value.clone())).collect();
    // Lists of capabilities have no order.
    let plain = members.iter().filter(|(name, _)| !name.ends_with(".credentials"));
    let expected: Vec<(&str, Value)> = plain.map(|(name, value)| (name.as_str(), value.clone())).collect();
    let differences = signal.differences(&expected);
    ensure!(differences.is_empty(), "{differences}");
    let parent = signal.at(&format!("{path}.parent.pid"));
    ensure!(parent == &done.truth["pid"], "the parent is {parent}");
    let ancestor = signal.at(&format!("{path}.ancestors.0.pid"));
    ensure!(ancestor == &done.truth["pid"], "the nearest ancestor is {ancestor}");
    Ok(())
}

/// Where the control groups of version 2 are mounted.
pub(crate) fn cgroups() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    if mount.is_none() {
        println!("skipped: no cgroup2 file system is mounted");
    }
    mount?.split(' ').nth(1).map(PathBuf::from)
}

/// Removes a control group once the last process in it has ended.
pub(crate) fn remove_group(group: &Path) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = std::fs::remove_dir(group) {
        ensure!(Instant::now() < deadline, "{}: {error}", group.display());
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
