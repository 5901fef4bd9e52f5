//! The configuration of a pair under test.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::probe::Probe;

/// An unprivileged user that every machine has. The agent under test becomes it.
pub(crate) const USER: &str = "nobody";

/// Rule that the harness itself uses to know how far the agent is: see [`crate::harness::Pair::settle`].
pub const MARK_RULE: &str = "harness_mark";
/// Name of the program that this rule matches.
pub(crate) const MARK_PROGRAM: &str = "cws-harness-mark";

/// What a test wants the pair to be started with.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    rules: String,
    policies: Vec<PathBuf>,
    probe: String,
    agent: String,
    plan: Option<String>,
}

impl Setup {
    /// No rules but that of the harness.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule.
    #[must_use]
    pub fn rule(mut self, id: &str, expression: &str) -> Self {
        // A JSON string is a YAML scalar, whatever the expression holds.
        let expression = serde_json::Value::from(expression);
        self.rules.push_str(&format!("  - id: {id}\n    expression: {expression}\n"));
        self
    }

    /// Adds a policy file.
    #[must_use]
    pub fn policy_file(mut self, path: &Path) -> Self {
        self.policies.push(path.to_owned());
        self
    }

    /// Has the programs attached to what this plan of system-probe says, whatever the environment wants.
    #[must_use]
    pub fn plan(mut self, plan: &str) -> Self {
        self.plan = Some(plan.to_owned());
        self
    }

    /// Appends a line to the configuration of system-probe.
    #[must_use]
    pub fn probe_line(mut self, line: &str) -> Self {
        self.probe.push_str(line);
        self.probe.push('\n');
        self
    }

    /// Has a system-probe that no other test has used or will use.
    #[must_use]
    pub fn own_probe(self) -> Self {
        self.probe_line("# of one test alone")
    }

    /// Appends a line to the configuration of security-agent.
    #[must_use]
    pub fn agent_line(mut self, line: &str) -> Self {
        self.agent.push_str(line);
        self.agent.push('\n');
        self
    }

    /// Starts system-probe as the test wants it.
    pub(crate) fn start_probe(&self) -> Result<Probe> {
        Probe::start(&self.probe, self.plan.as_deref())
    }

    /// Writes the files of an agent for the probe behind `socket` into a new directory.
    pub(crate) fn write(&self, socket: &Path) -> Result<Files> {
        let directory = tempfile::Builder::new().prefix("cws-test.").tempdir()?;
        // The agent's user must reach its files here.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711))?;
        let files = Files { directory };
        let (uid, gid) = ids(USER)?;

        let own = files.path("agent");
        fs::create_dir(&own)?;
        chown(&own, Some(uid), Some(gid))?;

        fs::create_dir(files.path("policies"))?;
        files.write_rules(&self.rules)?;
        for policy in &self.policies {
            let name = policy.file_name().context("a file name")?;
            fs::copy(policy, files.path("policies").join(name))
                .with_context(|| policy.display().to_string())?;
        }

        let agent = format!(
            "runtime_security_config:\n  enabled: true\n  socket: {socket}\nsecurity_agent.user: {USER}\n\
             runtime_security_config.policies.dir: {policies}\n\
             runtime_security_config.outputs.file.path: {signals}\n\
             runtime_security_config.outputs.file.max_size: 0\n\
             runtime_security_config.event_server.rate: 1000000\n\
             runtime_security_config.event_server.burst: 1000000\n\
             runtime_security_config.run_path: {run}\n\
             runtime_security_config.self_test.enabled: false\n\
             security_agent.cmd_socket: {commands}\n\
             security_agent.log_file: {log}\n\
             {more}",
            socket = socket.display(),
            policies = files.path("policies").display(),
            signals = files.signals().display(),
            run = files.path("agent").display(),
            commands = files.path("agent/command.sock").display(),
            log = files.agent_log().display(),
            more = self.agent,
        );
        fs::write(files.agent_configuration(), agent)?;

        // A program of its own name, which nothing else on the machine starts.
        let mark = files.mark_program();
        fs::copy("/bin/true", &mark).context("copy /bin/true")?;
        fs::set_permissions(&mark, fs::Permissions::from_mode(0o755))?;
        Ok(files)
    }
}

/// The directory of an agent and of what a test makes. It is removed with this value.
#[derive(Debug)]
pub(crate) struct Files {
    directory: TempDir,
}

impl Files {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn agent_configuration(&self) -> PathBuf {
        self.path("security-agent.yaml")
    }

    pub(crate) fn signals(&self) -> PathBuf {
        self.path("agent/signals.jsonl")
    }

    /// The file that security-agent logs to.
    pub(crate) fn agent_log(&self) -> PathBuf {
        self.path("agent/security-agent.log")
    }

    pub(crate) fn mark_program(&self) -> PathBuf {
        self.path(MARK_PROGRAM)
    }

    /// Replaces the rules, atomically, as an editor does.
    pub(crate) fn write_rules(&self, rules: &str) -> Result<()> {
        // By path: other pairs on this machine have such a program too, and each sees all that is started.
        let mark = self.mark_program();
        let text = format!(
            "version: 1.0.0\nrules:\n  - id: {MARK_RULE}\n    expression: exec.file.path == \"{}\"\n{rules}",
            mark.display()
        );
        let new = self.path("policies/test.policy.new");
        fs::write(&new, text)?;
        fs::rename(new, self.path("policies/test.policy")).context("put the policy in place")
    }
}

/// User and group id of the user that the agent under test becomes.
///
/// # Errors
/// If this machine has no such user.
pub fn agent_ids() -> Result<(u32, u32)> {
    ids(USER)
}

/// User and group id of a user, from the passwd file: the harness needs no more than local users.
fn ids(user: &str) -> Result<(u32, u32)> {
    let passwd = fs::read_to_string(Path::new("/etc/passwd"))?;
    let mut fields = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&user))
        .with_context(|| format!("no user {user}"))?
        .into_iter()
        .skip(2);
    let mut next = || fields.next().and_then(|field| field.parse().ok()).context("a number in /etc/passwd");
    Ok((next()?, next()?))
}
