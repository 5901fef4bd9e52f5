//! YAML text to [`Node`]s with positions, within limits that hold for any input.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

use crate::node::{Kind, Node, Position};

/// Deepest nesting; the deepest documented key needs 5.
const MAX_DEPTH: usize = 64;
/// Most values in one file, those that an alias repeats included: an alias bomb stops here.
const MAX_NODES: usize = 100_000;

/// Why a text is not a usable YAML document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Where it stopped making sense.
    pub(crate) position: Position,
    /// What is wrong there.
    pub(crate) message: String,
}

/// Reads the first document of `text`. An empty text is [`Kind::Null`].
///
/// # Errors
/// The first syntax error, or the limit that the document exceeds.
pub(crate) fn parse(text: &str) -> Result<Node, Malformed> {
    // A byte order mark is what Windows editors leave at the start of a file.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0, depth: 0 }.document()
}

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    /// Values that an alias can repeat, by anchor id, with how many nodes each is made of.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    depth: usize,
}

impl<'text> Reader<'text> {
    fn document(mut self) -> Result<Node, Malformed> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => {}
                Event::StreamEnd | Event::DocumentEnd => {
                    return Ok(Node { position: position(span.start), kind: Kind::Null });
                }
                content => return self.value(content, span),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'text>, Span), Malformed> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(malformed(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn value(&mut self, event: Event<'text>, span: Span) -> Result<Node, Malformed> {
        let position = position(span.start);
        let before = self.nodes;
        self.count(1, position)?;
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => (scalar(&text, style), anchor),
            Event::SequenceStart(anchor, _) => (self.nested(position, Self::sequence)?, anchor),
            Event::MappingStart(anchor, _) => (self.nested(position, Self::mapping)?, anchor),
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id).cloned() else {
                    return Err(Malformed {
                        position,
                        message: "alias of a value that contains it".to_owned(),
                    });
                };
                self.count(size, position)?;
                (node.kind, 0)
            }
            other => return Err(Malformed { position, message: format!("unexpected {other:?}") }),
        };
        let node = Node { position, kind };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before));
            // The stored copy occupies memory as well.
            self.count(self.nodes - before, position)?;
        }
        Ok(node)
    }

    fn nested(
        &mut self,
        position: Position,
        read: fn(&mut Self) -> Result<Kind, Malformed>,
    ) -> Result<Kind, Malformed> {
        if self.depth >= MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(Malformed { position, message });
        }
        self.depth += 1;
        let kind = read(self)?;
        self.depth -= 1;
        Ok(kind)
    }

    fn sequence(&mut self) -> Result<Kind, Malformed> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Kind::Sequence(items)),
                (event, span) => items.push(self.value(event, span)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Kind, Malformed> {
        let mut pairs = Vec::new();
        loop {
            match self.next()? {
                (Event::MappingEnd, _) => return Ok(Kind::Mapping(pairs)),
                (event, span) => {
                    let key = self.value(event, span)?;
                    let (event, span) = self.next()?;
                    pairs.push((key, self.value(event, span)?));
                }
            }
        }
    }

    fn count(&mut self, nodes: usize, position: Position) -> Result<(), Malformed> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(Malformed { position, message: format!("more than {MAX_NODES} values in one file") });
        }
        Ok(())
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Kind {
    // The null words of YAML 1.1 and 1.2, and the empty value.
    let null = matches!(style, ScalarStyle::Plain) && matches!(text, "" | "~" | "null" | "Null" | "NULL");
    if null { Kind::Null } else { Kind::Scalar(text.to_owned()) }
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col().saturating_add(1) }
}

fn malformed(error: &ScanError) -> Malformed {
    Malformed { position: position(*error.marker()), message: error.info().to_owned() }
}

#[cfg(test)]
mod tests;
