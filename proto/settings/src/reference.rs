//! The documentation that is made from the table: `docs/configuration.md` and the example files.

use std::fmt::Write;

use crate::agent::AgentSettings;
use crate::known::{Files, Key, Process, Since};
use crate::planned::PLANNED;
use crate::probe::ProbeSettings;

/// The processes whose example file can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executable {
    /// `system-probe.yaml.example`
    SystemProbe,
    /// `security-agent.yaml.example`
    SecurityAgent,
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from proto/settings/src/table.rs and planned.rs: UPDATE_GENERATED=1 cargo test -p settings -->

| Process | Reads, the later being stronger |
|---|---|
| system-probe | the file or directory of `--config` (`/etc/datadog-agent/system-probe.yaml`), then the environment |
| security-agent | each file of `-c` in order (`/etc/datadog-agent/datadog.yaml` and `security-agent.yaml`), then the environment |

* Keys can be nested, dotted (`runtime_security_config.enabled: true`), or both in one file. Where a key is set twice, the later one
  counts. Upper and lower case are the same. A key with nothing after the colon keeps its default.
* Each key has a variable: `DD_`, then the key in upper case with `_` for `.`; the tables name those that have others as well.
  Lists are separated by spaces or commas, or are JSON. An empty variable counts as not set.
* Durations are written `10s`, `1m30s`, `500ms`, or as a number of seconds; sizes `512KiB`, `10MiB`, or as a number of bytes.
* A value `ENC[handle]` is the text that `secret_backend_command` gives for that handle, in files as in variables.
* A wrong type stops the process, with the file, line and column of everything that is wrong. An unknown key is a
  warning with the nearest known name. Keys that belong to other products of the vendor are left alone.
* Without its file, system-probe runs on defaults and environment. security-agent needs one readable file.
* Keys marked ¹ are read by security-agent, whereas the reference reads them in system-probe. Put them into `security-agent.yaml`;
  where they stand in the `system-probe.yaml` beside the first file of `-c`, they count as well.
* In a container, `HOST_PROC`, `HOST_SYS` and `HOST_ROOT` say where the host's `/proc`, `/sys` and `/` are mounted. Where `/host` is
  mounted, the first two default to `/host/proc` and `/host/sys`, the third to `/host/root`.

*The reference* is Cloud Workload Security of the Datadog Agent. *Since* is its version that introduced the key; *own* marks the keys
that only this project has.
";

/// `docs/configuration.md`.
#[must_use]
pub fn markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    let probe = ProbeSettings::groups();
    let agent = AgentSettings::groups();
    let title_in = |groups: &[(&str, Vec<Key>)], title: &str| groups.iter().any(|(other, _)| *other == title);
    for (title, keys) in &probe {
        let readers = if title_in(&agent, title) { "both processes" } else { ProbeSettings::NAME };
        section(&mut out, title, readers, keys);
    }
    for (title, keys) in agent.iter().filter(|(title, _)| !title_in(&probe, title)) {
        section(&mut out, title, AgentSettings::NAME, keys);
    }
    out.push_str(
        "\n## Without effect\n\n\
         Documented keys of the reference that are accepted and do nothing here, by feature. The log says so, once a feature.\n\n\
         | Feature | Keys (since) |\n|---|---|\n",
    );
    for feature in PLANNED {
        let keys: Vec<String> =
            feature.keys.iter().map(|(key, since)| format!("`{key}` ({since})")).collect();
        line(&mut out, &format!("| {} | {} |", feature.title, keys.join(", ")));
    }
    out
}

/// The example file of a process: every key at its default, commented out.
#[must_use]
pub fn example(of: Executable) -> String {
    let (name, groups) = match of {
        Executable::SystemProbe => (ProbeSettings::NAME, ProbeSettings::groups()),
        Executable::SecurityAgent => (AgentSettings::NAME, AgentSettings::groups()),
    };
    let mut out = format!(
        "# Settings of {name}, each at its default. Remove the `# ` before a key to change it.\n\
         # docs/configuration.md explains the notation. Generated from proto/settings/src/table.rs.\n"
    );
    for (title, keys) in groups {
        line(&mut out, &format!("\n## {}", title.trim()));
        for key in keys {
            out.push('\n');
            for text in key.doc.lines() {
                line(&mut out, format!("##{text}").trim_end());
            }
            line(&mut out, &format!("## {}", type_of(&key)));
            line(&mut out, &format!("# {}: {}", key.name, key.default));
        }
    }
    out
}

fn section(out: &mut String, title: &str, readers: &str, keys: &[Key]) {
    line(out, &format!("\n## {}\n\nRead by {readers}.\n", title.trim()));
    line(out, "| Key | Type, default | Since | What it does |\n|---|---|---|---|");
    for key in keys {
        let mark = if key.files == Files::Either { " ¹" } else { "" };
        let since = match key.since {
            Since::Reference(version) => version,
            Since::Own => "own",
        };
        let mut doc = key.doc.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        if !key.also.is_empty() {
            let names: Vec<String> = key.also.iter().map(|name| format!("`{name}`")).collect();
            doc.push_str(&format!(" Also: {}.", names.join(", ")));
        }
        if !key.environment.is_empty() {
            let names: Vec<String> = key.environment.iter().map(|name| format!("`{name}`")).collect();
            doc.push_str(&format!(" Also set by {}.", names.join(", ")));
        }
        line(
            out,
            &format!("| `{}`{mark} | {}, `{}` | {since} | {doc} |", key.name, type_of(key), key.default),
        );
    }
}

fn type_of(key: &Key) -> String {
    match &key.range {
        Some((low, high)) => format!("{} from {low} to {high}", key.type_name),
        None => key.type_name.to_owned(),
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _infallible = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests;
