//! The default policy of the shared data, reduced to what the language is about: macros, expressions, types of variables.

use secl::fim::{FimTarget, expand};
use secl::{Compiler, Kind, Limits, Macros, Rule, Schema, Type, Value};
use serde_yaml::Value as Yaml;

use super::schema::TableSchema;
use super::variables::FixedVariables;

/// The ways to write a file.
pub const WRITES: &[FimTarget<'static>] = &[
    FimTarget {
        name: "open",
        file: "open.file",
        condition: Some("open.flags & (O_CREAT|O_TRUNC|O_APPEND|O_RDWR|O_WRONLY) > 0"),
    },
    FimTarget { name: "chmod", file: "chmod.file", condition: None },
    FimTarget { name: "chown", file: "chown.file", condition: None },
    FimTarget { name: "link", file: "link.file", condition: None },
    FimTarget { name: "rename", file: "rename.file", condition: None },
    FimTarget { name: "rename_destination", file: "rename.file.destination", condition: None },
    FimTarget { name: "unlink", file: "unlink.file", condition: None },
    FimTarget { name: "utimes", file: "utimes.file", condition: None },
];

#[derive(Debug)]
pub struct Policy {
    pub macros: Macros,
    pub variables: FixedVariables,
    /// Number of rules that are not for another operating system.
    pub count: usize,
    /// Id and expression of each of them, `fim.write` expanded.
    pub rules: Vec<(String, String)>,
}

impl Policy {
    pub fn shared(schema: &TableSchema) -> Option<Self> {
        let text = super::shared("policies/datadog-default-1.69.3.policy")?;
        let yaml: Yaml = serde_yaml::from_str(&text).unwrap();
        let limits = Limits::default();
        let mut macros = Macros::new();
        for item in list(&yaml, "macros") {
            macros.define(string(item, "id"), string(item, "expression"), &limits).unwrap();
        }
        let mut rules = Vec::new();
        let mut count = 0;
        let mut variables = vec![("builtins.uuid4".to_owned(), Type::scalar(Kind::Str))];
        for rule in list(&yaml, "rules") {
            if list(rule, "filters").iter().any(|filter| filter.as_str().unwrap().contains("windows")) {
                continue;
            }
            count += 1;
            let (id, text) = (string(rule, "id"), string(rule, "expression"));
            match expand(id, text, WRITES) {
                Some(expanded) => rules.extend(expanded.into_iter().map(|rule| (rule.id, rule.expression))),
                None => rules.push((id.to_owned(), text.to_owned())),
            }
            for action in list(rule, "actions") {
                if let Some(set) = action.get("set") {
                    variables.push(variable(schema, set));
                }
            }
        }
        Some(Self { macros, variables: FixedVariables::unset(variables), count, rules })
    }

    pub fn compiler<'a>(&'a self, schema: &'a TableSchema) -> Compiler<'a> {
        Compiler { schema, variables: &self.variables, macros: &self.macros, limits: Limits::default() }
    }

    pub fn compile(&self, schema: &TableSchema) -> Vec<Rule> {
        let compiler = self.compiler(schema);
        let compile = |(id, text): &(String, String)| {
            compiler.rule(text).unwrap_or_else(|found| {
                let found: Vec<_> = found.iter().map(|diagnostic| diagnostic.render(text)).collect();
                panic!("{id}:\n{}", found.join("\n"))
            })
        };
        self.rules.iter().map(compile).collect()
    }
}

/// Name and type of a variable that an action sets.
fn variable(schema: &TableSchema, set: &Yaml) -> (String, Type) {
    let name = string(set, "name");
    let name = match set.get("scope").and_then(Yaml::as_str) {
        Some(scope) if scope != "global" => format!("{scope}.{name}"),
        _ => name.to_owned(),
    };
    let value = set.get("value").or_else(|| set.get("default_value"));
    let kind = match (value, set.get("field").and_then(Yaml::as_str)) {
        (Some(Yaml::Bool(_)), _) => Kind::Bool,
        (Some(Yaml::Number(_)), _) => Kind::Int,
        (Some(_), _) => Kind::Str,
        (None, Some(field)) => schema.field(field).unwrap().kind,
        (None, None) => Value::Str(Vec::new()).ty().kind,
    };
    (
        name,
        Type { kind, list: set.get("append").and_then(Yaml::as_bool).unwrap_or(false) && kind != Kind::Bool },
    )
}

fn list<'y>(yaml: &'y Yaml, key: &str) -> &'y [Yaml] {
    yaml.get(key).and_then(Yaml::as_sequence).map_or(&[], Vec::as_slice)
}

fn string<'y>(yaml: &'y Yaml, key: &str) -> &'y str {
    yaml.get(key).and_then(Yaml::as_str).unwrap_or_else(|| panic!("no {key} in {yaml:?}"))
}
