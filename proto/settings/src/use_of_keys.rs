//! A key that nobody reads is a promise that is not kept: each member of the table has to be read in the sources of its
//! process. That it does what it says is tested where it is read.

use std::path::{Path, PathBuf};

use crate::known::Process;
use crate::{AgentSettings, ProbeSettings};

/// Groups that are read by a method of this crate instead.
const BY_METHOD: [(&str, &str); 2] =
    [("module", ".module.enablement()"), ("secrets", "::resolve(&mut loaded)")];

/// All Rust sources below `directory`, tests left out.
fn sources(directory: &Path) -> String {
    let mut text = String::new();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            text.push_str(&sources(&path));
        } else if name.ends_with(".rs") && !name.starts_with("test") {
            let file = std::fs::read_to_string(&path).unwrap();
            text.push_str(file.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
        }
    }
    text
}

/// The names by which the group `group` is known: its own, and those of `let NAME = ….group;`.
fn names<'t>(text: &'t str, group: &'t str) -> Vec<&'t str> {
    let end = format!(".{group};");
    let bound = text.lines().filter(|line| line.ends_with(&end)).filter_map(|line| {
        let (name, _) = line.trim_start().strip_prefix("let ")?.split_once(" = ")?;
        Some(name)
    });
    std::iter::once(group).chain(bound).collect()
}

/// Whether `text` has the word `path`, which begins and ends as a whole word.
fn has_word(text: &str, path: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(path)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + path.len()..].starts_with(is_part))
}

fn unread<P: Process>(text: &str) -> Vec<String> {
    let mut unread = Vec::new();
    for (group, members) in P::members() {
        if let Some((_, method)) = BY_METHOD.iter().find(|(name, _)| *name == group) {
            assert!(text.contains(method), "{method} is called nowhere");
            continue;
        }
        let names = names(text, group);
        let missing = members
            .iter()
            .filter(|member| !names.iter().any(|name| has_word(text, &format!("{name}.{member}"))));
        unread.extend(missing.map(|member| format!("{group}.{member}")));
    }
    unread
}

#[test]
fn every_key_is_read_by_its_process() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let agent = sources(&root.join("security-agent/src"));
    let probe = sources(&root.join("system-probe/src"));
    assert_eq!(unread::<AgentSettings>(&agent), Vec::<String>::new(), "read by no line of security-agent");
    assert_eq!(unread::<ProbeSettings>(&probe), Vec::<String>::new(), "read by no line of system-probe");
}

#[test]
fn a_key_that_nobody_reads_is_found() {
    let members = AgentSettings::members();
    let all: usize = members.iter().map(|(_, members)| members.len()).sum();
    let secrets = members.iter().find(|(group, _)| *group == "secrets").unwrap().1.len();
    let text = "if settings.module.enablement() {}\n    settings::agent::resolve(&mut loaded)?;\n    let tree = &settings.process_tree;\n\
        tree.exited; settings.log.level; settings.log.jsonx";
    let unread = unread::<AgentSettings>(text);
    assert!(!unread.contains(&"process_tree.exited".to_owned()) && !unread.contains(&"log.level".to_owned()));
    assert!(unread.contains(&"log.json".to_owned()));
    assert_eq!(unread.len(), all - 4 - secrets, "{unread:?}");
}
