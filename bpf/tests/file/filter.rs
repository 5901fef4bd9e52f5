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
const KEEP_MATCHING: u64 = 1;
const KEEP_NONE: u64 = 2;
const OPEN_READ_ONLY: u32 = 1 << 31;

/// `struct filter` as words, of alternatives that look at nothing yet.
#[derive(Clone, Copy)]
pub(crate) struct Filter([u64; 67]);

impl Filter {
    const ALL: usize = 1;
    const ANY_NAME: usize = 2;
    const ANY_FLAGS: usize = 6;
    const ABSENT_LENGTHS: usize = 11;
    const FLAGS: usize = 19;

    /// Of so many alternatives.
    pub(crate) fn of(alternatives: u32) -> Self {
        let mut words = [0; 67];
        words[0] = KEEP_MATCHING;
        words[Self::ALL..Self::ABSENT_LENGTHS].fill((1 << alternatives) - 1);
        Self(words)
    }

    /// Alternative 0 wants names of this side.
    pub(crate) fn wants_names(mut self, side: usize) -> Self {
        self.0[Self::ANY_NAME + side] &= !1;
        self
    }

    /// The last alternative wants one of these flags.
    fn wants_flags(mut self, flags: u32) -> Self {
        let last = self.0[Self::ALL].div_ceil(2);
        self.0[Self::ANY_FLAGS] &= !last;
        self.0[Self::FLAGS] = u64::from(flags);
        self.0[Self::FLAGS + 1] = last;
        self
    }

    pub(crate) fn set(self, skeleton: &CwsSkel<'_>, kind: Kind) {
        let value = self.0.map(u64::to_ne_bytes).concat();
        skeleton.maps.filters.update(&kind.number().to_ne_bytes(), &value, MapFlags::ANY).unwrap();
    }
}

/// Alternatives (bits) that want a name of a side.
pub(crate) fn want_name(skeleton: &CwsSkel<'_>, kind: Kind, side: u8, name: &str, alternatives: u64) {
    let mut key = [0; 32];
    key[..2].copy_from_slice(&(name.len() as u16).to_ne_bytes());
    key[2..4].copy_from_slice(&[kind.number() as u8, side]);
    let start = &name.as_bytes()[..name.len().min(28)];
    key[4..4 + start.len()].copy_from_slice(start);
    skeleton.maps.filter_names.update(&key, &alternatives.to_ne_bytes(), MapFlags::ANY).unwrap();
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
            Filter::of(1).wants_names(0).set(skeleton, Kind::Open);
            want_name(skeleton, Kind::Open, 0, "wanted", 1);
            want_name(skeleton, Kind::Open, 0, long, 1);
            // Another kind, another side, another alternative.
            want_name(skeleton, Kind::Chmod, 0, "unwanted", 1);
            want_name(skeleton, Kind::Open, 1, "unwanted", 1);
            want_name(skeleton, Kind::Open, 0, "wante", 2);
        },
        || opens(O_RDONLY),
    );
    assert_eq!(names(&by_name), ["wanted", long, twin]);

    let by_flags = watch(
        &OPEN,
        |skeleton| Filter::of(1).wants_flags(O_WRONLY as u32).set(skeleton, Kind::Open),
        || {
            open(&directory.path().join("unwanted"), O_RDONLY);
            open(&directory.path().join("wanted"), O_WRONLY);
        },
    );
    assert_eq!(names(&by_flags), ["wanted"]);

    let reading = watch(
        &OPEN,
        |skeleton| Filter::of(1).wants_flags(OPEN_READ_ONLY).set(skeleton, Kind::Open),
        || {
            open(&directory.path().join("wanted"), O_RDONLY);
            open(&directory.path().join("unwanted"), O_WRONLY);
        },
    );
    assert_eq!(names(&reading), ["wanted"]);

    // One alternative with a name and flags, another with flags alone.
    let both = watch(
        &OPEN,
        |skeleton| {
            let mut filter = Filter::of(1).wants_names(0);
            filter.0[Filter::ANY_FLAGS] = 0;
            filter.0[Filter::FLAGS..Filter::FLAGS + 2].copy_from_slice(&[O_WRONLY as u64, 1]);
            filter.set(skeleton, Kind::Open);
            want_name(skeleton, Kind::Open, 0, "wanted", 1);
        },
        || {
            opens(O_RDONLY);
            opens(O_WRONLY);
        },
    );
    assert_eq!(names(&both), ["wanted"], "name and flags must hold");

    let nothing = |skeleton: &CwsSkel<'_>| {
        let mut filter = Filter::of(0);
        filter.0[0] = KEEP_NONE;
        filter.set(skeleton, Kind::Open);
    };
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
            want_name(skeleton, Kind::Open, 0, "six666", 1);
            want_name(skeleton, Kind::Open, 0, "seven77", 1);
            let mut filter = Filter::of(1).wants_names(0);
            filter.0[Filter::ABSENT_LENGTHS] = 1 << 7;
            filter.set(skeleton, Kind::Open);
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
            Filter::of(1).wants_names(0).set(skeleton, Kind::Chmod);
            want_name(skeleton, Kind::Chmod, 0, "wanted", 1);
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
            // The first alternative wants the old name, the second the new one.
            let mut filter = Filter::of(2).wants_names(0);
            filter.0[Filter::ANY_NAME + 1] = 1;
            filter.set(skeleton, Kind::Rename);
            want_name(skeleton, Kind::Rename, 0, "wanted", 1);
            want_name(skeleton, Kind::Rename, 1, "wanted", 2);
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
