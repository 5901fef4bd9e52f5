//! What rules see of an event: the value of every field, next to what the report says.

use std::fmt::Write;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use integration_tests::harness::times::parse;
use integration_tests::harness::{Signal, built};
use serde_json::Value;

/// Characters of a value that a report shows.
const VALUE_CHARS: usize = 1_000;

/// The fields of a type of events, by the agent's own list: a field that is added there is one that tests have to know.
pub(crate) struct Fields {
    event: String,
    /// Names, each with its type.
    all: Vec<(String, String)>,
}

impl Fields {
    pub(crate) fn of(event: &str) -> Result<Self> {
        let pattern = format!("{event}.*");
        let output = Command::new(built("security-agent")?)
            .args(["runtime", "fields", "--json", &pattern])
            .output()?;
        let list: Vec<Value> = serde_json::from_slice(&output.stdout)?;
        let text = |field: &Value, key: &str| field[key].as_str().unwrap_or_default().to_owned();
        let mut all: Vec<_> = list.iter().map(|field| (text(field, "name"), text(field, "type"))).collect();
        // What takes reading the file or the lists of packages has tests of its own.
        all.retain(|(name, _)| !name.contains(".package.") && !name.ends_with(".hashes"));
        // A condition about a length tells the text: these are compared by `names::lengths_of_names_and_paths`.
        all.retain(|(name, _)| !name.ends_with(".length"));
        ensure!(all.len() > 1, "no fields of {event}");
        Ok(Self { event: event.to_owned(), all })
    }

    /// A condition about each field that is true for every value: it makes the signal tell the value.
    pub(crate) fn always_true(&self) -> String {
        let condition = |(name, kind): &(String, String)| match kind.as_str() {
            "bool" => format!("({name} || !{name})"),
            // Below every error, id and descriptor.
            "int" => format!("{name} >= -4096"),
            _ => format!("{name} != \"/no/such/value\""),
        };
        self.all.iter().map(condition).collect::<Vec<_>>().join(" && ")
    }

    /// Fails unless rules have seen every field, each with the value that the report tells.
    pub(crate) fn check(&self, signal: &Signal) -> Result<()> {
        let mut differences = String::new();
        for (name, kind) in &self.all {
            let field = name.strip_prefix(&format!("{}.", self.event)).context("a field of the event")?;
            let told = told(signal, &self.event, field)?;
            let value = seen(signal, name);
            // What the report leaves out is empty.
            let expected = told.map(|told| match told {
                Value::Null if kind == "bool" => "false".to_owned(),
                Value::Null if kind == "int" => "0".to_owned(),
                Value::Null => String::new(),
                Value::String(text) => text.chars().take(VALUE_CHARS).collect(),
                other => other.to_string(),
            });
            if value.is_none() || expected.as_deref().is_some_and(|expected| value != Some(expected)) {
                writeln!(differences, "{name}: the report tells {expected:?}, rules saw {value:?}")?;
            }
        }
        ensure!(differences.is_empty(), "{differences}in {:#}", signal.0);
        Ok(())
    }
}

/// The value that the rule has seen in a field.
pub(crate) fn seen<'s>(signal: &'s Signal, field: &str) -> Option<&'s str> {
    let parts = signal.at("evt.matched_on").as_array()?;
    parts.iter().find(|part| part["field"] == field)?["value"].as_str()
}

/// What a report tells of a field, whose name is given without that of the event, as rules see it; `None` if it does not
/// tell.
fn told(signal: &Signal, event: &str, field: &str) -> Result<Option<Value>> {
    let file = signal.at("file");
    let arguments = &signal.at("syscall")[event];
    if let Some(member) = field.strip_prefix("file.destination.") {
        let destination = &file["destination"];
        return match (event, member) {
            ("rename" | "link", _) => of_file(destination, member),
            ("setxattr" | "removexattr", "name" | "namespace") => {
                Ok(Some(destination[format!("attribute_{member}")].clone()))
            }
            _ => of_file(destination, member),
        };
    }
    if let Some(member) = field.strip_prefix("file.") {
        return of_file(file, member);
    }
    if let Some(member) = field.strip_prefix("syscall.") {
        let member = match (event, member) {
            ("symlink", "path") | ("mount", "mountpoint.path") | (_, "destination.path") => {
                "destination_path"
            }
            ("umount", "mountpoint.path") | ("mount", "source.path") => "path",
            ("pivot_root", "put_old") => "destination_path",
            (_, member) => member,
        };
        return Ok(match member {
            // Without a path as given the report tells no arguments, but rules know the others.
            "destination_path" if arguments.is_null() => None,
            "mode" | "uid" | "gid" if arguments.is_null() => Some(file["destination"][member].clone()),
            "flags" if arguments.is_null() => Some(flags(&file["flags"])?),
            _ => Some(arguments[member].clone()),
        });
    }
    // The names of some members have a dot.
    let own = signal.at(event);
    Ok(Some(match (event, field) {
        // Compared with what the call returned where one is expected.
        (_, "retval") => return Ok(None),
        ("open" | "unlink", "flags") => flags(&file["flags"])?,
        ("umount", "flags") | ("splice", "pipe_entry_flag" | "pipe_exit_flag") => flags(&own[field])?,
        ("symlink", "target.path") => arguments["path"].clone(),
        ("mount", "root.path") => file["path"].clone(),
        ("mount" | "umount", _) => own[field].clone(),
        _ => bail!("{event}.{field}: no test knows this field"),
    }))
}

/// What a report tells of a field of a file.
fn of_file(file: &Value, field: &str) -> Result<Option<Value>> {
    Ok(Some(match field {
        "rights" => (file["mode"].as_u64().unwrap_or(0) & 0o7777).into(),
        "change_time" | "modification_time" => match &file[field] {
            Value::String(time) => parse(time)?.into(),
            other => other.clone(),
        },
        "name" | "path" | "extension" | "filesystem" | "user" | "group" | "inode" | "mode" | "uid"
        | "gid" | "in_upper_layer" | "mount_id" | "mount_visible" | "mount_detached" => file[field].clone(),
        _ => bail!("{field}: no test knows this field of a file"),
    }))
}

/// The flags that a report names, in a list or in one text.
fn flags(names: &Value) -> Result<Value> {
    let names: Vec<&str> = match names {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        names => names.as_str().unwrap_or_default().split([' ', '|', ',']).collect(),
    };
    let mut flags = 0;
    for name in names {
        flags |= match name {
            "" | "O_RDONLY" => 0,
            "O_WRONLY" => libc::O_WRONLY,
            "O_RDWR" => libc::O_RDWR,
            "O_CREAT" => libc::O_CREAT,
            "O_EXCL" => libc::O_EXCL,
            "O_TRUNC" => libc::O_TRUNC,
            "O_APPEND" => libc::O_APPEND,
            "O_NONBLOCK" => libc::O_NONBLOCK,
            "O_DIRECTORY" => libc::O_DIRECTORY,
            "O_NOFOLLOW" => libc::O_NOFOLLOW,
            "O_CLOEXEC" => libc::O_CLOEXEC,
            "MNT_DETACH" => libc::MNT_DETACH,
            "PIPE_BUF_FLAG_CAN_MERGE" => 0x10,
            _ => {
                let digits = name.strip_prefix("0x").with_context(|| format!("{name}: what flag?"))?;
                i32::from_str_radix(digits, 16)?
            }
        };
    }
    Ok(flags.into())
}
