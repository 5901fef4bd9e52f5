//! Events that are flat maps, in the encoding of the shared data.

use std::net::IpAddr;

use secl::{Event, EventTypeId, FieldId, IpNet, IteratorId, Kind, Schema, Value};
use serde_json::Value as Json;

use super::schema::TableSchema;

/// The time at which all events are evaluated, in nanoseconds.
pub const NOW: i64 = 1_700_000_000_000_000_000;

#[derive(Debug, Clone)]
pub struct FlatEvent {
    pub event_type: EventTypeId,
    pub values: Vec<Option<Value>>,
    alternatives: Vec<Option<Vec<u8>>>,
    lengths: Vec<usize>,
}

impl FlatEvent {
    pub fn new(schema: &TableSchema, event_type: EventTypeId) -> Self {
        Self {
            event_type,
            values: vec![None; schema.fields.len()],
            alternatives: vec![None; schema.fields.len()],
            lengths: vec![0; schema.iterators.len()],
        }
    }

    /// An event from its JSON form.
    pub fn from_json(schema: &TableSchema, event_type: EventTypeId, json: &Json) -> Self {
        let mut event = Self::new(schema, event_type);
        for (name, value) in json.as_object().into_iter().flatten().filter(|(name, _)| !name.starts_with('~'))
        {
            let field = schema.field(name).unwrap_or_else(|| panic!("unknown field {name}"));
            event.set(schema, field.id, decode(schema, field.kind, field.list, value));
        }
        if let Some(path) = json.get("~exec_symlink_path").and_then(Json::as_str) {
            let name = path.rsplit('/').next().unwrap();
            for (field, alternative) in [
                ("exec.file.path", path),
                ("process.file.path", path),
                ("exec.file.name", name),
                ("process.file.name", name),
            ] {
                event.set_alternative(schema.field(field).unwrap().id, alternative.as_bytes());
            }
        }
        for (key, mount) in json.as_object().into_iter().flatten() {
            let Some(file) = key.strip_prefix("~mount_path:") else { continue };
            let filesystem = json.get(format!("{file}.filesystem")).and_then(Json::as_str);
            let path = json.get(format!("{file}.path")).and_then(Json::as_str).unwrap();
            if let (Some("overlay"), Some(stripped)) =
                (filesystem, path.strip_prefix(mount.as_str().unwrap()))
            {
                event.set_alternative(schema.field(&format!("{file}.path")).unwrap().id, stripped.as_bytes());
            }
        }
        event
    }

    pub fn set(&mut self, schema: &TableSchema, field: FieldId, value: Value) {
        let count = match &value {
            Value::Ints(list) => list.len(),
            Value::Bools(list) => list.len(),
            Value::Strs(list) => list.len(),
            Value::Ips(list) => list.len(),
            _ => 0,
        };
        if let Some(iterator) = schema.fields[usize::from(field.0)].1.iterator {
            let length = &mut self.lengths[usize::from(iterator.0)];
            *length = count.max(*length);
        }
        self.values[usize::from(field.0)] = Some(value);
    }

    pub fn set_alternative(&mut self, field: FieldId, value: &[u8]) {
        self.alternatives[usize::from(field.0)] = Some(value.to_vec());
    }

    /// Takes over the value of a field, its alternatives, and the number of elements of its iterator.
    pub fn copy_field(&mut self, schema: &TableSchema, from: &Self, field: FieldId) {
        let at = usize::from(field.0);
        self.values[at].clone_from(&from.values[at]);
        self.alternatives[at].clone_from(&from.alternatives[at]);
        if let Some(iterator) = schema.fields[at].1.iterator {
            self.lengths[usize::from(iterator.0)] = from.lengths[usize::from(iterator.0)];
        }
    }

    fn value(&self, field: FieldId) -> Option<&Value> {
        self.values.get(usize::from(field.0))?.as_ref()
    }
}

