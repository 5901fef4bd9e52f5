//! How long policies take to load, and events to be evaluated with variables, limits and actions in place.
//!
//! The default policy of Datadog is used if the shared data is there, else the one that ships with the agent.
#![allow(missing_docs, clippy::expect_used, reason = "macros of criterion; a benchmark fails by panicking")]

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine::loader::{PolicyFile, PolicyFiles};
use engine::variables::WrittenProcesses;
use engine::{Engine, LoadOptions, load};
use model::{Context, Event, EventKind, Fields, File, Image, Lineage, Payload, Process};

fn policy() -> String {
    let root = std::env::var_os("CWS_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    std::fs::read_to_string(root.join("policies/datadog-default-1.69.3.policy"))
        .unwrap_or_else(|_| include_str!("../../../packaging/policies/default.policy").to_owned())
}

fn files(text: &str) -> PolicyFiles {
    PolicyFiles::in_memory(vec![PolicyFile::in_memory("default.policy", text)])
}

fn loading(c: &mut Criterion) {
    let text = policy();
    let (schema, options) = (Fields::default(), LoadOptions::default());
    c.bench_function("load", |b| b.iter(|| load(black_box(files(&text)), &schema, &options)));
}

/// A process with four ancestors.
fn process() -> Arc<Process> {
    let mut lineage = Lineage::default();
    for (pid, path) in (1..).zip([
        "/usr/lib/systemd/systemd",
        "/usr/sbin/sshd",
        "/usr/bin/bash",
        "/usr/bin/make",
        "/usr/bin/cc",
    ]) {
        let name = path.rsplit('/').next().unwrap_or("");
        let image = Image { file: File { path: path.into(), ..File::default() }, ..Image::default() };
        let process = Process {
            pid,
            start_time: 1,
            comm: name.into(),
            image: Arc::new(image),
            lineage,
            ..Process::default()
        };
        lineage = Lineage::new(Some(Arc::new(process)));
    }
    Arc::clone(lineage.nearest().expect("a process"))
}

fn evaluating(c: &mut Criterion) {
    let loaded = load(files(&policy()), &Fields::default(), &LoadOptions::default());
    let mut engine = Engine::new(loaded.rules);
    let process = process();
    let kinds = [
        EventKind::Open,
        EventKind::Open,
        EventKind::Open,
        EventKind::Open,
        EventKind::Unlink,
        EventKind::Rename,
        EventKind::Exec,
        EventKind::Connect,
    ];
    let events: Vec<Event> = kinds
        .into_iter()
        .map(|kind| Event::new(Context::default(), Arc::clone(&process), Payload::zero(kind)))
        .collect();
    let mut group = c.benchmark_group("evaluate");
    group.throughput(Throughput::Elements(u64::try_from(events.len()).unwrap_or(1)));
    let mut matches = Vec::new();
    let mut now = 1;
    group.bench_function("a mix of events that match nothing", |b| {
        b.iter(|| {
            for event in &events {
                now += 1;
                engine.evaluate(black_box(event), &WrittenProcesses, now, &mut matches);
            }
            matches.clear();
        });
    });
    group.finish();
}

criterion_group!(benches, loading, evaluating);
criterion_main!(benches);
