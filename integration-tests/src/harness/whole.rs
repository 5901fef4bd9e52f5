//! Comparing a whole signal: a member too much is as wrong as one that is missing.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use super::signals::Signal;
use super::times::{check_start, take};
use super::truth::Truth;

/// What a signal must be, all of it.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The rule, of which the harness knows that it is one comparison: `FIELD == "VALUE"`.
    pub rule: (&'static str, String),
    /// The event type.
    pub event: &'static str,
    /// The acting process.
    pub process: Truth,
    /// What it descends from, nearest first, as far as the test made it; whatever is beyond is known from a snapshot.
    pub ancestors: Vec<Truth>,
    /// Which of the ancestors is the parent.
    pub parent: usize,
    /// Members of the event beside those that every event of processes has.
    pub members: Vec<(&'static str, Value)>,
}

impl Expected {
    /// Compares. Times are checked by what they mean: `date` is when it happened, `fork_time` when `/proc` says that the
    /// process started, `exec_time` lies between.
    ///
    /// # Errors
    /// All differences.
    pub fn check(&self, signal: &Signal) -> Result<()> {
        self.compare(signal).with_context(|| format!("in the {} signal {:#}", self.event, signal.0))
    }

    /// As [`Expected::check`], for a rule of another form: of what a signal tells about its rule only the names are
    /// compared.
    ///
    /// # Errors
    /// All differences.
    pub fn check_but_rule(&self, signal: &Signal) -> Result<()> {
        let mut signal = signal.clone();
        let evt = signal.0.get_mut("evt").and_then(Value::as_object_mut).context("evt")?;
        for name in ["matched_on", "rule_context"] {
            ensure!(evt.remove(name).is_some(), "no {name}");
        }
        self.check(&signal)
    }

    fn category(&self) -> &'static str {
        let of_processes =
            ["exec", "exit", "setuid", "setgid", "capset", "signal", "setrlimit", "prctl", "capabilities"];
        if of_processes.contains(&self.event) { "Process Activity" } else { "Kernel Activity" }
    }

    fn compare(&self, signal: &Signal) -> Result<()> {
        let Value::Object(mut found) = signal.0.clone() else { anyhow::bail!("no object") };
        let date = take(&mut found, "date")?.context("a date")?;
        let mut process = take_object(&mut found, "process")?;
        let mut parent = take_object(&mut process, "parent")?;
        let Some(Value::Array(mut ancestors)) = process.remove("ancestors") else {
            anyhow::bail!("no ancestors");
        };
        let beyond = ancestors.split_off(self.ancestors.len().min(ancestors.len()));
        check_beyond(&beyond)?;

        let exec_time = self.check_times(&mut process, &self.process, date)?;
        if self.event == "exec" {
            ensure!(exec_time == date, "an exec happens when the program is executed");
        }
        let exit_time = take(&mut process, "exit_time")?;
        ensure!(
            exit_time == (self.event == "exit").then_some(date),
            "exit_time: {exit_time:?}, date: {date}"
        );
        let mut differences = Vec::new();
        let ancestor = self.ancestors.get(self.parent).context("the parent is one of the ancestors")?;
        self.check_times(&mut parent, ancestor, date)?;
        // The parent is shown in full, whatever the entries before it have in common with it.
        let full = Value::Object(ancestor.members.clone());
        compare("process.parent", &full, &Value::Object(parent), &mut differences);
        let mut before = &self.process;
        for (index, (expected, found)) in self.ancestors.iter().zip(ancestors).enumerate() {
            let Value::Object(mut found) = found else { anyhow::bail!("no object") };
            self.check_times(&mut found, expected, date)?;
            let shown = if same_image(before, expected) {
                expected.clone().without_invocation()
            } else {
                expected.clone()
            };
            let path = format!("process.ancestors.{index}");
            compare(&path, &Value::Object(shown.members), &Value::Object(found), &mut differences);
            before = expected;
        }
        let own = Value::Object(self.process.members.clone());
        compare("process", &own, &Value::Object(process), &mut differences);
        compare("", &self.rest(&found), &Value::Object(found), &mut differences);
        ensure!(differences.is_empty(), "{}", differences.join("\n"));
        Ok(())
    }

    /// The members of the signal outside of `process`. What the machine alone knows is taken over from `found`, if it is
    /// there.
    fn rest(&self, found: &Map<String, Value>) -> Value {
        let uname = rustix::system::uname();
        let (id, value) = &self.rule;
        let field = if self.event == "exit" { "exit.file.name" } else { "exec.file.name" };
        let expression = format!("{field} == {}", Value::from(value.as_str()));
        let matched = json!([{ "field": field, "offset": 0, "length": expression.len(), "value": value }]);
        let agent = found.get("agent").cloned().unwrap_or_default();
        let mut expected = json!({
            "agent": {
                "rule_id": id,
                "policy_name": "test.policy",
                "policy_version": "1.0.0",
                "version": agent.get("version").filter(|version| version.is_string()),
                "os": "linux",
                "arch": if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" },
                "origin": "ebpf",
                "kernel_version": uname.release().to_string_lossy(),
                "distribution": agent.get("distribution").filter(|name| name.is_string()),
            },
            "title": "",
            "hostname": uname.nodename().to_string_lossy(),
            "ddtags": format!("rule_id:{id},type:{},team:blue,env:test", self.event),
            "evt": {
                "name": self.event,
                "category": self.category(),
                "outcome": "Success",
                "matched_rules": [{ "id": id, "policy_name": "test.policy", "policy_version": "1.0.0" }],
                "matched_on": matched,
                "rule_context": { "expression": expression, "matching_subexprs": matched },
            },
            "usr": {
                "id": self.process.members.get("user"),
                "group": self.process.members.get("group"),
            },
            "cgroup": self.process.members.get("cgroup"),
        });
        if let (true, Some(evt)) = (value.is_empty(), expected.get_mut("evt").and_then(Value::as_object_mut))
        {
            evt.retain(|name, _| name != "matched_on" && name != "rule_context");
        }
        if let Value::Object(expected) = &mut expected {
            for (name, value) in &self.members {
                expected.insert((*name).to_owned(), value.clone());
            }
        }
        expected
    }

    /// Takes the times of a process out of it and checks them. Gives when it executed its program.
    fn check_times(&self, process: &mut Map<String, Value>, truth: &Truth, date: u64) -> Result<u64> {
        let pid = process.get("pid").cloned().unwrap_or_default();
        let fork = take(process, "fork_time")?.with_context(|| format!("fork_time of {pid}"))?;
        check_start(fork, truth.start_ticks).with_context(|| format!("fork_time of {pid}"))?;
        let exec = take(process, "exec_time")?.with_context(|| format!("exec_time of {pid}"))?;
        let is_forked = truth.members.contains_key("is_thread");
        let is_between = if is_forked { exec < fork } else { exec >= fork };
        ensure!(is_between && exec <= date, "exec_time of {pid}: {exec}; forked: {fork}; now: {date}");
        Ok(exec)
    }
}

