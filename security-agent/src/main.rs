//! Unprivileged half of the workload security agent: evaluates rules and reports.

fn main() {}
