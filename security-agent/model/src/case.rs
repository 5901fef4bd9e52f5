//! A case: an expression, an event, and whether the one is expected to match the other.

use secl::{Compiler, Diagnostic, Event, Limits, Macros, Rule, Scratch, Value};
use serde_json::Value as Json;

use crate::flat::{FlatEvent, FlatEventError, FlatVariables, FlatVariablesError};
use crate::schema::{Fields, field};

/// A case as it is written: `{"id", "expr", "event", "vars", "macros", "expect"}`, of which only `expr` must be there.
///
/// `event` is read by [`FlatEvent`], `vars` by [`FlatVariables`]; `macros` has an expression, or a list
/// of strings, for each name. `expect` is
/// `true`, `false`, or `"error"` for an expression that must not compile.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    json: &'a Json,
}

/// Why a case has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// The case has no expression.
    #[error("a case is an object with an expression, `expr`")]
    NoExpression,
    /// A macro is neither an expression nor a list of strings.
    #[error("macro `{0}` is neither an expression nor a list of strings")]
    Macro(String),
    /// The event is none.
    #[error("event: {}", joined(.0))]
    Event(Vec<FlatEventError>),
    /// The variables are none.
    #[error("vars: {}", joined(.0))]
    Variables(Vec<FlatVariablesError>),
    /// A macro does not compile.
    #[error("macro `{name}`: {}", joined_diagnostics(.found, .text))]
    MacroSyntax {
        /// Name of the macro.
        name: String,
        /// Its expression.
        text: String,
        /// What is wrong.
        found: Vec<Diagnostic>,
    },
    /// The expression does not compile.
    #[error("{}", joined_diagnostics(.found, .text))]
    Expression {
        /// The expression.
        text: String,
        /// What is wrong.
        found: Vec<Diagnostic>,
    },
}

impl CaseError {
    /// Whether the rule is at fault rather than the way the case is written.
    pub fn is_of_rule(&self) -> bool {
        matches!(self, Self::Expression { .. } | Self::MacroSyntax { .. })
    }
}

fn joined<E: std::fmt::Display>(errors: &[E]) -> String {
    errors.iter().map(E::to_string).collect::<Vec<_>>().join("; ")
}

