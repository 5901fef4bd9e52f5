//! What `system-probe` and `security-agent` must agree on: the gRPC service on the probe's socket, and the
//! layout of the records that travel through it. No libbpf, no `unsafe`, no I/O.

#![forbid(unsafe_code)]

pub mod filter;
pub mod labels;
mod map_names;
pub mod wire;

pub use map_names::MAP_NAMES;

/// The gRPC service and its messages, generated from `probe.proto`.
#[rustfmt::skip]
#[allow(missing_docs, clippy::all, clippy::clone_on_ref_ptr, unreachable_pub, missing_debug_implementations)]
pub mod v1 {
    include!("generated/cws.probe.v1.rs");
}
