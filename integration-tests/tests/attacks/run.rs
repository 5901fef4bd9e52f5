//! Running behaviours one after the other, and whose signals are whose.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use integration_tests::harness::{Pair, Setup, Signal};

use super::behaviour::Behaviour;

/// Where control groups are made. `tools/ctr.sh` wants version 2 as well.
const GROUPS: &str = "/sys/fs/cgroup";
/// Where the signals of a run are left, for whoever wants to know more.
const KEEP: &str = "CWS_ATTACKS_KEEP";
/// Longest time for one, in seconds: emulated guests are slow.
const LONGEST: &str = "180";

/// The command with its own time limits as many times as long.
fn with_more_time(command: &str, factor: u64) -> String {
    let mut is_limit = false;
    let word = |word: &str| {
        let seconds = word.trim_end().parse::<u64>().ok().filter(|_| is_limit);
        is_limit = word.ends_with("timeout ");
        seconds.map_or_else(|| word.to_owned(), |seconds| format!("{} ", seconds * factor))
    };
    command.split_inclusive(' ').map(word).collect()
}

#[test]
fn limits_are_stretched_and_nothing_else() {
    let command = "sleep 2; timeout 2 cat 3; sh -c \"timeout 10 x\"; timeout -k 5 8 y";
    assert_eq!(
        with_more_time(command, 4),
        "sleep 2; timeout 8 cat 3; sh -c \"timeout 40 x\"; timeout -k 5 8 y"
    );
    assert_eq!(with_more_time(command, 1), command);
}

/// A running pair, and how the behaviours went so far.
pub(crate) struct Run {
    pair: Pair,
    name: &'static str,
    directory: PathBuf,
    group: u32,
    good: usize,
    failures: Vec<String>,
}

impl Run {
    pub(crate) fn start(setup: &Setup, name: &'static str) -> Result<Self> {
        let pair = Pair::start(setup)?;
        let directory = super::shared().join("attacks");
        Ok(Self { pair, name, directory, group: 0, good: 0, failures: Vec::new() })
    }

    /// Runs a command in a new control group, where no rule has a memory of what was before, and returns the signals
    /// meanwhile.
    pub(crate) fn perform(&mut self, behaviour: &Behaviour, command: &str) -> Result<Vec<Signal>> {
        self.group += 1;
        println!("{} {}", self.name, behaviour.id);
        self.again(command)
    }

    /// As [`Run::perform`], with what `judge` says is wrong. A command with a time limit of its own may be cut off before it
    /// has done anything where the machine is slow: then it is run again, with more time.
    pub(crate) fn perform_in_time(
        &mut self,
        behaviour: &Behaviour,
        command: &str,
        judge: impl Fn(&[Signal]) -> Vec<String>,
    ) -> Result<(Vec<Signal>, Vec<String>)> {
        let tries = if command.contains("timeout ") { 4 } else { 1 };
        let mut outcome = (Vec::new(), Vec::new());
        for attempt in 0..tries {
            let seen = self.perform(behaviour, &with_more_time(command, 1 << (2 * attempt).min(4)))?;
            let wrong = judge(&seen);
            outcome = (seen, wrong);
            if outcome.1.is_empty() {
                break;
            }
        }
        Ok(outcome)
    }

    /// The same once more, in the same control group.
    pub(crate) fn again(&mut self, command: &str) -> Result<Vec<Signal>> {
        let group = Path::new(GROUPS).join(format!("cws-{}-{}", self.name, self.group));
        fs::create_dir_all(&group).with_context(|| group.display().to_string())?;
        self.pair.signals.update()?;
        let before = self.pair.signals.all().len();
        let begin = Instant::now();
        let output = Command::new("sh")
            .args(["-c", "echo $$ >\"$1/cgroup.procs\" && exec timeout -k 5 \"$2\" sh -c \"$3\"", "-"])
            .arg(&group)
            .args([LONGEST, command])
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .output()?;
        println!("  {} after {:?}", output.status, begin.elapsed());
        if !output.status.success() {
            println!("  {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        self.pair.settle()?;
        Ok(self.pair.signals.all().iter().skip(before).cloned().collect())
    }

    /// Notes how it went.
    pub(crate) fn judge(&mut self, behaviour: &Behaviour, seen: &[Signal], wrong: &[String]) {
        if wrong.is_empty() {
            self.good += 1;
            let mut rules: Vec<_> =
                seen.iter().map(Signal::rule).filter(|rule| !rule.starts_with("harness")).collect();
            rules.sort_unstable();
            rules.dedup();
            println!("ok   {} {}: {}", self.name, behaviour.id, rules.join(" "));
            return;
        }
        for reason in wrong {
            self.fail(behaviour, reason);
        }
        for signal in seen.iter().filter(|signal| !signal.rule().starts_with("harness")).take(25) {
            let of = |path: &str| signal.at(path).to_string();
            let (file, args) = (of("process.executable.path"), of("process.args"));
            println!("  {} by {file} {args}: {} {}", signal.rule(), of("evt.name"), of("file.path"));
        }
    }

    /// Notes a failure.
    pub(crate) fn fail(&mut self, behaviour: &Behaviour, reason: &str) {
        println!("FAIL {} {}: {reason}", self.name, behaviour.id);
        self.failures.push(format!("{}: {reason}", behaviour.id));
    }

    /// Undoes what it did. What is seen of that is nobody's.
    pub(crate) fn clean_up(&mut self, behaviour: &Behaviour) -> Result<()> {
        if behaviour.cleanup.is_empty() {
            return Ok(());
        }
        let mut command = Command::new("sh");
        command.arg("-c").arg(&behaviour.cleanup).current_dir(&self.directory);
        // It may have nothing to undo.
        let _output = command.stdin(Stdio::null()).output()?;
        self.pair.settle()
    }

    /// Fails if one of them did.
    pub(crate) fn finish(mut self) -> Result<()> {
        if let Some(directory) = std::env::var_os(KEEP) {
            let lines: String =
                self.pair.signals.all().iter().map(|signal| format!("{}\n", signal.0)).collect();
            let keep = PathBuf::from(directory);
            fs::write(keep.join(format!("{}.jsonl", self.name)), lines)?;
            fs::write(keep.join(format!("{}.log", self.name)), self.pair.logs())?;
            fs::write(keep.join(format!("{}.status", self.name)), format!("{:#}", self.pair.status()?))?;
        }
        self.pair.stop()?;
        println!("{}: {} as expected, {} not", self.name, self.good, self.failures.len());
        ensure!(self.good > 0, "no behaviour was run");
        ensure!(self.failures.is_empty(), "{}\n", self.failures.join("\n"));
        Ok(())
    }
}
