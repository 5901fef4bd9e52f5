//! Builds records in user space, in the layout that the BPF programs use.

use zerocopy::Immutable;
use zerocopy::IntoBytes;

use super::Kind;
use super::layout;
use super::layout::record_header;
use super::layout::span;
use super::layout::task_context;

/// Builds one record: tail data first (each call gives the span to put in the body), then [`finish`].
///
/// [`finish`]: RecordBuilder::finish
#[derive(Debug)]
pub struct RecordBuilder {
    kind: Kind,
    tail: Vec<u8>,
    tail_offset: usize,
    errors: u32,
}

impl RecordBuilder {
    /// An empty record of this kind.
    pub fn new(kind: Kind) -> Self {
        let tail_offset = size_of::<record_header>() + size_of::<task_context>() + kind.body_size();
        Self { kind, tail: Vec::new(), tail_offset, errors: 0 }
    }

    /// Adds variable data. What does not fit in a record any more is left out, and `ERROR_NO_SPACE` set.
    #[must_use]
    pub fn push(&mut self, data: &[u8]) -> span {
        let offset = self.tail_offset + self.tail.len();
        let limit = layout::RECORD_SIZE_MAX as usize - 8;
        let fits = offset + data.len() <= limit;
        match (u16::try_from(offset), u16::try_from(data.len())) {
            (Ok(offset), Ok(length)) if fits => {
                self.tail.extend_from_slice(data);
                span { offset, length }
            }
            _ => {
                self.errors |= layout::ERROR_NO_SPACE;
                span::default()
            }
        }
    }

    /// The record's bytes. `header.size` and `header.kind` are filled in here; a body shorter than its kind's
    /// is padded with zeros, a longer one cut.
    pub fn finish<T: IntoBytes + Immutable>(
        self,
        header: record_header,
        context: &task_context,
        body: &T,
    ) -> Vec<u8> {
        let size = (self.tail_offset + self.tail.len()).next_multiple_of(8);
        let header = record_header {
            size: u32::try_from(size).unwrap_or(layout::RECORD_SIZE_MAX),
            kind: u16::try_from(self.kind.number()).unwrap_or_default(),
            errors: header.errors | self.errors,
            ..header
        };
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(context.as_bytes());
        bytes.extend_from_slice(body.as_bytes());
        bytes.resize(self.tail_offset, 0);
        bytes.extend_from_slice(&self.tail);
        bytes.resize(size, 0);
        bytes
    }
}
