use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::agent::AgentSettings;
use crate::enablement::Enablement;
use crate::probe::ProbeSettings;
use crate::value::{Bytes, LogLevel};
use crate::{agent, probe};

/// A directory with configuration files.
struct Etc(TempDir);

impl Etc {
    fn with(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn probe(&self, environment: &[(&str, &str)]) -> Result<Loaded<ProbeSettings>, ConfigErrors> {
        probe::load(self.0.path(), &variables(environment))
    }

    fn agent(&self, environment: &[(&str, &str)]) -> Result<Loaded<AgentSettings>, ConfigErrors> {
        agent::load(&[self.0.path().to_owned()], &variables(environment))
    }

    /// Without the directory, which differs in each run.
    fn show(&self, text: &impl ToString) -> String {
        text.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }

    fn warnings<T>(&self, loaded: &Loaded<T>) -> Vec<String> {
        loaded.warnings.iter().map(|warning| self.show(warning)).collect()
    }
}

fn variables(pairs: &[(&str, &str)]) -> Environment {
    Environment::from_pairs(pairs.iter().copied())
}

fn probe_file(text: &str) -> (Etc, Loaded<ProbeSettings>) {
    let etc = Etc::with(&[("system-probe.yaml", text)]);
    let loaded = etc.probe(&[]).unwrap();
    (etc, loaded)
}

/// The errors of a `system-probe.yaml`, one a line.
fn probe_errors(text: &str) -> String {
    let etc = Etc::with(&[("system-probe.yaml", text)]);
    etc.show(&etc.probe(&[]).unwrap_err())
}

#[test]
fn flat_and_nested_keys_mean_the_same() {
    for text in [
        "runtime_security_config.enabled: true\n",
        "runtime_security_config:\n  enabled: true\n",
        "Runtime_Security_Config: {Enabled: 'True'}\n",
    ] {
        let (etc, loaded) = probe_file(text);
        assert_eq!(loaded.value.module.enablement(), Enablement::Everything, "{text}");
        assert_eq!(etc.warnings(&loaded), [""; 0], "{text}");
    }
}

#[test]
fn a_line_appended_to_a_file_wins() {
    let (etc, loaded) =
        probe_file("runtime_security_config:\n  enabled: false\n\nruntime_security_config.enabled: true\n");
    assert!(loaded.value.module.enabled);
    assert_eq!(
        etc.warnings(&loaded),
        [
            "system-probe.yaml:4:1: runtime_security_config.enabled is also set in line 2; the later one counts"
        ]
    );
}

#[test]
fn the_same_line_appended_twice_is_not_worth_a_warning() {
    let line = "runtime_security_config.enabled: true\n";
    let (etc, loaded) = probe_file(&line.repeat(2));
    assert_eq!(etc.warnings(&loaded), [""; 0]);
}

#[test]
fn older_and_newer_names_are_one_key() {
    for section in ["runtime_security_config", "event_monitoring_config"] {
        let (_, loaded) = probe_file(&format!("{section}:\n  event_stream:\n    buffer_size: 8MiB\n"));
        assert_eq!(loaded.value.event_stream.ring_buffer_size, Bytes::mib(8));
    }
}

#[test]
fn the_environment_wins_over_files_and_origins_say_so() {
    let etc =
        Etc::with(&[("system-probe.yaml", "runtime_security_config.enabled: false\nlog_level: debug\n")]);
    let loaded = etc.probe(&[("DD_RUNTIME_SECURITY_CONFIG_ENABLED", "true"), ("LOG_LEVEL", "")]).unwrap();
    assert!(loaded.value.module.enabled);
    assert_eq!(loaded.value.log.level, LogLevel::Debug);
    let origins: Vec<_> =
        loaded.origins.iter().map(|(key, location)| format!("{key} {}", etc.show(location))).collect();
    assert_eq!(
        origins,
        [
            "runtime_security_config.enabled environment variable DD_RUNTIME_SECURITY_CONFIG_ENABLED",
            "system_probe_config.log_level system-probe.yaml:2:12",
        ]
    );
}

#[test]
fn variables_without_the_usual_name_are_read_too() {
    let etc = Etc::with(&[("system-probe.yaml", "")]);
    for variable in ["DD_SYSTEM_PROBE_CONFIG_LOG_LEVEL", "DD_LOG_LEVEL", "LOG_LEVEL"] {
        assert_eq!(etc.probe(&[(variable, "trace")]).unwrap().value.log.level, LogLevel::Trace, "{variable}");
    }
}

#[test]
fn lists_come_from_the_environment_in_three_notations() {
    let etc = Etc::with(&[("datadog.yaml", "")]);
    for text in ["a:1 b:2", "a:1,b:2", r#"["a:1", "b:2"]"#] {
        assert_eq!(etc.agent(&[("DD_TAGS", text)]).unwrap().value.host.tags, ["a:1", "b:2"], "{text}");
    }
}

#[test]
fn nothing_after_the_colon_keeps_the_default_and_what_was_set_before() {
    let (etc, loaded) = probe_file("runtime_security_config:\n  # enabled: true\nlog_level: ~\n");
    assert_eq!(loaded.value, ProbeSettings::default());
    assert_eq!(etc.warnings(&loaded), [""; 0]);

    let etc = Etc::with(&[("datadog.yaml", "log_level: warn\n"), ("security-agent.yaml", "log_level:\n")]);
    assert_eq!(etc.agent(&[]).unwrap().value.log.level, LogLevel::Warn);
}

#[test]
fn every_wrong_type_is_reported_with_its_place() {
    let errors = probe_errors(
        "runtime_security_config:\n  enabled: maybe\n  socket: [a]\n  probe:\n    batch_records: 0\n\
         log_level: loud\nsecurity_agent: none\n",
    );
    assert_eq!(
        errors,
        "system-probe.yaml:2:12: runtime_security_config.enabled: expected true or false, found `maybe`\n\
         system-probe.yaml:3:11: runtime_security_config.socket: expected an absolute path, found a list\n\
         system-probe.yaml:5:20: runtime_security_config.probe.batch_records: expected a whole number from 1 to 4096, found `0`\n\
         system-probe.yaml:6:12: system_probe_config.log_level: expected one of trace, debug, info, warn, error, critical, off, found `loud`\n\
         system-probe.yaml:7:1: security_agent: expected keys below it, found `none`"
    );
}

#[test]
fn a_wrong_variable_is_named() {
    let etc = Etc::with(&[("system-probe.yaml", "")]);
    let errors = etc.probe(&[("DD_RUNTIME_SECURITY_CONFIG_FIM_ENABLED", "perhaps")]).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "environment variable DD_RUNTIME_SECURITY_CONFIG_FIM_ENABLED: runtime_security_config.fim_enabled: \
         expected true or false, found `perhaps`"
    );
}

