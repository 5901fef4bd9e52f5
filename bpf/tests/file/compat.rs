//! 32-bit calls, made by int 0x80 from a 64-bit program: they have numbers and registers of their own.

use std::arch::asm;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use libc::{AT_FDCWD, O_RDONLY};
use proto::wire::Kind;
use proto::wire::layout::*;

use crate::calls::{call, mine, ready};
use crate::check::{stat, text};
use crate::records::{Seen, while_watching};

/// Memory below 4 GiB, where 32-bit pointers reach.
struct LowMemory {
    next: usize,
    end: usize,
}

impl LowMemory {
    fn new() -> Self {
        const SIZE: usize = 64 * 1024;
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT);
        let start = call(libc::SYS_mmap, &[&0, &SIZE, &protection, &flags, &-1, &0]);
        assert!(start > 0 && start < 1 << 32);
        Self { next: start as usize, end: start as usize + SIZE }
    }

    /// Keeps `bytes`; their address. Never freed: the test is over soon.
    fn put(&mut self, bytes: &[u8]) -> u32 {
        let at = self.next;
        assert!(at + bytes.len() <= self.end);
        // SAFETY: the range lies in a fresh private mapping that nothing else refers to.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), at as *mut u8, bytes.len()) };
        self.next += (bytes.len() + 7) & !7;
        at as u32
    }

    fn path(&mut self, path: impl AsRef<Path>) -> u32 {
        self.put(&[path.as_ref().as_os_str().as_bytes(), b"\0"].concat())
    }
}

/// A 32-bit system call; its result.
fn int80(number: u32, arguments: &[u32]) -> i32 {
    let mut raw = [0_u32; 5];
    raw[..arguments.len()].copy_from_slice(arguments);
    let result: u32;
    // SAFETY: the kernel gets numbers and pointers to low memory that live on; rbx, which the compiler keeps for
    // itself, is restored.
    unsafe {
        asm!(
            "xchg rbx, {first}",
            "int 0x80",
            "xchg rbx, {first}",
            first = inout(reg) u64::from(raw[0]) => _,
            inlateout("eax") number => result,
            in("ecx") raw[1],
            in("edx") raw[2],
            in("esi") raw[3],
            in("edi") raw[4],
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    result as i32
}

/// Whether this kernel takes such calls.
fn possible() -> bool {
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let entries = ["entry_INT80_compat", "int80_emulation", "do_int80_emulation"];
    let found = symbols.lines().any(|line| entries.iter().any(|entry| line.ends_with(&format!(" {entry}"))));
    if !found {
        println!("skipped: this kernel has no 32-bit calls");
    }
    found
}

fn watch(provoke: impl FnOnce()) -> Vec<Seen> {
    mine(while_watching(&[("on_compat_enter", None), ("on_compat_exit", None)], |_| {}, provoke))
}

#[test]
fn every_family_is_seen() {
    if !ready() || !possible() {
        return;
    }
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let root = directory.path().canonicalize().unwrap();
    let mut memory = LowMemory::new();
    let at = |name: &str| root.join(name);
    let (made, file, other, link) = (at("made"), at("file"), at("other"), at("link"));
    fs::write(&file, "contents").unwrap();
    let (made_at, file_at) = (memory.path(&made), memory.path(&file));
    let (other_at, link_at) = (memory.path(&other), memory.path(&link));
    let times_at = memory.put(&[7_u32.to_ne_bytes(), 8_u32.to_ne_bytes()].concat());
    let (name_at, value_at) = (memory.path("trusted.color"), memory.path("blue"));
    let cwd = AT_FDCWD as u32;
    let before = stat(&file);

    let seen = watch(|| {
        let fd = int80(5, &[file_at, O_RDONLY as u32, 0]);
        assert!(fd >= 0);
        call(libc::SYS_close, &[&fd]);
        let fd = int80(295, &[cwd, file_at, O_RDONLY as u32, 0]);
        assert!(fd >= 0);
        call(libc::SYS_close, &[&fd]);
        assert_eq!(int80(193, &[file_at, 5, 0]), 0, "truncate64");
        assert_eq!(int80(39, &[made_at, 0o700]), 0, "mkdir");
        assert_eq!(int80(40, &[made_at]), 0, "rmdir");
        assert_eq!(int80(15, &[file_at, 0o4755]), 0, "chmod");
        assert_eq!(int80(182, &[file_at, 98, 0xffff]), 0, "chown, 16 bits");
        assert_eq!(int80(30, &[file_at, times_at]), 0, "utime");
        assert_eq!(int80(226, &[file_at, name_at, value_at, 4, 0]), 0, "setxattr");
        assert_eq!(int80(235, &[file_at, name_at]), 0, "removexattr");
        assert_eq!(int80(9, &[file_at, link_at]), 0, "link");
        assert_eq!(int80(38, &[file_at, other_at]), 0, "rename");
        assert_eq!(int80(10, &[other_at]), 0, "unlink");
        assert_eq!(int80(83, &[file_at, other_at]), 0, "symlink");
        assert_eq!(int80(23, &[0]), 0, "setuid, 16 bits");
        // The numbers of 64-bit calls mean something else here: 83 is symlink, not mkdir.
        assert_eq!(call(libc::SYS_getppid, &[]), i64::from(std::os::unix::process::parent_id()));
    });
    let kinds: Vec<_> = seen.iter().map(|seen| seen.record().kind()).collect();
    use Kind::*;
    let expected = [
        Open,
        Open,
        Open,
        Mkdir,
        Rmdir,
        Chmod,
        Chown,
        Utimes,
        Setxattr,
        Removexattr,
        Link,
        Rename,
        Unlink,
        Symlink,
        Setuid,
    ];
    assert_eq!(kinds, expected);
    for seen in &seen {
        assert_eq!(u32::from(seen.record().header().flags), RECORD_FLAG_COMPAT);
        assert_eq!(seen.record().header().errors, 0, "{:?}", seen.record().kind());
    }

    let body: open_body = seen[0].record().body();
    assert_eq!(text(&seen[0].record(), body.file.path), file.to_str().unwrap());
    assert_eq!(body.file.inode, before.0.stx_ino);
    let body: open_body = seen[2].record().body();
    assert_eq!((body.what, body.length), (OPEN_CALL_TRUNCATE, 5));
    let body: chmod_body = seen[5].record().body();
    assert_eq!((body.mode, body.file.mode), (0o4755, u32::from(before.0.stx_mode)));
    let body: chown_body = seen[6].record().body();
    assert_eq!((body.uid, body.gid, body.file.uid), (98, u32::MAX, 0));
    let body: utimes_body = seen[7].record().body();
    assert_eq!((body.access_time_ns, body.modification_time_ns), (7_000_000_000, 8_000_000_000));
    let body: xattr_body = seen[8].record().body();
    assert_eq!((text(&seen[8].record(), body.name).as_str(), body.value_size), ("trusted.color", 4));
    let body: link_body = seen[11].record().body();
    assert_eq!(text(&seen[11].record(), body.file.path), file.to_str().unwrap());
    assert_eq!(text(&seen[11].record(), body.destination.path), other.to_str().unwrap());
    let body: link_body = seen[13].record().body();
    assert_eq!(text(&seen[13].record(), body.call.path), file.to_str().unwrap());
    assert_eq!(text(&seen[13].record(), body.destination.path), other.to_str().unwrap());
}
