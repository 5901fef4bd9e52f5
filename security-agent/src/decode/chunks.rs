//! Long arguments and environments travel in pieces ahead of their exec record; here they become whole again.
//!
//! The pieces of one exec follow each other in order, with records of other tasks between. What waits is bounded in
//! number and size: an exec that fails after its pieces were sent leaves them behind, and so does one whose record was
//! lost.

use std::collections::VecDeque;

use proto::wire::Record;
use proto::wire::layout::{ARGS_SIZE_MAX, CHUNK_ARGS, CHUNK_ENVS, ENVS_SIZE_MAX, exec_chunk_body};

use super::{Data, ProcessKey};

/// Execs that can be under way at once: one per processor, and room for those that failed.
const MAX_WAITING: usize = 64;
/// Bytes of all that waits. One exec can have 320 KiB.
const MAX_BYTES: usize = 4 << 20;

/// The pieces of one kind, put together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Assembled {
    /// The bytes up to the first gap.
    pub bytes: Vec<u8>,
    /// A piece is missing: `bytes` is not all that was sent.
    pub incomplete: bool,
}

impl Assembled {
    /// Appends a piece that starts at `offset` of the whole. Nothing counts after a gap.
    fn add(&mut self, offset: u32, piece: Data<'_>, limit: u32) -> usize {
        if offset == 0 {
            // The same process tries another exec after one that failed.
            *self = Self::default();
        }
        let in_place = usize::try_from(offset).is_ok_and(|offset| offset == self.bytes.len());
        let bytes = piece.bytes();
        let fits = usize::try_from(limit).is_ok_and(|limit| self.bytes.len() + bytes.len() <= limit);
        if self.incomplete || !in_place || !fits || piece == Data::Damaged {
            self.incomplete = true;
            return 0;
        }
        self.bytes.extend_from_slice(bytes);
        bytes.len()
    }
}

/// The pieces of one exec.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ExecChunks {
    /// Arguments.
    pub args: Assembled,
    /// Environment.
    pub envs: Assembled,
}

impl ExecChunks {
    fn size(&self) -> usize {
        self.args.bytes.len() + self.envs.bytes.len()
    }
}

/// Pieces whose exec record has not come yet, oldest first.
#[derive(Debug, Default)]
pub struct Chunks {
    waiting: VecDeque<(ProcessKey, ExecChunks)>,
    bytes: usize,
    dropped: u64,
}

impl Chunks {
    /// Takes a piece in.
    pub fn add(&mut self, key: ProcessKey, record: &Record<'_>) {
        let body: exec_chunk_body = record.body();
        let index = self.waiting.iter().position(|(waiting, _)| *waiting == key);
        let index = index.unwrap_or_else(|| {
            self.waiting.push_back((key, ExecChunks::default()));
            self.waiting.len() - 1
        });
        let Some((_, chunks)) = self.waiting.get_mut(index) else { return };
        let before = chunks.size();
        let piece = Data::of(record, body.data);
        match body.what {
            CHUNK_ARGS => chunks.args.add(body.offset, piece, ARGS_SIZE_MAX),
            CHUNK_ENVS => chunks.envs.add(body.offset, piece, ENVS_SIZE_MAX),
            _ => 0,
        };
        self.bytes = self.bytes - before + chunks.size();
        while self.waiting.len() > MAX_WAITING || self.bytes > MAX_BYTES {
            let Some((_, oldest)) = self.waiting.pop_front() else { break };
            self.bytes -= oldest.size();
            self.dropped += 1;
        }
    }

    /// Hands out what came for an exec of this process.
    pub fn take(&mut self, key: ProcessKey) -> Option<ExecChunks> {
        let index = self.waiting.iter().position(|(waiting, _)| *waiting == key)?;
        let (_, chunks) = self.waiting.remove(index)?;
        self.bytes -= chunks.size();
        Some(chunks)
    }

    /// The process has ended without an exec.
    pub fn forget(&mut self, key: ProcessKey) {
        self.take(key);
    }

    /// How many execs lost their pieces because too many were waiting.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use proto::wire::layout::{record_header, task_context};
    use proto::wire::{Kind, RecordBuilder};

    use super::*;

    fn chunk(what: u32, offset: u32, data: &[u8]) -> Vec<u8> {
        let mut builder = RecordBuilder::new(Kind::ExecChunk);
        let data = builder.push(data);
        let body = exec_chunk_body { what, offset, data, _pad: 0 };
        builder.finish(record_header::default(), &task_context::default(), &body)
    }

    fn key(pid: u32) -> ProcessKey {
        ProcessKey { pid, start_time_ns: 1 }
    }

    fn add(chunks: &mut Chunks, pid: u32, what: u32, offset: u32, data: &[u8]) {
        chunks.add(key(pid), &Record::parse(&chunk(what, offset, data)).unwrap());
    }

    #[test]
    fn interleaved_pieces_come_together() {
        let mut chunks = Chunks::default();
        add(&mut chunks, 1, CHUNK_ARGS, 0, b"one ");
        add(&mut chunks, 2, CHUNK_ARGS, 0, b"other");
        add(&mut chunks, 1, CHUNK_ENVS, 0, b"A=1");
        add(&mut chunks, 1, CHUNK_ARGS, 4, b"two");
        let first = chunks.take(key(1)).unwrap();
        assert_eq!(
            (first.args.bytes.as_slice(), first.envs.bytes.as_slice()),
            (&b"one two"[..], &b"A=1"[..])
        );
        assert!(!first.args.incomplete && !first.envs.incomplete);
        assert_eq!(chunks.take(key(1)), None);
        assert_eq!(chunks.take(key(2)).unwrap().args.bytes, b"other");
        assert_eq!(chunks.bytes, 0);
    }

    #[test]
    fn a_missing_piece_cuts_and_is_told() {
        let mut chunks = Chunks::default();
        add(&mut chunks, 1, CHUNK_ARGS, 0, b"abc");
        add(&mut chunks, 1, CHUNK_ARGS, 6, b"ghi");
        add(&mut chunks, 1, CHUNK_ARGS, 3, b"def");
        let got = chunks.take(key(1)).unwrap().args;
        assert_eq!(got, Assembled { bytes: b"abc".to_vec(), incomplete: true });

        add(&mut chunks, 1, CHUNK_ARGS, 6, b"first piece lost");
        assert_eq!(chunks.take(key(1)).unwrap().args, Assembled { bytes: Vec::new(), incomplete: true });
    }

    #[test]
    fn another_try_replaces_what_a_failed_exec_left() {
        let mut chunks = Chunks::default();
        add(&mut chunks, 1, CHUNK_ARGS, 0, b"failed");
        add(&mut chunks, 1, CHUNK_ARGS, 0, b"new");
        assert_eq!(
            chunks.take(key(1)).unwrap().args,
            Assembled { bytes: b"new".to_vec(), incomplete: false }
        );
        assert_eq!(chunks.bytes, 0);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut chunks = Chunks::default();
        let piece = vec![b'x'; 16_384];
        for pid in 0..1_000 {
            for index in 0..32_u32 {
                add(&mut chunks, pid, CHUNK_ARGS, index * 16_384, &piece);
            }
            assert!(chunks.bytes <= MAX_BYTES && chunks.waiting.len() <= MAX_WAITING);
        }
        let last = chunks.take(key(999)).unwrap().args;
        assert!(last.incomplete, "more than the largest total");
        assert_eq!(last.bytes.len(), 262_144);
        assert!(chunks.dropped() > 900);
    }
}
