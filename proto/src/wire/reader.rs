//! Reads records from bytes. Input is untrusted: every offset is checked, nothing panics, and a record that
//! fails a check is skipped by its size where that can still be believed.

use zerocopy::FromBytes;
use zerocopy::Immutable;
use zerocopy::KnownLayout;

use super::Kind;
use super::layout;
use super::layout::record_header;
use super::layout::span;
use super::layout::task_context;

const HEADER_SIZE: usize = size_of::<record_header>();
const BODY_OFFSET: usize = HEADER_SIZE + size_of::<task_context>();

/// Why some bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// Fewer bytes are left than a header has.
    #[error("{0} bytes are too few for a record header")]
    Short(usize),
    /// `record_header.size` is impossible, so where the next record starts is unknown.
    #[error("record claims {size} bytes, {available} are there")]
    Size {
        /// What the header says.
        size: u32,
        /// What is there.
        available: usize,
    },
    /// A kind that this version does not know.
    #[error("unknown record kind {0}")]
    Kind(u16),
    /// Too small for the body of its kind.
    #[error("record of kind {kind:?} has {size} bytes, at least {needed} are needed")]
    Body {
        /// Its kind.
        kind: Kind,
        /// What it has.
        size: usize,
        /// What its body needs.
        needed: usize,
    },
}

/// One record. The bytes are those of the whole record, and hold at least the fixed part of its kind.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    bytes: &'a [u8],
    kind: Kind,
}

impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("kind", &self.kind).field("size", &self.bytes.len()).finish()
    }
}

impl<'a> Record<'a> {
    /// The record at the start of `bytes`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BadRecord> {
        let size = framed_size(bytes)?;
        Self::check(&bytes[..size])
    }

    fn check(bytes: &'a [u8]) -> Result<Self, BadRecord> {
        let Ok((header, _)) = record_header::read_from_prefix(bytes) else {
            return Err(BadRecord::Short(bytes.len()));
        };
        let kind = Kind::from_number(u32::from(header.kind)).ok_or(BadRecord::Kind(header.kind))?;
        let needed = BODY_OFFSET + kind.body_size();
        if bytes.len() < needed {
            return Err(BadRecord::Body { kind, size: bytes.len(), needed });
        }
        Ok(Self { bytes, kind })
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// All its bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its header.
    pub fn header(&self) -> record_header {
        self.read_at(0)
    }

    /// Who did it.
    pub fn context(&self) -> task_context {
        self.read_at(HEADER_SIZE)
    }

    /// The fixed part of its kind. Which structure belongs to which kind: [`Kind::body_size`]'s table; asking
    /// for one that does not fit gives zeros, never a panic.
    pub fn body<T: FromBytes + KnownLayout + Immutable>(&self) -> T {
        self.read_at(BODY_OFFSET)
    }

    /// The bytes that a span names; empty if it reaches out of the record or into its fixed part.
    pub fn span(&self, span: span) -> &'a [u8] {
        let start = usize::from(span.offset);
        let end = start + usize::from(span.length);
        if start < BODY_OFFSET { &[] } else { self.bytes.get(start..end).unwrap_or(&[]) }
    }

    fn read_at<T: FromBytes>(&self, offset: usize) -> T {
        self.bytes
            .get(offset..)
            .and_then(|bytes| T::read_from_prefix(bytes).ok())
            .map_or_else(T::new_zeroed, |(value, _)| value)
    }
}

/// Size of the record at the start of `bytes`, if its frame can be believed.
fn framed_size(bytes: &[u8]) -> Result<usize, BadRecord> {
    let Ok((header, _)) = record_header::read_from_prefix(bytes) else {
        return Err(BadRecord::Short(bytes.len()));
    };
    let bad = BadRecord::Size { size: header.size, available: bytes.len() };
    let size = usize::try_from(header.size).map_err(|_| bad)?;
    if size < HEADER_SIZE || size % 8 != 0 || size > bytes.len() || header.size > layout::RECORD_SIZE_MAX {
        return Err(bad);
    }
    Ok(size)
}

/// The records of a batch, one after the other. A bad one is an `Err`; iteration goes on behind it unless its
/// frame is broken, which ends it.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// Over the records that stand back to back in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BadRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match framed_size(self.rest) {
            Ok(size) => {
                let (bytes, rest) = self.rest.split_at(size);
                self.rest = rest;
                Some(Record::check(bytes))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}
