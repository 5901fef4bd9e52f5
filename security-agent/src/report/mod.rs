//! From matches to lines: signals, events about the agent itself, and where both are written.

pub mod own;
pub mod ruleset;
pub mod scrub;
pub mod sink;
pub mod terminal;

pub use sink::{Sink, SinkStatus};

/// Something that the sinks write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Id of the rule, or name of the event about the agent.
    pub rule_id: String,
    /// The JSON object, without a newline.
    pub json: String,
    /// The same for people at a terminal, without a newline; only made if there is one.
    pub line: Option<String>,
}

impl Report {
    /// About what it takes in memory, bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.rule_id.len() + self.json.len() + self.line.as_ref().map_or(0, String::len)
    }
}
