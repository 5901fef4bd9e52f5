//! Reads definitions from the text of a policy file.
//!
//! A value of the wrong type spoils the item it belongs to, never the file. Keys that mean nothing are ignored with a
//! warning, as the reference ignores them.

mod action;
mod fields;
mod test;

use std::sync::Arc;

use super::{
    Combine, Conditions, MacroBody, MacroDefinition, MacroValue, OverrideField, PolicyKind, RuleDefinition,
    TestDefinition,
};
use crate::diagnostic::{Place, Report, codes};
use crate::limits;
use crate::source::Sources;
use crate::text::Text;
use crate::yaml::{self, Node, Value};
use fields::Fields;

/// A definition, and what is wrong with it: the caller decides whether that matters (nothing is wrong with a rule for
/// another operating system).
#[derive(Debug)]
pub struct Item<T> {
    /// The definition, as far as it can be told.
    pub definition: Option<T>,
    /// Whether an error keeps the definition from being used.
    pub broken: bool,
    /// The id, as far as it can be told.
    pub id: Option<Text>,
    /// Whether it applies here, as far as that can be told.
    pub conditions: Conditions,
    /// What is wrong.
    pub(crate) reports: Vec<Report>,
}

/// A policy file as read.
#[derive(Debug)]
pub struct Policy {
    /// Name of the file, without its directory.
    pub name: String,
    /// Whether it is the default policy.
    pub kind: PolicyKind,
    /// The file's `version`, free text.
    pub version: String,
    /// Its macros, in the order of the file.
    pub macros: Vec<Item<MacroDefinition>>,
    /// Its rules, in the order of the file.
    pub rules: Vec<Item<RuleDefinition>>,
    /// The tests that stand beside its rules.
    pub tests: Vec<TestDefinition>,
    /// What is wrong with the file as a whole.
    pub(crate) reports: Vec<Report>,
}

const POLICY_KEYS: &[&str] =
    &["version", "type", "name", "description", "macros", "rules", "tests", "hooks", "replace_policy_id"];

/// Reads a policy. `Err`: the file holds none.
pub(crate) fn policy(
    sources: &mut Sources,
    name: &str,
    path: &str,
    bytes: &[u8],
) -> Result<Policy, Box<Report>> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| not_utf8(sources, path, bytes, error.valid_up_to()))?;
    let file = sources.add(path, text);
    let whole = || Place::File(Arc::from(path));
    let bad_yaml = |error: yaml::YamlError| Report::error(codes::BAD_YAML, error.at, error.message);
    let document = yaml::parse(file, text).map_err(bad_yaml)?;
    let no_document = || Report::error(codes::NO_DOCUMENT, whole(), "the file holds no YAML document");
    let yaml::Document { root, wrong } = document.ok_or_else(no_document)?;
    let Value::Map(entries) = &root.value else {
        let message = format!("a policy is a mapping with `rules`, this is {}", root.value.kind());
        return Err(Box::new(Report::error(codes::NO_DOCUMENT, root.at, message)));
    };
    let mut reports: Vec<Report> = wrong.into_iter().map(bad_yaml).collect();
    let mut fields = Fields::new("policy", entries, &mut reports);
    let version = fields.string("version");
    // A policy that says so combines like the default one, whatever its name: several files may make up the defaults.
    let kind = match fields.string("type").as_str() {
        "default" => PolicyKind::Default,
        _ => PolicyKind::of_file(name),
    };
    let macros = fields.list("macros", limits::MACROS).iter().map(macro_definition).collect::<Vec<_>>();
    let mut tests = Vec::new();
    let rules: Vec<_> =
        fields.list("rules", limits::RULES).iter().map(|node| rule_definition(node, &mut tests)).collect();
    test::read_list(&mut fields, None, &mut tests);
    fields.finish(POLICY_KEYS);
    if macros.is_empty() && rules.is_empty() && tests.is_empty() && !reports.iter().any(Report::is_error) {
        let help = Some("a policy file needs `rules:` or `macros:` with at least one item".to_owned());
        reports.push(Report::error(codes::EMPTY_POLICY, whole(), "the policy is empty").help(help));
    }
    Ok(Policy { name: name.to_owned(), kind, version, macros, rules, tests, reports })
}

