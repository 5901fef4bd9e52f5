//! Settings of system-probe.

use std::path::{Path, PathBuf};

use crate::diagnostics::ConfigErrors;
use crate::environment::Environment;
use crate::known::process;
use crate::layers::{Layers, Loaded, Missing};
use crate::secrets;
use crate::table::{
    Containers, EventStream, Link, Module, Network, Packets, Periods, ProbeLog, SecretBackend,
};

/// Where system-probe's file is when the command line does not say.
pub const DEFAULT_FILE: &str = "/etc/datadog-agent/system-probe.yaml";

/// Name of the file in a directory given by `--config`.
pub(crate) const FILE_NAME: &str = "system-probe.yaml";

process! {
    /// Everything that system-probe can be told.
    ProbeSettings, "system-probe";
    /// What runs at all.
    module: Module;
    /// The socket to the agent, and who may connect.
    link: Link;
    /// How it logs.
    log: ProbeLog;
    /// How events are collected and sent.
    event_stream: EventStream;
    /// Whether packets are watched.
    network: Network;
    /// Which.
    packets: Packets;
    /// What is told now and then.
    periods: Periods;
    /// Where names of containers come from.
    containers: Containers;
    /// Who knows secrets.
    secrets: SecretBackend;
}

/// Asks for the secrets that the settings name by a handle, with the rights that this process has now.
///
/// # Errors
/// Every key whose secret can't be had.
pub fn resolve(loaded: &mut Loaded<ProbeSettings>) -> Result<(), ConfigErrors> {
    let backend = loaded.value.secrets.clone();
    secrets::resolve(loaded, &backend)
}

/// Reads `config`, a file or a directory that holds `system-probe.yaml`, and the environment.
///
/// A missing file is no error, only a warning: the defaults and the environment then decide.
///
/// # Errors
/// Everything that is wrong, at once: see [`crate::ConfigError`].
pub fn load(config: &Path, environment: &Environment) -> Result<Loaded<ProbeSettings>, ConfigErrors> {
    let mut layers = Layers::<ProbeSettings>::new();
    layers.file(&file_of(config), Missing::Warned);
    layers.environment(environment);
    layers.finish()
}

/// The file that `--config=…` means.
fn file_of(config: &Path) -> PathBuf {
    if config.is_dir() { config.join(FILE_NAME) } else { config.to_owned() }
}
