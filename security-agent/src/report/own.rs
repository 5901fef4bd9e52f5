//! Events about the agent itself: what it evaluates, what it missed, that it lives.
//!
//! They take the same way as signals, so that whoever receives these also learns when something is missing.

use model::report::{AgentInfo, RuleMatch, rfc3339};
use serde_json::{Map, Value as Json};

use super::terminal::Style;
use super::{Envelope, Report};

/// A new rule set is in force.
pub const RULESET_LOADED: &str = "ruleset_loaded";
/// Records did not arrive.
pub const LOST_EVENTS: &str = "lost_events";
/// How the test at the start went.
pub const SELF_TEST: &str = "self_test";
/// The agent lives.
pub const HEARTBEAT: &str = "heartbeat";

/// An event about the agent.
#[derive(Debug)]
pub struct OwnEvent<'a> {
    /// Its name, which is also its rule id.
    pub name: &'a str,
    /// What it says, for the title and for people.
    pub title: String,
    /// When, nanoseconds since 1970.
    pub time_ns: u64,
    /// Its own members.
    pub members: Map<String, Json>,
}

impl OwnEvent<'_> {
    /// The report, of the host of this name.
    #[must_use]
    pub fn report(self, agent: &AgentInfo, hostname: String, style: Option<Style>) -> Report {
        let line = style.map(|style| style.own(self.time_ns, self.name, &self.title));
        let rule = RuleMatch { rule_id: self.name.to_owned(), ..RuleMatch::default() };
        let mut map = Map::new();
        map.insert("agent".into(), model::report::agent(&rule, agent));
        map.insert("title".into(), self.title.into());
        map.insert("evt".into(), model::report::own_event(self.name));
        let tags = model::report::tags(&rule, self.name, agent);
        map.insert("ddtags".into(), tags.as_str().into());
        map.extend(rfc3339(self.time_ns).map(|date| ("date".to_owned(), Json::from(date))));
        map.extend(self.members);
        let envelope =
            Envelope { time_ns: self.time_ns, hostname, service: String::new(), tags, is_own: true };
        Report { rule_id: self.name.to_owned(), json: Json::Object(map).to_string(), line, envelope }
    }
}
