//! The snapshot by the BPF iterator over tasks: the records are made in the kernel, by the code that makes those of
//! live events, from the same kernel objects.
//!
//! Some kernels keep a process from the iterator, such as the first one of a hardened virtual machine. It is the ancestor
//! of all others, so `/proc` is asked for whoever is missing.

use std::collections::HashSet;
use std::io;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::PathBuf;

use libbpf_rs::Iter;
use libbpf_rs::Link;
use proto::wire::Kind;
use proto::wire::Record;
use proto::wire::layout::RECORD_FLAG_SYNTHETIC;
use proto::wire::layout::RECORD_SIZE_MAX;

use super::Emit;
use super::Snapshot;
use super::arguments::emit_with_arguments;
use super::procfs::ProcessDir;
use super::procfs::ProcfsSnapshot;
use crate::clock;

/// Bytes asked for at once: the kernel buffers eight pages of an iterator's output.
const READ_SIZE: usize = 32 * 1024;

/// Reads of nothing in a row after which the iterator counts as stuck. The kernel interrupts a read that visits a
/// million tasks without output (EAGAIN).
const RETRIES_MAX: u32 = 64;

/// See the module's description.
#[derive(Debug)]
pub(crate) struct IteratorSnapshot {
    link: Link,
    proc: PathBuf,
}

impl IteratorSnapshot {
    /// `link` is that of the iterator program, `proc` the host's `/proc`.
    pub(crate) fn new(link: Link, proc: PathBuf) -> Self {
        Self { link, proc }
    }
}

impl Snapshot for IteratorSnapshot {
    fn take(&self, emit: &mut Emit<'_>) -> io::Result<()> {
        let iterator = Iter::new(&self.link).map_err(io::Error::other)?;
        // Who starts from now on is told of by live records.
        let began_ns = clock::boottime_ns();
        let mut seen = HashSet::new();
        let mut is_wanted = true;
        for_each_record(iterator, &mut |record| {
            if record.kind() != Kind::Exec || u32::from(record.header().flags) & RECORD_FLAG_SYNTHETIC == 0 {
                tracing::debug!(?record, "the task iterator gave a record that is none of its own");
                return ControlFlow::Continue(());
            }
            seen.insert(record.context().pid);
            let process = ProcessDir::open(&self.proc, record.context().pid);
            let flow = emit_with_arguments(record, process.ok().as_ref(), emit);
            is_wanted = flow.is_continue();
            flow
        })?;
        if is_wanted {
            ProcfsSnapshot::new(self.proc.clone()).take_others(&seen, began_ns, emit)?;
        }
        Ok(())
    }
}

/// Cuts what the iterator gives into records.
pub(crate) fn for_each_record(
    mut source: impl Read,
    visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; READ_SIZE];
    // A record may be cut by the end of a read: its beginning stays here.
    let mut pending: Vec<u8> = Vec::new();
    let mut retries = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(size) => pending.extend_from_slice(&buffer[..size]),
            Err(error) if is_transient(&error) && retries < RETRIES_MAX => {
                retries += 1;
                continue;
            }
            Err(error) => return Err(error),
        }
        retries = 0;
        let mut rest = pending.as_slice();
        while let Some(size) = next_size(rest)? {
            let (bytes, behind) = rest.split_at(size);
            rest = behind;
            match Record::parse(bytes) {
                Ok(record) => {
                    if visit(record).is_break() {
                        return Ok(());
                    }
                }
                Err(error) => tracing::debug!(%error, "the task iterator gave a bad record"),
            }
        }
        let consumed = pending.len() - rest.len();
        pending.drain(..consumed);
    }
    if pending.is_empty() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

/// Size of the record at the start of `bytes`, if all of it is there.
fn next_size(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some((size, _)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let size = u32::from_ne_bytes(*size);
    if size == 0 || size % 8 != 0 || size > RECORD_SIZE_MAX {
        let error = format!("the task iterator gave a record of {size} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, error));
    }
    let size = usize::try_from(size).map_err(io::Error::other)?;
    Ok((size <= bytes.len()).then_some(size))
}

#[cfg(test)]
mod tests {
    use proto::wire::RecordBuilder;
    use proto::wire::layout::exit_body;
    use proto::wire::layout::record_header;
    use proto::wire::layout::task_context;

    use super::*;

    /// Gives a few bytes at a time, and an interruption between.
    struct Slow<'a>(&'a [u8], usize, bool);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.2 = !self.2;
            if self.2 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let size = self.1.min(self.0.len()).min(buffer.len());
            buffer[..size].copy_from_slice(&self.0[..size]);
            self.0 = &self.0[size..];
            Ok(size)
        }
    }

    fn records(pids: std::ops::Range<u32>) -> Vec<u8> {
        pids.flat_map(|pid| {
            let context = task_context { pid, ..Default::default() };
            RecordBuilder::new(Kind::Exit).finish(record_header::default(), &context, &exit_body::default())
        })
        .collect()
    }

    fn pids(bytes: &[u8], step: usize) -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        for_each_record(Slow(bytes, step, false), &mut |record| {
            pids.push(record.context().pid);
            ControlFlow::Continue(())
        })?;
        Ok(pids)
    }

    #[test]
    fn records_are_found_however_the_reads_cut_them() {
        let bytes = records(0..20);
        for step in [1, 7, 160, 4096] {
            assert_eq!(pids(&bytes, step).unwrap(), (0..20).collect::<Vec<_>>(), "reads of {step} bytes");
        }
    }

    #[test]
    fn a_broken_frame_is_an_error_and_not_an_endless_loop() {
        let mut bytes = records(0..2);
        bytes[..4].copy_from_slice(&0u32.to_ne_bytes());
        assert_eq!(pids(&bytes, 64).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(pids(&records(0..2)[..200], 64).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn an_iterator_that_never_gets_on_is_given_up() {
        struct Stuck;
        impl Read for Stuck {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
        let result = for_each_record(Stuck, &mut |_| ControlFlow::Continue(()));
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn it_stops_when_nobody_wants_more() {
        let bytes = records(0..5);
        let mut seen = 0;
        for_each_record(bytes.as_slice(), &mut |_| {
            seen += 1;
            ControlFlow::Break(())
        })
        .unwrap();
        assert_eq!(seen, 1);
    }
}