/// The diagnostic for a file that is not UTF-8 from the byte `valid` on.
fn not_utf8(sources: &mut Sources, path: &str, bytes: &[u8], valid: usize) -> Report {
    let text = bytes.get(..valid).map(String::from_utf8_lossy).unwrap_or_default();
    let file = sources.add(path, &text);
    let offset = u32::try_from(valid).unwrap_or(0);
    let byte = bytes.get(valid).copied().unwrap_or(0);
    let message = format!("the file is not UTF-8: byte {byte:#04x} at offset {valid}");
    Report::error(codes::NOT_UTF8, crate::source::Location { file, offset }, message)
}

/// An item that must be a mapping with an id.
fn item<T>(
    node: &Node,
    what: &'static str,
    keys: &[&str],
    read: impl FnOnce(&mut Fields<'_, '_>, &Text, &Conditions) -> Option<T>,
) -> Item<T> {
    let mut reports = Vec::new();
    let Value::Map(entries) = &node.value else {
        let message = format!("a {what} is a mapping, this is {}", node.value.kind());
        reports.push(Report::error(codes::WRONG_TYPE, node.at, message));
        return Item { definition: None, broken: true, id: None, conditions: Conditions::default(), reports };
    };
    let mut fields = Fields::new(what, entries, &mut reports);
    let conditions = Conditions {
        agent_version: fields.text("agent_version").filter(|text| !text.as_str().trim().is_empty()),
        filters: fields.texts("filters", limits::LIST_ITEMS),
    };
    let id = fields.text("id").filter(|id| !id.as_str().is_empty());
    let definition = match &id {
        None => {
            fields.report(Report::error(codes::NO_ID, node.at, format!("the {what} has no `id`")));
            fields.finish(keys);
            None
        }
        Some(id) => {
            check_id(&mut fields, what, id);
            let definition = read(&mut fields, id, &conditions);
            fields.finish(keys);
            definition
        }
    };
    let broken = reports.iter().any(Report::is_error);
    for report in &mut reports {
        report.set_rule(id.as_ref().map_or("", Text::as_str));
    }
    Item { definition, broken, id, conditions, reports }
}

/// Ids are what `^[a-zA-Z0-9_]*$` accepts, as in the reference.
fn check_id(fields: &mut Fields<'_, '_>, what: &str, id: &Text) {
    if id.as_str().len() > limits::ID_BYTES {
        let message =
            format!("the {what} id has {} bytes, {} are allowed", id.as_str().len(), limits::ID_BYTES);
        return fields.report(Report::error(codes::BAD_ID, id, message));
    }
    if !id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        let message = format!("the {what} id `{}` may only hold letters, digits and `_`", id.as_str());
        fields.report(Report::error(codes::BAD_ID, id, message));
    }
}

const MACRO_KEYS: &[&str] =
    &["id", "expression", "description", "agent_version", "filters", "values", "combine"];

fn macro_definition(node: &Node) -> Item<MacroDefinition> {
    item(node, "macro", MACRO_KEYS, |fields, id, conditions| {
        let expression = fields.text("expression");
        let values: Option<Vec<_>> = fields.get("values").is_some().then(|| {
            fields
                .list("values", limits::MACRO_VALUES)
                .iter()
                .filter_map(|node| macro_value(fields, node))
                .collect()
        });
        let combine = combine(fields, true);
        let body = match (expression, values) {
            (Some(expression), None) => MacroBody::Expression(expression),
            (None, Some(values)) => MacroBody::Values(values),
            (Some(_), Some(_)) => {
                let message = "only one of `expression` and `values` can be defined";
                fields.report(Report::error(codes::BAD_MACRO, id, message));
                return None;
            }
            (None, None) => {
                let message = "a macro needs an `expression` or `values`";
                fields.report(Report::error(codes::BAD_MACRO, id, message));
                return None;
            }
        };
        Some(MacroDefinition { id: id.clone(), body, combine, conditions: conditions.clone() })
    })
}

