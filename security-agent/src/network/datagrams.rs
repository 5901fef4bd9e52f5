//! Datagrams that the kernel handles in one piece: sent with one call (`UDP_SEGMENT`), or put together on arrival.
//!
//! They have one header, and all but the last have the same size.

use std::iter;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Datagram<'p> {
    /// Its content, as far as it was copied.
    pub(super) bytes: &'p [u8],
    /// Bytes of the content before any cut.
    pub(super) length: u32,
}

impl Datagram<'_> {
    /// Not all of it was copied.
    pub(super) fn is_cut(self) -> bool {
        (self.bytes.len() as u64) < u64::from(self.length)
    }
}

/// The datagrams in a content of `length` bytes, of which `bytes` were copied: those that begin there, one at least. `size`: of each;
/// 0, or no less than there is: it is a single one.
pub(super) fn split(bytes: &[u8], length: u32, size: u16) -> impl Iterator<Item = Datagram<'_>> {
    let size = if size == 0 { length } else { u32::from(size) };
    let first = Some((bytes, length));
    iter::successors(first, move |(bytes, length)| {
        let rest = bytes.get(usize::try_from(size).ok()?..).filter(|rest| !rest.is_empty())?;
        Some((rest, length.checked_sub(size).filter(|left| *left > 0)?))
    })
    .map(move |(bytes, length)| {
        let length = length.min(size);
        let end = usize::try_from(length).unwrap_or(usize::MAX);
        Datagram { bytes: bytes.get(..end).unwrap_or(bytes), length }
    })
}

/// How many there are, those included of which nothing was copied.
pub(super) fn count(length: u32, size: u16) -> u32 {
    if size == 0 { 1 } else { length.div_ceil(size.into()).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(bytes: usize, length: u32, size: u16) -> Vec<(usize, u32)> {
        let bytes = vec![0; bytes];
        split(&bytes, length, size).map(|datagram| (datagram.bytes.len(), datagram.length)).collect()
    }

    #[test]
    fn all_but_the_last_have_one_size() {
        assert_eq!(lengths(10, 10, 4), [(4, 4), (4, 4), (2, 2)]);
        assert_eq!(lengths(8, 8, 4), [(4, 4), (4, 4)]);
        let order: Vec<&[u8]> = split(b"abcde", 5, 2).map(|datagram| datagram.bytes).collect();
        assert_eq!(order, [&b"ab"[..], b"cd", b"e"]);
        assert_eq!((count(10, 4), count(8, 4)), (3, 2));
    }

    #[test]
    fn without_a_size_or_with_a_large_one_there_is_one() {
        for size in [0, 10, 11, u16::MAX] {
            assert_eq!(lengths(10, 10, size), [(10, 10)], "{size}");
            assert_eq!(count(10, size), 1);
        }
        for size in [0, 5] {
            assert_eq!(lengths(0, 0, size), [(0, 0)], "an empty datagram is one");
            assert_eq!(count(0, size), 1);
        }
    }

    #[test]
    fn a_copy_may_end_in_any_of_them() {
        assert_eq!(lengths(6, 10, 4), [(4, 4), (2, 4)]);
        assert_eq!(lengths(4, 10, 4), [(4, 4)], "what begins behind the copy is not there");
        assert_eq!(lengths(9, 10, 4), [(4, 4), (4, 4), (1, 2)]);
        assert_eq!(lengths(0, 10, 4), [(0, 4)]);
        assert!(split(&[0; 6], 10, 4).last().unwrap().is_cut());
        assert_eq!(lengths(12, 5, 4), [(4, 4), (1, 1)], "what stands behind the end is nobody's");
    }
}
