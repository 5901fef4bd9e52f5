//! BPF objects of the workload security agent and the skeleton that loads them.
