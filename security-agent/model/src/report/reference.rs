//! The reference of reports in docs, generated from their objects.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::schema::schema;

const INTRODUCTION: &str = "\
# Reports

<!-- Generated from the event model (security-agent/model). Do not edit: UPDATE_GENERATED=1 cargo test -p model rewrites it. -->

What is sent, and written to files and standard output, when a rule matched: one JSON object for each rule and event, with the
member names of CWS. [report.schema.json](schema/report.schema.json) is the same as a JSON schema.

- Bytes that are not UTF-8 are written as `\\xHH`.
- Numbers that cannot be 0 (inodes, modes, mounts), and times, are left out where they are not known; so are flags that are
  false.
- Constants are written by name; sets of flags as names joined with ` | `, or as a list.
- Arguments are told after secrets were hidden in them. Of environment variables, only the names are told, save a few.

";

/// The text of the reference.
pub(super) fn reference() -> String {
    let schema = schema();
    let mut out = INTRODUCTION.to_owned();
    out.push_str("## Report\n\n");
    object(&mut out, &schema);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        writeln!(out, "## {name}\n").unwrap();
        object(&mut out, definition);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn object(out: &mut String, schema: &Json) {
    writeln!(out, "{}\n", one_line(&schema["description"])).unwrap();
    out.push_str("| Member | Type | Always | Meaning |\n|---|---|---|---|\n");
    for (name, property) in schema["properties"].as_object().unwrap() {
        let required = schema["required"]
            .as_array()
            .is_some_and(|required| required.contains(&Json::from(name.as_str())));
        let always = if required { "yes" } else { "" };
        writeln!(out, "| `{name}` | {} | {always} | {} |", ty(property), one_line(&property["description"]))
            .unwrap();
    }
    out.push('\n');
}

fn one_line(text: &Json) -> String {
    text.as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn ty(property: &Json) -> String {
    if let Some(reference) = property["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    match (property["type"].as_str().unwrap(), &property["items"]) {
        ("array", Json::Null) => "list".to_owned(),
        ("array", items) => format!("list of {}", ty(items)),
        ("string", _) if property["format"] == "date-time" => "time (RFC 3339)".to_owned(),
        (ty, _) => ty.to_owned(),
    }
}
