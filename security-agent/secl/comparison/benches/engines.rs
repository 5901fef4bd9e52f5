//! Comparable expressions in three engines: this one, Cloudflare's wirefilter, and an interpreter of CEL.
//!
//! `cargo bench --manifest-path security-agent/secl/comparison/Cargo.toml`. Each engine gets its values in the form it likes best, outside of what is
//! measured. The last group is what matters for policies: many rules at once, of which none matches.
#![allow(missing_docs, reason = "a benchmark")]

use std::hint::black_box;
use std::sync::Arc;

use cel_interpreter::{Context, Program};
use criterion::{Criterion, criterion_group, criterion_main};
use model::{Context as EventContext, Event, EventKind, Fields, File, Payload, Process, payload};
use secl::{Compiler, NoVariables, RuleSet, Scratch};
use wirefilter::{ExecutionContext, Scheme};

const PATH: &str = "/usr/lib/x86_64-linux-gnu/libc.so.6";
const NAME: &str = "libc.so.6";

/// What is asked, in the words of each engine.
struct Question {
    name: &'static str,
    secl: String,
    wirefilter: String,
    cel: String,
}

fn questions() -> Vec<Question> {
    let question = |name, secl: &str, wirefilter: &str, cel: &str| Question {
        name,
        secl: secl.to_owned(),
        wirefilter: wirefilter.to_owned(),
        cel: cel.to_owned(),
    };
    let names: Vec<String> = (0..20).map(|number| format!("\"program{number}\"")).collect();
    vec![
        question("equal", "open.file.name == \"shadow\"", "name == \"shadow\"", "name == 'shadow'"),
        question(
            "mask",
            "open.flags & 64 > 0 && open.file.name != \"\"",
            "flags & 64 && name != \"\"",
            // CEL has no bit operators.
            "flags % 128 > 63 && name != ''",
        ),
        question(
            "list of 20",
            &format!("open.file.name in [{}]", names.join(", ")),
            &format!("name in {{{}}}", names.join(" ")),
            &format!("name in [{}]", names.join(", ")),
        ),
        question(
            "regular expression",
            "open.file.name =~ r\"^(python|perl)[0-9.]*$\"",
            "name matches \"^(python|perl)[0-9.]*$\"",
            "name.matches('^(python|perl)[0-9.]*$')",
        ),
        question(
            "logic",
            "(open.file.name == \"passwd\" || open.file.name == \"shadow\") && process.pid > 1 && open.flags & 3 > 0",
            "(name == \"passwd\" || name == \"shadow\") && pid > 1 && flags & 3",
            "(name == 'passwd' || name == 'shadow') && pid > 1 && flags % 4 > 0",
        ),
    ]
}

fn event() -> Event {
    let file = File { path: PATH.into(), mode: 0o644, ..File::default() };
    let mut payload = Payload::zero(EventKind::Open);
    if let Payload::Open(open) = &mut payload {
        *open = payload::Open { file, flags: 0o2_000_000, ..payload::Open::default() };
    }
    let process = Process { pid: 4242, start_time: 1, ..Process::default() };
    Event::new(EventContext::default(), Arc::new(process), payload)
}

fn scheme() -> Scheme {
    Scheme! { name: Bytes, path: Bytes, flags: Int, pid: Int }
}

fn wirefilter_values(scheme: &Scheme) -> ExecutionContext<'_> {
    let mut values = ExecutionContext::new(scheme);
    values.set_field_value("name", NAME).expect("a field");
    values.set_field_value("path", PATH).expect("a field");
    values.set_field_value("flags", 0o2_000_000).expect("a field");
    values.set_field_value("pid", 4242).expect("a field");
    values
}

fn cel_values() -> Context<'static> {
    let mut values = Context::default();
    values.add_variable_from_value("name", NAME);
    values.add_variable_from_value("path", PATH);
    values.add_variable_from_value("flags", 0o2_000_000_i64);
    values.add_variable_from_value("pid", 4242_i64);
    values
}

fn one_rule(criterion: &mut Criterion) {
    let (schema, event, scheme) = (Fields::default(), event(), scheme());
    let (wirefilter_values, cel_values) = (wirefilter_values(&scheme), cel_values());
    for question in questions() {
        let mut group = criterion.benchmark_group(question.name);
        let rule = Compiler::new(&schema).rule(&question.secl).expect("a rule");
        let mut scratch = Scratch::default();
        assert!(!rule.matches(&event, &NoVariables, &mut scratch));
        group.bench_function("secl", |bencher| {
            bencher.iter(|| rule.matches(black_box(&event), &NoVariables, &mut scratch));
        });
        let filter = scheme.parse(&question.wirefilter).expect("a filter").compile();
        assert_eq!(filter.execute(&wirefilter_values), Ok(false));
        group.bench_function("wirefilter", |bencher| bencher.iter(|| filter.execute(black_box(&wirefilter_values))));
        let program = Program::compile(&question.cel).expect("a program");
        assert_eq!(program.execute(&cel_values), Ok(false.into()));
        group.bench_function("cel", |bencher| bencher.iter(|| program.execute(black_box(&cel_values))));
        group.finish();
    }
}

fn many_rules(criterion: &mut Criterion) {
    let (schema, event, scheme) = (Fields::default(), event(), scheme());
    let (wirefilter_values, cel_values) = (wirefilter_values(&scheme), cel_values());
    for count in [282, 2820] {
        let mut group = criterion.benchmark_group(format!("{count} rules"));
        let numbers = || 0..count;
        let rules: Vec<_> = numbers()
            .map(|n| format!("open.file.path == \"/etc/app{n}/secret\" && open.flags & 3 > 0"))
            .map(|text| Compiler::new(&schema).rule(&text).expect("a rule"))
            .collect();
        let set = RuleSet::new(&rules);
        let mut scratch = Scratch::default();
        group.bench_function("secl", |bencher| {
            bencher.iter(|| set.start(black_box(&event), &mut scratch).next(&event, &NoVariables));
        });
        let texts: Vec<_> = numbers().map(|n| format!("path == \"/etc/app{n}/secret\" && flags & 3")).collect();
        let filters: Vec<_> = texts.iter().map(|text| scheme.parse(text).expect("a filter").compile()).collect();
        group.bench_function("wirefilter", |bencher| {
            bencher.iter(|| filters.iter().filter(|filter| filter.execute(&wirefilter_values) == Ok(true)).count());
        });
        let programs: Vec<_> = numbers()
            .map(|n| format!("path == '/etc/app{n}/secret' && flags % 4 > 0"))
            .map(|text| Program::compile(&text).expect("a program"))
            .collect();
        group.bench_function("cel", |bencher| {
            bencher.iter(|| programs.iter().filter(|p| p.execute(&cel_values) == Ok(true.into())).count());
        });
        group.finish();
    }
}

criterion_group!(benches, one_rule, many_rules);
criterion_main!(benches);
