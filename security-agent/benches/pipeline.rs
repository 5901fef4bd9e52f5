//! Records a second: from bytes to the process tree, and on to evaluated rules. One thread.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark; criterion's macros make undocumented functions"
)]

#[path = "../src/script.rs"]
#[expect(dead_code, reason = "shared with the unit tests, which use all of it")]
mod script;

use std::hint::black_box;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engine::LoadOptions;
use model::environment::ShownWithValue;
use proto::v1::Batch;
use proto::wire::Records;
use security_agent::cache::process_tree::{Limits, ProcessTree, Resolve};
use security_agent::decode::{Clock, Decoder};
use security_agent::pipeline::{Config, Off, Pipeline, observable};
use security_agent::policies::load_directory;
use security_agent::report::scrub::Scrubber;
use security_agent::resolve::users::{Names, Users};

use crate::script::Machine;

/// Shells that run programs: fork, exec and exit of each, with arguments and an environment of ordinary size.
fn records(processes: u32) -> Batch {
    let mut machine = Machine::boot();
    let envp: Vec<String> =
        (0..24).map(|i| format!("VARIABLE_{i}=/some/value/of/ordinary/length/{i}")).collect();
    machine.tasks.get_mut(&1).expect("init").envp = envp;
    let shell = machine.fork(1);
    machine.exec(shell, "/bin/bash", &["bash", "script.sh"]);
    for number in 0..processes {
        let pid = machine.fork(shell);
        let path = format!("/usr/bin/program{}", number % 50);
        machine.exec(
            pid,
            &path,
            &["program", "-l", "--verbose", "/var/log/some/file.log", "another argument"],
        );
        machine.exit(pid, 0);
    }
    let (records, count) = machine.take();
    Batch { records: records.into(), count, ..Batch::default() }
}

fn users() -> Users {
    Users::fixed([(0, "root".into())].into_iter().collect(), Names::default())
}

fn pipeline(policies: Option<&Path>) -> Pipeline {
    let config = Config {
        limits: Limits::default(),
        scrubber: Scrubber::new(&[]),
        shown_envs: ShownWithValue::default(),
        style: None,
        agent: model::report::AgentInfo::default(),
        hostname: "bench".into(),
        own_events: false,
        kernel_filters: true,
        losses_interval_ns: u64::MAX,
        network: security_agent::network::Config::default(),
        retention_ns: 0,
        disarmers: security_agent::pipeline::Disarmers::default(),
    };
    let mut pipeline = Pipeline::new(config, users());
    if let Some(policies) = policies {
        let options =
            LoadOptions { enabled_events: Some(observable(Off::default())), ..LoadOptions::default() };
        pipeline.replace_rules(load_directory(policies, &options), 0);
    }
    pipeline
}

fn benchmarks(criterion: &mut Criterion) {
    let batch = records(1_000);
    let mut group = criterion.benchmark_group("records");
    group.throughput(Throughput::Elements(batch.count.into()));
    group.bench_function("read", |bencher| {
        bencher.iter(|| Records::new(&batch.records).filter(Result::is_ok).count());
    });
    group.bench_function("decode", |bencher| {
        let users = users();
        bencher.iter(|| {
            let mut decoder = Decoder::default();
            for record in Records::new(&batch.records).flatten() {
                black_box(decoder.decode(&record, &users));
            }
        });
    });
    group.bench_function("process_tree", |bencher| {
        let users = users();
        let resolve = Resolve { users: &users, clock: Clock::default() };
        bencher.iter_batched(
            || (Decoder::default(), ProcessTree::new(Limits::default())),
            |(mut decoder, mut tree)| {
                for record in Records::new(&batch.records).flatten() {
                    if let Some(mut decoded) = decoder.decode(&record, &users) {
                        black_box(tree.apply(&mut decoded, resolve));
                    }
                }
                tree
            },
            BatchSize::LargeInput,
        );
    });
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/policies");
    for (name, policies) in [("no_rules", None), ("default_policy", Some(policies.as_path()))] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || pipeline(policies),
                |pipeline| {
                    pipeline.batch(black_box(&batch));
                    pipeline.take_reports()
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