/// Entries of processes that ran before the agent did: each is the parent of the one before it.
fn check_beyond(beyond: &[Value]) -> Result<()> {
    for pair in beyond.windows(2) {
        let [child, parent] = pair else { continue };
        let same = child.get("pid") == parent.get("pid");
        ensure!(same || child.get("ppid") == parent.get("pid"), "{child} is no child of {parent}");
    }
    let last = beyond.last().context("ancestors beyond the test's own")?;
    ensure!(last.get("ppid").is_none() || last.get("pid") == Some(&json!(1)), "the last ancestor is {last}");
    Ok(())
}

fn same_image(one: &Truth, other: &Truth) -> bool {
    ["executable", "args", "argv0", "envs"]
        .iter()
        .all(|name| one.members.get(*name) == other.members.get(*name))
        && one.members.contains_key("is_thread")
}

fn take_object(map: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>> {
    match map.remove(name) {
        Some(Value::Object(object)) => Ok(object),
        other => anyhow::bail!("{name} is {other:?}"),
    }
}

/// Appends what differs, by path. Lists of capabilities have no order.
fn compare(path: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(one), Value::Object(other)) => {
            let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let null = Value::Null;
                let (one, other) = (one.get(name).unwrap_or(&null), other.get(name).unwrap_or(&null));
                compare(&format!("{path}.{name}"), one, other, differences);
            }
        }
        (Value::Array(one), Value::Array(other)) if path.contains(".cap_") => {
            let sorted = |list: &[Value]| {
                let mut names: Vec<String> = list.iter().map(Value::to_string).collect();
                names.sort();
                names
            };
            if sorted(one) != sorted(other) {
                differences.push(format!("{path}: expected {expected}, found {found}"));
            }
        }
        _ if expected != found => differences.push(format!("{path}: expected {expected}, found {found}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_too_much_or_too_few_is_a_difference() {
        let mut differences = Vec::new();
        let expected = json!({ "a": 1, "b": { "c": [1] }, "d": 2, "e": { "cap_x": ["B", "A"] } });
        let found = json!({ "a": 1, "b": { "c": [2] }, "f": 2, "e": { "cap_x": ["A", "B"] } });
        compare("", &expected, &found, &mut differences);
        let expected =
            [".b.c: expected [1], found [2]", ".d: expected 2, found null", ".f: expected null, found 2"];
        assert_eq!(differences, expected);
    }
}
