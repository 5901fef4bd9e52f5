//! YAML as a tree whose nodes know where they stand.
//!
//! Built on the event parser of `saphyr-parser`, which reports positions; this module adds the bounds of
//! [`crate::limits`] (aliases are expanded, so a file of a few lines could otherwise stand for gigabytes), merge keys
//! (`<<`), and the reading of plain scalars. Only the first document of a file counts, as in the reference.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use crate::limits;
use crate::source::{FileId, Location};
use crate::text::{Style, Text};

/// A YAML value and where it starts.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// What it is.
    pub(crate) value: Value,
    /// Where it starts.
    pub(crate) at: Location,
}

/// A YAML value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool, Text),
    /// A number in a form that YAML or Go's YAML calls an integer.
    Int(i64, Text),
    /// Any other scalar.
    Text(Text),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file; keys are scalars and unique.
    Map(Vec<Entry>),
}

/// A key of a mapping with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Text,
    pub(crate) value: Node,
}

/// Why a file is not the YAML of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct YamlError {
    pub(crate) message: String,
    pub(crate) at: Location,
}

impl Value {
    /// A scalar as it is written; `None` for nothing and for collections.
    pub(crate) fn as_text(&self) -> Option<&Text> {
        match self {
            Value::Bool(_, text) | Value::Int(_, text) | Value::Text(text) => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// What messages call a value of this type.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(..) => "a boolean",
            Value::Int(..) => "an integer",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// A document.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) root: Node,
    /// What is wrong with it that spoils nothing else: keys that appear twice, of which the first counts.
    pub(crate) wrong: Vec<YamlError>,
}

/// Parses the first document of a file. `Ok(None)`: there is no document.
pub(crate) fn parse(file: FileId, text: &str) -> Result<Option<Document>, YamlError> {
    Builder::new(file, text).run().or_else(|error| match spaced(text) {
        // Places in it are those in the file.
        Some(spaced) => Builder::new(file, &spaced).run(),
        None => Err(error),
    })
}

/// The text with spaces instead of tabs between a key and its value, if there are any. YAML allows tabs there, and so does the
/// reference, but the parser does not before a value that begins with a letter. Places stay what they are.
fn spaced(text: &str) -> Option<String> {
    let mut out = text.as_bytes().to_vec();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let indent = line.bytes().take_while(|b| matches!(b, b' ' | b'-')).count();
        let key = line[indent..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let rest = &line[indent + key..];
        if let Some(value) = rest.strip_prefix(':').filter(|_| key > 0) {
            let tabs = value.bytes().take_while(|b| *b == b'\t').count();
            let from = start + line.len() - value.len();
            out[from..from + tabs].fill(b' ');
        }
        start += line.len();
    }
    (out != text.as_bytes()).then(|| String::from_utf8(out).ok()).flatten()
}

/// A collection that is being read.
struct Open {
    node: Node,
    /// The key that waits for its value, in a mapping.
    key: Option<Text>,
    anchor: usize,
    is_map: bool,
}

struct Builder<'t> {
    file: FileId,
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    offsets: Offsets<'t>,
    anchors: HashMap<usize, Node>,
    stack: Vec<Open>,
    nodes: usize,
    bytes: usize,
    wrong: Vec<YamlError>,
}

impl<'t> Builder<'t> {
    fn new(file: FileId, text: &'t str) -> Self {
        Builder {
            file,
            parser: Parser::new_from_str(text),
            offsets: Offsets { text, chars: 0, bytes: 0 },
            anchors: HashMap::new(),
            stack: Vec::new(),
            nodes: 0,
            bytes: 0,
            wrong: Vec::new(),
        }
    }

    fn at(&mut self, marker: Marker) -> Location {
        Location { file: self.file, offset: self.offsets.byte(marker.index()) }
    }

    fn fail<T>(&mut self, marker: Marker, message: impl Into<String>) -> Result<T, YamlError> {
        Err(YamlError { message: message.into(), at: self.at(marker) })
    }

