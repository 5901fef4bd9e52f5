//! Privileged half of the workload security agent: owns the BPF programs, streams kernel events.

fn main() {}