fn macro_value(fields: &mut Fields<'_, '_>, node: &Node) -> Option<MacroValue> {
    match &node.value {
        Value::Int(value, _) => Some(MacroValue::Int(*value)),
        Value::Text(text) | Value::Bool(_, text) => Some(MacroValue::Text(text.clone())),
        Value::Null | Value::List(_) | Value::Map(_) => {
            let message =
                format!("a value of a macro is a string or an integer, this is {}", node.value.kind());
            fields.report(Report::error(codes::WRONG_TYPE, node.at, message));
            None
        }
    }
}

const RULE_KEYS: &[&str] = &[
    "id",
    "version",
    "expression",
    "description",
    "tags",
    "product_tags",
    "agent_version",
    "filters",
    "disabled",
    "combine",
    "override_options",
    "actions",
    "every",
    "limiter_token",
    "silent",
    "group_id",
    "priority",
    "tests",
];

fn rule_definition(node: &Node, tests: &mut Vec<TestDefinition>) -> Item<RuleDefinition> {
    item(node, "rule", RULE_KEYS, |fields, id, conditions| {
        let expression = fields.text("expression").filter(|text| !text.as_str().trim().is_empty());
        let disabled = fields.flag("disabled");
        let combine = combine(fields, false);
        if expression.is_none() && !disabled && combine.is_none() {
            fields.report(Report::error(codes::NO_EXPRESSION, id, "the rule has no `expression`"));
        }
        let group_id = fields.text("group_id").filter(|group| !group.as_str().is_empty());
        if let Some(group) = &group_id {
            check_id(fields, "group", group);
        }
        let actions = fields.list("actions", limits::ACTIONS).iter();
        let actions = actions.filter_map(|node| action::read(fields, node)).collect();
        test::read_list(fields, Some(id), tests);
        Some(RuleDefinition {
            id: id.clone(),
            expression,
            description: fields.string("description"),
            version: fields.string("version"),
            tags: fields.pairs("tags", limits::LIST_ITEMS),
            product_tags: fields.strings("product_tags", limits::LIST_ITEMS),
            conditions: conditions.clone(),
            disabled,
            combine,
            override_fields: override_fields(fields),
            actions,
            every: fields.duration("every").filter(|&every| every > 0),
            limiter_token: fields.texts("limiter_token", limits::LIMITER_FIELDS),
            silent: fields.flag("silent"),
            group_id,
            priority: fields.int("priority").unwrap_or(0),
        })
    })
}

fn combine(fields: &mut Fields<'_, '_>, is_macro: bool) -> Option<Combine> {
    let names: &[(&str, Combine)] = match is_macro {
        true => &[("merge", Combine::Merge), ("override", Combine::Override)],
        false => &[("override", Combine::Override)],
    };
    fields.choice("combine", names, codes::BAD_COMBINE)
}

fn override_fields(fields: &mut Fields<'_, '_>) -> Vec<OverrideField> {
    let Some(options) = fields.get("override_options") else { return Vec::new() };
    let Value::Map(entries) = &options.value else {
        fields.wrong_type("override_options", options, "a mapping");
        return Vec::new();
    };
    let mut options = fields.nested("override_options", entries);
    let names = options.texts("fields", limits::LIST_ITEMS);
    let parts = names
        .iter()
        .filter_map(|name| options.name(name, &OverrideField::NAMES, "override field", codes::BAD_OVERRIDE))
        .collect();
    options.finish(&["fields"]);
    parts
}
