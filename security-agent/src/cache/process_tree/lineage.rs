//! Chains of ancestors, and how they stay short.
//!
//! A process that executes itself for ever, or forks and ends for ever, would grow a chain without end. When a chain
//! exceeds its limit its middle is taken out: the nearest ancestors say what is going on, the farthest where it came
//! from. Half of the limit becomes free each time, so the cost is small and constant on average.

use std::sync::Arc;

use model::{Lineage, Process};

use super::{Counters, Entry, ProcessTree};
use crate::decode::ProcessKey;

/// What is above a new snapshot.
#[derive(Debug, Default)]
pub(super) struct Above {
    pub(super) lineage: Lineage,
    /// Number of ancestors.
    pub(super) depth: usize,
}

impl Above {
    /// The chain that begins with `nearest`, which itself has `depth` ancestors.
    pub(super) fn new(nearest: &Arc<Process>, depth: usize, limit: usize, counters: &mut Counters) -> Self {
        let limit = limit.max(1);
        if depth < limit {
            return Self { lineage: Lineage::new(Some(Arc::clone(nearest))), depth: depth + 1 };
        }
        counters.shortened_lineages += 1;
        shorten(nearest, (limit / 2).max(1), limit / 4)
    }
}

/// The `near` first and the `far` last entries of the chain that begins with `nearest`.
fn shorten(nearest: &Arc<Process>, near: usize, far: usize) -> Above {
    let chain: Vec<&Arc<Process>> = std::iter::once(nearest).chain(nearest.ancestors()).collect();
    if chain.len() <= near + far {
        return Above { lineage: Lineage::new(Some(Arc::clone(nearest))), depth: chain.len() };
    }
    let tail = chain.len().checked_sub(far).and_then(|at| chain.get(at)).map(|process| Arc::clone(process));
    let mut lineage = Lineage::new(tail);
    for process in chain.iter().take(near).rev() {
        lineage = Lineage::new(Some(Arc::new(Process { lineage, ..Process::clone(process) })));
    }
    Above { lineage, depth: near + far }
}

impl ProcessTree {
    /// The chain above a process whose parent is only known by its identity.
    pub(super) fn above_child_of(&mut self, parent: ProcessKey) -> Above {
        match self.entries.get(&parent.pid).filter(|entry| entry.is(parent)) {
            Some(Entry { process, depth, .. }) => {
                Above::new(process, *depth, self.limits.ancestors, &mut self.counters)
            }
            None => Above::default(),
        }
    }
}
