//! Nothing is allocated for an event that no rule matches; what the rules themselves take is bounded.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod shared;

use std::sync::Arc;

use engine::loader::{PolicyFile, PolicyFiles, read_directory};
use engine::variables::WrittenProcesses;
use engine::{Engine, LoadOptions, load};
use model::{Context, Credentials, Event, EventKind, Fields, File, Image, Lineage, Payload, Process};

/// A process that no rule is about, with a parent and a grandparent.
fn process() -> Arc<Process> {
    let mut lineage = Lineage::default();
    for (pid, path) in [(1, "/usr/lib/systemd/systemd"), (200, "/usr/sbin/cron"), (300, "/usr/bin/backup")] {
        let name = path.rsplit('/').next().unwrap_or("");
        let image = Image { file: File { path: path.into(), ..File::default() }, ..Image::default() };
        let process = Process {
            pid,
            start_time: pid.into(),
            comm: name.into(),
            image: Arc::new(image),
            credentials: Credentials { uid: 1000, euid: 1000, ..Credentials::default() },
            lineage,
            ..Process::default()
        };
        lineage = Lineage::new(Some(Arc::new(process)));
    }
    Arc::clone(lineage.nearest().expect("a process"))
}

fn allocations_of(files: PolicyFiles) {
    let loaded = load(files, &Fields::default(), &LoadOptions::default());
    assert!(loaded.counts.loaded > 40, "{:?}", loaded.counts);
    let mut engine = Engine::new(loaded.rules);
    let process = process();
    let mut unmatched = 0;
    for kind in EventKind::ALL {
        let event = Event::new(Context::default(), Arc::clone(&process), Payload::zero(*kind));
        let mut matches = Vec::new();
        // The first event of a type makes the scratch memory as large as it has to be.
        engine.evaluate(&event, &WrittenProcesses, 1, &mut matches);
        if !matches.is_empty() {
            continue;
        }
        unmatched += 1;
        let info = allocation_counter::measure(|| {
            for now in 2..100 {
                engine.evaluate(&event, &WrittenProcesses, now, &mut matches);
            }
        });
        assert_eq!((info.count_total, matches.len()), (0, 0), "{}", kind.name());
    }
    assert!(unmatched > 20, "only {unmatched} types of events");
}

#[test]
fn the_shipped_policy_does_not_allocate() {
    allocations_of(read_directory(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/policies").as_ref()));
}

#[test]
fn datadogs_policy_does_not_allocate() {
    let Some(text) = shared::text("policies/datadog-default-1.69.3.policy") else { return };
    allocations_of(PolicyFiles::in_memory(vec![PolicyFile::in_memory("default.policy", text)]));
}

/// Measured: 255 rules in force keep 3.6 MB, 14 KB each, and loading them allocates 24 MB in all. Ten times as many rules must still fit
/// the agent, so a rule may not take much more.
#[test]
fn a_rule_takes_few_bytes() {
    let Some(text) = shared::text("policies/datadog-default-1.69.3.policy") else { return };
    let mut loaded = None;
    let info = allocation_counter::measure(|| {
        let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("default.policy", text)]);
        loaded = Some(load(files, &Fields::default(), &LoadOptions::default()).rules);
    });
    let rules = loaded.expect("rules");
    let count = i64::try_from(rules.rules().len()).expect("few rules");
    let per_rule = info.bytes_current / count;
    println!(
        "{count} rules keep {} bytes, {per_rule} each; loading allocated {} in all",
        info.bytes_current, info.bytes_total
    );
    assert!(count > 200 && per_rule < 64 << 10, "{per_rule} bytes a rule");
    assert!(info.bytes_max < 128 << 20, "{} bytes while loading", info.bytes_max);
}
