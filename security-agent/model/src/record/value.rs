//! Values as they are read from records: borrowed, so that reading costs no allocation.

use std::net::IpAddr;

use crate::environment::ShownWithValue;
use crate::file::File;
use crate::text::TextList;

/// A value read from a record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    /// The record is not there (a process without container has no `container.id`): the zero of whatever kind.
    Absent,
    /// An integer.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// A byte string.
    Str(&'a [u8]),
    /// The path of a file.
    Path(&'a File),
    /// The name of a file.
    Name(&'a File),
    /// An address, if there is one.
    Ip(Option<IpAddr>),
    /// Integers.
    Ints(&'a [i64]),
    /// Byte strings.
    Strs(Strs<'a>),
}

/// Byte strings read from a record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Strs<'a> {
    /// The elements from an index on.
    From(&'a TextList, usize),
    /// Environment variables without their values.
    EnvNames(&'a TextList, &'a ShownWithValue),
}

impl<'a> Strs<'a> {
    /// Whether `test` holds for an element; it sees them in order until it does.
    pub(crate) fn any(self, mut test: impl FnMut(&'a [u8]) -> bool) -> bool {
        match self {
            Self::From(list, first) => list.iter_from(first).any(test),
            Self::EnvNames(list, shown) => list.iter().any(|entry| test(shown.of(entry))),
        }
    }
}
