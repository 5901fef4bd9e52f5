//! Filters in the real kernel let through just what they mean.

use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proto::filter::FileFacts;
use proto::filter::lets_through;
use proto::wire::Record;
use proto::wire::layout::link_body;
use proto::wire::layout::open_body;
use proto::wire::layout::path_body;
use v1::Alternative;
use v1::FileCondition;

use super::super::Options;
use super::super::instance::open;
use super::super::source;
use super::tests::watcher_with;
use super::*;
use crate::ring::Source;

const ROUNDS: u64 = 60;
/// With room for what the rest of the machine does meanwhile.
const OPTIONS: Options = Options::of_a_test(1 << 24);
const NAMES: [&str; 6] = ["passwd", "passwd-", "x", "id_rsa", "a name of more than 28 bytes.txt", "y"];
const DIRECTORIES: [&str; 3] = ["etc", "etc/ssh", "home"];

/// A small generator: what fails can be run again.
struct Choice(u64);

impl Choice {
    fn below(&mut self, end: usize) -> usize {
        // Constants of Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn some<T: Clone>(&mut self, all: &[T]) -> Vec<T> {
        all.iter().filter(|_| self.below(3) == 0).cloned().collect()
    }

    fn condition(&mut self, root: &str) -> Option<FileCondition> {
        let paths: Vec<String> =
            DIRECTORIES.iter().flat_map(|dir| NAMES.map(|name| format!("{root}/{dir}/{name}"))).collect();
        let prefixes = ["/etc", "/etc/", "/home/i", "/etc/ssh/"].map(|end| format!("{root}{end}"));
        (self.below(3) > 0).then(|| FileCondition {
            names: self.some(&NAMES).into_iter().map(Into::into).collect(),
            paths: if self.below(2) == 0 { self.some(&paths) } else { Vec::new() }
                .into_iter()
                .map(Into::into)
                .collect(),
            path_prefixes: if self.below(2) == 0 { self.some(&prefixes) } else { Vec::new() }
                .into_iter()
                .map(Into::into)
                .collect(),
        })
    }

    fn filter(&mut self, kind: Kind, root: &str, auid: u32) -> v1::Filter {
        let alternative = |choice: &mut Self| Alternative {
            file: choice.condition(root),
            destination: if kind == Kind::Rename { choice.condition(root) } else { None },
            flags: (kind == Kind::Open && choice.below(2) == 0).then(|| v1::OpenFlags {
                any_of: [0o100, 0o3, 0o2000, 0][choice.below(4)],
                read_only: choice.below(3) == 0,
            }),
            auids: match choice.below(6) {
                0 => vec![v1::IdRange { from: auid, to: auid }],
                1 => vec![v1::IdRange { from: 1, to: 2 }],
                _ => Vec::new(),
            },
            in_upper_layer: None,
            packet: None,
            ports: Vec::new(),
        };
        let alternatives = (0..self.below(5)).map(|_| alternative(self)).collect();
        v1::Filter { kind: kind.number(), alternatives }
    }
}

fn facts(path: Option<&String>) -> FileFacts<'_> {
    let name = path.and_then(|path| path.rsplit('/').next()).map(str::as_bytes);
    FileFacts { name, path: path.map(String::as_bytes) }
}

/// Something that was done: a kind, one or two paths, flags of an open.
type Done = (Kind, Vec<String>, u32);

/// What the kernel told about it.
fn told(record: &Record<'_>) -> Option<Done> {
    let text = |span| String::from_utf8_lossy(record.span(span)).into_owned();
    match record.kind() {
        Kind::Open => {
            let body: open_body = record.body();
            Some((Kind::Open, vec![text(body.file.path)], body.flags))
        }
        Kind::Mkdir => {
            let body: path_body = record.body();
            Some((Kind::Mkdir, vec![text(body.file.path)], 0))
        }
        Kind::Rename => {
            let body: link_body = record.body();
            Some((Kind::Rename, vec![text(body.file.path), text(body.destination.path)], 0))
        }
        _ => None,
    }
}

/// Takes all that was sent before the call. One pass ends at a record that another CPU is still writing.
fn drain(source: &mut dyn Source) {
    for _ in 0..4 {
        source.poll(Duration::ZERO).unwrap();
        std::thread::sleep(Duration::from_millis(4));
    }
}

fn do_things(root: &str, choice: &mut Choice) -> Vec<Done> {
    let mut done = Vec::new();
    for _ in 0..40 {
        let file = |choice: &mut Choice| {
            format!("{root}/{}/{}", DIRECTORIES[choice.below(3)], NAMES[choice.below(NAMES.len())])
        };
        match choice.below(4) {
            0 => {
                let path = format!("{root}/home/{}", ["id", "x", "y"][choice.below(3)]);
                // A file of that name may be in the way.
                if fs::create_dir(&path).is_ok() {
                    done.push((Kind::Mkdir, vec![path.clone()], 0));
                    fs::remove_dir(&path).unwrap();
                }
            }
            1 => {
                let (from, to) = (file(choice), file(choice));
                if fs::rename(&from, &to).is_ok() {
                    done.push((Kind::Rename, vec![from, to], 0));
                }
            }
            _ => {
                let path = file(choice);
                let (mut options, flags) = (OpenOptions::new(), [0, 0o101, 0o2, 0o2001][choice.below(4)]);
                options.read(flags & 3 != 1).write(flags & 3 != 0).custom_flags(flags & !3);
                if options.open(&path).is_ok() {
                    // O_CLOEXEC is the library's.
                    done.push((Kind::Open, vec![path], u32::try_from(flags).unwrap() | 0o2_000_000));
                }
            }
        }
    }
    done
}

