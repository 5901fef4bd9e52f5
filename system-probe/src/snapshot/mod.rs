//! What already runs when a subscriber comes, as records of the same format as live ones, flagged synthetic.
//!
//! When it is taken, and why no process is lost or doubled: [`crate::stream::Subscription`]'s module.

mod arguments;
mod iterator;
mod procfs;

use std::io;
use std::ops::ControlFlow;

pub(crate) use iterator::IteratorSnapshot;
pub(crate) use iterator::for_each_record;
pub(crate) use procfs::ProcfsSnapshot;

/// Receives one record after the other; Break: no more are wanted.
pub(crate) type Emit<'a> = dyn FnMut(&[u8]) -> ControlFlow<()> + 'a;

/// A way to find out what runs.
pub(crate) trait Snapshot: std::fmt::Debug + Send + Sync {
    /// Emits a record for each process that is there from start to end of the call, once. Blocks.
    ///
    /// # Errors
    ///
    /// What was emitted before stays true.
    fn take(&self, emit: &mut Emit<'_>) -> io::Result<()>;
}

/// One way, and another for the case that it fails on this kernel.
#[derive(Debug)]
pub(crate) struct WithFallback<First, Second> {
    /// The better way.
    pub(crate) first: First,
    /// The way that always works.
    pub(crate) second: Second,
}

impl<First: Snapshot, Second: Snapshot> Snapshot for WithFallback<First, Second> {
    fn take(&self, emit: &mut Emit<'_>) -> io::Result<()> {
        let Err(error) = self.first.take(emit) else { return Ok(()) };
        tracing::warn!(%error, "taking the snapshot from /proc instead");
        self.second.take(emit)
    }
}

#[cfg(test)]
mod tests;
