//! Decides which definitions apply to this agent and host.

use rustc_hash::FxHashMap;
use secl::{Compiler, Limits, NoVariables, Scratch};

use super::compile::language_reports;
use super::{LoadOptions, RuleStatus};
use crate::diagnostic::{Report, codes};
use crate::host::{HostEvent, HostSchema};
use crate::policy::Conditions;
use crate::version::Constraint;

/// Longest filter, in bytes; the longest known has 400.
const FILTER_BYTES: usize = 16 << 10;

/// Whether a definition applies here.
pub(super) enum Selection {
    Accepted,
    /// It does not, and this is why.
    Filtered(RuleStatus),
    /// That cannot be told.
    Broken(Vec<Report>),
}

/// Evaluates conditions, remembering those that many rules share.
pub(super) struct Selector<'o> {
    options: &'o LoadOptions,
    schema: HostSchema,
    /// Filters that were evaluated, by their text.
    known: FxHashMap<String, bool>,
}

impl<'o> Selector<'o> {
    pub(super) fn new(options: &'o LoadOptions) -> Self {
        Selector { options, schema: HostSchema, known: FxHashMap::default() }
    }

    pub(super) fn select(&mut self, conditions: &Conditions) -> Selection {
        if let Some(text) = &conditions.agent_version {
            let constraint: Constraint = match text.as_str().parse() {
                Ok(constraint) => constraint,
                Err(error) => {
                    let message = format!("`{}` is not a version constraint: {error}", text.as_str());
                    let help = "write `>= 7.65`, `>=7.65 <7.70`, `~7.71`, `< 7.60 || > 7.70`".to_owned();
                    return Selection::Broken(vec![
                        Report::error(codes::BAD_VERSION, text, message).help(help),
                    ]);
                }
            };
            if !constraint.accepts(self.options.agent_version) {
                let version = self.options.agent_version;
                let reason = format!("needs agent version {}, this is {version}", text.as_str().trim());
                return Selection::Filtered(RuleStatus::Skipped { by: "agent_version", reason });
            }
        }
        if conditions.filters.is_empty() {
            return Selection::Accepted;
        }
        let mut broken = Vec::new();
        for filter in &conditions.filters {
            match self.filter(filter) {
                Ok(true) => return Selection::Accepted,
                Ok(false) => {}
                Err(mut reports) => broken.append(&mut reports),
            }
        }
        if !broken.is_empty() {
            return Selection::Broken(broken);
        }
        let filters: Vec<&str> = conditions.filters.iter().map(crate::Text::as_str).collect();
        let reason = format!("this host does not meet its filter {}", filters.join(" or "));
        Selection::Filtered(RuleStatus::Skipped { by: "rule_filter", reason })
    }

    fn filter(&mut self, text: &crate::Text) -> Result<bool, Vec<Report>> {
        if let Some(&known) = self.known.get(text.as_str()) {
            return Ok(known);
        }
        let limits = Limits { source_bytes: FILTER_BYTES, ..Limits::default() };
        let compiler = Compiler { limits, ..Compiler::new(&self.schema) };
        let rule = compiler.condition(text.as_str()).map_err(|found| {
            let reports = language_reports(&found, text);
            let message = || format!("the filter `{}` cannot be evaluated", text.as_str());
            if reports.is_empty() { vec![Report::error(codes::BAD_FILTER, text, message())] } else { reports }
        })?;
        let result = rule.matches(&HostEvent(&self.options.host), &NoVariables, &mut Scratch::default());
        self.known.insert(text.as_str().to_owned(), result);
        Ok(result)
    }
}