    fn run(mut self) -> Result<Option<Document>, YamlError> {
        while let Some(event) = self.parser.next_event() {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => return self.fail(*error.marker(), error.info()),
            };
            let done = match event {
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => None,
                // A second document is not read; see the module's description.
                Event::DocumentEnd | Event::StreamEnd => return Ok(None),
                Event::Alias(anchor) => Some(self.alias(anchor, span)?),
                Event::Scalar(value, style, anchor, tag) => {
                    let node = self.scalar(&value, style, tag.as_deref(), span)?;
                    self.remember(anchor, &node);
                    Some(node)
                }
                Event::SequenceStart(anchor, _) => self.open(Value::List(Vec::new()), anchor, span)?,
                Event::MappingStart(anchor, _) => self.open(Value::Map(Vec::new()), anchor, span)?,
                Event::SequenceEnd | Event::MappingEnd => self.stack.pop().map(|open| {
                    self.remember(open.anchor, &open.node);
                    open.node
                }),
            };
            if let Some(node) = done
                && let Some(root) = self.put(node, span)?
            {
                return Ok(Some(Document { root, wrong: self.wrong }));
            }
        }
        Ok(None)
    }

    fn open(&mut self, value: Value, anchor: usize, span: Span) -> Result<Option<Node>, YamlError> {
        if self.stack.len() >= limits::YAML_DEPTH {
            return self.fail(span.start, format!("nested deeper than {} levels", limits::YAML_DEPTH));
        }
        self.count(1, 0, span)?;
        let is_map = matches!(value, Value::Map(_));
        let node = Node { value, at: self.at(span.start) };
        self.stack.push(Open { node, key: None, anchor, is_map });
        Ok(None)
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, YamlError> {
        let Some(node) = self.anchors.get(&anchor) else {
            return self.fail(span.start, "an alias of a collection that it is part of");
        };
        let (nodes, bytes) = size(node);
        let node = node.clone();
        self.count(nodes, bytes, span)?;
        Ok(node)
    }

    fn count(&mut self, nodes: usize, bytes: usize, span: Span) -> Result<(), YamlError> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.nodes > limits::YAML_NODES {
            return self.fail(span.start, format!("more than {} YAML nodes", limits::YAML_NODES));
        }
        if self.bytes > limits::YAML_BYTES {
            return self.fail(span.start, format!("more than {} bytes of YAML scalars", limits::YAML_BYTES));
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        value: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Node, YamlError> {
        self.count(1, value.len(), span)?;
        let at = self.at(span.start);
        let end = self.offsets.byte(span.end.index());
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        let text = Text::new(value, self.file, at.offset, end, style);
        let value = match tag {
            Some(tag) if tag.is_yaml_core_schema() => match tag.suffix.as_str() {
                "str" => Value::Text(text),
                _ => plain(text),
            },
            Some(_) => Value::Text(text),
            None if style == Style::Plain => plain(text),
            None => Value::Text(text),
        };
        Ok(Node { value, at })
    }

    /// Puts a finished node where it belongs; gives it back if it is the document.
    fn put(&mut self, node: Node, span: Span) -> Result<Option<Node>, YamlError> {
        let Some(open) = self.stack.last_mut() else { return Ok(Some(node)) };
        if !open.is_map {
            if let Value::List(items) = &mut open.node.value {
                items.push(node);
            }
            return Ok(None);
        }
        match open.key.take() {
            None => match scalar_text(&node, self.file) {
                Some(key) => open.key = Some(key),
                None => return self.fail(span.start, "a key of a mapping must be a scalar"),
            },
            Some(key) => {
                let Value::Map(entries) = &mut open.node.value else { return Ok(None) };
                if entries.len() >= limits::YAML_KEYS {
                    let message = format!("more than {} keys in a mapping", limits::YAML_KEYS);
                    return Err(YamlError { message, at: key.location() });
                }
                if key.as_str() == "<<" {
                    let merged = merge(entries, node);
                    return match merged {
                        true => Ok(None),
                        false => self.fail(span.start, "`<<` needs a mapping or a list of mappings"),
                    };
                }
                let same = entries.iter().position(|entry| entry.key.as_str() == key.as_str());
                match same {
                    // What a merge key brought gives way to what is written.
                    Some(index) if is_merged(&entries[index], &open.node.at) => {
                        entries[index] = Entry { key, value: node };
                    }
                    Some(_) => {
                        let message = format!(
                            "the key `{}` appears twice in this mapping, the first counts",
                            key.as_str()
                        );
                        self.wrong.push(YamlError { message, at: key.location() });
                    }
                    None => entries.push(Entry { key, value: node }),
                }
            }
        }
        Ok(None)
    }
}

/// Whether an entry came in by a merge key: it then stands before the mapping that it is in.
fn is_merged(entry: &Entry, map: &Location) -> bool {
    entry.key.location().offset < map.offset
}

/// Adds the entries of a mapping, or of each of a list of mappings, that are not there yet.
fn merge(entries: &mut Vec<Entry>, node: Node) -> bool {
    let maps = match node.value {
        Value::List(items) => items,
        value => vec![Node { value, at: node.at }],
    };
    for map in maps {
        let Value::Map(more) = map.value else { return false };
        for entry in more {
            if !entries.iter().any(|present| present.key.as_str() == entry.key.as_str()) {
                entries.push(entry);
            }
        }
    }
    true
}

/// The text of a scalar as written; `None` for a collection.
fn scalar_text(node: &Node, file: FileId) -> Option<Text> {
    match &node.value {
        Value::Null => Some(Text::new("", file, node.at.offset, node.at.offset, Style::Plain)),
        Value::Bool(_, text) | Value::Int(_, text) | Value::Text(text) => Some(text.clone()),
        Value::List(_) | Value::Map(_) => None,
    }
}

/// Nodes and bytes of scalars of a tree.
fn size(node: &Node) -> (usize, usize) {
    match &node.value {
        Value::Null => (1, 0),
        Value::Bool(_, text) | Value::Int(_, text) | Value::Text(text) => (1, text.as_str().len()),
        Value::List(items) => items.iter().map(size).fold((1, 0), add),
        Value::Map(entries) => entries
            .iter()
            .map(|entry| add(size(&entry.value), (1, entry.key.as_str().len())))
            .fold((1, 0), add),
    }
}

fn add(a: (usize, usize), b: (usize, usize)) -> (usize, usize) {
    (a.0.saturating_add(b.0), a.1.saturating_add(b.1))
}

/// A plain scalar: null, boolean, integer or string.
///
/// Booleans are those of YAML 1.2; `yes` and `no` are strings, as the reference's decoder has it for untyped values.
fn plain(text: Text) -> Value {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true, text),
        "false" | "False" | "FALSE" => Value::Bool(false, text),
        other => match integer(other) {
            Some(value) => Value::Int(value, text),
            None => Value::Text(text),
        },
    }
}

/// An integer as YAML 1.1 and 1.2 write it: decimal, `0x`, `0o`, `0b`, or octal with a leading 0.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', b'o', ..] => (8, &digits[2..]),
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let digits: Cow<'_, str> =
        if digits.contains('_') { digits.replace('_', "").into() } else { digits.into() };
    let magnitude = i128::from(u64::from_str_radix(&digits, radix).ok()?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// Turns the parser's character counts into byte offsets, fast because they hardly ever go back.
struct Offsets<'t> {
    text: &'t str,
    chars: usize,
    bytes: usize,
}

impl Offsets<'_> {
    fn byte(&mut self, chars: usize) -> u32 {
        if chars < self.chars {
            let back = self.chars - chars;
            let before = self.text.get(..self.bytes).unwrap_or("");
            self.bytes = before.char_indices().rev().nth(back - 1).map_or(0, |(at, _)| at);
        } else {
            let rest = self.text.get(self.bytes..).unwrap_or("");
            let ahead = chars - self.chars;
            self.bytes += rest.char_indices().nth(ahead).map_or(rest.len(), |(at, _)| at);
        }
        self.chars = chars;
        u32::try_from(self.bytes).unwrap_or(u32::MAX)
    }
}
