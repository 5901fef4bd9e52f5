//! Settings of security-agent.

use std::path::{Path, PathBuf};

use crate::diagnostics::ConfigErrors;
use crate::environment::Environment;
use crate::known::process;
use crate::layers::{Layers, Loaded, Missing};
use crate::probe;
use crate::secrets;
use crate::table::{
    Addresses, AgentLog, Host, Intake, KernelFilters, Kubernetes, Link, Metrics, Module, Network, Outputs,
    Periods, Policies, Privileges, ProcessTree, Proxies, SecretBackend, SelfTest, Signals,
};

/// The files that security-agent reads when the command line names none.
pub const DEFAULT_FILES: [&str; 2] =
    ["/etc/datadog-agent/datadog.yaml", "/etc/datadog-agent/security-agent.yaml"];

/// Names of the files in a directory given by `-c`, weakest first.
const FILE_NAMES: [&str; 2] = ["datadog.yaml", "security-agent.yaml"];

process! {
    /// Everything that security-agent can be told.
    AgentSettings, "security-agent";
    /// What runs at all.
    module: Module;
    /// The socket to the probe, and whom to run as.
    link: Link;
    /// What it may do, and its own command line.
    privileges: Privileges;
    /// How it logs.
    log: AgentLog;
    /// Who it reports as.
    host: Host;
    /// Where the rules are.
    policies: Policies;
    /// Whether the kernel filters for them.
    kernel_filters: KernelFilters;
    /// Whether packets are watched.
    network: Network;
    /// What is told now and then.
    periods: Periods;
    /// What is known of addresses.
    addresses: Addresses;
    /// How much is remembered about processes.
    process_tree: ProcessTree;
    /// What signals hold and how many there may be.
    signals: Signals;
    /// Where signals go.
    outputs: Outputs;
    /// How signals get to the intake.
    intake: Intake;
    /// Proxies on that way.
    proxies: Proxies;
    /// What operators can watch.
    metrics: Metrics;
    /// The test at the start.
    self_test: SelfTest;
    /// Who tells about pods.
    kubernetes: Kubernetes;
    /// Who knows secrets.
    secrets: SecretBackend;
}

/// Asks for the secrets that the settings name by a handle, with the rights that this process has now.
///
/// # Errors
/// Every key whose secret can't be had.
pub fn resolve(loaded: &mut Loaded<AgentSettings>) -> Result<(), ConfigErrors> {
    let backend = loaded.value.secrets.clone();
    secrets::resolve(loaded, &backend)
}

/// Reads `files` in order, the later being stronger, then the environment. A directory stands for the
/// `datadog.yaml` and the `security-agent.yaml` in it.
///
/// If `files` is empty, [`DEFAULT_FILES`] are read. Before them, the `system-probe.yaml` beside the first file
/// is asked for the keys that the reference reads in system-probe and we read here, if it is there and
/// readable: `docs/configuration.md` marks them.
///
/// # Errors
/// Everything that is wrong, at once; also if not one of the files can be read.
pub fn load(files: &[PathBuf], environment: &Environment) -> Result<Loaded<AgentSettings>, ConfigErrors> {
    let defaults = DEFAULT_FILES.map(PathBuf::from);
    let files = if files.is_empty() { &defaults } else { files };
    let files: Vec<PathBuf> = files.iter().flat_map(|file| files_of(file)).collect();
    let mut layers = Layers::<AgentSettings>::new();
    if let Some(directory) = files.first().and_then(|file| file.parent()) {
        let beside = directory.join(probe::FILE_NAME);
        if !files.contains(&beside) {
            layers.file_of_the_probe(&beside);
        }
    }
    for file in &files {
        layers.file(file, Missing::OneNeeded);
    }
    layers.environment(environment);
    layers.finish()
}

fn files_of(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() { FILE_NAMES.map(|name| path.join(name)).to_vec() } else { vec![path.to_owned()] }
}