#[test]
fn a_value_in_a_diagnostic_is_short_and_printable() {
    let errors =
        probe_errors(&format!("runtime_security_config.enabled: \"\\e[31m{}\"\n", "x".repeat(5_000)));
    assert!(errors.contains("found `\\u{1b}[31m") && errors.len() < 200, "{errors}");
}

#[test]
fn a_misspelled_key_is_a_warning_with_the_right_one() {
    let (etc, loaded) =
        probe_file("runtime_security_config:\n  enable: true\n  some:\n    thing: 1\nlog_levle: info\n");
    assert_eq!(
        etc.warnings(&loaded),
        [
            "system-probe.yaml:2:3: no such key: runtime_security_config.enable (did you mean runtime_security_config.enabled?)",
            "system-probe.yaml:4:5: no such key: runtime_security_config.some.thing",
            "system-probe.yaml:5:1: no such key: log_levle (did you mean log_level?)",
        ]
    );
    assert!(loaded.warnings.iter().all(|warning| warning.severity == Severity::Warning));
}

#[test]
fn a_misspelled_variable_is_a_warning_with_the_right_one() {
    let etc = Etc::with(&[("system-probe.yaml", "")]);
    let loaded =
        etc.probe(&[("DD_RUNTIME_SECURITY_CONFIG_ENABLE", "true"), ("DD_APM_ENABLED", "true")]).unwrap();
    assert_eq!(
        etc.warnings(&loaded),
        [
            "environment variable DD_RUNTIME_SECURITY_CONFIG_ENABLE: no such key (did you mean DD_RUNTIME_SECURITY_CONFIG_ENABLED?)"
        ]
    );
}

