use std::fs;
use std::path::PathBuf;

use super::*;
use crate::environment::Environment;

fn in_workspace(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

/// Compares a committed file to what the table makes of it, or writes it with `UPDATE_GENERATED=1`.
fn check(path: &str, expected: &str) {
    let file = in_workspace(path);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, expected).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == expected, "{path} is out of date: run `UPDATE_GENERATED=1 cargo test -p settings`");
}

#[test]
fn the_documentation_is_that_of_the_table() {
    check("docs/configuration.md", &markdown());
}

#[test]
fn the_examples_are_those_of_the_table() {
    check("packaging/config/system-probe.yaml.example", &example(Executable::SystemProbe));
    check("packaging/config/security-agent.yaml.example", &example(Executable::SecurityAgent));
}

/// Every line of an example that holds a key, switched on.
fn switched_on(example: &str) -> String {
    let line = |line: &str| line.strip_prefix("# ").filter(|rest| rest.contains(": ")).map(str::to_owned);
    example.lines().skip(2).filter_map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_example_with_every_key_switched_on_says_what_the_defaults_say() {
    let directory = tempfile::tempdir().unwrap();
    let none = Environment::default();

    let probe = directory.path().join("probe/system-probe.yaml");
    fs::create_dir(probe.parent().unwrap()).unwrap();
    fs::write(&probe, switched_on(&example(Executable::SystemProbe))).unwrap();
    let loaded = crate::probe::load(&probe, &none).unwrap();
    assert_eq!(loaded.value, ProbeSettings::default());
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.origins.len(), ProbeSettings::keys().len());

    let agent = directory.path().join("security-agent.yaml");
    fs::write(&agent, switched_on(&example(Executable::SecurityAgent))).unwrap();
    let loaded = crate::agent::load(&[agent], &none).unwrap();
    assert_eq!(loaded.value, AgentSettings::default());
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.origins.len(), AgentSettings::keys().len());
}

#[test]
fn an_independent_reader_reads_the_examples_as_ours_does() {
    for of in [Executable::SystemProbe, Executable::SecurityAgent] {
        let text = switched_on(&example(of));
        let value: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        let keys: Vec<&str> = value.as_mapping().unwrap().keys().filter_map(|key| key.as_str()).collect();
        assert_eq!(keys.len(), text.lines().count());
    }
}

#[test]
fn no_two_keys_share_a_name_or_a_variable_within_a_process() {
    for keys in [ProbeSettings::keys(), AgentSettings::keys()] {
        let mut names: Vec<&str> = keys.iter().flat_map(Key::names).collect();
        let mut variables: Vec<String> =
            keys.iter().flat_map(Key::variables).filter(|name| name != "LOG_LEVEL").collect();
        let planned: Vec<&str> =
            PLANNED.iter().flat_map(|feature| feature.keys).map(|(key, _)| *key).collect();
        names.extend(&planned);
        for list in [&mut names.iter().map(ToString::to_string).collect(), &mut variables] {
            let count = list.len();
            list.sort();
            list.dedup();
            assert_eq!(list.len(), count, "{list:?}");
        }
    }
}

#[test]
fn names_are_in_lower_case_as_the_reader_expects_them() {
    for key in ProbeSettings::keys().iter().chain(&AgentSettings::keys()) {
        for name in key.names() {
            assert_eq!(name, name.to_ascii_lowercase());
        }
    }
}
