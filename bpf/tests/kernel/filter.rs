//! What of kernel activity is held back, by a number or by the name of a file.

use std::os::fd::AsRawFd as _;

use bpf::CwsSkel;
use libbpf_rs::MapCore as _;
use libbpf_rs::MapFlags;
use proto::wire::Kind;
use proto::wire::layout::*;

use crate::*;

/// FILTER_KEEP_* of filter.h.
const KEEP_MATCHING: u64 = 1;
const KEEP_NONE: u64 = 2;
/// Words of `struct filter`.
const ALL: usize = 1;
const ANY_NAME: usize = 2;
const ANY_FLAGS: usize = 6;
const ABSENT_LENGTHS: usize = 11;
const FLAGS: usize = 19;

fn set(skeleton: &CwsSkel<'_>, kind: Kind, words: [u64; 67]) {
    let value = words.map(u64::to_ne_bytes).concat();
    skeleton.maps.filters.update(&kind.number().to_ne_bytes(), &value, MapFlags::ANY).unwrap();
}

/// One alternative, which wants one of these flags.
fn wants(flags: u32) -> [u64; 67] {
    let mut words = [0; 67];
    words[0] = KEEP_MATCHING;
    words[ALL..ABSENT_LENGTHS].fill(1);
    words[ANY_FLAGS] = 0;
    (words[FLAGS], words[FLAGS + 1]) = (u64::from(flags), 1);
    words
}

fn watch(family: &Family, kind: Kind, words: [u64; 67], provoke: impl FnOnce()) -> Vec<Seen> {
    let prepare = |skeleton: &CwsSkel<'_>| set(skeleton, kind, words);
    mine(while_watching(&family.watched(), prepare, provoke))
}

/// Runs each with everything let through, then with nothing: the filter alone makes the difference.
fn check(
    family: &Family,
    kind: Kind,
    words: [u64; 67],
    provoke: impl Fn(),
    total: usize,
    kept: usize,
) -> Vec<Seen> {
    assert_eq!(family.watch(&provoke).len(), total, "{kind:?}");
    let mut none = [0; 67];
    none[0] = KEEP_NONE;
    assert!(watch(family, kind, none, &provoke).is_empty(), "{kind:?}");
    let seen = watch(family, kind, words, &provoke);
    assert_eq!(seen.len(), kept, "{kind:?}");
    seen
}

#[test]
fn numbers_are_judged_as_the_flag_of_their_value() {
    if !ready() {
        return;
    }
    let calls = || {
        call(libc::SYS_prctl, &[libc::PR_GET_DUMPABLE.into(), 0, 0, 0, 0]);
        call(libc::SYS_prctl, &[libc::PR_SET_PDEATHSIG.into(), 0, 0, 0, 0]);
        // 59 and more have no flag, and are no rule's.
        call(libc::SYS_prctl, &[66, 0, 0, 0, 0]);
    };
    let all = PRCTL.watch(calls).len();
    let seen = check(&PRCTL, Kind::Prctl, wants(1 << libc::PR_GET_DUMPABLE), calls, all, 1);
    let body: prctl_body = seen[0].record().body();
    assert_eq!(body.option, libc::PR_GET_DUMPABLE as u32);

    let own = i64::from(std::process::id());
    let calls = || {
        call(libc::SYS_kill, &[own, 0]);
        call(libc::SYS_kill, &[own, libc::SIGURG.into()]);
    };
    let seen = check(&SIGNAL, Kind::Signal, wants(1 << libc::SIGURG), calls, 2, 1);
    let body: signal_body = seen[0].record().body();
    assert_eq!(body.signal, libc::SIGURG as u32);

    // BPF_MAP_CREATE of an array, and BPF_PROG_GET_NEXT_ID.
    let (mut attr, start) = ([0_u32; 18], [0_u32; 18]);
    attr[..4].copy_from_slice(&[2, 4, 8, 1]);
    let calls = || {
        let map = call(libc::SYS_bpf, &[0, at(&attr), 72]);
        call(libc::SYS_close, &[map]);
        assert_eq!(call(libc::SYS_bpf, &[11, at(&start), 72]), 0);
    };
    let seen = check(&BPF, Kind::Bpf, wants(1), calls, 2, 1);
    let body: bpf_body = seen[0].record().body();
    assert_eq!(body.cmd, 0);
}

#[test]
fn mappings_are_judged_by_protection_and_by_file() {
    const PRIVATE: i64 = 2;
    const ANONYMOUS: i64 = 0x20;
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        std::fs::write(directory.path().join(name), [0; 4096]).unwrap();
        std::fs::File::open(directory.path().join(name)).unwrap()
    };
    let (wanted, other) = (open("wanted"), open("other"));
    let map = |protection: i64, flags: i64, descriptor: i64| {
        let address = call(libc::SYS_mmap, &[0, 4096, protection, flags, descriptor, 0]);
        assert!(address > 0);
        call(libc::SYS_munmap, &[address, 4096]);
    };
    let calls = || {
        map(5, PRIVATE, wanted.as_raw_fd().into());
        map(1, PRIVATE, wanted.as_raw_fd().into());
        map(5, PRIVATE, other.as_raw_fd().into());
        map(7, PRIVATE | ANONYMOUS, -1);
    };
    check(&MMAP, Kind::Mmap, wants(4), calls, 4, 3);
    // The name as well: anonymous memory has none.
    let mut words = wants(4);
    words[ANY_NAME] = 0;
    let prepare = |skeleton: &CwsSkel<'_>| {
        set(skeleton, Kind::Mmap, words);
        let mut key = [0; 32];
        key[..2].copy_from_slice(&6_u16.to_ne_bytes());
        key[2] = Kind::Mmap.number() as u8;
        key[4..10].copy_from_slice(b"wanted");
        skeleton.maps.filter_names.update(&key, &1_u64.to_ne_bytes(), MapFlags::ANY).unwrap();
    };
    let seen = mine(while_watching(&MMAP.watched(), prepare, calls));
    let [only] = &seen[..] else { panic!("{} events", seen.len()) };
    let body: mmap_body = only.record().body();
    assert_eq!(body.protection, 5);
    assert!(text(&only.record(), body.file.path).ends_with("/wanted"));

    let address = call(libc::SYS_mmap, &[0, 4096, 1, PRIVATE | ANONYMOUS, -1, 0]);
    let calls = || {
        assert_eq!(call(libc::SYS_mprotect, &[address, 4096, 3]), 0);
        assert_eq!(call(libc::SYS_mprotect, &[address, 4096, 5]), 0);
        assert_eq!(call(libc::SYS_mprotect, &[address, 4096, 1]), 0);
    };
    let seen = check(&MPROTECT, Kind::Mprotect, wants(4), calls, 3, 1);
    let body: mprotect_body = seen[0].record().body();
    // The entry of the call is judged alike, so that the protection before is known.
    assert_eq!((body.protection, body.vm_flags & 7, seen[0].record().header().errors), (5, 3, 0));
}
