//! A filter never drops an event that a rule matches.

use engine::loader::{PolicyFile, PolicyFiles};
use engine::variables::WrittenProcesses;
use engine::{Engine, LoadOptions, load};
use model::FlatEvent;
use proptest::prelude::*;
use proto::filter::{Facts, FileFacts, lets_through};
use serde_json::{Map, json};

use super::*;

fn rules(expressions: &[String]) -> std::sync::Arc<RuleSet> {
    let mut policy = "version: 1.0.0\nrules:\n".to_owned();
    for (number, expression) in expressions.iter().enumerate() {
        policy.push_str(&format!("  - id: rule_{number}\n    expression: {}\n", json!(expression)));
    }
    let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("test.policy", policy.as_str())]);
    let load = load(files, &model::Fields::default(), &LoadOptions::default());
    assert_eq!(load.counts.errors, 0, "{policy}\n{:?}", load.diagnostics);
    load.rules
}

fn filter_of(expressions: &[&str], event: EventKind, kind: Kind) -> Outcome {
    let expressions: Vec<_> = expressions.iter().map(|&text| text.to_owned()).collect();
    derive(&rules(&expressions), [(event, kind)]).remove(&event).unwrap()
}

fn open_filter(expressions: &[&str]) -> Vec<String> {
    match filter_of(expressions, EventKind::Open, Kind::Open) {
        Outcome::Whole(rules) => vec![format!("whole because of {rules:?}")],
        Outcome::Filter(filter) => filter.alternatives.iter().map(shown).collect(),
    }
}

fn shown(alternative: &proto::v1::Alternative) -> String {
    let list = |texts: &[bytes::Bytes]| {
        texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>().join(",")
    };
    let mut parts = Vec::new();
    for (side, condition) in [("", &alternative.file), ("to ", &alternative.destination)] {
        let Some(condition) = condition else { continue };
        let lists = [("names", &condition.names), ("is", &condition.paths), ("in", &condition.path_prefixes)];
        for (what, texts) in lists.into_iter().filter(|(_, texts)| !texts.is_empty()) {
            parts.push(format!("{side}{what} {}", list(texts)));
        }
    }
    if let Some(flags) = alternative.flags {
        parts.push(format!("flags {:o}{}", flags.any_of, if flags.read_only { " or none" } else { "" }));
    }
    parts.extend(alternative.auids.iter().map(|range| format!("auid {}-{}", range.from, range.to)));
    parts.extend(alternative.ports.iter().map(|range| format!("port {}-{}", range.from, range.to)));
    parts.extend(alternative.in_upper_layer.map(|inside| format!("upper {inside}")));
    parts.join("; ")
}

