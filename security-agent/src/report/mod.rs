//! From matches to lines: signals, events about the agent itself, and where both are written.

pub mod intake;
pub mod own;
pub mod ruleset;
pub mod scrub;
pub mod sink;
pub mod terminal;

pub use sink::{Sink, SinkStatus};

/// What an intake is told about a report beside the report itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// When it happened, nanoseconds since 1970.
    pub time_ns: u64,
    /// Name of the host.
    pub hostname: String,
    /// Service of the process; empty: unknown.
    pub service: String,
    /// Tags, joined by commas.
    pub tags: String,
    /// It is about the agent, not about a rule.
    pub is_own: bool,
}

/// Something that the sinks write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Id of the rule, or name of the event about the agent.
    pub rule_id: String,
    /// The JSON object, without a newline.
    pub json: String,
    /// The same for people at a terminal, without a newline; only made if there is one.
    pub line: Option<String>,
    /// What goes around it on its way to an intake.
    pub envelope: Envelope,
}

impl Report {
    /// About what it takes in memory, bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let Envelope { hostname, service, tags, .. } = &self.envelope;
        let texts = [&self.rule_id, &self.json, hostname, service, tags];
        let line = self.line.as_ref().map_or(0, String::len);
        size_of::<Self>() + texts.into_iter().map(String::len).sum::<usize>() + line
    }
}
