//! What it costs to read a field of an event, and to write a report of one.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use model::report::{AgentInfo, NoScrub, RuleMatch, report};
use model::{
    Arguments, Context, Credentials, Event, File, Image, Lineage, Payload, Process, TextList, payload,
};
use secl::Event as _;

/// A process with `ancestors` processes above it.
fn process(ancestors: u32) -> Arc<Process> {
    let mut nearest = None;
    for pid in 1..=ancestors + 1 {
        let image = Image {
            file: File {
                path: format!("/usr/bin/program{pid}").into(),
                inode: 42,
                mode: 0o755,
                ..File::default()
            },
            arguments: Arguments::new(["program", "--verbose", "-l", "/etc"].iter().collect()),
            envp: TextList::new((0..20).map(|number| format!("VARIABLE_{number}=value"))),
            ..Image::default()
        };
        nearest = Some(Arc::new(Process {
            pid,
            start_time: pid.into(),
            image: Arc::new(image),
            credentials: Credentials {
                user: "root".into(),
                cap_effective: u64::MAX >> 23,
                ..Credentials::default()
            },
            lineage: Lineage::new(nearest),
            ..Process::default()
        }));
    }
    nearest.unwrap_or_default()
}

fn open_event() -> Event {
    let file = File { path: "/etc/shadow".into(), mode: 0o640, ..File::default() };
    let open = payload::Open { file, flags: 0o2, ..payload::Open::default() };
    Event::new(
        Context { timestamp: 1_735_689_600_000_000_000, ..Context::default() },
        process(5),
        Payload::Open(open),
    )
}

fn id(name: &str) -> secl::FieldId {
    model::field(name).map(|field| field.id).unwrap_or(secl::FieldId(u16::MAX))
}

fn read(criterion: &mut Criterion) {
    let event = open_event();
    let mut group = criterion.benchmark_group("read");
    for name in ["open.flags", "process.uid", "process.parent.pid", "open.file.rights"] {
        let field = id(name);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(&event).int(black_box(field))));
    }
    for name in ["open.file.path", "open.file.name", "process.file.path", "process.args"] {
        let field = id(name);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(&event).str(black_box(field)).len()));
    }
    for name in ["process.argv", "process.envs", "process.ancestors.file.name"] {
        let field = id(name);
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(&event).any_str(black_box(field), None, |value| value == b"none"));
        });
    }
    group.finish();
}

fn write(criterion: &mut Criterion) {
    let event = open_event();
    let (rule, agent) = (RuleMatch::default(), AgentInfo::default());
    let bytes = serde_json::to_string(&report(&event, &rule, &agent, &NoScrub)).map_or(0, |text| text.len());
    criterion.bench_function(&format!("report of {bytes} bytes"), |bencher| {
        bencher.iter(|| serde_json::to_string(&report(black_box(&event), &rule, &agent, &NoScrub)));
    });
}

criterion_group!(benches, read, write);
criterion_main!(benches);
