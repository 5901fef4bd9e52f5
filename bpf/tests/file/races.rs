//! What another thread that swaps links or rewrites strings can and can't do to the records.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use libc::{AT_FDCWD, O_RDONLY};
use proto::wire::Kind;
use proto::wire::layout::*;

use crate::calls::{OPEN, c, call, mine, ready};
use crate::check::text;
use crate::filter::{Filter, want_name};
use crate::records::{Seen, while_watching};

const TRIES: usize = 10_000;

/// Opens `TRIES` times by `open`, which gives a descriptor or an error, while `disturb` runs on another thread. Fails
/// unless each record is of the file that its open returned; gives how many opens returned which.
fn race(
    open: impl Fn() -> i64,
    disturb: impl FnMut() + Send + 'static,
    names: [&str; 2],
) -> BTreeMap<String, usize> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let mut disturb = disturb;
    let disturber = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            disturb();
        }
    });
    // What each open really got, asked of the descriptor.
    let mut truth = Vec::new();
    let records = while_watching(
        &OPEN.watched(),
        |skeleton| {
            Filter::of(1).wants_names(0).set(skeleton, Kind::Open);
            for name in names {
                want_name(skeleton, Kind::Open, 0, name, 1);
            }
        },
        || {
            for _ in 0..TRIES {
                let fd = open();
                if fd >= 0 {
                    truth.push(fs::read_link(format!("/proc/self/fd/{fd}")).unwrap());
                    call(libc::SYS_close, &[&fd]);
                }
            }
        },
    );
    stop.store(true, Ordering::Relaxed);
    disturber.join().unwrap();
    let seen: Vec<Seen> = mine(records);
    assert_eq!(seen.len(), truth.len());
    let mut counts = BTreeMap::new();
    for (seen, truth) in seen.iter().zip(&truth) {
        let body: open_body = seen.record().body();
        assert_eq!(text(&seen.record(), body.file.path), truth.to_str().unwrap());
        assert_eq!(body.file.flags & (FILE_FLAG_LOOKED_UP | FILE_FLAG_PATH_USER), 0);
        *counts.entry(truth.file_name().unwrap().to_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn an_open_through_a_swapped_link_tells_what_was_opened() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let root = directory.path().canonicalize().unwrap();
    for name in ["harmless", "secret"] {
        fs::write(root.join(name), "").unwrap();
    }
    symlink("harmless", root.join("link")).unwrap();
    let path = c(root.join("link"));
    let mut turn = false;
    let swap = move || {
        turn = !turn;
        let next = root.join("next");
        symlink(if turn { "secret" } else { "harmless" }, &next).unwrap();
        fs::rename(&next, root.join("link")).unwrap();
    };
    let open = || call(libc::SYS_openat, &[&AT_FDCWD, &path, &O_RDONLY]);
    let counts = race(open, swap, ["harmless", "secret"]);
    assert!(counts.len() == 2, "the race never happened: {counts:?}");
}

#[test]
fn an_open_by_a_rewritten_string_tells_what_was_opened() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let root = directory.path().canonicalize().unwrap();
    for name in ["file_a", "file_b"] {
        fs::write(root.join(name), "").unwrap();
    }
    let path = c(root.join("file_a")).into_bytes_with_nul();
    let last = path.len() - 2;
    let path: Arc<Vec<AtomicU8>> = Arc::new(path.into_iter().map(AtomicU8::new).collect());
    let rewritten = Arc::clone(&path);
    let rewrite = move || {
        rewritten[last].fetch_xor(b'a' ^ b'b', Ordering::Relaxed);
    };
    let open = || call(libc::SYS_openat, &[&AT_FDCWD, &(path.as_ptr() as usize), &O_RDONLY]);
    let counts = race(open, rewrite, ["file_a", "file_b"]);
    assert!(counts.len() == 2, "the race never happened: {counts:?}");
}
