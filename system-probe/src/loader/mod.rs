//! Puts the plan into the kernel: loads the planned programs when they are first needed, attaches and detaches them.
//!
//! The object is loaded once at the start, with the programs that are always needed, and again with only those that
//! a rule needs for the first time. All these instances share the maps of the first. What was loaded stays: loading
//! is what takes long, and a kind that was needed will be needed again.
//!
//! A program that the kernel refuses fails alone: it is left out, and the rest is loaded.

mod branches;
mod counters;
mod detacher;
mod flusher;
mod instance;
mod maps;
mod old_settings;
mod perf_source;
mod programs;
mod ring_source;
mod skips;
mod stages;
mod watcher;

pub(crate) use self::flusher::Flusher;
pub(crate) use self::instance::Options;
pub(crate) use self::instance::PacketOptions;
pub(crate) use self::maps::Maps;
pub(crate) use self::programs::Programs;
pub(crate) use self::ring_source::source;
pub(crate) use self::watcher::Watcher;
