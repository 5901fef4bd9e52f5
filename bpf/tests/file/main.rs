//! File events: each form of each system call is made once with known arguments, and every field of its record is
//! compared with what the test did and with what stat says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test: may fail loudly, and hands numbers to system calls"
)]

mod attributes;
mod calls;
mod check;
#[cfg(target_arch = "x86_64")]
mod compat;
mod filter;
mod mounts;
mod names;
mod open;
mod paths;
mod pipes;
mod races;
#[path = "../records/mod.rs"]
mod records;