/// `line:column: message [code] (help)` for each one, on lines of their own.
fn joined_diagnostics(found: &[Diagnostic], text: &str) -> String {
    let lines = found.iter().map(|diagnostic| {
        let (line, column) = diagnostic.position(text);
        let help = diagnostic.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{line}:{column}: {} [{}]{help}", diagnostic.message, diagnostic.code.id())
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl<'a> Case<'a> {
    /// The case that `json` is.
    pub fn new(json: &'a Json) -> Self {
        Self { json }
    }

    /// What names it in results: its `id`, or nothing.
    pub fn id(&self) -> &'a Json {
        self.json.get("id").unwrap_or(&Json::Null)
    }

    /// What it expects, if it says so.
    pub fn expect(&self) -> Option<&'a Json> {
        self.json.get("expect")
    }

    /// Compiles the expression and evaluates it on the event at time `now`, in nanoseconds since 1970.
    ///
    /// # Errors
    /// The case is badly written, or the expression does not compile.
    pub fn evaluate(&self, now: i64) -> Result<bool, CaseError> {
        let text = self.json.get("expr").and_then(Json::as_str).ok_or(CaseError::NoExpression)?;
        let empty = Json::Object(serde_json::Map::new());
        let part = |name: &str| self.json.get(name).filter(|part| !part.is_null()).unwrap_or(&empty);
        let limits = Limits::default();
        let macros = read_macros(part("macros"), &limits)?;
        let mut event = FlatEvent::from_json(part("event"), now).map_err(CaseError::Event)?;
        let mut variables = FlatVariables::from_json(part("vars")).map_err(CaseError::Variables)?;
        variables.set_default("process.pid", Value::Int(acting_pid(&event)));
        let schema = Fields::default();
        let compiler = Compiler { schema: &schema, variables: &variables, macros: &macros, limits };
        let rule: Rule =
            compiler.rule(text).map_err(|found| CaseError::Expression { text: text.to_owned(), found })?;
        if let Some(id) = rule.event_type() {
            event.set_event_type(id);
        }
        Ok(rule.matches(&event, &variables, &mut Scratch::default()))
    }
}

fn read_macros(macros: &Json, limits: &Limits) -> Result<Macros, CaseError> {
    let mut read = Macros::new();
    for (name, body) in macros.as_object().into_iter().flatten() {
        let wrong = || CaseError::Macro(name.clone());
        if let Json::Array(values) = body {
            let values =
                values.iter().map(|value| value.as_str().ok_or_else(wrong)).collect::<Result<Vec<_>, _>>()?;
            read.define_values(name, values);
            continue;
        }
        let text = body.as_str().ok_or_else(wrong)?;
        read.define(name, text, limits).map_err(|found| {
            let (name, text) = (name.clone(), text.to_owned());
            CaseError::MacroSyntax { name, text, found }
        })?;
    }
    Ok(read)
}

/// What `${process.pid}` stands for. On an exec, `exec` is the process, by whichever name its pid is given.
fn acting_pid(event: &FlatEvent) -> i64 {
    let pids =
        ["process.pid", "exec.pid", "exit.pid"].map(|name| field(name).map_or(0, |info| event.int(info.id)));
    pids.into_iter().find(|pid| *pid != 0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::shared_data;

    const NOW: i64 = 1_700_000_000_000_000_000;

    #[test]
    fn shared_cases_have_the_expected_result() {
        let mut wrong = Vec::new();
        for json in shared_data::json_lines("secl/cases.jsonl") {
            let case = Case::new(&json);
            let result = case.evaluate(NOW);
            // Forms that the reference refuses for reasons of its lexer or library are accepted.
            let lenient = json.get("confidence").is_some_and(|c| c == "quirk") && json["expect"] == "error";
            let right = match (&result, &json["expect"]) {
                (Ok(result), Json::Bool(expected)) => result == expected,
                (Ok(_), _) => lenient,
                (Err(error), expected) => error.is_of_rule() && expected == "error",
            };
            if !right {
                wrong.push(format!("{} {}: {result:?}", case.id(), json["expr"]));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_pid_of_the_process_is_a_variable() {
        let json = json!({
            "expr": r#"open.file.path == "/proc/${process.pid}/mem""#,
            "event": {"open.file.path": "/proc/7/mem", "process.pid": 7},
        });
        assert_eq!(Case::new(&json).evaluate(NOW), Ok(true));
    }

    #[test]
    fn a_macro_may_be_a_list_of_strings() {
        let json = json!({
            "expr": "exec.comm in shells", "event": {"exec.comm": "sh"}, "macros": {"shells": ["bash", "sh"]},
        });
        assert_eq!(Case::new(&json).evaluate(NOW), Ok(true));
    }

    #[test]
    fn mistakes_are_told_apart() {
        let error = |json: Json| Case::new(&json).evaluate(NOW).unwrap_err();
        assert_eq!(error(json!({"id": 1})), CaseError::NoExpression);
        assert_eq!(error(json!([])), CaseError::NoExpression);
        let badly_written = [
            json!({"expr": "exec.pid > 0", "event": {"exec.nothing": 1, "exec.pid": "x"}}),
            json!({"expr": "exec.pid > 0", "vars": {"x": null}}),
            json!({"expr": "exec.pid > 0", "macros": {"x": 1}}),
        ];
        for json in badly_written {
            assert!(!error(json).is_of_rule());
        }
        let rule = error(json!({"expr": "exec.pid > 0 && open.flgs > 0"}));
        assert!(rule.is_of_rule());
        assert!(rule.to_string().starts_with("1:17: "), "{rule}");
        assert!(error(json!({"expr": "exec.pid in x", "macros": {"x": "[1"}})).is_of_rule());
    }
}
