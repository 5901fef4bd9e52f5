//! Variables with fixed values.

use std::net::IpAddr;

use secl::{Kind, Type, Value, Variable, VariableId, VariableNames, Variables};
use serde_json::Value as Json;

#[derive(Debug, Default, Clone)]
pub struct FixedVariables {
    pub values: Vec<(String, Value)>,
}

impl FixedVariables {
    pub fn from_json(json: Option<&Json>) -> Self {
        let entries = json.and_then(Json::as_object).into_iter().flatten();
        Self { values: entries.map(|(name, value)| (name.clone(), decode(value))).collect() }
    }

    /// A variable of each of these types, with its zero value.
    pub fn unset(names: impl IntoIterator<Item = (String, Type)>) -> Self {
        Self { values: names.into_iter().map(|(name, ty)| (name, Value::zero(ty))).collect() }
    }

    fn value(&self, id: VariableId) -> &Value {
        &self.values[id.0 as usize].1
    }
}

fn decode(json: &Json) -> Value {
    match json {
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(value) => Value::Int(value.as_i64().unwrap()),
        Json::String(value) => Value::Str(value.as_bytes().to_vec()),
        Json::Array(items) if items.iter().all(Json::is_number) => {
            Value::Ints(items.iter().map(|item| item.as_i64().unwrap()).collect())
        }
        Json::Array(items) => {
            Value::Strs(items.iter().map(|item| item.as_str().unwrap().as_bytes().to_vec()).collect())
        }
        other => panic!("bad variable {other}"),
    }
}

impl VariableNames for FixedVariables {
    fn variable(&self, name: &str) -> Option<Variable> {
        let at = self.values.iter().position(|(known, _)| known == name)?;
        Some(Variable { id: VariableId(u32::try_from(at).unwrap()), ty: self.values[at].1.ty() })
    }

    fn each_name(&self, visit: &mut dyn FnMut(&str)) {
        self.values.iter().for_each(|(name, _)| visit(name));
    }
}

impl Variables for FixedVariables {
    fn int(&self, id: VariableId) -> i64 {
        if let Value::Int(value) = self.value(id) { *value } else { 0 }
    }

    fn bool(&self, id: VariableId) -> bool {
        *self.value(id) == Value::Bool(true)
    }

    fn ip(&self, id: VariableId) -> Option<IpAddr> {
        if let Value::Ip(value) = self.value(id) { Some(value.addr()) } else { None }
    }

    fn with_str<R>(&self, id: VariableId, read: impl FnOnce(&[u8]) -> R) -> R {
        if let Value::Str(value) = self.value(id) { read(value) } else { read(b"") }
    }

    fn len(&self, id: VariableId) -> usize {
        match self.value(id) {
            Value::Ints(list) => list.len(),
            Value::Strs(list) => list.len(),
            Value::Ips(list) => list.len(),
            _ => 0,
        }
    }

    fn any_int(&self, id: VariableId, test: impl FnMut(i64) -> bool) -> bool {
        if let Value::Ints(list) = self.value(id) { list.iter().copied().any(test) } else { false }
    }

    fn any_str(&self, id: VariableId, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        if let Value::Strs(list) = self.value(id) { list.iter().any(|value| test(value)) } else { false }
    }

    fn any_ip(&self, id: VariableId, mut test: impl FnMut(IpAddr) -> bool) -> bool {
        if let Value::Ips(list) = self.value(id) {
            list.iter().any(|value| test(value.addr()))
        } else {
            false
        }
    }
}

/// The kinds of variables that tests declare.
pub const KINDS: [Kind; 4] = [Kind::Int, Kind::Bool, Kind::Str, Kind::Ip];
