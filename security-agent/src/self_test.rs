//! The self-test: a file of the agent's own is opened and changed, and each of the three events must come all the way
//! through the kernel, system-probe and the rules.
//!
//! It is safe: the file is in a new directory that only this agent can use, the rules are about that file alone, silent,
//! and gone after the test. What the kernel does for it, it does for any rule.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engine::Load;
use engine::loader::PolicyFile;
use serde_json::{Map, Value as Json, json};
use tokio::sync::oneshot;

/// Name of the policy: one that no file of a directory can have.
pub const POLICY: &str = "self-test/internal";
/// The rules, which are named after what is done.
const RULES: [(&str, &str); 3] = [
    ("datadog_agent_cws_self_test_rule_open", "open.file.path"),
    ("datadog_agent_cws_self_test_rule_chmod", "chmod.file.path"),
    ("datadog_agent_cws_self_test_rule_chown", "chown.file.path"),
];

/// Removes the test's own policy from what is told about a load.
pub fn hide(load: &mut Load) {
    let is_own = |policy: &engine::ruleset::PolicyOutcome| policy.name == POLICY;
    for policy in load.policies.iter().filter(|policy| is_own(policy)) {
        load.counts.loaded = load.counts.loaded.saturating_sub(policy.rules.len());
    }
    load.policies.retain(|policy| !is_own(policy));
}

/// Why a test could not be made, or its result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rules that matched.
    pub succeeded: Vec<&'static str>,
    /// Rules that did not.
    pub failed: Vec<&'static str>,
    /// What went wrong before that.
    pub error: String,
}

impl Outcome {
    /// Whether all is well.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failed.is_empty() && self.error.is_empty()
    }

    /// For status, the command line and the event.
    #[must_use]
    pub fn members(&self) -> Map<String, Json> {
        let mut members = Map::new();
        members.insert("succeeded_tests".into(), json!(self.succeeded));
        members.insert("failed_tests".into(), json!(self.failed));
        if !self.error.is_empty() {
            members.insert("error".into(), self.error.as_str().into());
        }
        members
    }

    /// One line.
    #[must_use]
    pub fn line(&self) -> String {
        match (self.error.as_str(), self.failed.as_slice()) {
            ("", []) => "OK".to_owned(),
            ("", failed) => format!("error: no event for {}", failed.join(", ")),
            (error, _) => format!("error: {error}"),
        }
    }
}

/// A test that is being made.
#[derive(Debug)]
pub struct SelfTest {
    directory: PathBuf,
    file: PathBuf,
    timeout: Duration,
    /// When the file was first changed: the probe then knew the rules.
    begun: Option<Instant>,
    seen: BTreeSet<String>,
    /// Who waits for the result.
    pub answers: Vec<oneshot::Sender<Json>>,
}

impl SelfTest {
    /// Makes the directory, below `run_path` or else where temporary files are.
    ///
    /// # Errors
    /// If there is no place for it.
    pub fn prepare(run_path: &Path, timeout: Duration) -> io::Result<Self> {
        let name = format!("self-test-{}", std::process::id());
        let make = |parent: &Path| {
            // Links on the way would make the path another one to the kernel.
            let directory = parent.canonicalize()?.join(&name);
            // What an agent with the same number left behind when it crashed.
            let _left_behind = std::fs::remove_dir_all(&directory);
            DirBuilder::new().mode(0o700).create(&directory)?;
            Ok(directory)
        };
        let directory = make(run_path).or_else(|_: io::Error| make(&std::env::temp_dir()))?;
        Ok(Self {
            file: directory.join("file"),
            directory,
            timeout,
            begun: None,
            seen: BTreeSet::new(),
            answers: Vec::new(),
        })
    }

