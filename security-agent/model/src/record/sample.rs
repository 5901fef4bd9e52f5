//! Test support: records filled with values that differ, and the fields that should show them.

use serde_json::{Map, Value as Json, json};

use super::{Strs, Value};

/// Makes values, and collects what was made by the name of its field.
#[derive(Default)]
pub(crate) struct Sample {
    last: u32,
    /// Values by name, as [`crate::FlatEvent`] reads them.
    pub(crate) fields: Map<String, Json>,
}

impl Sample {
    /// The next number.
    pub(crate) fn number(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    /// Leaves numbers out.
    pub(crate) fn skip(&mut self, numbers: u32) {
        self.last += numbers;
    }

    /// Takes note of the value of a field. Names that come again are those of an iterator.
    pub(crate) fn tell(&mut self, prefix: &str, name: &str, value: Value<'_>) {
        let text = |bytes: &[u8]| json!(String::from_utf8(bytes.to_vec()).unwrap());
        let json = match value {
            Value::Absent => return,
            Value::Int(value) => json!(value),
            Value::Bool(value) => json!(value),
            Value::Str(value) => text(value),
            Value::Path(file) => text(&file.path),
            Value::Name(file) => text(file.name()),
            Value::Ip(value) => json!(value.unwrap().to_string()),
            Value::Ints(values) => json!(values),
            Value::Strs(values) => list(values),
        };
        let name = crate::layout::join(prefix, name);
        let iterates = crate::field(&name).unwrap_or_else(|| panic!("no field {name}")).iterator.is_some();
        match self.fields.get_mut(&name) {
            Some(Json::Array(elements)) if iterates => elements.push(json),
            Some(_) => panic!("{name} is told twice"),
            None => drop(self.fields.insert(name, if iterates { json!([json]) } else { json })),
        }
    }
}

fn list(values: Strs<'_>) -> Json {
    let mut list = Vec::new();
    values.any(|value| {
        list.push(String::from_utf8(value.to_vec()).unwrap());
        false
    });
    json!(list)
}
