//! `security-agent runtime fields`: what rules can read.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Args;
use model::FieldInfo;
use serde_json::{Value as Json, json};

/// Prints the fields that rules can use.
#[derive(Debug, Args)]
pub struct FieldsArgs {
    /// Only fields whose name holds this text; `*` stands for any run of characters, and the whole name has to match then.
    pattern: Option<String>,
    /// Print one JSON array with all that is known of each field.
    #[arg(long)]
    json: bool,
}

/// Up to this number of fields are printed with what they mean; more of them one a line.
const DETAILED: usize = 20;

/// Prints the fields. The exit code is 1 if there are none.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &FieldsArgs) -> anyhow::Result<ExitCode> {
    let mut fields: Vec<&FieldInfo> =
        model::fields().iter().filter(|field| selects(args, &field.name)).collect();
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if args.json { write_json(&mut out, &fields) } else { write_text(&mut out, &fields) };
    match written.and_then(|()| out.flush()) {
        // Whoever reads has seen enough, as `head` has.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
        Ok(()) if fields.is_empty() => {
            eprintln!("no field matches `{}`", args.pattern.as_deref().unwrap_or_default());
            Ok(ExitCode::FAILURE)
        }
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn selects(args: &FieldsArgs, name: &str) -> bool {
    let Some(pattern) = &args.pattern else { return true };
    // A name of an older release finds the field that replaced it.
    let pattern = model::legacy::current_name(pattern).unwrap_or_else(|| pattern.clone());
    if pattern.contains('*') { matches_wildcards(&pattern, name) } else { name.contains(&pattern) }
}

/// Whether `name` is `pattern`, in which each `*` stands for any run of characters.
fn matches_wildcards(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(last)
}

fn write_text(out: &mut impl Write, fields: &[&FieldInfo]) -> io::Result<()> {
    let width = fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
    for field in fields {
        let event = field.event.map_or("every event", model::EventKind::name);
        if fields.len() > DETAILED {
            writeln!(out, "{:width$}  {:8}  {event}", field.name, field.type_name())?;
            continue;
        }
        writeln!(out, "{}  {}  ({event}, since {})", field.name, field.type_name(), field.leaf.since)?;
        writeln!(out, "    {}", meaning(field))?;
        if let Some(group) = field.leaf.constants {
            let names: Vec<&str> = group.iter().map(|(name, _)| name).take(6).collect();
            let more = if group.iter().count() > names.len() { ", …" } else { "" };
            writeln!(out, "    {}: {}{more}", group.title, names.join(", "))?;
        }
        if let Some(example) = field.leaf.example {
            writeln!(out, "    example: {example}")?;
        }
    }
    Ok(())
}

fn write_json(out: &mut impl Write, fields: &[&FieldInfo]) -> io::Result<()> {
    let all: Vec<Json> = fields.iter().map(|field| describe(field)).collect();
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

fn describe(field: &FieldInfo) -> Json {
    json!({
        "name": field.name,
        "type": field.type_name(),
        "event": field.event.map(model::EventKind::name),
        "iterator": field.iterator,
        "since": field.leaf.since,
        "meaning": meaning(field),
        "constants": field.leaf.constants.map(|group| group.title),
        "is_time": field.leaf.time,
        "has_length": field.leaf.length,
        "example": field.leaf.example,
    })
}

/// The documentation of a field on one line.
fn meaning(field: &FieldInfo) -> String {
    field.leaf.doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> Vec<&'static str> {
        let args = FieldsArgs { pattern: Some(pattern.to_owned()), json: false };
        model::fields().iter().map(|field| field.name.as_str()).filter(|name| selects(&args, name)).collect()
    }

    #[test]
    fn a_pattern_is_a_part_of_a_name_or_has_wildcards() {
        assert_eq!(names("dns.question.na"), ["dns.question.name"]);
        assert_eq!(names("dns.*.type"), ["dns.question.type"]);
        assert_eq!(names("dns.*.typ"), Vec::<&str>::new());
        assert_eq!(names("rename.*.destination.*.epoch"), ["rename.file.destination.package.epoch"]);
        assert_eq!(names("open.mode"), ["open.file.destination.mode"]);
        assert!(names("*").len() > 2000);
    }

    #[test]
    fn few_fields_are_explained_and_many_are_listed() {
        let text = |pattern: &str| {
            let fields: Vec<_> =
                model::fields().iter().filter(|field| field.name.contains(pattern)).collect();
            let mut out = Vec::new();
            write_text(&mut out, &fields).unwrap();
            String::from_utf8(out).unwrap()
        };
        let few = text("open.flags");
        assert!(few.contains("open.flags  int  (open, since 7.27)"), "{few}");
        assert!(few.contains("Open flags: O_RDONLY, O_WRONLY"), "{few}");
        assert!(few.contains("example: "), "{few}");
        let many = text("open.file");
        assert_eq!(
            many.lines().count(),
            model::fields().iter().filter(|f| f.name.contains("open.file")).count()
        );
    }

    #[test]
    fn json_tells_all_of_a_field() {
        let field = model::field("process.ancestors.file.path").unwrap();
        let json = describe(field);
        assert_eq!(json["type"], "string[]");
        assert_eq!(json["iterator"], "process.ancestors");
        assert_eq!(json["event"], Json::Null);
        assert_eq!(json["has_length"], true);
    }
}