#[test]
fn conditions_are_told_together() {
    assert_eq!(
        open_filter(&[
            r#"open.file.path == "/etc/shadow" && open.flags & (O_WRONLY|O_RDWR) > 0 && process.uid == 0"#
        ]),
        ["names shadow; is /etc/shadow; flags 3"]
    );
    assert_eq!(
        open_filter(&[r#"open.file.path in ["/etc/a", ~"/etc/cron.d/*", ~"/proc/*/mem"]"#]),
        ["in /etc/cron.d/", "names a,mem; is /etc/a; in /proc/"]
    );
    assert_eq!(
        open_filter(&["open.flags == O_RDONLY && process.auid >= 1000"]),
        ["flags 0 or none; auid 1000-4294967295"]
    );
    assert_eq!(
        open_filter(&["open.file.in_upper_layer && open.file.name == \"x\""]),
        ["names x; upper true"]
    );
}

#[test]
fn rules_that_want_alike_share_an_alternative() {
    let alike = [
        r#"open.file.name == "a" && open.flags & O_CREAT > 0"#,
        r#"open.file.name == "b" && open.flags & O_CREAT > 0"#,
    ];
    assert_eq!(open_filter(&alike), ["names a,b; flags 100"]);
    assert_eq!(open_filter(&[alike[0], r#"open.file.name == "a""#]), ["names a"]);
    let many: Vec<String> =
        (0..200).map(|n| format!("open.file.path == \"/d{n}/f{n}\" && process.auid == {n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let found = open_filter(&many);
    assert!(
        (1..=limits::ALTERNATIVES).contains(&found.len())
            && found.iter().all(|shown| shown.contains("names"))
    );
}

#[test]
fn rules_that_the_kernel_cannot_judge_are_named() {
    let rules = [r#"open.file.path == "/etc/shadow""#, "process.file.name == \"cat\" && open.retval == 0"];
    assert_eq!(open_filter(&rules), [r#"whole because of ["rule_1"]"#]);
    assert_eq!(open_filter(&[r#"open.file.path not in ["/etc/a"]"#]), [r#"whole because of ["rule_0"]"#]);
    assert_eq!(open_filter(&[r#"open.file.path =~ "*/bin/*""#]), [r#"whole because of ["rule_0"]"#]);
    assert_eq!(derive(&RuleSet::default(), [(EventKind::Exec, Kind::Exec)]), BTreeMap::new());
}

/// The only alternative of a rule.
fn only(expression: &str, event: EventKind, kind: Kind) -> String {
    match filter_of(&[expression], event, kind) {
        Outcome::Whole(_) => "whole".to_owned(),
        Outcome::Filter(filter) => filter.alternatives.iter().map(shown).collect::<Vec<_>>().join(" | "),
    }
}

#[test]
fn mappings_are_judged_by_their_protection() {
    let mmap = |expression: &str| only(expression, EventKind::Mmap, Kind::Mmap);
    assert_eq!(mmap("mmap.protection & PROT_EXEC > 0 && process.uid == 0"), "flags 4");
    assert_eq!(
        mmap("mmap.protection & (PROT_WRITE|PROT_EXEC) == (PROT_WRITE|PROT_EXEC)"),
        "flags 6",
        "one of them at least"
    );
    assert_eq!(
        mmap("mmap.file.path == \"/tmp/x.so\" && mmap.protection & PROT_EXEC > 0"),
        "names x.so; is /tmp/x.so; flags 4"
    );
    assert_eq!(mmap("mmap.flags & MAP_FIXED > 0"), "whole");
    let mprotect = |expression: &str| only(expression, EventKind::Mprotect, Kind::Mprotect);
    assert_eq!(mprotect("mprotect.req_protection & VM_EXEC > 0"), "flags 4");
    assert_eq!(mprotect("mprotect.vm_protection & VM_EXEC > 0"), "whole");
}

#[test]
fn commands_and_numbers_are_flags_of_their_own() {
    let bpf = |expression: &str| only(expression, EventKind::Bpf, Kind::Bpf);
    assert_eq!(bpf("bpf.cmd == BPF_PROG_LOAD && bpf.prog.name != \"\""), "flags 40");
    assert_eq!(bpf("bpf.cmd in [BPF_MAP_CREATE, BPF_PROG_LOAD]"), "flags 41");
    assert_eq!(bpf("bpf.cmd == BPF_PROG_BIND_MAP"), "whole", "too great a number");
    assert_eq!(bpf("bpf.cmd != BPF_PROG_LOAD"), "whole");
    let signal = |expression: &str| only(expression, EventKind::Signal, Kind::Signal);
    assert_eq!(signal("signal.type == SIGKILL && signal.target.comm == \"auditd\""), "flags 1000");
    let prctl = |expression: &str| only(expression, EventKind::Prctl, Kind::Prctl);
    assert_eq!(prctl("prctl.option == PR_SET_NAME"), "flags 100000");
    assert_eq!(prctl("prctl.option == PR_SET_VMA"), "whole");
}

#[test]
fn addresses_are_judged_by_family_and_port() {
    let connect = |expression: &str| only(expression, EventKind::Connect, Kind::Connect);
    assert_eq!(connect("connect.addr.port == 6667 && connect.addr.is_public"), "port 6667-6667");
    assert_eq!(connect("connect.addr.family == AF_UNIX && connect.addr.path != \"\""), "flags 2");
    assert_eq!(
        connect("connect.addr.family in [AF_INET, AF_INET6] && connect.addr.port in [80, 443]"),
        "flags 2004; port 80-80; port 443-443"
    );
    assert_eq!(
        connect("connect.addr.port >= 60100 && connect.addr.port <= 60150 && process.uid == 0"),
        "port 60100-60150"
    );
    // Only addresses of the internet have names.
    assert_eq!(connect("connect.addr.hostname =~ \"*.test\""), "flags 2004");
    assert_eq!(connect("connect.addr.hostname in [\"a.test\", ~\"*.b.test\"]"), "flags 2004");
    assert_eq!(connect("connect.addr.hostname == \"\""), "whole");
    assert_eq!(connect("connect.addr.hostname =~ \"*\""), "whole");
    assert_eq!(connect("connect.retval == 0 && connect.addr.path in [~\"*/docker.sock\"]"), "flags 2");
    assert_eq!(connect("connect.addr.hostname not in [\"a.test\"]"), "whole");
    assert_eq!(connect("connect.addr.is_public == true"), "whole");
    assert_eq!(connect("connect.addr.family == AF_VSOCK"), "whole", "too great a number");
    let accept = |expression: &str| only(expression, EventKind::Accept, Kind::Accept);
    assert_eq!(accept("accept.addr.port < 1024"), "port 0-1023");
    let bind = |expression: &str| only(expression, EventKind::Bind, Kind::Bind);
    assert_eq!(bind("bind.addr.port > 0"), "port 1-65535");
}

#[test]
fn a_rename_is_judged_by_both_names() {
    let rule = [r#"rename.file.name == "a" && rename.file.destination.path =~ "/etc/**""#];
    let Outcome::Filter(filter) = filter_of(&rule, EventKind::Rename, Kind::Rename) else { panic!("whole") };
    assert_eq!(filter.alternatives.iter().map(shown).collect::<Vec<_>>(), ["names a; to in /etc/"]);
}

const PATHS: [&str; 9] = [
    "/etc/passwd",
    "/etc/shadow",
    "/etc/ssh/sshd_config",
    "/home/a/.ssh/id_rsa",
    "/tmp/passwd",
    "/etc",
    "/proc/1/mem",
    "/run/containers/x/etc/passwd",
    "",
];
const MOUNTS: [&str; 3] = ["", "/run/containers/x", "/etc"];

/// A test of one field of `open` or `rename`.
fn test(event: &'static str) -> impl Strategy<Value = String> {
    let sides: &[&str] = if event == "rename" { &["file", "file.destination"] } else { &["file"] };
    let file = (
        prop::sample::select(sides),
        prop::sample::select(vec![
            r#"path == "/etc/passwd""#,
            r#"path in ["/etc/passwd", ~"/etc/**"]"#,
            r#"path =~ "/proc/*/mem""#,
            r#"path =~ "/**/passwd""#,
            r#"path =~ "/etc/s*""#,
            r#"path != "/etc/passwd""#,
            r#"path not in [~"/home/**"]"#,
            r#"name == "passwd""#,
            r#"name in ["mem", "shadow"]"#,
            r#"name =~ "*_rsa""#,
            r#"name not in ["passwd"]"#,
            r#"path == "/etc""#,
            r#"path =~ "*/mem""#,
            r#"name == "etc""#,
            r#"name in [r"mem$"]"#,
        ]),
    )
        .prop_map(move |(side, test)| format!("{event}.{side}.{test}"));
    let others: &[&str] = if event == "open" {
        &[
            "open.flags & O_CREAT > 0",
            "open.flags & (O_CREAT|O_WRONLY) == O_CREAT",
            "open.flags == O_RDONLY",
            "open.flags & O_CREAT == 0",
            "open.flags == O_RDWR",
            "open.flags & O_WRONLY != 0",
            "open.flags > 0",
            "open.file.in_upper_layer",
            "open.file.in_upper_layer == false",
            "process.auid == 1000",
            "process.auid > 999 && process.auid < 2000",
            "process.auid != 1000",
            "process.uid == 0",
        ]
    } else {
        &["process.auid >= 1000", "process.auid in [0, 1000]", "process.comm == \"sh\""]
    };
    prop_oneof![3 => file, 2 => prop::sample::select(others).prop_map(str::to_owned)]
}

fn expression(event: &'static str) -> impl Strategy<Value = String> {
    test(event).prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            4 => (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) && ({right})")),
            3 => (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) || ({right})")),
            1 => inner.prop_map(|inner| format!("!({inner})")),
        ]
    })
}

/// An event with what the kernel sees of it.
#[derive(Debug, Clone)]
struct Seen {
    paths: [&'static str; 2],
    mount: &'static str,
    flags: u32,
    auid: u32,
    upper: bool,
}

fn seen() -> impl Strategy<Value = Seen> {
    let path = || prop::sample::select(&PATHS[..]);
    let flags = prop::sample::select(vec![0, 1, 2, 0o101, 0o102, 0o100, 0o2_000_000]);
    let auid = prop::sample::select(vec![0, 999, 1000, 1500, u32::MAX]);
    (path(), path(), prop::sample::select(&MOUNTS[..]), flags, auid, any::<bool>()).prop_map(
        |(file, destination, mount, flags, auid, upper)| Seen {
            paths: [file, destination],
            mount,
            flags,
            auid,
            upper,
        },
    )
}

impl Seen {
    fn event(&self, event: EventKind) -> FlatEvent {
        let mut fields = Map::new();
        fields.insert("process.auid".into(), self.auid.into());
        fields.insert("process.comm".into(), "sh".into());
        let name = event.name();
        let prefixes = [format!("{name}.file"), format!("{name}.file.destination")];
        for (prefix, path) in
            prefixes.iter().zip(self.paths).take(if event == EventKind::Rename { 2 } else { 1 })
        {
            fields.insert(format!("{prefix}.path"), path.into());
            fields.insert(format!("{prefix}.name"), base(path).into());
            fields.insert(format!("~mount_path:{prefix}"), self.mount.into());
        }
        if event == EventKind::Open {
            fields.insert("open.flags".into(), self.flags.into());
            fields.insert("open.file.in_upper_layer".into(), self.upper.into());
        }
        let mut flat = FlatEvent::from_json(&fields.into(), 0).unwrap();
        flat.set_kind(event);
        flat
    }

    fn facts(&self) -> Facts<'_> {
        // A file with a second path is not judged by the first one.
        let file = |path: &'static str| FileFacts {
            name: Some(base(path).as_bytes()),
            path: self.mount.is_empty().then_some(path.as_bytes()),
        };
        let [path, destination] = self.paths;
        Facts {
            file: file(path),
            destination: file(destination),
            flags: self.flags,
            auid: self.auid,
            in_upper_layer: self.upper,
            port: 0,
        }
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn check(
    event: EventKind,
    kind: Kind,
    expressions: &[String],
    seen: &[Seen],
) -> Result<[usize; 3], TestCaseError> {
    // A rule needs a field of its event.
    let of_event: Vec<_> =
        expressions.iter().map(|text| format!("{}.retval == 0 && ({text})", event.name())).collect();
    let rules = rules(&of_event);
    let outcome = derive(&rules, [(event, kind)]).remove(&event).unwrap();
    let mut engine = Engine::new(rules);
    let mut counts = [0; 3];
    for seen in seen {
        let mut matches = Vec::new();
        engine.evaluate(&seen.event(event), &WrittenProcesses, 0, &mut matches);
        let through = match &outcome {
            Outcome::Filter(filter) => lets_through(filter, &seen.facts()),
            Outcome::Whole(_) => true,
        };
        prop_assert!(through || matches.is_empty(), "{expressions:?} {seen:?} {outcome:?}");
        counts[0] += usize::from(!matches.is_empty());
        counts[1] += usize::from(!through);
        counts[2] += usize::from(through && matches.is_empty());
    }
    Ok(counts)
}

proptest! {
    #[test]
    fn what_a_rule_about_opens_matches_is_let_through(
        expressions in prop::collection::vec(expression("open"), 1..4),
        seen in prop::collection::vec(seen(), 1..20),
    ) {
        check(EventKind::Open, Kind::Open, &expressions, &seen)?;
    }

    #[test]
    fn what_a_rule_about_renames_matches_is_let_through(
        expressions in prop::collection::vec(expression("rename"), 1..4),
        seen in prop::collection::vec(seen(), 1..20),
    ) {
        check(EventKind::Rename, Kind::Rename, &expressions, &seen)?;
    }
}

#[test]
fn random_rules_match_and_filter_often_enough_to_test_anything() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut sums = [0; 3];
    for _ in 0..100 {
        let expression = expression("open").new_tree(&mut runner).unwrap().current();
        let events = prop::collection::vec(seen(), 10).new_tree(&mut runner).unwrap().current();
        let counts = check(EventKind::Open, Kind::Open, &[expression], &events).unwrap();
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    assert!(sums.iter().all(|count| *count > 50), "{sums:?}");
}

/// What becomes of a large policy of many authors: every kind that can be filtered is, or it is known why not.
#[test]
fn the_reference_policy_is_filtered() {
    let shared = std::env::var_os("CWS_SHARED").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
        std::path::PathBuf::from,
    );
    let path = shared.join("policies/datadog-default-1.69.3.policy");
    let Ok(policy) = std::fs::read_to_string(&path) else {
        return println!("skipped: no {}", path.display());
    };
    let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("default.policy", policy.as_str())]);
    let load = load(files, &model::Fields::default(), &LoadOptions::default());
    let kinds = [
        (EventKind::Open, Kind::Open),
        (EventKind::Chmod, Kind::Chmod),
        (EventKind::Chown, Kind::Chown),
        (EventKind::Rename, Kind::Rename),
        (EventKind::Unlink, Kind::Unlink),
        (EventKind::Link, Kind::Link),
        (EventKind::Utimes, Kind::Utimes),
        (EventKind::Mkdir, Kind::Mkdir),
    ];
    let outcomes = derive(&load.rules, kinds);
    for (event, outcome) in &outcomes {
        match outcome {
            Outcome::Filter(filter) => {
                println!("{}: {:#?}", event.name(), filter.alternatives.iter().map(shown).collect::<Vec<_>>())
            }
            Outcome::Whole(rules) => println!("{}: whole because of {rules:?}", event.name()),
        }
    }
    assert!(matches!(outcomes[&EventKind::Open], Outcome::Filter(_)), "{:?}", outcomes[&EventKind::Open]);
}

/// The events that happen all the time leave the kernel only where the shipped policy is about them.
#[test]
fn the_shipped_policy_is_filtered() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/policies/default.policy");
    let policy = std::fs::read_to_string(path).unwrap();
    let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("default.policy", policy.as_str())]);
    let load = load(files, &model::Fields::default(), &LoadOptions::default());
    let kinds = [
        (EventKind::Open, Kind::Open),
        (EventKind::Mmap, Kind::Mmap),
        (EventKind::Mprotect, Kind::Mprotect),
        (EventKind::Bpf, Kind::Bpf),
        (EventKind::Prctl, Kind::Prctl),
        (EventKind::Signal, Kind::Signal),
        (EventKind::Sysctl, Kind::Sysctl),
    ];
    let outcomes = derive(&load.rules, kinds);
    assert_eq!(outcomes.len(), kinds.len());
    let of = |event: EventKind| match &outcomes[&event] {
        Outcome::Filter(filter) => filter.alternatives.iter().map(shown).collect::<Vec<_>>().join(" | "),
        Outcome::Whole(rules) => format!("whole because of {rules:?}"),
    };
    for (event, _) in kinds {
        assert!(!of(event).starts_with("whole"), "{}: {}", event.name(), of(event));
    }
    // Mappings that can be executed, the load of a program, names of threads, writes.
    assert_eq!(of(EventKind::Mprotect), "flags 4");
    assert_eq!(of(EventKind::Bpf), "flags 40");
    assert_eq!(of(EventKind::Prctl), "flags 100000");
    assert_eq!(of(EventKind::Sysctl), "flags 4");
}
