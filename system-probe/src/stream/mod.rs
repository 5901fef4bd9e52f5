//! From one record of the ring buffer to batches on the wire: counting, queueing, one subscriber.
//!
//! ```text
//! ring thread ── push ──▶ Queue ── next ──▶ Subscription ──▶ gRPC
//!                           │                    ▲
//!                        Losses            snapshot, first
//! ```
//!
//! The ring thread never waits for the subscriber: what does not fit is counted and dropped.

mod batch;
mod losses;
mod queue;
mod subscription;

pub(crate) use batch::BatchLimits;
pub(crate) use losses::LossReason;
pub(crate) use queue::Limits;
pub(crate) use queue::Queue;
pub(crate) use queue::Ticket;
pub(crate) use subscription::DRAIN_GRACE;
pub(crate) use subscription::Subscription;
