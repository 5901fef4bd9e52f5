//! Events of files, from the system call to the signal: each form of each call is made once with known arguments, and
//! everything that the signal says is compared to what was given and to what the kernel says of the file.

mod attributes;
mod compat;
mod fields;
mod kinds;
mod missed_returns;
mod mount_trees;
mod mounts;
mod name_races;
mod names;
mod open;
mod overlay;
mod paths;
mod policy;
mod races;
mod refused;
mod resolution;
mod rings;
mod watch;
