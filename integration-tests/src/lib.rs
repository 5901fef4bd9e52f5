//! Both real processes on a real kernel.
//!
//! A test starts a [`harness::Pair`] with the rules that it needs, lets a trigger or an ordinary program do
//! something, and compares the signals of the agent to what the trigger says that it did. The tests need
//! root, and the machine for themselves: `make test` runs them one at a time.
#![forbid(unsafe_code)]

pub mod harness;
pub mod matrix;
