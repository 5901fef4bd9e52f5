//! Configuration keys of both processes: one table, YAML files, environment.
//!
//! [`mod@table`] declares every key once: name, type, default, who reads it, and its documentation.
//! The typed settings of each process, the `DD_…` variables, `docs/configuration.md` and the example
//! files in `packaging/config` all derive from it.
//!
//! A process calls [`probe::load`] or [`agent::load`] once, at start, and passes plain structs on.
//! Precedence, lowest first: defaults, files in the order given, environment.
//!
//! ```
//! use settings::{Environment, probe};
//!
//! let environment = Environment::from_pairs([("DD_RUNTIME_SECURITY_CONFIG_ENABLED", "true")]);
//! let loaded = probe::load("/nonexistent/system-probe.yaml".as_ref(), &environment)?;
//! assert!(loaded.value.module.enabled);
//! assert_eq!(loaded.warnings.len(), 1, "the missing file is mentioned, and is no error");
//! # Ok::<(), settings::ConfigErrors>(())
//! ```
#![forbid(unsafe_code)]

pub mod agent;
mod diagnostics;
mod enablement;
mod endpoint;
mod environment;
mod flatten;
mod host;
mod known;
mod layers;
mod node;
mod planned;
pub mod probe;
pub mod reference;
mod secret;
mod secrets;
pub mod table;
#[cfg(test)]
mod use_of_keys;
mod value;
mod yaml;

pub use crate::agent::AgentSettings;
pub use crate::diagnostics::{ConfigError, ConfigErrors, Location, Severity, Warning};
pub use crate::enablement::Enablement;
pub use crate::endpoint::{Endpoint, TlsVersion};
pub use crate::environment::Environment;
pub use crate::host::HostPaths;
pub use crate::layers::{Loaded, Source};
pub use crate::probe::ProbeSettings;
pub use crate::secret::{ProxyUrl, Secret};
pub use crate::secrets::Handles;
pub use crate::value::{AddressRanges, Bytes, LogLevel, Ports};