fn decode(schema: &TableSchema, kind: Kind, list: bool, json: &Json) -> Value {
    let int = |json: &Json| match json {
        Json::String(text) => {
            time(text).or_else(|| schema.int(text)).unwrap_or_else(|| panic!("bad int {text}"))
        }
        Json::Number(number) => number.as_i64().unwrap_or_else(|| number.as_u64().unwrap().cast_signed()),
        other => panic!("bad int {other}"),
    };
    let text = |json: &Json| json.as_str().unwrap().as_bytes().to_vec();
    let ip = |json: &Json| json.as_str().unwrap().parse::<IpNet>().unwrap();
    let items = || match json {
        Json::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    match (kind, list) {
        (Kind::Int, false) => Value::Int(int(json)),
        (Kind::Int, true) => Value::Ints(items().into_iter().map(int).collect()),
        (Kind::Bool, false) => Value::Bool(json.as_bool().unwrap()),
        (Kind::Bool, true) => Value::Bools(items().into_iter().map(|item| item.as_bool().unwrap()).collect()),
        (Kind::Str, false) => Value::Str(text(json)),
        (Kind::Str, true) => Value::Strs(items().into_iter().map(text).collect()),
        (Kind::Ip, false) => Value::Ip(ip(json)),
        (Kind::Ip, true) => Value::Ips(items().into_iter().map(ip).collect()),
    }
}

/// `@now`, `@now-5s`, `@now+2m` …
fn time(text: &str) -> Option<i64> {
    let offset = text.strip_prefix("@now")?;
    if offset.is_empty() {
        return Some(NOW);
    }
    let (sign, amount) = offset.split_at(1);
    let unit = amount.trim_start_matches(|c: char| c.is_ascii_digit());
    let count: i64 = amount[..amount.len() - unit.len()].parse().unwrap();
    let scale = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        other => panic!("bad unit {other}"),
    };
    Some(if sign == "-" { NOW - count * scale } else { NOW + count * scale })
}

/// The elements of a list that `at` selects.
fn selected<T>(list: &[T], at: Option<usize>) -> &[T] {
    match at {
        None => list,
        Some(at) => list.get(at..=at).unwrap_or(&[]),
    }
}

impl Event for FlatEvent {
    fn event_type(&self) -> EventTypeId {
        self.event_type
    }

    fn now(&self) -> i64 {
        NOW
    }

    fn int(&self, field: FieldId) -> i64 {
        if let Some(Value::Int(value)) = self.value(field) { *value } else { 0 }
    }

    fn bool(&self, field: FieldId) -> bool {
        matches!(self.value(field), Some(Value::Bool(true)))
    }

    fn str(&self, field: FieldId) -> &[u8] {
        if let Some(Value::Str(value)) = self.value(field) { value } else { b"" }
    }

    fn ip(&self, field: FieldId) -> Option<IpAddr> {
        if let Some(Value::Ip(value)) = self.value(field) { Some(value.addr()) } else { None }
    }

    fn len(&self, iterator: IteratorId) -> usize {
        self.lengths[usize::from(iterator.0)]
    }

    fn any_int(&self, field: FieldId, at: Option<usize>, test: impl FnMut(i64) -> bool) -> bool {
        let Some(Value::Ints(list)) = self.value(field) else { return false };
        selected(list, at).iter().copied().any(test)
    }

    fn any_bool(&self, field: FieldId, at: Option<usize>, test: impl FnMut(bool) -> bool) -> bool {
        let Some(Value::Bools(list)) = self.value(field) else { return false };
        selected(list, at).iter().copied().any(test)
    }

    fn any_str(&self, field: FieldId, at: Option<usize>, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        let Some(Value::Strs(list)) = self.value(field) else { return false };
        selected(list, at).iter().any(|value| test(value))
    }

    fn any_ip(&self, field: FieldId, at: Option<usize>, mut test: impl FnMut(IpAddr) -> bool) -> bool {
        let Some(Value::Ips(list)) = self.value(field) else { return false };
        selected(list, at).iter().any(|value| test(value.addr()))
    }

    fn any_alternative(&self, field: FieldId, _: Option<usize>, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        self.alternatives[usize::from(field.0)].as_ref().is_some_and(|value| test(value))
    }
}
