//! Evaluation of the default policy on a mix of events, and of ten times as many rules; compile time.
//!
//! `cargo bench -p secl`. One iteration is the whole mix; criterion prints events per second.
//!
//! Times tell little on a busy machine; instructions do not change with load. `COUNT=TYPE:ROUNDS` (`all` for the mix) goes through events
//! for a profiler, `TENFOLD=1` with ten times as many rules:
//!
//! ```text
//! COUNT=all:20 valgrind --tool=callgrind --toggle-collect='ruleset::pass*' target/release/deps/ruleset-… --bench
//! ```
//!
//! Instructions per event with the release profile (x86-64):
//!
//! | | 282 rules | 2,820 rules |
//! |---|---|---|
//! | the mix | 2,290 | 3,280 |
//! | open | 1,692 | 2,004 |
//! | exec | 8,457 | 11,973 |
//!
//! What is left of the growth are matches: two rules of the policy match every exec of the mix, and so do their variants.
//! By CPU time (`COUNT=all:20000`, less that of `COUNT=all:1`), one core of a machine that was busy with other things evaluated 3.1 million
//! events a second with 282 rules, and 2.1 million with 2,820.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a benchmark")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use secl::ast::{Expr, ExprKind};
use secl::{Limits, Macros, RuleSet, Schema, Scratch, parse};
use serde_json::{Value as Json, json};
use support::event::FlatEvent;
use support::policy::Policy;
use support::schema::TableSchema;

/// How often events of each type come, as on a busy server, and what is specific to them.
fn mix() -> Vec<(&'static str, usize, Vec<Json>)> {
    let paths = [
        "/usr/lib/x86_64-linux-gnu/libc.so.6",
        "/etc/ld.so.cache",
        "/proc/self/status",
        "/usr/share/locale/locale.alias",
        "/var/lib/postgresql/15/main/base/16384/2601",
        "/tmp/pip-build-env-xyz/overlay/lib/python3.11/site-packages/setuptools/__init__.py",
        "/home/deploy/app/node_modules/react/index.js",
        "/sys/fs/cgroup/system.slice/docker.service/cpu.stat",
        "/var/log/nginx/access.log",
        "/dev/null",
    ];
    let file = |event: &str| -> Vec<Json> {
        paths
            .iter()
            .map(|path| {
                let name = path.rsplit('/').next().unwrap();
                json!({
                    (format!("{event}.file.path")): path,
                    (format!("{event}.file.name")): name,
                    (format!("{event}.file.filesystem")): "ext4",
                    (format!("{event}.file.mode")): 33188,
                })
            })
            .collect()
    };
    let mut open = file("open");
    for (at, event) in open.iter_mut().enumerate() {
        event["open.flags"] = json!(if at % 4 == 3 { "O_WRONLY|O_CREAT" } else { "O_RDONLY" });
    }
    let exec = [
        ("/usr/bin/ls", "ls", "-la /srv"),
        ("/usr/bin/grep", "grep", "-rn --include=*.rs unwrap src"),
        ("/usr/bin/node", "node", "/srv/app/server.js --port 8080"),
        ("/usr/bin/git", "git", "status --porcelain --branch"),
        ("/bin/bash", "bash", "-c make -j8 all"),
        ("/usr/bin/curl", "curl", "-sSf https://example.com/health"),
        ("/usr/bin/apt-get", "apt-get", "update"),
        ("/usr/lib/postgresql/15/bin/postgres", "postgres", "-D /var/lib/postgresql/15/main"),
    ];
    let exec = exec
        .iter()
        .map(|(path, name, args)| {
            json!({
                "exec.file.path": path, "exec.file.name": name, "exec.comm": name, "exec.args": args, "exec.uid": 1000,
                "exec.argv": args.split(' ').collect::<Vec<_>>(), "exec.args_flags": ["l", "a", "la"],
                "exec.envs": ["PATH", "HOME", "LANG", "USER", "SHELL", "TERM", "PWD", "LOGNAME", "MAIL", "EDITOR"],
                "exec.file.change_time": "@now-48h", "exec.file.modification_time": "@now-72h", "exec.tty_name": "",
            })
        })
        .collect();
    let domains =
        ["api.internal.example.com", "github.com", "registry.npmjs.org", "s3.eu-west-1.amazonaws.com"];
    let dns = domains.iter().map(|name| json!({"dns.question.name": name, "dns.question.type": 1})).collect();
    let connect = ["10.2.3.4", "52.1.2.3", "127.0.0.1", "2a00:1450::200e"]
        .iter()
        .map(|ip| json!({"connect.addr.ip": ip, "connect.addr.port": 443, "connect.addr.family": "AF_INET"}))
        .collect();
    vec![
        ("open", 60, open),
        ("exec", 12, exec),
        ("dns", 6, dns),
        ("connect", 8, connect),
        ("unlink", 4, file("unlink")),
        ("rename", 3, file("rename")),
        ("chmod", 2, file("chmod")),
        ("mkdir", 2, file("mkdir")),
        ("mmap", 2, vec![json!({"mmap.protection": 5, "mmap.flags": 2})]),
        ("bpf", 1, vec![json!({"bpf.cmd": 1})]),
    ]
}

