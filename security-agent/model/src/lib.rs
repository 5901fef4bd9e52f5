//! The event model: what rules, reports and documentation know about events, declared once.
//!
//! A record ([`Process`], [`File`], each [`payload`]) is a struct whose declaration names the fields that rules read from
//! it (`record.rs`). `layout.rs` puts the records under the prefixes of rules: `process`, `process.ancestors`, `exec` and
//! `ptrace.tracee` are the same [`Process`]. Everything else walks that one table:
//!
//! - [`Fields`] gives names, types and constants to the rule compiler ([`secl::Schema`]);
//! - [`Event`] and [`FlatEvent`] give values to compiled rules ([`secl::Event`]);
//! - `docs/fields.md` is generated from it.
#![forbid(unsafe_code)]

mod arguments;
mod case;
pub mod constants;
mod container;
#[cfg(test)]
mod docs;
pub mod environment;
mod event;
mod file;
mod flat;
#[cfg(test)]
mod generated;
mod layout;
pub mod legacy;
mod network;
pub mod payload;
mod process;
mod read;
mod record;
pub mod report;
mod schema;
#[cfg(test)]
mod shared_data;
mod text;

pub use arguments::Arguments;
pub use case::{Case, CaseError};
pub use container::{Cgroup, Container, ContainerCreation, ContainerMetadata, UserSession};
pub use event::{Category, Context, Event, EventKind, Payload};
pub use file::{File, FileMetadata, Package, RIGHTS_MASK, base_name};
pub use flat::{FlatEvent, FlatEventError, FlatVariables, FlatVariablesError};
pub use network::{Device, Endpoint, Flow, HostNames, Packet, PrivateRanges, SocketAddress, Tls, Traffic};
pub use process::{Ancestors, Credentials, Image, Lineage, Namespaces, Process, ProcessSource};
pub use record::{Leaf, Part};
pub use schema::{FieldInfo, Fields, field, field_by_id, fields};
pub use text::{Text, TextList, lossy};