#[test]
fn a_file_full_of_unknown_keys_does_not_fill_the_log() {
    let text: String = (0..20_000).map(|n| format!("runtime_security_config.unknown_{n}: 1\n")).collect();
    let (etc, loaded) = probe_file(&text);
    assert_eq!(loaded.warnings.len(), 51);
    assert_eq!(etc.warnings(&loaded).last().unwrap(), "system-probe.yaml: 19950 more unknown keys");
}

#[test]
fn keys_of_other_products_are_one_quiet_line() {
    let (etc, loaded) = probe_file("network_config:\n  enabled: true\n  x: 1\nlogs_enabled: true\n");
    assert_eq!(
        etc.warnings(&loaded),
        ["system-probe.yaml: left to other products: logs_enabled, network_config"]
    );
    assert_eq!(loaded.warnings[0].severity, Severity::Info);
}

#[test]
fn keys_without_effect_are_one_quiet_line_a_feature() {
    let text = "runtime_security_config:\n  activity_dump:\n    enabled: [not, checked]\n    rate_limiter: 1\n  \
                hash_resolver.replace: {a: b}\n";
    let etc = Etc::with(&[("system-probe.yaml", text)]);
    let loaded = etc
        .probe(&[("DD_RUNTIME_SECURITY_CONFIG_ACTIVITY_DUMP_ENABLED", "1"), ("DD_CMD_PORT", "1")])
        .unwrap();
    assert_eq!(
        etc.warnings(&loaded),
        [
            "system-probe.yaml:3:5: runtime_security_config.activity_dump.enabled has no effect here (activity dumps and security profiles)",
            "system-probe.yaml:5:3: runtime_security_config.hash_resolver.replace has no effect here (hashes and metadata of files)",
            "environment variable DD_CMD_PORT: cmd_port has no effect here (metrics, profiling and local ports)",
        ]
    );
    assert!(loaded.warnings.iter().all(|warning| warning.severity == Severity::Info));
}

#[test]
fn a_key_in_the_file_of_the_process_that_does_not_read_it_is_a_warning() {
    let (etc, loaded) = probe_file("runtime_security_config.outputs.stdout.enabled: true\n");
    assert_eq!(
        etc.warnings(&loaded),
        [
            "system-probe.yaml:1:1: runtime_security_config.outputs.stdout.enabled is read by security-agent only, from its own file"
        ]
    );
}

#[test]
fn the_agent_takes_policy_keys_from_the_file_of_the_probe_and_nothing_else() {
    let probe = "runtime_security_config:\n  enabled: true\n  policies.dir: /a\n  event_server.rate: 5\nnonsense: 1\n";
    let etc = Etc::with(&[
        ("system-probe.yaml", probe),
        ("security-agent.yaml", "runtime_security_config.policies.dir: /b\n"),
    ]);
    let loaded = etc.agent(&[]).unwrap();
    assert!(!loaded.value.module.enabled, "each process is enabled in its own file");
    assert_eq!(loaded.value.policies.dir, Path::new("/b"));
    assert_eq!(loaded.value.signals.rate, 5);
    assert_eq!(etc.warnings(&loaded), [""; 0]);
    let read: Vec<_> =
        loaded.sources.iter().map(|source| (etc.show(&source.path.display()), source.read)).collect();
    let expected = [("system-probe.yaml", true), ("datadog.yaml", false), ("security-agent.yaml", true)];
    assert_eq!(read, expected.map(|(name, read)| (name.to_owned(), read)));

    let mut seen_by_the_probe = etc.probe(&[]).unwrap();
    seen_by_the_probe.warnings.retain(|warning| warning.severity == Severity::Warning);
    assert_eq!(etc.warnings(&seen_by_the_probe), [""; 0], "policy keys belong there, for the reference");
}