/// The process that does it all.
fn process() -> Json {
    let ancestors = ["bash", "sshd", "sshd", "sshd", "systemd"];
    let paths =
        ["/bin/bash", "/usr/sbin/sshd", "/usr/sbin/sshd", "/usr/sbin/sshd", "/usr/lib/systemd/systemd"];
    json!({
        "process.file.path": "/usr/bin/python3.11", "process.file.name": "python3.11", "process.comm": "python3",
        "process.args": "manage.py runserver 0.0.0.0:8000", "process.argv": ["manage.py", "runserver", "0.0.0.0:8000"],
        "process.uid": 1000, "process.euid": 1000, "process.pid": 4242, "process.ppid": 4000, "process.auid": 1000,
        "process.created_at": "@now-5m", "process.tty_name": "",
        "process.file.change_time": "@now-48h", "process.file.modification_time": "@now-72h",
        "process.parent.file.path": "/bin/bash", "process.parent.file.name": "bash", "process.parent.comm": "bash",
        "process.parent.uid": 1000, "process.parent.euid": 1000,
        "process.ancestors.file.path": paths, "process.ancestors.file.name": ancestors, "process.ancestors.comm": ancestors,
        "process.ancestors.pid": [4000, 3900, 3800, 900, 1], "event.origin": "ebpf",
    })
}

fn events(schema: &TableSchema) -> Vec<FlatEvent> {
    let mut events = Vec::new();
    for (name, count, kinds) in mix() {
        let event_type = schema.event_type(name).unwrap();
        for kind in kinds.iter().cycle().take(count) {
            let mut json = process();
            json.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
            events.push(FlatEvent::from_json(schema, event_type, &json));
        }
    }
    // Interleave the types.
    let length = events.len();
    (0..length).map(|at| events[at * 37 % length].clone()).collect()
}

/// The same expression about other things: every text gets another ending, every macro another name.
fn variant(expr: &mut Expr, macros: &Macros, number: usize) {
    let suffix = format!("_{number}");
    match &mut expr.kind {
        ExprKind::Str(text) | ExprKind::Pattern(text)
            if text.last().is_some_and(u8::is_ascii_alphanumeric) =>
        {
            text.extend(suffix.bytes());
        }
        ExprKind::Str(text) | ExprKind::Pattern(text) if text.ends_with(b"/*") || text.ends_with(b"/**") => {
            if let Some(slash @ 1..) = text.iter().rposition(|b| *b == b'/') {
                text.splice(slash..slash, suffix.bytes());
            }
        }
        ExprKind::Name(name) if macros.get(&name.path).is_some() => name.path.push_str(&suffix),
        ExprKind::Logic(first, rest) => {
            variant(first, macros, number);
            rest.iter_mut().for_each(|(_, operand)| variant(operand, macros, number));
        }
        // Packet filters have a grammar of their own.
        ExprKind::Compare(_, left, _) if matches!(&left.kind, ExprKind::Name(name) if name.path == "packet.filter") =>
            {}
        ExprKind::Compare(_, left, right) => {
            variant(left, macros, number);
            variant(right, macros, number);
        }
        ExprKind::Bits(first, rest) => {
            variant(first, macros, number);
            rest.iter_mut().for_each(|(_, operand)| variant(operand, macros, number));
        }
        ExprKind::Unary(_, inner) => variant(inner, macros, number),
        ExprKind::List(members) => members.iter_mut().for_each(|member| variant(member, macros, number)),
        _ => {}
    }
}

