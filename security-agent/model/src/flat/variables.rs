//! Variables with written values, for tests of rules.

use std::net::IpAddr;

use secl::{Value, Variable, VariableId, VariableNames, Variables};
use serde_json::Value as Json;

/// Why a written variable is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlatVariablesError {
    /// Not a JSON object.
    #[error("variables are an object of values")]
    NotAnObject,
    /// A value that no variable can have.
    #[error(
        "variable `{name}` cannot be `{value}`: it is a boolean, an integer, a string, or a list of one of the last two"
    )]
    WrongType {
        /// Name of the variable.
        name: String,
        /// The value given.
        value: String,
    },
}

/// Variables given as values. Their types are those of the values; an empty list is one of strings.
#[derive(Debug, Clone, Default)]
pub struct FlatVariables {
    values: Vec<(String, Value)>,
}

impl FlatVariables {
    /// Reads variables from a JSON object of values.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn from_json(variables: &Json) -> Result<Self, Vec<FlatVariablesError>> {
        let Json::Object(object) = variables else { return Err(vec![FlatVariablesError::NotAnObject]) };
        let mut errors = Vec::new();
        let mut read = Self::default();
        for (name, json) in object {
            match value(json) {
                Some(value) => read.values.push((name.clone(), value)),
                None => {
                    errors.push(FlatVariablesError::WrongType { name: name.clone(), value: json.to_string() })
                }
            }
        }
        if errors.is_empty() { Ok(read) } else { Err(errors) }
    }

    /// Gives a variable a value, unless it has one.
    pub fn set_default(&mut self, name: &str, value: Value) {
        if self.variable(name).is_none() {
            self.values.push((name.to_owned(), value));
        }
    }

    fn get(&self, id: VariableId) -> Option<&Value> {
        self.values.get(usize::try_from(id.0).ok()?).map(|(_, value)| value)
    }
}

fn value(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(value) => Value::Int(value.as_i64()?),
        Json::String(value) => Value::Str(value.clone().into_bytes()),
        Json::Array(values) if values.first().is_some_and(Json::is_number) => {
            Value::Ints(values.iter().map(Json::as_i64).collect::<Option<_>>()?)
        }
        Json::Array(values) => {
            let text = |value: &Json| value.as_str().map(|text| text.as_bytes().to_vec());
            Value::Strs(values.iter().map(text).collect::<Option<_>>()?)
        }
        Json::Null | Json::Object(_) => return None,
    })
}

impl VariableNames for FlatVariables {
    fn variable(&self, name: &str) -> Option<Variable> {
        let position = self.values.iter().position(|(known, _)| known == name)?;
        let ty = self.values.get(position)?.1.ty();
        Some(Variable { id: VariableId(u32::try_from(position).ok()?), ty })
    }

    fn each_name(&self, visit: &mut dyn FnMut(&str)) {
        self.values.iter().for_each(|(name, _)| visit(name));
    }
}

impl Variables for FlatVariables {
    fn int(&self, id: VariableId) -> i64 {
        if let Some(Value::Int(value)) = self.get(id) { *value } else { 0 }
    }

    fn bool(&self, id: VariableId) -> bool {
        matches!(self.get(id), Some(Value::Bool(true)))
    }

    fn ip(&self, _: VariableId) -> Option<IpAddr> {
        None
    }

    fn with_str<R>(&self, id: VariableId, read: impl FnOnce(&[u8]) -> R) -> R {
        read(if let Some(Value::Str(value)) = self.get(id) { value } else { b"" })
    }

    fn len(&self, id: VariableId) -> usize {
        match self.get(id) {
            Some(Value::Ints(values)) => values.len(),
            Some(Value::Strs(values)) => values.len(),
            _ => 0,
        }
    }

    fn any_int(&self, id: VariableId, mut test: impl FnMut(i64) -> bool) -> bool {
        matches!(self.get(id), Some(Value::Ints(values)) if values.iter().any(|value| test(*value)))
    }

    fn any_str(&self, id: VariableId, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        matches!(self.get(id), Some(Value::Strs(values)) if values.iter().any(|value| test(value)))
    }

    fn any_ip(&self, _: VariableId, _: impl FnMut(IpAddr) -> bool) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use secl::{Kind, Type};
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_those_of_the_values() {
        let variables = FlatVariables::from_json(
            &json!({"i": -3, "b": true, "s": "x", "is": [1, 2], "ss": [], "t": ["a"]}),
        )
        .unwrap();
        let id = |name| variables.variable(name).unwrap().id;
        assert_eq!(variables.variable("ss").unwrap().ty, Type::list(Kind::Str));
        assert_eq!(variables.int(id("i")), -3);
        assert!(variables.bool(id("b")));
        variables.with_str(id("s"), |text| assert_eq!(text, b"x"));
        assert!(variables.any_int(id("is"), |value| value == 2));
        assert!(variables.any_str(id("t"), |value| value == b"a"));
        assert_eq!((variables.len(id("is")), variables.len(id("ss"))), (2, 0));
        assert!(variables.variable("x").is_none());
    }

    #[test]
    fn other_values_are_refused() {
        for value in [json!(null), json!({}), json!([1, "a"]), json!(1.5), json!([[]])] {
            assert_eq!(FlatVariables::from_json(&json!({ "x": value })).unwrap_err().len(), 1);
        }
        assert!(FlatVariables::from_json(&json!(1)).is_err());
    }
}
