//! What the agent remembers between events. All of it is a function of the stream, so that a captured stream replays to
//! the same state (ARCHITECTURE.md, invariant 6).

pub mod cgroups;
pub mod containers;
pub mod process_tree;
