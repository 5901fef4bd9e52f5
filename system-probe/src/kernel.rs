//! The kernel as the service sees it: what can be watched, and is.

use std::sync::Arc;

use proto::v1;

use crate::snapshot::Snapshot;

/// What the service asks of the kernel side. All of these may block: [`Kernel::configure`] for seconds, when it has to
/// load programs, and then all that ask about them meanwhile, but not [`Kernel::snapshot`].
pub(crate) trait Kernel: std::fmt::Debug + Send + Sync {
    /// Attaches the programs of process lifecycle and those of the kinds that were asked for. What is attached stays.
    fn attach(&self);

    /// Detaches all programs: nobody is there to tell.
    fn detach(&self);

    /// Which kinds rules need, beyond process lifecycle, and what of them; loads, attaches, detaches and filters as needed,
    /// and returns when that is done. Gives those that can't be watched, or only in part, or not filtered.
    fn configure(&self, request: &v1::ConfigureRequest) -> v1::ConfigureReply;

    /// Events that filters have dropped, by kind.
    fn filtered(&self) -> Vec<v1::KindCount>;

    /// Kinds that have a filter, with the number of its alternatives.
    fn filters(&self) -> Vec<v1::KindCount>;

    /// What was found out about this kernel.
    fn facts(&self) -> Vec<v1::Fact>;

    /// How each observation is watched.
    fn observations(&self) -> Vec<v1::Observation>;

    /// Size of the ring buffer, bytes.
    fn ring_bytes(&self) -> u64;

    /// How to find out what runs.
    fn snapshot(&self) -> Arc<dyn Snapshot>;
}
