//! From the records of the stream to the terms of the model.
//!
//! Records are untrusted: whatever their bytes are, decoding gives an event or counts a loss; it never panics and never
//! reads outside of the record. What a record says it could not read, and what is damaged, becomes visible in the event
//! (a truncation flag, an error beside the path) rather than lost.

mod cgroup;
mod chunks;
mod context;
mod exec;
mod file;
mod files;
mod fork;
mod kernel;
mod socket_filter;
mod sockets;

use model::environment::ShownWithValue;
use proto::wire::layout::{
    RECORD_FLAG_ASYNC, RECORD_FLAG_REMEMBERED, RECORD_FLAG_START_TICKS, RECORD_FLAG_SYNTHETIC, capset_body,
    exit_body, setgid_body, setuid_body, span,
};
use proto::wire::{Kind, Record};

pub use cgroup::CgroupAttach;
pub use chunks::Chunks;
pub use context::{CgroupKey, ProcessKey, Task};
pub use exec::Exec;
pub use fork::Fork;
pub use kernel::Activity;
pub use sockets::RawPacket;

use crate::resolve::users::Users;

/// The two clocks of a machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock {
    /// `CLOCK_REALTIME` minus `CLOCK_BOOTTIME`, nanoseconds.
    pub realtime_offset_ns: i64,
}

impl Clock {
    /// Nanoseconds since 1970 at `boottime_ns` after boot; 0 stays 0, which means unknown.
    #[must_use]
    pub fn wall(self, boottime_ns: u64) -> u64 {
        if boottime_ns == 0 { 0 } else { boottime_ns.saturating_add_signed(self.realtime_offset_ns) }
    }
}

/// An event as the kernel told it, before the process tree has added what it knows.
#[derive(Debug)]
pub struct Decoded<'r> {
    /// When it happened, nanoseconds since boot.
    pub time_ns: u64,
    /// It comes from a snapshot of what already ran.
    pub synthetic: bool,
    /// Its start times are cut to multiples of `START_TICK_NS`.
    pub start_is_cut: bool,
    /// It was submitted through `io_uring`.
    pub asynchronous: bool,
    /// The task is not the one that acts, but what was remembered of it: it may have changed, or ended, since.
    pub remembered: bool,
    /// `ERROR_*`: parts of the record that the kernel side could not read.
    pub errors: u32,
    /// Who did it.
    pub task: Task,
    /// What happened.
    pub payload: Payload<'r>,
}

/// What happened.
#[derive(Debug)]
pub enum Payload<'r> {
    /// A new process; the task is the new one.
    Fork(Fork<'r>),
    /// A new program.
    Exec(Box<Exec<'r>>),
    /// The last thread of a process ended.
    Exit(exit_body),
    /// The user ids of a task changed.
    Setuid(setuid_body),
    /// The group ids of a task changed.
    Setgid(setgid_body),
    /// The capabilities of a task changed.
    Capset(capset_body),
    /// A task moved to another control group.
    CgroupAttach(CgroupAttach<'r>),
    /// Something happened to a file.
    File(Box<model::Payload>),
    /// Something happened to a socket.
    Socket(Box<model::Payload>),
    /// A packet.
    Packet(RawPacket<'r>),
    /// Kernel activity.
    Kernel(Box<Activity>),
}

/// Decodes records one after the other; remembers the pieces of arguments that precede an exec.
#[derive(Debug, Default)]
pub struct Decoder {
    chunks: Chunks,
    shown_envs: ShownWithValue,
}

impl Decoder {
    /// A decoder of programs that show these environment variables with their values.
    #[must_use]
    pub fn new(shown_envs: ShownWithValue) -> Self {
        Self { chunks: Chunks::default(), shown_envs }
    }

    /// Decodes one record. A piece of arguments gives no event of its own.
    pub fn decode<'r>(&mut self, record: &Record<'r>, users: &Users) -> Option<Decoded<'r>> {
        let header = record.header();
        let errors = header.errors;
        let task = Task::new(&record.context());
        let payload = match record.kind() {
            Kind::ExecChunk => {
                self.chunks.add(task.key(), record);
                return None;
            }
            Kind::Fork => Payload::Fork(fork::fork(record)),
            Kind::Exec => {
                let body = record.body();
                let chunks = self.chunks.take(task.key());
                Payload::Exec(Box::new(exec::exec(record, &body, chunks, users, &self.shown_envs)))
            }
            Kind::Exit => {
                self.chunks.forget(task.key());
                Payload::Exit(record.body())
            }
            Kind::Setuid => Payload::Setuid(record.body()),
            Kind::Setgid => Payload::Setgid(record.body()),
            Kind::Capset => Payload::Capset(record.body()),
            Kind::CgroupAttach => Payload::CgroupAttach(cgroup::cgroup_attach(record)),
            Kind::Bind | Kind::Connect | Kind::Accept | Kind::Setsockopt | Kind::Flows => {
                Payload::Socket(Box::new(sockets::payload(record)?))
            }
            Kind::Dns | Kind::Imds | Kind::Packet => Payload::Packet(sockets::packet(record)?),
            _ => match kernel::activity(record, users) {
                Some(activity) => Payload::Kernel(Box::new(activity)),
                None => Payload::File(Box::new(files::payload(record, users)?)),
            },
        };
        let flag = |bit: u32| u32::from(header.flags) & bit != 0;
        Some(Decoded {
            time_ns: header.time_ns,
            synthetic: flag(RECORD_FLAG_SYNTHETIC),
            start_is_cut: flag(RECORD_FLAG_START_TICKS),
            asynchronous: flag(RECORD_FLAG_ASYNC),
            remembered: flag(RECORD_FLAG_REMEMBERED),
            errors,
            task,
            payload,
        })
    }

    /// Forgets what belongs to a stream that ended.
    pub fn reset(&mut self) {
        self.chunks = Chunks::default();
    }

    /// Pieces of arguments that were dropped because no exec came for them in time.
    #[must_use]
    pub fn dropped_chunks(&self) -> u64 {
        self.chunks.dropped()
    }
}

/// Variable data of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data<'r> {
    /// What the span names; empty if there was nothing.
    Whole(&'r [u8]),
    /// The span does not lie within the record.
    Damaged,
}

impl<'r> Data<'r> {
    fn of(record: &Record<'r>, span: span) -> Self {
        let bytes = record.span(span);
        if bytes.is_empty() && span.length > 0 { Self::Damaged } else { Self::Whole(bytes) }
    }

    fn bytes(self) -> &'r [u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Damaged => &[],
        }
    }
}

/// What stands before the first NUL of a fixed-size field.
fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
