use std::path::Path;

use proptest::prelude::*;

use super::*;

const LIMIT: u64 = 1 << 20;

fn open(directory: &Path) -> Disk {
    Disk::open(directory, LIMIT).unwrap().0
}

/// Takes up to `count` entries and reads them as numbers.
fn take(spool: &mut dyn Spool, count: usize) -> Vec<u64> {
    let entries = read(spool, count).0;
    spool.taken().unwrap();
    entries
}

fn read(spool: &mut dyn Spool, count: usize) -> (Vec<u64>, Reading) {
    let mut entries = Vec::new();
    let reading = spool
        .read(&mut |entry| {
            if entries.len() == count {
                return Enough::Full;
            }
            entries.push(std::str::from_utf8(entry).unwrap().trim().parse().unwrap());
            Enough::More
        })
        .unwrap();
    (entries, reading)
}

fn push(spool: &mut dyn Spool, number: u64) -> u64 {
    spool.push(format!("{number}{}", " ".repeat(1_000)).as_bytes()).unwrap()
}

fn fill(spool: &mut dyn Spool, numbers: std::ops::Range<u64>) {
    for number in numbers {
        push(spool, number);
    }
}

fn both(test: impl Fn(&mut dyn Spool)) {
    let directory = tempfile::tempdir().unwrap();
    test(&mut open(directory.path()));
    test(&mut Memory::new(LIMIT.try_into().unwrap()));
}

#[test]
fn entries_come_in_order_and_once() {
    both(|spool| {
        for number in 0..10 {
            push(spool, number);
        }
        assert_eq!(spool.waiting().0, 10);
        assert_eq!(take(spool, 4), [0, 1, 2, 3]);
        push(spool, 10);
        assert_eq!(read(spool, 2).0, [4, 5]);
        spool.release();
        assert_eq!(take(spool, 100), [4, 5, 6, 7, 8, 9, 10], "what was released comes again");
        assert!(take(spool, 100).is_empty());
        assert_eq!(spool.waiting(), (0, 0));
    });
}

#[test]
fn beyond_the_bound_the_oldest_are_dropped_and_counted() {
    both(|spool| {
        let dropped: u64 = (0..5_000).map(|number| push(spool, number)).sum();
        let (waiting, bytes) = spool.waiting();
        assert!(bytes <= LIMIT && bytes > LIMIT / 2, "{bytes}");
        assert_eq!(waiting + dropped, 5_000);
        let rest = take(spool, usize::MAX);
        assert_eq!(rest, (dropped..5_000).collect::<Vec<_>>());
    });
}

#[test]
fn what_is_being_sent_is_not_dropped() {
    both(|spool| {
        push(spool, 0);
        assert_eq!(read(spool, 10).0, [0]);
        let dropped: u64 = (1..3_000).map(|number| push(spool, number)).sum();
        spool.taken().unwrap();
        let rest = take(spool, usize::MAX);
        assert_eq!(dropped + u64::try_from(rest.len()).unwrap(), 2_999);
        // All of it is being sent: then it is a new one that goes.
        for number in 0..900 {
            push(spool, number);
        }
        let sent = read(spool, usize::MAX).0.len();
        assert_eq!(sent, 900);
        let (mut added, mut dropped, mut refused) = (0, 0, 0);
        for _ in 0..300 {
            match spool.push(&[b'7'; 1_000]) {
                Ok(others) => (added, dropped) = (added + 1, dropped + others),
                Err(_) => refused += 1,
            }
        }
        assert!(dropped + refused > 0);
        assert_eq!(spool.waiting().0, 900 + added - dropped);
        spool.taken().unwrap();
        assert_eq!(spool.waiting().0, added - dropped);
    });
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = open(directory.path());
    fill(&mut spool, 0..300);
    assert_eq!(take(&mut spool, 150).len(), 150);
    // Sent, and the answer did not come before the end.
    assert_eq!(read(&mut spool, 10).0[0], 150);
    drop(spool);
    let mut spool = open(directory.path());
    assert_eq!(spool.waiting().0, 150);
    push(&mut spool, 300);
    assert_eq!(take(&mut spool, usize::MAX), (150..=300).collect::<Vec<_>>());
    drop(spool);
    let mut spool = open(directory.path());
    assert!(take(&mut spool, usize::MAX).is_empty());
    push(&mut spool, 301);
    assert_eq!(take(&mut spool, usize::MAX), [301]);
}

#[test]
fn two_processes_do_not_share_a_spool() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path());
    assert!(Disk::open(directory.path(), LIMIT).is_err());
    drop(first);
    open(directory.path());
}

#[test]
fn files_are_private_and_gone_when_all_is_sent() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b");
    let mut spool = open(&path);
    push(&mut spool, 1);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    let segments = || {
        let entries = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|suffix| suffix == "spool")).collect::<Vec<_>>()
    };
    assert_eq!(mode(&segments()[0]), 0o600);
    take(&mut spool, 1);
    assert_eq!(segments(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_cursor_that_is_lost_repeats_rather_than_loses() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = open(directory.path());
    fill(&mut spool, 0..10);
    take(&mut spool, 5);
    drop(spool);
    std::fs::write(directory.path().join("cursor"), "nonsense").unwrap();
    assert_eq!(take(&mut open(directory.path()), usize::MAX), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_segment_that_somebody_removes_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = open(directory.path());
    fill(&mut spool, 0..10);
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|suffix| suffix == "spool") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let (entries, reading) = read(&mut spool, 100);
    assert_eq!((entries.len(), reading.damaged), (0, 10));
    let _gone = spool.taken();
    push(&mut spool, 10);
    assert_eq!(take(&mut spool, 100), [10]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a crash or a bad disk makes of the last segment: what is read was written, in order.
    #[test]
    fn a_torn_or_damaged_segment_loses_only_itself(cut in 0_u64..20_000, flip in 0_usize..20_000, change: u8) {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = open(directory.path());
        fill(&mut spool, 0..10);
        drop(spool);
        let segment = std::fs::read_dir(directory.path()).unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|suffix| suffix == "spool"))
            .unwrap();
        let mut bytes = std::fs::read(&segment).unwrap();
        if let Some(byte) = bytes.get_mut(flip) {
            *byte ^= change;
        }
        bytes.truncate(cut.try_into().unwrap());
        std::fs::write(&segment, bytes).unwrap();
        let (mut spool, damaged) = Disk::open(directory.path(), LIMIT).unwrap();
        push(&mut spool, 10);
        let mut numbers = Vec::new();
        let reading = spool.read(&mut |entry| {
            numbers.push(String::from_utf8(entry.to_vec()).unwrap().trim().parse::<u64>().unwrap());
            Enough::More
        }).unwrap();
        spool.taken().unwrap();
        prop_assert!(numbers.is_sorted());
        prop_assert_eq!(numbers.last(), Some(&10));
        prop_assert!(reading.damaged <= damaged);
        prop_assert_eq!(spool.waiting(), (0, 0));
    }
}
