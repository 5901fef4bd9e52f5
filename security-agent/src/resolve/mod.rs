//! What the kernel does not say outright: names for ids, containers for control groups.

pub mod container_id;
pub mod container_tags;
pub mod kubelet;
pub mod users;
