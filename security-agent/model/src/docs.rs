//! The field and constant references in docs, generated from the model.

use std::fmt::Write as _;

use crate::constants::{self, Group};
use crate::event::{Category, Context, EventKind};
use crate::file::File;
use crate::layout::{Access, ROOTS, join};
use crate::network::Packet;
use crate::process::Process;
use crate::record::{Leaf, Part, Record};
use crate::schema::type_name;
use crate::{fields, generated};

/// Records that several prefixes have, documented once.
const TEMPLATES: [&str; 2] = [Process::NAME, File::NAME];

/// A row of a table of fields: its name, its leaf.
type Row = (String, &'static Leaf);

/// The fields of a record, those of templates left out, and the prefixes of these.
fn rows(
    parts: &'static [Part],
    prefix: &str,
    rows_found: &mut Vec<Row>,
    templates: &mut Vec<(String, &'static str)>,
) {
    for part in parts {
        match part {
            Part::Leaf(leaf) => rows_found.push((join(prefix, leaf.name), leaf)),
            Part::Nested { name, record, .. } if TEMPLATES.contains(record) => {
                templates.push((join(prefix, name), record));
            }
            Part::Nested { name, parts, .. } => rows(parts, &join(prefix, name), rows_found, templates),
        }
    }
}

fn table(out: &mut String, mut rows: Vec<Row>, lists: bool) {
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    out.push_str("| Field | Type | Since | Meaning |\n|---|---|---|---|\n");
    for (name, leaf) in rows {
        let ty = type_name(leaf.kind, leaf.list || lists);
        let mut meaning = leaf.doc.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(group) = leaf.constants {
            write!(meaning, " [{}](constants.md#{}).", group.title, anchor(group.title)).unwrap();
        }
        if leaf.time {
            meaning.push_str(" Nanoseconds since 1970; compared with a duration, its age.");
        }
        if leaf.length {
            write!(meaning, " `{name}.length` is its length in bytes.").unwrap();
        }
        if !leaf.filled {
            meaning.push_str(" **Not filled.**");
        }
        if let Some(example) = leaf.example {
            write!(meaning, "<br>`{}`", example.replace('|', "\\|")).unwrap();
        }
        writeln!(out, "| `{name}` | {ty} | {} | {meaning} |", leaf.since).unwrap();
    }
    out.push('\n');
}

fn anchor(title: &str) -> String {
    title.to_lowercase().replace(' ', "-")
}

/// A section for a record: its fields, and which templates it has.
fn record(out: &mut String, name: &str, parts: &'static [Part], prefix: &str) {
    let (mut found, mut templates) = (Vec::new(), Vec::new());
    rows(parts, prefix, &mut found, &mut templates);
    if !found.is_empty() {
        table(out, found, false);
    }
    for (prefix, template) in templates {
        let what = if template == Process::NAME { "process" } else { "file" };
        writeln!(out, "{name} has the [fields of a {what}](#fields-of-a-{what}) below `{prefix}`.\n")
            .unwrap();
    }
}

/// The prefixes that have a template.
fn prefixes(template: &str) -> Vec<String> {
    fn nested(parts: &'static [Part], prefix: &str, template: &str, found: &mut Vec<String>) {
        for part in parts {
            if let Part::Nested { name, record, parts } = part {
                let prefix = join(prefix, name);
                if *record == template {
                    found.push(prefix.clone());
                }
                nested(parts, &prefix, template, found);
            }
        }
    }
    let mut found = Vec::new();
    for root in &ROOTS {
        if root.record == template {
            found.push(root.name.to_owned());
        }
        nested(root.parts, root.name, template, &mut found);
    }
    found.sort();
    found
}

fn list(out: &mut String, names: &[String]) {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    writeln!(out, "{}.\n", names.join(", ")).unwrap();
}

const INTRODUCTION: &str = "\
# Fields

<!-- Generated from the event model (security-agent/model). Do not edit: UPDATE_GENERATED=1 cargo test -p model rewrites it. -->

What rules can read of events. `security-agent runtime fields PATTERN` prints the same for the names you look for.

*Since* is the first release of CWS that had the field; rules written for it work here. `none`: CWS does not have it.

- `int` fields are compared with numbers and [constants](constants.md), `ip` fields with addresses and networks
  (`10.0.0.0/8`), `string` fields with strings (`\"…\"`), patterns (`~\"…\"`) and regular expressions (`r\"…\"`).
- A field of an array type (`string[]`) matches if one of its values does; `!=`, `!~` and `not in` if none does.
- A field that an event does not have is zero: `\"\"`, `0`, `false`, no values.
- A field that is *not filled* is one of CWS that this agent never gives a value, so it is always zero. A rule that uses it
  loads, with a warning (P055).
- A rule belongs to one type of event, that of its fields. Fields of [every event](#fields-of-every-event) alone do not make
  a rule.

";

fn reference() -> String {
    let mut out = INTRODUCTION.to_owned();
    out.push_str("## Types of events\n\n| Event | Category | Since | Tells that |\n|---|---|---|---|\n");
    let mut kinds: Vec<_> = EventKind::ALL.iter().filter(|kind| !kind.since().is_empty()).collect();
    kinds.sort_by_key(|kind| (kind.category(), kind.name()));
    for kind in &kinds {
        let (name, category) = (kind.name(), kind.category().name());
        writeln!(out, "| [`{name}`](#{name}) | {category} | {} | {} |", kind.since(), kind.doc().trim())
            .unwrap();
    }
    out.push_str("\n## Fields of every event\n\n");
    record(&mut out, "An event", Context::PARTS, "event");
    out.push_str(
        "The process that did it has the [fields of a process](#fields-of-a-process) below `process`, its parent below \
         `process.parent`, and each process it descends from below `process.ancestors`. `process.ancestors.length` is \
         their number.\n\nEvents of packets (`dns`, `imds`, `packet`) have these too:\n\n",
    );
    record(&mut out, "A packet", Packet::PARTS, "network");

    out.push_str("## Fields of a process\n\nBelow each of ");
    list(&mut out, &prefixes(Process::NAME));
    out.push_str(
        "Below a prefix that ends in `ancestors` every field has a value for each ancestor: nearest first, earlier programs \
         of the same process included. `process.ancestors[A].FIELD` in several conditions means the same ancestor in all of \
         them.\n\n",
    );
    record(&mut out, "A process", Process::PARTS, "");

    out.push_str("## Fields of a file\n\nBelow each of ");
    list(&mut out, &prefixes(File::NAME));
    record(&mut out, "A file", File::PARTS, "");

    for category in [Category::Process, Category::File, Category::Kernel, Category::Network] {
        writeln!(out, "## {}\n", category.name()).unwrap();
        for kind in kinds.iter().filter(|kind| kind.category() == category) {
            writeln!(out, "### {}\n\n{}\n", kind.name(), kind.doc().trim()).unwrap();
            record(&mut out, "The event", kind.parts(), kind.name());
            let other = ROOTS
                .iter()
                .filter(|root| root.event() == Some(**kind) && root.access != Access::Payload(**kind));
            for root in other {
                if root.record == Process::NAME {
                    let text = "The [fields of a process](#fields-of-a-process) are below";
                    writeln!(out, "{text} `{}`.\n", root.name).unwrap();
                } else {
                    writeln!(out, "For each element of `{}` (`{0}.length` is their number):\n", root.name)
                        .unwrap();
                    let (mut found, mut templates) = (Vec::new(), Vec::new());
                    rows(root.parts, root.name, &mut found, &mut templates);
                    table(&mut out, found, true);
                }
            }
        }
    }
    out.push_str(
        "## Old names\n\nRules may use the names of older releases: `filename` and `basename` for `file.path` and \
         `file.name`, `open.mode`, `chmod.mode` and `mkdir.mode`, `chown.uid` (`gid`, `user`, `group`), `rename.old.*` and \
         `rename.new.*`, `link.source.*` and `link.target.*`, `setxattr.name`, `removexattr.name` (`namespace`), `exec.name` \
         and `process.name` for `comm`, `container.*`, `cgroup.*`, `async`.\n",
    );
    out
}

fn constants_reference() -> String {
    let mut out = "\
# Constants

<!-- Generated from the event model (security-agent/model). Do not edit: UPDATE_GENERATED=1 cargo test -p model rewrites it. -->

Names that rules can use for numbers. Values are those of x86-64; where aarch64 has another one, or the name at all, it is told.

`true` and `false` are the booleans. `CWS_MAP_NAMES` is the list of the names of the eBPF maps that the probe itself uses.

"
    .to_owned();
    for group in constants::groups() {
        writeln!(out, "## {}\n\n{}\n", group.title, group.doc.trim()).unwrap();
        let show = |group: &Group, constants: &mut dyn Iterator<Item = (&str, i64)>| {
            let flags = group.title.contains("lags") || group.title == "Capabilities";
            let one = |(name, value): (&str, i64)| match group.title {
                "File modes" => format!("`{name}` = {value:#o}"),
                _ if flags => format!("`{name}` = {value:#x}"),
                _ => format!("`{name}` = {value}"),
            };
            constants.map(one).collect::<Vec<_>>().join(", ")
        };
        writeln!(out, "{}.\n", show(group, &mut group.common().iter().copied())).unwrap();
        for (name, mut only) in
            [("x86-64", group.x86_64_only().iter()), ("aarch64", group.aarch64_only().iter())]
        {
            if only.len() > 0 {
                writeln!(out, "On {name}: {}.\n", show(group, &mut only.by_ref().copied())).unwrap();
            }
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

#[test]
fn the_field_reference_is_current() {
    generated::assert_current("docs/fields.md", &reference());
}

#[test]
fn the_constant_reference_is_current() {
    generated::assert_current("docs/constants.md", &constants_reference());
}

#[test]
fn every_field_is_in_the_reference() {
    let text = reference();
    for field in fields() {
        let name = &field.name;
        let template = prefixes(Process::NAME).into_iter().chain(prefixes(File::NAME)).any(|prefix| {
            let rest = name.strip_prefix(&prefix).and_then(|rest| rest.strip_prefix('.'));
            rest.is_some_and(|rest| text.contains(&format!("| `{rest}` |")))
        });
        assert!(template || text.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn examples_compile() {
    let schema = crate::Fields::default();
    let compiler = secl::Compiler::new(&schema);
    let mut examples: Vec<_> = fields().iter().filter_map(|field| field.leaf.example).collect();
    examples.sort_unstable();
    examples.dedup();
    assert!(examples.len() > 50);
    for example in examples {
        if let Err(found) = compiler.rule(example) {
            panic!("{}", found.iter().map(|found| found.render(example)).collect::<String>());
        }
    }
}
