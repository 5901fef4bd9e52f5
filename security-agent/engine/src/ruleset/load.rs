//! From policy files to a rule set.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use secl::Macros;

use super::budget::Budget;
use super::compile::{self, Refusal, RuleCompiler};
use super::outcome::{PolicyOutcome, RuleCounts, RuleOutcome, RuleStatus};
use super::select::{Selection, Selector};
use super::{CompiledRule, LoadOptions, RESERVED_IDS, RuleInfo, RuleSet, declare};
use crate::diagnostic::{Diagnostic, Diagnostics, Place, Report, codes};
use crate::limits;
use crate::loader::{FileError, PolicyFile, PolicyFiles};
use crate::merge::{self, Candidate, MergedRule, Origin, Outcome};
use crate::policy::action::ActionKind;
use crate::policy::read::{self, Item, Policy};
use crate::policy::{Conditions, MacroDefinition, PolicyKind, RuleDefinition, TestDefinition};
use crate::source::Sources;
use crate::text::Text;
use crate::variables::VariableTable;

/// The result of a load. There always is a rule set: of everything that is right.
#[derive(Debug)]
pub struct Load {
    /// The rules in force.
    pub rules: Arc<RuleSet>,
    /// The macros that they were compiled with.
    pub macros: Macros,
    /// What became of each policy and its rules.
    pub policies: Vec<PolicyOutcome>,
    /// Everything that is wrong, in the order of files and lines.
    pub diagnostics: Vec<Diagnostic>,
    /// How many rules fared how.
    pub counts: RuleCounts,
    /// The tests that stand in the policies, with the place of each one.
    pub tests: Vec<(TestDefinition, String, u32)>,
}

impl Load {
    /// Whether anything is wrong.
    pub fn has_errors(&self) -> bool {
        self.counts.errors > 0
    }

    /// The ids of the rules in force, in loading order.
    pub fn loaded(&self) -> impl Iterator<Item = &str> {
        self.rules.rules().iter().map(|rule| rule.id.as_str())
    }

    /// The rules that are not in force here, with the reason.
    pub fn skipped(&self) -> impl Iterator<Item = (&str, &str)> {
        self.policies.iter().flat_map(|policy| &policy.rules).filter_map(|rule| match &rule.status {
            RuleStatus::Skipped { reason, .. } => Some((rule.id.as_str(), reason.as_str())),
            RuleStatus::Loaded | RuleStatus::Merged | RuleStatus::Error { .. } => None,
        })
    }
}

/// Reads, combines and compiles policies.
pub fn load(files: PolicyFiles, schema: &model::Fields, options: &LoadOptions) -> Load {
    let mut loader = Loader::new(schema, options);
    loader.read(files);
    let (macros, rules) = loader.select();
    loader.build(macros, rules)
}

struct Loader<'a> {
    schema: &'a model::Fields,
    options: &'a LoadOptions,
    sources: Sources,
    diagnostics: Diagnostics,
    policies: Vec<PolicyOutcome>,
    /// What was read of each policy, until it is selected.
    read: Vec<(usize, Policy)>,
    tests: Vec<TestDefinition>,
    /// Rules that do not load whatever their expression is; it is checked all the same.
    broken_rules: Vec<RuleDefinition>,
    /// Wrong files and macros; wrong rules are counted by their outcomes.
    broken: usize,
}

type Candidates = (Vec<Candidate<MacroDefinition>>, Vec<Candidate<RuleDefinition>>);

impl<'a> Loader<'a> {
    fn new(schema: &'a model::Fields, options: &'a LoadOptions) -> Self {
        Loader {
            schema,
            options,
            sources: Sources::default(),
            diagnostics: Diagnostics::default(),
            policies: Vec::new(),
            read: Vec::new(),
            tests: Vec::new(),
            broken_rules: Vec::new(),
            broken: 0,
        }
    }

    fn report(&mut self, report: Report) {
        self.diagnostics.add(&self.sources, report);
    }

    fn read(&mut self, files: PolicyFiles) {
        if let Some((path, error)) = files.directory_error {
            let message = format!("the policy directory {error}");
            self.report(Report::error(codes::UNREADABLE, Place::File(path.into()), message));
            self.broken += 1;
        }
        if files.left_out > 0 {
            let message = format!("{} policy files were left out, there are too many", files.left_out);
            self.report(Report::error(codes::TOO_LARGE, Place::File("".into()), message));
            self.broken += files.left_out;
        }
        for (path, who) in files.exposed {
            let help =
                "make it belong to root, and writable to nobody else: chown root, chmod go-w".to_owned();
            let report = Report::warning(codes::EXPOSED, Place::File(path.into()), who);
            self.report(report.help(help));
        }
        for file in files.files {
            self.read_file(&file);
        }
    }

