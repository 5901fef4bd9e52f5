//! Byte strings. The kernel's strings (paths, arguments, names) are bytes that need not be UTF-8, so
//! the model never holds `String`s.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// An immutable byte string, cheap to clone: a snapshot of a process shares its strings with the next one.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Option<Arc<[u8]>>);

impl Text {
    /// The empty string; it owns no memory.
    pub const EMPTY: Self = Self(None);

    /// Copies `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        if bytes.is_empty() { Self::EMPTY } else { Self(Some(Arc::from(bytes))) }
    }

    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Deref for Text {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new(text.as_bytes())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(&bytes)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lossy(self.as_bytes()))
    }
}

/// The text that reports show for `bytes`: each byte that is not part of valid UTF-8 becomes `\xHH`, so that two
/// different names never look alike, as they would with U+FFFD. A literal backslash stays as it is.
pub fn lossy(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text.into()
}

/// An immutable list of byte strings in one allocation.
///
/// The elements are stored with a space between them, so that the list joined by spaces (what `process.args` is)
/// is a slice of the storage and costs nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct TextList(Option<Arc<Packed>>);

#[derive(PartialEq, Eq)]
struct Packed {
    /// The elements, separated by one space.
    joined: Box<[u8]>,
    /// Where each element ends in `joined`.
    ends: Box<[u32]>,
}

impl TextList {
    /// The list without elements; it owns no memory.
    pub const EMPTY: Self = Self(None);

    /// Copies the elements. Input past 4 GiB, which no event can carry, is left out.
    pub fn new<T: AsRef<[u8]>>(elements: impl IntoIterator<Item = T>) -> Self {
        let mut joined = Vec::new();
        let mut ends = Vec::new();
        for element in elements {
            let element = element.as_ref();
            let separator = usize::from(!ends.is_empty());
            let Ok(end) = u32::try_from(joined.len() + separator + element.len()) else { break };
            if separator == 1 {
                joined.push(b' ');
            }
            joined.extend_from_slice(element);
            ends.push(end);
        }
        if ends.is_empty() {
            return Self::EMPTY;
        }
        Self(Some(Arc::new(Packed { joined: joined.into_boxed_slice(), ends: ends.into_boxed_slice() })))
    }

    /// The elements of a block in which each one ends with a NUL byte, which is how the kernel holds arguments and
    /// environment. A last element without NUL (a block that was cut) counts too.
    pub fn from_nul_separated(block: &[u8]) -> Self {
        if block.is_empty() {
            return Self::EMPTY;
        }
        let block = block.strip_suffix(b"\0").unwrap_or(block);
        Self::new(block.split(|byte| *byte == 0))
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |packed| packed.ends.len())
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Element `index`.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let packed = self.0.as_deref()?;
        packed.joined.get(packed.start(index)..*packed.ends.get(index)? as usize)
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.iter_from(0)
    }

    /// The elements from `first` on.
    #[inline]
    pub fn iter_from(&self, first: usize) -> impl Iterator<Item = &[u8]> {
        let (joined, ends, mut start) = match self.0.as_deref() {
            Some(packed) => (&*packed.joined, &*packed.ends, packed.start(first)),
            None => (&b""[..], &[][..], 0),
        };
        ends.get(first..).unwrap_or_default().iter().map(move |end| {
            let end = *end as usize;
            let element = joined.get(start..end).unwrap_or_default();
            start = end + 1;
            element
        })
    }

    /// The elements from `first` on, joined by one space each.
    pub fn joined_from(&self, first: usize) -> &[u8] {
        match self.0.as_deref() {
            Some(packed) if first < packed.ends.len() => {
                packed.joined.get(packed.start(first)..).unwrap_or_default()
            }
            _ => b"",
        }
    }
}

impl Packed {
    fn start(&self, index: usize) -> usize {
        match index.checked_sub(1).and_then(|previous| self.ends.get(previous)) {
            Some(end) => *end as usize + 1,
            None => 0,
        }
    }
}

impl Default for TextList {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for TextList {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Self::new(elements)
    }
}

impl fmt::Debug for TextList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(lossy)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gives_back_its_elements_and_joins_them() {
        for elements in [&["a"][..], &["", ""], &["ls", "-l a", ""], &[]] {
            let list: TextList = elements.iter().collect();
            assert_eq!(
                list.iter().collect::<Vec<_>>(),
                elements.iter().map(|e| e.as_bytes()).collect::<Vec<_>>()
            );
            for first in 0..=elements.len() {
                let rest: Vec<_> = elements[first..].iter().map(|e| e.as_bytes()).collect();
                assert_eq!(list.iter_from(first).collect::<Vec<_>>(), rest);
                assert_eq!(list.joined_from(first), elements[first..].join(" ").as_bytes());
            }
            assert_eq!(list.get(elements.len()), None);
            assert_eq!(list.iter_from(elements.len() + 1).count(), 0);
        }
    }

    #[test]
    fn a_nul_separated_block_keeps_empty_and_cut_elements() {
        let elements = |block: &[u8]| -> Vec<Vec<u8>> {
            TextList::from_nul_separated(block).iter().map(<[u8]>::to_vec).collect()
        };
        assert!(elements(b"").is_empty());
        assert_eq!(elements(b"\0"), [b""]);
        assert_eq!(elements(b"a\0\0b\0"), [&b"a"[..], b"", b"b"]);
        assert_eq!(elements(b"a\0cut"), [&b"a"[..], b"cut"]);
    }

    #[test]
    fn bytes_that_are_not_utf8_stay_distinguishable() {
        assert_eq!(lossy("naïve".as_bytes()), "naïve");
        assert_eq!(lossy(b"a\xff\xfe.txt"), "a\\xff\\xfe.txt");
    }
}
