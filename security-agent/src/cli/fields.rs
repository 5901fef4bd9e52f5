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
    let mut fields = rows();
    fields.retain(|field| selects(args, &field.name));
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

/// A name that rules can use.
#[derive(Debug)]
struct Row {
    name: String,
    /// The field it is, or is derived from.
    field: &'static FieldInfo,
    derived: Option<Derived>,
}

/// What can be asked of a field or iterator besides its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Derived {
    /// How long the text is.
    Length,
    /// How many elements the iterator has.
    Count(&'static str),
}

/// Every name: the fields of the model and the lengths that the language derives from them.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut iterators = Vec::new();
    for field in model::fields() {
        let row = |name: String, derived| Row { name, field, derived };
        rows.push(row(field.name.clone(), None));
        if field.leaf.length {
            rows.push(row(format!("{}.length", field.name), Some(Derived::Length)));
        }
        if let Some(iterator) = field.iterator.filter(|iterator| !iterators.contains(iterator)) {
            iterators.push(iterator);
            rows.push(row(format!("{iterator}.length"), Some(Derived::Count(iterator))));
        }
    }
    rows
}

impl Row {
    fn type_name(&self) -> String {
        match self.derived {
            None => self.field.type_name(),
            Some(Derived::Length) if self.field.is_list() => "int[]".to_owned(),
            Some(_) => "int".to_owned(),
        }
    }

    /// First CWS release with it.
    fn since(&self) -> &'static str {
        match self.derived {
            None => self.field.leaf.since,
            Some(Derived::Length) => "7.40",
            Some(Derived::Count(_)) => "7.60",
        }
    }

    /// The documentation on one line.
    fn meaning(&self) -> String {
        match self.derived {
            None => {
                let mut meaning = self.field.leaf.doc.split_whitespace().collect::<Vec<_>>().join(" ");
                if !self.field.leaf.filled {
                    meaning.push_str(" Not filled by this agent.");
                }
                meaning
            }
            Some(Derived::Length) => format!("Length of `{}` in bytes.", self.field.name),
            Some(Derived::Count(iterator)) => format!("Number of elements of `{iterator}`."),
        }
    }

    /// What the model says of the values, if they are those of the field.
    fn leaf(&self) -> Option<&'static model::Leaf> {
        self.derived.is_none().then_some(self.field.leaf)
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

fn write_text(out: &mut impl Write, fields: &[Row]) -> io::Result<()> {
    let width = fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
    for field in fields {
        let event = field.field.event.map_or("every event", model::EventKind::name);
        if fields.len() > DETAILED {
            writeln!(out, "{:width$}  {:8}  {event}", field.name, field.type_name())?;
            continue;
        }
        writeln!(out, "{}  {}  ({event}, since {})", field.name, field.type_name(), field.since())?;
        writeln!(out, "    {}", field.meaning())?;
        if let Some(group) = field.leaf().and_then(|leaf| leaf.constants) {
            let names: Vec<&str> = group.iter().map(|(name, _)| name).take(6).collect();
            let more = if group.iter().count() > names.len() { ", …" } else { "" };
            writeln!(out, "    {}: {}{more}", group.title, names.join(", "))?;
        }
        if let Some(example) = field.leaf().and_then(|leaf| leaf.example) {
            writeln!(out, "    example: {example}")?;
        }
    }
    Ok(())
}

fn write_json(out: &mut impl Write, fields: &[Row]) -> io::Result<()> {
    let all: Vec<Json> = fields.iter().map(describe).collect();
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

fn describe(row: &Row) -> Json {
    let leaf = row.leaf();
    let iterator = row.field.iterator.filter(|_| !matches!(row.derived, Some(Derived::Count(_))));
    json!({
        "name": row.name,
        "type": row.type_name(),
        "event": row.field.event.map(model::EventKind::name),
        "iterator": iterator,
        "since": row.since(),
        "meaning": row.meaning(),
        "constants": leaf.and_then(|leaf| leaf.constants).map(|group| group.title),
        "is_time": leaf.is_some_and(|leaf| leaf.time),
        "has_length": leaf.is_some_and(|leaf| leaf.length),
        "example": leaf.and_then(|leaf| leaf.example),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> Vec<String> {
        let args = FieldsArgs { pattern: Some(pattern.to_owned()), json: false };
        rows().into_iter().map(|row| row.name).filter(|name| selects(&args, name)).collect()
    }

    #[test]
    fn a_pattern_is_a_part_of_a_name_or_has_wildcards() {
        assert_eq!(names("dns.question.na"), ["dns.question.name", "dns.question.name.length"]);
        assert_eq!(names("dns.*.type"), ["dns.question.type"]);
        assert_eq!(names("dns.*.typ"), Vec::<String>::new());
        assert_eq!(names("rename.*.destination.*.epoch"), ["rename.file.destination.package.epoch"]);
        assert_eq!(names("open.mode"), ["open.file.destination.mode"]);
        assert!(names("*").len() > 2000);
    }

    #[test]
    fn few_fields_are_explained_and_many_are_listed() {
        let text = |pattern: &str| {
            let fields: Vec<_> = rows().into_iter().filter(|row| row.name.contains(pattern)).collect();
            let mut out = Vec::new();
            write_text(&mut out, &fields).unwrap();
            String::from_utf8(out).unwrap()
        };
        let few = text("open.flags");
        assert!(few.contains("open.flags  int  (open, since 7.27)"), "{few}");
        assert!(few.contains("Open flags: O_RDONLY, O_WRONLY"), "{few}");
        assert!(few.contains("example: "), "{few}");
        let many = text("open.file");
        assert_eq!(many.lines().count(), rows().iter().filter(|row| row.name.contains("open.file")).count());
    }

    #[test]
    fn json_tells_all_of_a_field() {
        let of = |name: &str| describe(rows().iter().find(|row| row.name == name).unwrap());
        let json = of("process.ancestors.file.path");
        assert_eq!(json["type"], "string[]");
        assert_eq!(json["iterator"], "process.ancestors");
        assert_eq!(json["event"], Json::Null);
        assert_eq!(json["has_length"], true);
    }
    #[test]
    fn lengths_are_fields_too() {
        let of = |name: &str| describe(rows().iter().find(|row| row.name == name).unwrap());
        let length = of("process.ancestors.file.path.length");
        assert_eq!((&length["type"], &length["iterator"]), (&json!("int[]"), &json!("process.ancestors")));
        assert_eq!(of("open.file.name.length")["type"], "int");
        let count = of("network_flow_monitor.flows.length");
        assert_eq!((&count["type"], &count["iterator"]), (&json!("int"), &Json::Null));
        assert_eq!(count["event"], "network_flow_monitor");
    }

    #[test]
    fn every_name_can_be_used() {
        let schema = model::Fields::default();
        let compiler = secl::Compiler::new(&schema);
        for row in rows() {
            let ty = compiler
                .value(&row.name, None)
                .unwrap_or_else(|found| panic!("{}: {found:?}", row.name))
                .ty();
            assert_eq!(ty.to_string().to_lowercase(), row.type_name(), "{}", row.name);
        }
    }

    #[test]
    fn all_fields_of_the_shared_table_are_there() {
        let root = std::env::var_os("CWS_SHARED").map_or_else(
            || std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
            std::path::PathBuf::from,
        );
        let Ok(table) = std::fs::read_to_string(root.join("secl/fields.tsv")) else { return };
        let rows = rows();
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            let row = rows.iter().find(|row| row.name == columns[0]);
            assert_eq!(row.map(Row::type_name).as_deref(), Some(columns[1]), "{}", columns[0]);
        }
    }
}