    fn read_file(&mut self, file: &PolicyFile) {
        let index = self.policies.len();
        let kind = PolicyKind::of_file(&file.name).as_str();
        self.policies.push(PolicyOutcome { name: file.name.clone(), kind, ..PolicyOutcome::default() });
        let read = match &file.content {
            Ok(bytes) => read::policy(&mut self.sources, &file.name, &file.path, bytes),
            Err(error) => {
                let code = match error {
                    FileError::TooLarge => codes::TOO_LARGE,
                    FileError::Io(_) | FileError::NotRegular => codes::UNREADABLE,
                };
                let place = Place::File(file.path.as_str().into());
                Err(Box::new(Report::error(code, place, format!("the policy file {error}"))))
            }
        };
        match read {
            Ok(mut policy) => {
                let error = policy.reports.iter().find(|report| report.is_error());
                let error = error.map(|report| report.message().to_owned());
                self.broken += usize::from(error.is_some());
                for report in std::mem::take(&mut policy.reports) {
                    self.report(report);
                }
                self.policies[index].version.clone_from(&policy.version);
                self.policies[index].kind = policy.kind.as_str();
                self.policies[index].error = error;
                self.tests.append(&mut policy.tests);
                self.read.push((index, policy));
            }
            Err(report) => {
                self.policies[index].error = Some(report.message().to_owned());
                self.broken += 1;
                self.report(*report);
            }
        }
    }

    /// Sorts out what does not apply here and what is wrong by itself.
    fn select(&mut self) -> Candidates {
        let mut selector = Selector::new(self.options);
        let (mut macros, mut rules) = (Vec::new(), Vec::new());
        for (index, policy) in std::mem::take(&mut self.read) {
            for (number, item) in policy.macros.into_iter().enumerate() {
                let origin = Origin { policy: index, index: number };
                let (definition, status) = self.select_item(&mut selector, item);
                self.broken += usize::from(matches!(status, Some(RuleStatus::Error { .. })));
                if let Some(definition) = definition.filter(|_| status.is_none()) {
                    macros.push(Candidate {
                        definition,
                        origin,
                        kind: policy.kind,
                        policy: policy.name.clone(),
                    });
                }
            }
            for (number, item) in policy.rules.into_iter().enumerate() {
                let origin = Origin { policy: index, index: number };
                let mut outcome = outcome_of(&item);
                let (definition, status) = self.select_item(&mut selector, item);
                let accepted = status.is_none();
                outcome.status = status.unwrap_or(RuleStatus::Loaded);
                self.policies[index].rules.push(outcome);
                let is_broken = matches!(
                    self.policies[index].rules.last(),
                    Some(RuleOutcome { status: RuleStatus::Error { .. }, .. })
                );
                if let Some(definition) = definition {
                    if is_broken {
                        self.broken_rules.push(definition);
                        continue;
                    }
                    if !accepted {
                        continue;
                    }
                    rules.push(Candidate {
                        definition,
                        origin,
                        kind: policy.kind,
                        policy: policy.name.clone(),
                    });
                }
            }
        }
        (macros, rules)
    }

    /// The definition, and its status if it is not to be used.
    fn select_item<T>(
        &mut self,
        selector: &mut Selector<'_>,
        item: Item<T>,
    ) -> (Option<T>, Option<RuleStatus>) {
        let id = item.id.as_ref().map_or("", Text::as_str).to_owned();
        let mut reports = match selector.select(&item.conditions) {
            Selection::Filtered(status) => return (item.definition, Some(status)),
            Selection::Accepted => Vec::new(),
            Selection::Broken(reports) => reports,
        };
        reports.extend(item.reports);
        let error = self.report_all(reports, &id);
        (item.definition, error.map(|message| RuleStatus::Error { message }))
    }

    /// Adds reports about an item; returns the message of the first error.
    fn report_all(&mut self, reports: Vec<Report>, id: &str) -> Option<String> {
        let mut error = None;
        for mut report in reports {
            report.set_rule(id);
            if report.is_error() && error.is_none() {
                error = Some(report.message().to_owned());
            }
            self.report(report);
        }
        error
    }