/// The policy and nine variants of it.
fn tenfold(policy: Policy) -> Policy {
    let limits = Limits::default();
    let mut large = Policy { macros: policy.macros.clone(), rules: policy.rules.clone(), ..policy };
    let names: Vec<String> = policy.macros.names().map(str::to_owned).collect();
    for number in 1..10 {
        for name in &names {
            let mut body = policy.macros.get(name).unwrap().clone();
            variant(&mut body, &policy.macros, number);
            large.macros.define(&format!("{name}_{number}"), &body.to_string(), &limits).unwrap();
        }
        for (id, text) in &policy.rules {
            let mut expr = parse(text, &limits).unwrap();
            variant(&mut expr, &policy.macros, number);
            large.rules.push((format!("{id}_{number}"), expr.to_string()));
        }
    }
    large
}

/// Which rules the mix matches, to keep it realistic: few.
fn show_matches(policy: &Policy, set: &RuleSet, events: &[FlatEvent]) {
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    let mut scratch = Scratch::default();
    for event in events {
        let mut matches = set.start(event, &mut scratch);
        while let Some(rule) = matches.next(event, &policy.variables) {
            *counts.entry(&policy.rules[rule].0).or_default() += 1;
        }
    }
    println!("{counts:#?}");
}

/// Goes through the events of one type so often, for a profiler that counts instructions: `COUNT=exec:1000`.
fn count(policy: &Policy, set: &RuleSet, schema: &TableSchema, events: &[FlatEvent], wanted: &str) {
    let (name, rounds) = wanted.split_once(':').expect("TYPE:ROUNDS");
    let event_type = schema.event_type(name);
    let of_type: Vec<_> = events.iter().filter(|e| event_type.is_none_or(|t| e.event_type == t)).collect();
    let mut scratch = Scratch::default();
    for _ in 0..rounds.parse().unwrap() {
        pass(set, policy, &of_type, &mut scratch);
    }
    println!("{} events of type {name}, {rounds} rounds", of_type.len());
}

/// The function that a profiler is told to look at.
#[inline(never)]
fn pass(set: &RuleSet, policy: &Policy, events: &[&FlatEvent], scratch: &mut Scratch) {
    for event in events {
        let mut matches = set.start(*event, scratch);
        while let Some(rule) = matches.next(*event, &policy.variables) {
            black_box(rule);
        }
    }
}

fn evaluate(criterion: &mut Criterion) {
    let Some(schema) = TableSchema::shared() else { return };
    let Some(policy) = Policy::shared(&schema) else { return };
    let events = events(&schema);
    if let Ok(wanted) = std::env::var("COUNT") {
        let policy = if std::env::var_os("TENFOLD").is_some() { tenfold(policy) } else { policy };
        let rules = policy.compile(&schema);
        count(&policy, &RuleSet::new(&rules), &schema, &events, &wanted);
        std::process::exit(0);
    }
    let mut group = criterion.benchmark_group("evaluate");
    group.throughput(Throughput::Elements(events.len() as u64));
    for policy in [policy, tenfold(Policy::shared(&schema).unwrap())] {
        let rules = policy.compile(&schema);
        let set = RuleSet::new(&rules);
        let mut scratch = Scratch::default();
        let mut run = || {
            for event in &events {
                let mut matches = set.start(event, &mut scratch);
                while let Some(rule) = matches.next(event, &policy.variables) {
                    black_box(rule);
                }
            }
        };
        if std::env::var_os("SHOW_MATCHES").is_some() {
            show_matches(&policy, &set, &events);
        }
        group.bench_function(format!("{} rules", rules.len()), |bencher| bencher.iter(&mut run));
    }
    group.finish();

    let policy = Policy::shared(&schema).unwrap();
    let rules = policy.compile(&schema);
    let set = RuleSet::new(&rules);
    let mut scratch = Scratch::default();
    let mut group = criterion.benchmark_group("event");
    for (name, ..) in mix() {
        let of_type: Vec<_> =
            events.iter().filter(|e| e.event_type == schema.event_type(name).unwrap()).collect();
        group.throughput(Throughput::Elements(of_type.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for event in &of_type {
                    let mut matches = set.start(*event, &mut scratch);
                    while let Some(rule) = matches.next(*event, &policy.variables) {
                        black_box(rule);
                    }
                }
            });
        });
    }
}

fn compile(criterion: &mut Criterion) {
    let Some(schema) = TableSchema::shared() else { return };
    let Some(policy) = Policy::shared(&schema) else { return };
    criterion.bench_function("compile the default policy", |bencher| {
        bencher.iter(|| RuleSet::new(&policy.compile(&schema)));
    });
}

criterion_group!(benches, evaluate, compile);
criterion_main!(benches);
