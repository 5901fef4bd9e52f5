//! The entry point of the container image.
//!
//! An image has one entry point and the agent has two processes. This one starts both, starts one again that crashed, stops
//! both in order when the container is stopped, and says which mounts and capabilities the container lacks. On a host,
//! systemd does all of that.
//!
//! It is a program of its own, and not a shell script or a general supervisor, because the image then needs no shell, the
//! order of stopping keeps the last events, and what it does is tested.
#![forbid(unsafe_code)]

pub mod preflight;
pub mod restart;
pub mod run;