    fn build(
        mut self,
        macros: Vec<Candidate<MacroDefinition>>,
        rules: Vec<Candidate<RuleDefinition>>,
    ) -> Load {
        let mut reports = Vec::new();
        let macros = merge::macros(macros, &mut reports);
        let merged = merge::rules(rules, &mut reports);
        self.apply_outcomes(&merged.outcomes);
        self.broken += reports.iter().filter(|report| report.is_error()).count();
        self.report_all(std::mem::take(&mut reports), "");

        let mut variables = VariableTable::new(self.schema);
        let mut wrong: FxHashMap<Origin, Vec<(usize, Vec<Report>)>> = FxHashMap::default();
        for rule in &merged.rules {
            let found = declare::variables(self.schema, &mut variables, &rule.definition);
            if !found.is_empty() {
                wrong.insert(rule.origin, found);
            }
        }
        let compiled_macros = compile::macros(&macros, self.schema, &variables, &mut reports);
        let wrong_macros: std::collections::BTreeSet<&str> =
            reports.iter().filter(|report| report.is_error()).filter_map(Report::rule).collect();
        self.broken += wrong_macros.len();
        self.report_all(std::mem::take(&mut reports), "");

        let rule_compiler = RuleCompiler::new(self.schema, self.options, &variables, &compiled_macros);
        let mut infos: Vec<Arc<RuleInfo>> = Vec::new();
        let mut in_force: Vec<(i64, CompiledRule)> = Vec::new();
        let mut budget = Budget::new(&compiled_macros);
        for rule in merged.rules {
            let mut rule_reports = Vec::new();
            let number = infos.len();
            let info = Arc::new(self.info(&rule));
            let undeclared = wrong.remove(&rule.origin).unwrap_or_default();
            let compiled = match self.check(&rule, &mut budget) {
                Some(report) => Err(Refusal::Wrong(vec![report])),
                None if undeclared.is_empty() => {
                    rule_compiler.rule(&rule.definition, &info, number, &mut rule_reports)
                }
                None => Err(Refusal::Wrong(rule_compiler.mistakes_besides(&rule.definition, undeclared))),
            };
            let status = match compiled {
                Ok(compiled) => {
                    self.warn_of_unsupported(&rule.definition);
                    let priority = rule.definition.priority;
                    in_force.extend(compiled.into_iter().map(|rule| (priority, rule)));
                    infos.push(info);
                    RuleStatus::Loaded
                }
                Err(Refusal::EventDisabled(event)) => {
                    let reason = format!("{event} events are not watched");
                    let report = Report::warning(
                        codes::EVENT_DISABLED,
                        &rule.definition.id,
                        format!("the rule is skipped: {reason}"),
                    );
                    rule_reports.push(report);
                    RuleStatus::Skipped { by: "event_type", reason }
                }
                Err(Refusal::Wrong(reports)) => {
                    let first = reports.iter().find(|report| report.is_error());
                    let message = first.map(|report| report.message().to_owned()).unwrap_or_default();
                    rule_reports.extend(reports);
                    RuleStatus::Error { message }
                }
            };
            self.report_all(rule_reports, rule.definition.id.as_str());
            self.set_status(rule.origin, status, rule.modified_by);
        }
        self.check_broken_rules(&variables, &compiled_macros, &mut budget);
        in_force.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
        let in_force = in_force.into_iter().map(|(_, rule)| rule).collect();
        let names = compiled_macros.names().map(str::to_owned).collect();
        let rule_set = RuleSet::new(in_force, variables, infos, names);
        self.finish(rule_set, compiled_macros)
    }

    /// Says what else is wrong with rules that do not load anyway, so that everything is told at once.
    fn check_broken_rules(&mut self, variables: &VariableTable, macros: &Macros, budget: &mut Budget<'_>) {
        let rules = std::mem::take(&mut self.broken_rules);
        // What they set is not there for other rules, but it is for themselves.
        let mut variables = variables.clone();
        let undeclared: Vec<_> =
            rules.iter().map(|rule| declare::variables(self.schema, &mut variables, rule)).collect();
        for (rule, undeclared) in rules.iter().zip(undeclared) {
            if !rule.expression.as_ref().is_none_or(|text| budget.take(text.as_str())) {
                continue;
            }
            let compiler = RuleCompiler::new(self.schema, self.options, &variables, macros);
            let mut found = compiler.mistakes_besides(rule, undeclared);
            // The variables of actions that could not be read are not declared.
            found.retain(|report| report.code() != secl::Code::UnknownVariable.id());
            self.report_all(found, rule.id.as_str());
        }
    }

    fn info(&self, rule: &MergedRule) -> RuleInfo {
        let definition = &rule.definition;
        let version = self.policies.get(rule.origin.policy).map(|policy| policy.version.clone());
        RuleInfo {
            id: definition.id.as_str().to_owned(),
            version: definition.version.clone(),
            description: definition.description.clone(),
            expression: definition.expression.as_ref().map_or("", Text::as_str).to_owned(),
            tags: definition.tags.clone(),
            product_tags: definition.product_tags.clone(),
            policy_name: rule.policy.clone(),
            policy_version: version.unwrap_or_default(),
            group_id: definition.group_id.as_ref().map_or("", Text::as_str).to_owned(),
            silent: definition.silent,
            every: definition.every,
        }
    }