#[test]
fn just_what_a_filter_lets_through_comes_through() {
    let Some(watcher) = watcher_with(open, OPTIONS) else { return };
    let directory = tempfile::tempdir().unwrap();
    let root: PathBuf = directory.path().canonicalize().unwrap();
    let root = root.to_str().unwrap();
    DIRECTORIES.iter().for_each(|name| fs::create_dir_all(format!("{root}/{name}")).unwrap());
    let auid: u32 =
        fs::read_to_string("/proc/self/loginuid").map_or(u32::MAX, |text| text.trim().parse().unwrap());
    let records = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&records);
    let mut source = source(watcher.maps(), move |bytes| {
        let record = Record::parse(bytes).unwrap();
        if record.context().pid == std::process::id() {
            sink.lock().unwrap().extend(told(&record));
        }
    })
    .unwrap();
    watcher.attach();
    let kinds = [Kind::Open, Kind::Mkdir, Kind::Rename];
    let (mut kept, mut dropped) = (0, 0);
    for seed in 0..ROUNDS {
        let mut choice = Choice(seed);
        let filters: Vec<_> = kinds.iter().map(|kind| choice.filter(*kind, root, auid)).collect();
        let request = v1::ConfigureRequest {
            kinds: kinds.iter().map(|kind| kind.number()).collect(),
            filters: filters.clone(),
        };
        assert_eq!(watcher.configure(&request).unfiltered, []);
        drain(source.as_mut());
        records.lock().unwrap().clear();
        let before: u64 = watcher.filtered().iter().map(|count| count.count).sum();
        let done = do_things(root, &mut choice);
        drain(source.as_mut());
        let is_wanted = |(kind, paths, flags): &Done| {
            let filter = filters.iter().find(|filter| filter.kind == kind.number()).unwrap();
            let facts = proto::filter::Facts {
                file: facts(paths.first()),
                destination: facts(paths.get(1)),
                flags: *flags,
                auid,
                in_upper_layer: false,
                port: 0,
            };
            lets_through(filter, &facts)
        };
        let expected: Vec<_> = done.iter().filter(|done| is_wanted(done)).cloned().collect();
        let found = records.lock().unwrap();
        let mine: Vec<_> =
            found.iter().filter(|told| told.1.iter().any(|path| path.starts_with(root))).cloned().collect();
        assert_eq!(mine, expected, "seed {seed}: {filters:#?}");
        let counted = watcher.filtered().iter().map(|count| count.count).sum::<u64>() - before;
        assert!(counted >= (done.len() - expected.len()) as u64, "seed {seed}: dropped and not counted");
        kept += expected.len();
        dropped += done.len() - expected.len();
    }
    watcher.detach();
    assert!(kept > 100 && dropped > 100, "{kept} kept, {dropped} dropped: that shows nothing");
}

/// The set of names changes all the time; a name that is in all of them is never missed.
#[test]
fn nothing_is_missed_while_filters_change() {
    let Some(watcher) = watcher_with(open, OPTIONS) else { return };
    let directory = tempfile::tempdir().unwrap();
    let wanted = directory.path().canonicalize().unwrap().join("wanted");
    fs::write(&wanted, "").unwrap();
    let count = Arc::new(Mutex::new(0_u64));
    let (sink, path) = (Arc::clone(&count), wanted.to_str().unwrap().to_owned());
    let mut source = source(watcher.maps(), move |bytes| {
        let record = Record::parse(bytes).unwrap();
        if told(&record).is_some_and(|(_, paths, _)| paths == [path.clone()]) {
            *sink.lock().unwrap() += 1;
        }
    })
    .unwrap();
    let configure = |names: Vec<String>| {
        let file =
            FileCondition { names: names.into_iter().map(Into::into).collect(), ..FileCondition::default() };
        let filter = v1::Filter {
            kind: Kind::Open.number(),
            alternatives: vec![Alternative { file: Some(file), ..Alternative::default() }],
        };
        watcher.configure(&v1::ConfigureRequest { kinds: vec![Kind::Open.number()], filters: vec![filter] });
    };
    configure(vec!["wanted".to_owned()]);
    watcher.attach();
    drain(source.as_mut());
    *count.lock().unwrap() = 0;
    let done = AtomicBool::new(false);
    let opened = std::thread::scope(|scope| {
        let opener = scope.spawn(|| {
            let mut opened = 0_u64;
            while !done.load(Ordering::Relaxed) {
                drop(fs::File::open(&wanted).unwrap());
                opened += 1;
                std::thread::sleep(Duration::from_micros(200));
            }
            opened
        });
        for round in 0..30 {
            let others = (0..round % 7).map(|number| format!("other-{round}-{number}"));
            configure(others.chain(["wanted".to_owned()]).collect());
            drain(source.as_mut());
        }
        done.store(true, Ordering::Relaxed);
        opener.join().unwrap()
    });
    drain(source.as_mut());
    let skipped: u64 = source.skipped().iter().map(|(_, count)| count).sum();
    watcher.detach();
    let seen = *count.lock().unwrap();
    assert!(opened > 100, "{opened}");
    assert!(seen <= opened && seen + skipped >= opened, "{seen} of {opened}, {skipped} skipped");
}
