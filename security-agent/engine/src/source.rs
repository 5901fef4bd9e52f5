//! The text of the policy files of one load, and positions in them.
//!
//! Everything that is read from a policy remembers where it stands ([`Location`]), so that a message about it can
//! name file, line and column however late it is found.

use std::sync::Arc;

/// Index of a file in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A place in a policy file: a byte offset into its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file.
    pub file: FileId,
    /// Bytes from the start of the file's text.
    pub offset: u32,
}

/// A line and a column, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One policy file's name and text.
#[derive(Debug)]
struct Source {
    path: Arc<str>,
    text: Arc<str>,
    /// Byte offset of the start of each line.
    lines: Vec<u32>,
}

/// The files of one load.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// Adds a file. `path` is what messages call it.
    ///
    /// Offsets are 32 bits wide: the loader refuses files far below that size ([`crate::limits::FILE_BYTES`]).
    pub fn add(&mut self, path: &str, text: &str) -> FileId {
        let mut lines = vec![0];
        lines.extend(
            text.bytes()
                .enumerate()
                .filter(|&(_, b)| b == b'\n')
                .filter_map(|(at, _)| u32::try_from(at + 1).ok()),
        );
        self.files.push(Source { path: path.into(), text: text.into(), lines });
        FileId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }

    fn get(&self, file: FileId) -> Option<&Source> {
        self.files.get(usize::try_from(file.0).ok()?)
    }

    /// What messages call the file.
    pub fn path(&self, file: FileId) -> &str {
        self.get(file).map_or("", |source| &source.path)
    }

    /// The file's text.
    pub fn text(&self, file: FileId) -> &str {
        self.get(file).map_or("", |source| &source.text)
    }

    /// Line and column of a place; a place past the end is the end.
    pub fn line_column(&self, at: Location) -> LineColumn {
        let Some(source) = self.get(at.file) else { return LineColumn { line: 1, column: 1 } };
        let index = source.lines.partition_point(|&start| start <= at.offset).saturating_sub(1);
        let start = to_usize(source.lines.get(index).copied().unwrap_or(0));
        let end = floor_char(&source.text, to_usize(at.offset));
        let column = source.text.get(start..end).map_or(0, |before| before.chars().count());
        LineColumn { line: saturating_u32(index + 1), column: saturating_u32(column + 1) }
    }

    /// The text of the line that holds a place, without its end.
    pub fn line(&self, at: Location) -> &str {
        let Some(source) = self.get(at.file) else { return "" };
        let index = source.lines.partition_point(|&start| start <= at.offset).saturating_sub(1);
        let start = to_usize(source.lines.get(index).copied().unwrap_or(0));
        let end = source.lines.get(index + 1).map_or(source.text.len(), |&next| to_usize(next));
        source.text.get(start..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }
}

/// The largest character boundary that is not after `at`.
fn floor_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn saturating_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_line_and_a_column_in_characters() {
        let mut sources = Sources::default();
        let file = sources.add("a.policy", "é: 1\nrules:\n");
        let at = |offset| sources.line_column(Location { file, offset });
        assert_eq!(at(0), LineColumn { line: 1, column: 1 });
        assert_eq!(at(4), LineColumn { line: 1, column: 4 });
        assert_eq!(at(6), LineColumn { line: 2, column: 1 });
        assert_eq!(at(1), LineColumn { line: 1, column: 1 }, "inside a character: its start");
        assert_eq!(at(999), LineColumn { line: 3, column: 1 });
        assert_eq!(sources.line(Location { file, offset: 7 }), "rules:");
    }
}
