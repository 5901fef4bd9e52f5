//! Any bytes as records, through decoding, process tree, rules and reports: nothing panics, and memory stays bounded.
#![no_main]

use engine::loader::{PolicyFile, PolicyFiles};
use engine::{LoadOptions, load};
use libfuzzer_sys::fuzz_target;
use proto::v1::{Batch, HelloReply};
use proto::wire::Kind;
use security_agent::cache::process_tree::Limits;
use security_agent::pipeline::{Config, Off, Pipeline, observable};
use security_agent::report::scrub::Scrubber;
use security_agent::report::terminal::Style;
use security_agent::resolve::users::{Names, Users};

const POLICY: &str = r#"
rules:
  - id: exec
    expression: exec.pid >= 0 && process.ancestors.length >= 0
  - id: exit
    expression: exit.code >= 0
  - id: setuid
    expression: setuid.uid >= 0
  - id: open
    expression: open.flags >= 0
  - id: rename
    expression: rename.retval >= -13
  - id: ptrace
    expression: ptrace.tracee.pid >= 0 && ptrace.tracee.ancestors.length >= 0
  - id: signal
    expression: signal.target.pid >= 0
  - id: bpf
    expression: bpf.cmd >= 0
  - id: load_module
    expression: load_module.retval >= -13
  - id: mmap
    expression: mmap.flags >= 0
  - id: sysctl
    expression: sysctl.action >= 0
  - id: capabilities
    expression: capabilities.attempted >= 0
  - id: flows
    expression: network_flow_monitor.flows.length >= 0
  - id: selinux
    expression: selinux.enforce.status != "x"
  - id: cgroup_write
    expression: cgroup_write.pid >= 0
"#;

const LIMITS: Limits = Limits { processes: 64, retired: 64, image_bytes: 16 << 10, ancestors: 8 };

fn pipeline() -> Pipeline {
    let config = Config {
        limits: LIMITS,
        scrubber: Scrubber::new(&[]),
        shown_envs: model::environment::ShownWithValue::default(),
        style: Some(Style { colour: false }),
        agent: model::report::AgentInfo::default(),
        hostname: String::new(),
        own_events: true,
        kernel_filters: true,
        losses_interval_ns: 1,
        network: security_agent::network::Config::default(),
        retention_ns: 1,
        disarmers: security_agent::pipeline::Disarmers::default(),
    };
    let mut pipeline = Pipeline::new(config, Users::fixed(Names::default(), Names::default()));
    let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("fuzz.policy", POLICY)]);
    let options = LoadOptions { enabled_events: Some(observable(Off::default())), ..LoadOptions::default() };
    pipeline.replace_rules(load(files, &model::Fields::default(), &options), 0);
    pipeline
}

/// Frames the input as records: kind and length come from it, so that most of them pass the reader's checks.
fn frame(mut input: &[u8]) -> (Vec<u8>, bool, bool) {
    let mut records = Vec::new();
    let (mut snapshot_begin, mut snapshot_end) = (false, false);
    while let [kind, flags, words, rest @ ..] = input {
        let length = (usize::from(*words) * 8).min(rest.len() / 8 * 8);
        let (content, after) = rest.split_at(length);
        let size = u32::try_from(24 + length).unwrap_or(u32::MAX);
        records.extend_from_slice(&size.to_ne_bytes());
        // The kinds there are, and a number that is none.
        let kind_number = Kind::ALL.get(usize::from(*kind) % (Kind::ALL.len() + 1)).map_or(0, |kind| kind.number());
        records.extend_from_slice(&u16::try_from(kind_number).unwrap_or(0).to_ne_bytes());
        records.extend_from_slice(&u16::from(flags & 3).to_ne_bytes());
        // Time, errors, processor.
        records.extend_from_slice(&u64::from(*flags).to_ne_bytes());
        records.extend_from_slice(&u32::from(*kind).to_ne_bytes());
        records.extend_from_slice(&[0; 4]);
        records.extend_from_slice(content);
        snapshot_end |= flags & 4 != 0;
        snapshot_begin |= flags & 8 != 0;
        input = after;
    }
    (records, snapshot_begin, snapshot_end)
}

fuzz_target!(|input: &[u8]| {
    let mut pipeline = pipeline();
    let hello = HelloReply { boot_id: "boot".into(), ..HelloReply::default() };
    let (framed, snapshot_begin, snapshot_end) = frame(input);
    for records in [input.to_vec(), framed.clone(), framed] {
        pipeline.connected(&hello);
        let count = u32::try_from(records.len() / 24).unwrap_or(u32::MAX);
        let batch = Batch { records: records.into(), count, snapshot_begin, snapshot_end, ..Batch::default() };
        pipeline.batch(&batch);
        // Another one in the same stream.
        pipeline.batch(&batch);
        pipeline.take_reports();
        assert!(pipeline.tree().len() <= LIMITS.processes);
        for process in pipeline.tree().iter() {
            assert!(process.ancestors().count() <= LIMITS.ancestors);
        }
    }
});
