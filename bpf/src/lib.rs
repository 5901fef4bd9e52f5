//! The BPF object of `system-probe` as a skeleton: [`CwsSkelBuilder`] opens it, its maps and programs are fields.
//!
//! The C sources lie in `src/*.bpf.c`, one file per family of hooks, and `include/`. `include/events.h` owns the
//! layout of the records; Rust's view of it is the crate `proto`.

#![allow(
    missing_docs,
    missing_debug_implementations,
    let_underscore_drop,
    unreachable_pub,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::clone_on_ref_ptr,
    clippy::wildcard_imports,
    reason = "nothing but generated code"
)]

include!(concat!(env!("OUT_DIR"), "/cws.skel.rs"));

/// Tiny programs that tell what this kernel can do.
pub mod facts {
    include!(concat!(env!("OUT_DIR"), "/facts.skel.rs"));
}

/// The compiled object for kernels before 5.8, from the same sources.
pub const OLD_OBJECT: &[u8] = include_bytes!(env!("OLD_OBJECT_PATH"));

/// As a file of the build, for tests that inspect it.
#[doc(hidden)]
pub const OLD_OBJECT_PATH: &str = env!("OLD_OBJECT_PATH");

/// The compiled object as a file of the build, for tests that inspect its BTF.
#[doc(hidden)]
pub const OBJECT_PATH: &str = env!("OBJECT_PATH");
