//! mmap, mprotect.

use std::os::fd::AsRawFd as _;

use proto::wire::Kind;
use proto::wire::layout::*;

use crate::*;

const PAGE: i64 = 4096;
const READ: i64 = 1;
const WRITE: i64 = 2;
const EXEC: i64 = 4;
const PRIVATE: i64 = 2;
const ANONYMOUS: i64 = 0x20;

/// VM_READ, VM_WRITE, VM_EXEC of the kernel.
const VM_RWX: u64 = 7;

/// Maps memory of this size; it goes away with the process.
fn map(size: i64, protection: i64) -> i64 {
    let address = call(libc::SYS_mmap, &[0, size, protection, PRIVATE | ANONYMOUS, -1, 0]);
    assert!(address > 0, "{address}");
    address
}

#[test]
fn mmap_tells_file_and_protection() {
    if !ready() {
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![0; 3 * PAGE as usize]).unwrap();
    let descriptor = i64::from(file.as_file().as_raw_fd());
    let mut address = 0;
    let arguments = [0, 2 * PAGE, READ | EXEC, PRIVATE, descriptor, PAGE];
    let seen = MMAP.watch_one(Kind::Mmap, || address = call(libc::SYS_mmap, &arguments));
    let record = seen.record();
    assert_sound(&record);
    let body: mmap_body = record.body();
    assert_eq!((body.retval, body.address, body.length, body.offset), (address, 0, 8192, 4096));
    assert_eq!((body.protection, body.flags), (5, PRIVATE as u32));
    let metadata = std::fs::metadata(file.path()).unwrap();
    assert_eq!(body.file.inode, std::os::unix::fs::MetadataExt::ino(&metadata));
    assert_eq!(text(&record, body.file.path), file.path().to_str().unwrap());

    let mut address = 0;
    let arguments = [0, PAGE, READ | WRITE | EXEC, PRIVATE | ANONYMOUS, -1, 0];
    let seen = MMAP.watch_one(Kind::Mmap, || address = call(libc::SYS_mmap, &arguments));
    let body: mmap_body = seen.record().body();
    assert_eq!((body.retval, body.file.flags, body.protection), (address, 0, 7));
    // Neither of these is reported: EBADF, EINVAL.
    let seen = MMAP.watch(|| {
        assert_eq!(call(libc::SYS_mmap, &[0, PAGE, READ, PRIVATE, 999, 0]), -9);
        assert_eq!(call(libc::SYS_mmap, &[0, 0, READ, PRIVATE | ANONYMOUS, -1, 0]), -22);
    });
    assert!(seen.is_empty());
}

#[test]
fn mprotect_tells_the_protection_before() {
    if !ready() {
        return;
    }
    let address = map(3 * PAGE, READ | WRITE);
    let middle = address + PAGE;
    let seen = MPROTECT.watch(|| {
        assert_eq!(call(libc::SYS_mprotect, &[middle, PAGE, READ | EXEC]), 0);
        assert_eq!(call(libc::SYS_mprotect, &[middle, PAGE, READ | WRITE | EXEC]), 0);
        assert_eq!(call(libc::SYS_pkey_mprotect, &[middle, PAGE, READ, -1]), 0);
    });
    let bodies: Vec<mprotect_body> = seen.iter().map(|seen| seen.record().body()).collect();
    assert!(seen.iter().all(|seen| seen.record().header().errors == 0));
    let told: Vec<_> = bodies.iter().map(|body| (body.vm_flags & VM_RWX, body.protection)).collect();
    assert_eq!(told, [(3, 5), (5, 7), (7, 1)]);
    for body in &bodies {
        assert_eq!((body.address, body.length), (middle as u64, PAGE as u64));
    }
    // At first it was part of a mapping of three pages at least; then it stood alone.
    assert!(bodies[0].vm_start <= address as u64 && bodies[0].vm_end >= (address + 3 * PAGE) as u64);
    for body in &bodies[1..] {
        assert_eq!((body.vm_start, body.vm_end), (middle as u64, (middle + PAGE) as u64));
    }
    // Of memory that is not there: ENOMEM.
    assert!(MPROTECT.watch(|| assert_eq!(call(libc::SYS_mprotect, &[0x1000, PAGE, READ]), -12)).is_empty());
}

/// Many mappings make the kernel's tree deep: each is found.
#[test]
fn any_mapping_of_many_is_found() {
    const COUNT: i64 = 3000;
    if !ready() {
        return;
    }
    // Pages that differ from their neighbours are mappings of their own.
    let address = map(2 * COUNT * PAGE, READ);
    for page in 0..COUNT {
        assert_eq!(call(libc::SYS_mprotect, &[address + 2 * page * PAGE, PAGE, READ | WRITE]), 0);
    }
    let pages: Vec<_> = (0..COUNT).step_by(97).map(|page| address + 2 * page * PAGE).collect();
    let seen = MPROTECT.watch(|| {
        for page in &pages {
            assert_eq!(call(libc::SYS_mprotect, &[*page, PAGE, READ | EXEC]), 0);
        }
    });
    let found: Vec<_> = seen
        .iter()
        .map(|seen| {
            let body: mprotect_body = seen.record().body();
            (body.vm_start, body.vm_end, body.vm_flags & VM_RWX)
        })
        .collect();
    let expected: Vec<_> = pages.iter().map(|page| (*page as u64, (*page + PAGE) as u64, 3)).collect();
    assert_eq!(found, expected);
    call(libc::SYS_munmap, &[address, 2 * COUNT * PAGE]);
}
