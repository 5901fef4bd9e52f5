//! What is held back before any path is resolved.

use std::fs;

use bpf::CwsSkel;
use libbpf_rs::MapCore as _;
use libbpf_rs::MapFlags;
use libc::{AT_FDCWD, O_RDONLY, O_WRONLY};
use proto::wire::Kind;
use proto::wire::layout::*;

use crate::calls::{CHMOD, Family, OPEN, RENAME, c, call, mine, ready};
use crate::check::text;
use crate::records::{Seen, while_watching};

/// FILTER_KEEP_* and FILTER_OPEN_READ_ONLY of filter.h.
const KEEP_MATCHING: u32 = 1;
const KEEP_NONE: u32 = 2;
const OPEN_READ_ONLY: u32 = 1 << 31;

pub(crate) fn set_filter(skeleton: &CwsSkel<'_>, kind: Kind, keep: u32, open_flags: u32) {
    let value = [&keep.to_ne_bytes()[..], &open_flags.to_ne_bytes(), &[0; 32]].concat();
    skeleton.maps.filters.update(&kind.number().to_ne_bytes(), &value, MapFlags::ANY).unwrap();
}

pub(crate) fn want_name(skeleton: &CwsSkel<'_>, kind: Kind, name: &str) {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&(name.len() as u32).to_ne_bytes());
    let start = &name.as_bytes()[..name.len().min(28)];
    key[4..4 + start.len()].copy_from_slice(start);
    let mut kinds = [0_u64; 2];
    kinds[kind.number() as usize / 64] |= 1 << (kind.number() % 64);
    let value = kinds.map(u64::to_ne_bytes).concat();
    skeleton.maps.filter_names.update(&key, &value, MapFlags::ANY).unwrap();
}

fn watch(family: &Family, prepare: impl FnOnce(&CwsSkel<'_>), provoke: impl FnOnce()) -> Vec<Seen> {
    mine(while_watching(&family.watched(), prepare, provoke))
}

fn open(path: &std::path::Path, flags: i32) {
    let opened = call(libc::SYS_openat, &[&AT_FDCWD, &c(path), &flags]);
    assert!(opened >= 0);
    call(libc::SYS_close, &[&opened]);
}

#[test]
fn opens_are_kept_by_name_or_by_flags() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // The same beginning as far as it is compared, and the same length: let through for the evaluator to judge.
    let long = "a name that is longer than the part that is compared";
    let twin = "a name that is longer than the part that is not equal";
    let other_length = "a name that is longer than the part that is";
    assert_eq!(long.len(), twin.len() - 1);
    let twin = &twin[..long.len()];
    for name in ["wanted", "unwanted", "wante", long, twin, other_length] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    let opens = |flags| {
        for name in ["wanted", "unwanted", "wante", long, twin, other_length] {
            open(&directory.path().join(name), flags);
        }
    };
    let names = |records: &[Seen]| -> Vec<String> {
        let path = |seen: &Seen| text(&seen.record(), seen.record().body::<open_body>().file.path);
        records.iter().map(path).map(|path| path.rsplit('/').next().unwrap().to_owned()).collect()
    };
    let by_name = watch(
        &OPEN,
        |skeleton| {
            set_filter(skeleton, Kind::Open, KEEP_MATCHING, 0);
            want_name(skeleton, Kind::Open, "wanted");
            want_name(skeleton, Kind::Open, long);
            // For another kind.
            want_name(skeleton, Kind::Chmod, "unwanted");
        },
        || opens(O_RDONLY),
    );
    assert_eq!(names(&by_name), ["wanted", long, twin]);

    let by_flags = watch(
        &OPEN,
        |skeleton| set_filter(skeleton, Kind::Open, KEEP_MATCHING, O_WRONLY as u32),
        || {
            open(&directory.path().join("unwanted"), O_RDONLY);
            open(&directory.path().join("wanted"), O_WRONLY);
        },
    );
    assert_eq!(names(&by_flags), ["wanted"]);

    let reading = watch(
        &OPEN,
        |skeleton| set_filter(skeleton, Kind::Open, KEEP_MATCHING, OPEN_READ_ONLY),
        || {
            open(&directory.path().join("wanted"), O_RDONLY);
            open(&directory.path().join("unwanted"), O_WRONLY);
        },
    );
    assert_eq!(names(&reading), ["wanted"]);

    let nothing = |skeleton: &CwsSkel<'_>| set_filter(skeleton, Kind::Open, KEEP_NONE, 0);
    assert!(watch(&OPEN, nothing, || opens(O_RDONLY)).is_empty());
}

#[test]
fn lengths_that_no_wanted_name_has_are_held_back_at_once() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for name in ["six666", "seven77"] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    let seen = watch(
        &OPEN,
        |skeleton| {
            want_name(skeleton, Kind::Open, "six666");
            want_name(skeleton, Kind::Open, "seven77");
            let absent = [1_u64 << 7, 0, 0, 0].map(u64::to_ne_bytes).concat();
            let value = [&KEEP_MATCHING.to_ne_bytes()[..], &0_u32.to_ne_bytes(), &absent].concat();
            skeleton.maps.filters.update(&Kind::Open.number().to_ne_bytes(), &value, MapFlags::ANY).unwrap();
        },
        || {
            for name in ["six666", "seven77"] {
                open(&directory.path().join(name), O_RDONLY);
            }
        },
    );
    assert_eq!(seen.len(), 1);
    let body: open_body = seen[0].record().body();
    assert!(text(&seen[0].record(), body.file.path).ends_with("/six666"));
}

#[test]
fn names_are_judged_after_links_are_followed() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("wanted"), "").unwrap();
    std::os::unix::fs::symlink("wanted", directory.path().join("innocent")).unwrap();
    fs::write(directory.path().join("unwanted"), "").unwrap();
    let seen = watch(
        &CHMOD,
        |skeleton| {
            set_filter(skeleton, Kind::Chmod, KEEP_MATCHING, 0);
            want_name(skeleton, Kind::Chmod, "wanted");
        },
        || {
            for name in ["innocent", "unwanted"] {
                assert_eq!(call(libc::SYS_chmod, &[&c(directory.path().join(name)), &0o600_u32]), 0);
            }
        },
    );
    assert_eq!(seen.len(), 1);
    let body: chmod_body = seen[0].record().body();
    assert!(text(&seen[0].record(), body.file.path).ends_with("/wanted"));
}

#[test]
fn either_name_of_a_rename_is_enough() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("wanted"), "").unwrap();
    let seen = watch(
        &RENAME,
        |skeleton| {
            set_filter(skeleton, Kind::Rename, KEEP_MATCHING, 0);
            want_name(skeleton, Kind::Rename, "wanted");
        },
        || {
            for (old, new) in [("wanted", "one"), ("one", "two"), ("two", "wanted")] {
                let (old, new) = (c(directory.path().join(old)), c(directory.path().join(new)));
                assert_eq!(call(libc::SYS_rename, &[&old, &new]), 0);
            }
        },
    );
    let paths: Vec<_> = seen
        .iter()
        .map(|seen| text(&seen.record(), seen.record().body::<link_body>().file.path))
        .map(|path| path.rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(paths, ["wanted", "two"]);
}