    /// The rules to load.
    #[must_use]
    pub fn policy(&self) -> PolicyFile {
        let path = self.file.display().to_string();
        let rules: Vec<Json> = RULES
            .iter()
            .map(|(id, field)| {
                // A JSON string is as well one of the rule language.
                json!({ "id": id, "expression": format!("{field} == {}", Json::from(path.as_str())), "silent": true })
            })
            .collect();
        PolicyFile::in_memory(POLICY, json!({ "version": "1", "rules": rules }).to_string())
    }

    /// The probe knows the rules, or has had them long enough: does what they are about. Done again until it is seen, as
    /// it may still have known the rules before.
    ///
    /// # Errors
    /// If the file cannot be changed.
    pub fn act(&mut self) -> io::Result<()> {
        self.begun.get_or_insert_with(Instant::now);
        File::options().create(true).append(true).mode(0o600).open(&self.file)?;
        std::fs::set_permissions(&self.file, Permissions::from_mode(0o777))?;
        std::fs::set_permissions(&self.file, Permissions::from_mode(0o600))?;
        // To whom it belongs already, which needs no privilege.
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        std::os::unix::fs::chown(&self.file, Some(user.as_raw()), Some(group.as_raw()))
    }

    /// Takes note that a rule matched.
    pub fn matched(&mut self, rules: impl IntoIterator<Item = String>) {
        self.seen.extend(rules);
    }

    /// The result, once there is one. Before the probe is there, there is none.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        let all_seen = RULES.iter().all(|(id, _)| self.seen.contains(*id));
        if !all_seen && self.begun?.elapsed() < self.timeout {
            return None;
        }
        let (succeeded, failed) = RULES.map(|(id, _)| id).into_iter().partition(|id| self.seen.contains(*id));
        Some(Outcome { succeeded, failed, error: String::new() })
    }
}

impl Drop for SelfTest {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            tracing::warn!(%error, directory = %self.directory.display(), "cannot remove what the self-test made");
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::loader::PolicyFiles;
    use engine::{LoadOptions, load};

    use super::*;

    fn prepared(timeout: Duration) -> (tempfile::TempDir, SelfTest) {
        let directory = tempfile::tempdir().unwrap();
        let test = SelfTest::prepare(directory.path(), timeout).unwrap();
        (directory, test)
    }

    #[test]
    fn its_policy_loads_and_does_not_show() {
        let (_directory, test) = prepared(Duration::from_secs(60));
        let files = PolicyFiles::in_memory(vec![test.policy()]);
        let mut load = load(files, &model::Fields::default(), &LoadOptions::default());
        assert_eq!(load.diagnostics, []);
        assert_eq!(load.counts.loaded, 3);
        hide(&mut load);
        assert_eq!((load.counts.loaded, load.policies.len()), (0, 0));
        assert_eq!(load.rules.rules().len(), 3);
    }

    #[test]
    fn it_is_over_when_all_is_seen_or_it_takes_too_long() {
        let (directory, mut test) = prepared(Duration::from_secs(600));
        test.act().unwrap();
        test.act().unwrap();
        test.matched(RULES[..2].iter().map(|(id, _)| (*id).to_owned()));
        assert_eq!(test.outcome(), None);
        test.matched([RULES[2].0.to_owned()]);
        assert!(test.outcome().unwrap().is_ok());
        drop(test);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left");

        let (_directory, mut test) = prepared(Duration::ZERO);
        assert_eq!(test.outcome(), None, "a probe that comes late is no failure");
        test.act().unwrap();
        test.matched([RULES[0].0.to_owned()]);
        let outcome = test.outcome().unwrap();
        assert_eq!(
            outcome.line(),
            "error: no event for datadog_agent_cws_self_test_rule_chmod, datadog_agent_cws_self_test_rule_chown"
        );
        assert_eq!(outcome.members()["succeeded_tests"], json!([RULES[0].0]));
    }

    #[test]
    fn without_a_run_directory_it_is_made_elsewhere() {
        let test = SelfTest::prepare(Path::new("/nonexistent"), Duration::ZERO).unwrap();
        assert!(test.directory.starts_with(std::env::temp_dir().canonicalize().unwrap()));
    }
}