#[test]
fn the_later_file_of_the_agent_wins() {
    let etc =
        Etc::with(&[("one.yaml", "log_level: debug\nhostname: a\n"), ("two.yaml", "log_level: error\n")]);
    let load =
        |files: [&str; 2]| agent::load(&files.map(|name| etc.path(name)), &variables(&[])).unwrap().value;
    assert_eq!(load(["one.yaml", "two.yaml"]).log.level, LogLevel::Error);
    assert_eq!(load(["two.yaml", "one.yaml"]).log.level, LogLevel::Debug);
    assert_eq!(load(["one.yaml", "two.yaml"]).host.hostname, "a");
}

#[test]
fn the_probe_runs_without_its_file_and_the_agent_does_not() {
    let etc = Etc::with(&[]);
    let loaded = etc.probe(&[]).unwrap();
    assert_eq!(loaded.value, ProbeSettings::default());
    assert_eq!(etc.warnings(&loaded), ["system-probe.yaml: not there: defaults and environment apply"]);

    let errors = etc.agent(&[]).unwrap_err();
    assert_eq!(etc.show(&errors), "no configuration file could be read: datadog.yaml, security-agent.yaml");
}

#[test]
fn what_is_not_a_configuration_is_refused_with_its_name() {
    assert_eq!(
        probe_errors("- a\n"),
        "system-probe.yaml:1:1: expected keys such as `runtime_security_config:`, found a list"
    );
    assert!(probe_errors("a: [1\nb: 2\n").starts_with("system-probe.yaml:2:"));

    let etc = Etc::with(&[]);
    fs::write(etc.path("system-probe.yaml"), b"a: \xff\n").unwrap();
    assert_eq!(etc.show(&etc.probe(&[]).unwrap_err()), "system-probe.yaml: cannot be read: not UTF-8 text");
    fs::write(etc.path("system-probe.yaml"), "#".repeat(2 << 20)).unwrap();
    assert_eq!(
        etc.show(&etc.probe(&[]).unwrap_err()),
        "system-probe.yaml: cannot be read: larger than 1048576 bytes"
    );
}

/// Lines that hold what real files hold, in any order, indentation and combination.
fn line() -> impl Strategy<Value = String> {
    let keys = [
        "runtime_security_config",
        "enabled",
        "runtime_security_config.enabled",
        "event_stream",
        "buffer_size",
        "outputs",
        "log_level",
        "tags",
        "activity_dump",
        "x",
        "<<",
        "&a",
        "*a",
        "-",
        "?",
        "security_agent.user",
    ];
    let values = [
        "", "true", "1", "[a, b]", "{a: 1}", "10MiB", "5s", "|", ">-", "\"", "'", "*a", "&a 1", "~", "- 1",
        "!!int 1",
    ];
    (0_usize..4, proptest::sample::select(keys.to_vec()), proptest::sample::select(values.to_vec()))
        .prop_map(|(indent, key, value)| format!("{}{key}: {value}\n", "  ".repeat(indent)))
}

proptest! {
    #[test]
    fn no_file_panics_and_a_refusal_says_why(lines in proptest::collection::vec(line(), 0..12)) {
        let etc = Etc::with(&[("system-probe.yaml", &lines.concat()), ("datadog.yaml", &lines.concat())]);
        if let Err(errors) = etc.probe(&[]) {
            prop_assert!(!errors.0.is_empty());
        }
        if let Err(errors) = etc.agent(&[]) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }
}
