//! The JSON schema of reports.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::event::REPORT;
use super::object::{Described, Type};

/// The JSON schema (draft 2020-12) of a report.
pub fn schema() -> Json {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Report of a rule that matched an event",
    });
    for (key, value) in REPORT.schema().as_object().into_iter().flatten() {
        schema[key] = value.clone();
    }
    let definitions =
        objects().into_iter().map(|(name, object)| (name.to_owned(), object.schema())).collect();
    schema["$defs"] = Json::Object(definitions);
    schema
}

/// Every object that a report may hold, by its name.
pub(super) fn objects() -> BTreeMap<&'static str, &'static dyn Described> {
    let mut found = BTreeMap::new();
    let mut open: Vec<&'static dyn Described> = vec![&REPORT];
    while let Some(object) = open.pop() {
        object.each_member(&mut |_, ty, _| {
            if let Type::Object(member) | Type::Objects(member) = ty
                && found.insert(member.name(), member).is_none()
            {
                open.push(member);
            }
        });
    }
    found
}
