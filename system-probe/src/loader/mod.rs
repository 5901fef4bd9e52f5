//! Puts the plan into the kernel: loads the object with the planned programs, attaches and detaches them.
//!
//! A program that the kernel refuses fails alone: it is left out, and the rest is loaded.

mod object;
mod ring_source;
mod watcher;

pub(crate) use self::object::Loaded;
pub(crate) use self::object::Options;
pub(crate) use self::ring_source::RingSource;
pub(crate) use self::watcher::Watcher;