    /// What forbids to compile a rule.
    fn check(&self, rule: &MergedRule, budget: &mut Budget<'_>) -> Option<Report> {
        let id = &rule.definition.id;
        if RESERVED_IDS.contains(&id.as_str()) {
            let message = format!("`{}` is the name of an event of the agent itself", id.as_str());
            return Some(Report::error(codes::RESERVED_ID, id, message));
        }
        let expression = rule.definition.expression.as_ref();
        let text = expression.filter(|text| !budget.take(text.as_str()))?;
        let message = format!("the rules so far expand to more than {} bytes", limits::EXPANDED_BYTES);
        Some(Report::error(codes::TOO_MANY, text, message))
    }

    fn warn_of_unsupported(&mut self, rule: &RuleDefinition) {
        let support = self.options.actions;
        for action in &rule.actions {
            let supported = match action.kind {
                ActionKind::Set(_) | ActionKind::Log(_) => true,
                ActionKind::Kill(_) => support.kill,
                ActionKind::Hash(_) => support.hash,
                ActionKind::CoreDump(_) => support.coredump,
                ActionKind::NetworkFilter(_) => support.network_filter,
            };
            if !supported {
                let name = action.kind.name();
                let message = format!(
                    "this agent cannot carry out `{name}` actions; the rule loads, reports of it say so"
                );
                self.report(
                    Report::warning(codes::UNSUPPORTED_ACTION, action.at, message).of(rule.id.as_str()),
                );
            }
        }
    }

    fn apply_outcomes(&mut self, outcomes: &[(Origin, Outcome)]) {
        for (origin, outcome) in outcomes {
            let status = match outcome {
                // Compiling decides.
                Outcome::Rule => continue,
                Outcome::Applied => RuleStatus::Merged,
                Outcome::Ignored { first } => RuleStatus::Skipped {
                    by: "duplicate",
                    reason: format!("{first} has a rule of this id already"),
                },
                Outcome::Disabled { by } if by.is_empty() => {
                    RuleStatus::Skipped { by: "disabled", reason: "disabled".to_owned() }
                }
                Outcome::Disabled { by } => {
                    RuleStatus::Skipped { by: "disabled", reason: format!("disabled by {}", by.join(", ")) }
                }
            };
            self.set_status(*origin, status, Vec::new());
        }
    }

    fn set_status(&mut self, origin: Origin, status: RuleStatus, modified_by: Vec<String>) {
        let policy = self.policies.get_mut(origin.policy);
        if let Some(outcome) = policy.and_then(|policy| policy.rules.get_mut(origin.index)) {
            outcome.status = status;
            outcome.modified_by = modified_by;
        }
    }

    fn finish(self, rules: RuleSet, macros: Macros) -> Load {
        let outcomes = || self.policies.iter().flat_map(|policy| &policy.rules).map(|rule| &rule.status);
        let counts = RuleCounts {
            loaded: rules.rules().len(),
            skipped: outcomes().filter(|status| matches!(status, RuleStatus::Skipped { .. })).count(),
            errors: self.broken
                + outcomes().filter(|status| matches!(status, RuleStatus::Error { .. })).count(),
        };
        let tests = self.tests.into_iter().map(|test| {
            let (path, line) =
                (self.sources.path(test.at.file).to_owned(), self.sources.line_column(test.at).line);
            (test, path, line)
        });
        Load {
            rules: Arc::new(rules),
            macros,
            counts,
            tests: tests.collect(),
            diagnostics: self.diagnostics.into_sorted(),
            policies: self.policies,
        }
    }
}

/// What is known of a rule definition before it is compiled.
fn outcome_of(item: &Item<RuleDefinition>) -> RuleOutcome {
    let definition = item.definition.as_ref();
    let Conditions { agent_version, filters } = &item.conditions;
    RuleOutcome {
        id: item.id.as_ref().map_or("", Text::as_str).to_owned(),
        version: definition.map(|rule| rule.version.clone()).unwrap_or_default(),
        expression: definition.and_then(|rule| rule.expression.as_ref()).map_or("", Text::as_str).to_owned(),
        status: RuleStatus::Loaded,
        agent_version: agent_version.as_ref().map_or("", Text::as_str).to_owned(),
        filters: filters.iter().map(|filter| filter.as_str().to_owned()).collect(),
        tags: definition.map(|rule| rule.tags.clone()).unwrap_or_default(),
        product_tags: definition.map(|rule| rule.product_tags.clone()).unwrap_or_default(),
        actions: definition
            .map(|rule| rule.actions.iter().map(|action| action.kind.name()).collect())
            .unwrap_or_default(),
        modified_by: Vec::new(),
    }
}
