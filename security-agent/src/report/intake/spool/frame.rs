//! How one entry lies in a file: its length, a checksum over length and content, the content.

/// Bytes before the content.
pub(super) const HEADER: usize = 8;
/// Longest content.
pub(super) const MAX_CONTENT: usize = 8 << 20;

/// What is found at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// An entry.
    Entry(&'a [u8]),
    /// As many bytes that once were an entry, as far as one can tell.
    Damaged(usize),
}

/// Appends an entry to `out`. `None`: it is too long.
pub(super) fn encode(content: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let length = u32::try_from(content.len()).ok().filter(|_| content.len() <= MAX_CONTENT)?;
    out.extend(length.to_le_bytes());
    out.extend(checksum(length, content).to_le_bytes());
    out.extend(content);
    Some(())
}

/// What `bytes` begins with. `None`: nothing is there.
///
/// An entry whose checksum is wrong is skipped by its length, if that leads to a sound entry or to the end; else nothing
/// after it can be found.
pub(super) fn decode(bytes: &[u8]) -> Option<Found<'_>> {
    if bytes.is_empty() {
        return None;
    }
    if let Some(content) = sound(bytes) {
        return Some(Found::Entry(content));
    }
    let skip = length(bytes).map(|length| HEADER + length).filter(|skip| {
        let rest = bytes.get(*skip..);
        rest.is_some_and(|rest| rest.is_empty() || sound(rest).is_some())
    });
    Some(Found::Damaged(skip.unwrap_or(bytes.len())))
}

/// Length of the content that `bytes` say they begin with.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?);
    usize::try_from(length).ok().filter(|length| *length <= MAX_CONTENT)
}

fn sound(bytes: &[u8]) -> Option<&[u8]> {
    let length = length(bytes)?;
    let expected = u32::from_le_bytes(bytes.get(4..HEADER)?.try_into().ok()?);
    let content = bytes.get(HEADER..HEADER + length)?;
    (checksum(u32::try_from(length).ok()?, content) == expected).then_some(content)
}

fn checksum(length: u32, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(content);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn two() -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(b"first", &mut bytes).unwrap();
        encode(b"second", &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn damage_costs_one_entry_where_lengths_are_whole() {
        let mut bytes = two();
        bytes[HEADER] ^= 1;
        assert_eq!(decode(&bytes), Some(Found::Damaged(HEADER + 5)));
        assert_eq!(decode(&bytes[HEADER + 5..]), Some(Found::Entry(b"second")));
        bytes[0] ^= 1;
        assert_eq!(decode(&bytes), Some(Found::Damaged(bytes.len())));
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&[0]), Some(Found::Damaged(1)));
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert_eq!(encode(&vec![0; MAX_CONTENT + 1], &mut Vec::new()), None);
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_found(at in 0_usize..27, change in 1_u8..) {
            let mut bytes = two();
            bytes[at] ^= change;
            let mut rest = bytes.as_slice();
            let mut whole = 0;
            while let Some(found) = decode(rest) {
                let skip = match found {
                    Found::Entry(content) => {
                        prop_assert!(content == b"first" || content == b"second");
                        whole += 1;
                        HEADER + content.len()
                    }
                    Found::Damaged(skip) => skip,
                };
                rest = &rest[skip..];
            }
            prop_assert!(whole < 2);
        }

        #[test]
        fn any_bytes_are_read_to_the_end(bytes: Vec<u8>) {
            let mut rest = bytes.as_slice();
            while let Some(found) = decode(rest) {
                rest = match found {
                    Found::Entry(content) => &rest[HEADER + content.len()..],
                    Found::Damaged(skip) => &rest[skip..],
                };
            }
        }
    }
}
