//! One process, through a descriptor of its directory in `/proc`.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::openat;
use rustix::fs::readlinkat;
use rustix::fs::statat;

use super::stat::Stat;

/// Most bytes that are read of any file: what lies behind is counted up to here.
const COUNT_MAX: u64 = 8 << 20;

/// Bytes of `/proc/PID/stat` and other files of one short line.
const LINE_MAX: usize = 4096;

/// Bytes of `/proc/PID/cgroup`: a dozen hierarchies with paths of up to 4096.
const CGROUP_SIZE_MAX: usize = 64 * 1024;

/// `/proc/PID`, open. It keeps meaning the same process: if that ends, reads fail, even if the pid is used again.
#[derive(Debug)]
pub(in crate::snapshot) struct ProcessDir(OwnedFd);

/// A file that was read.
#[derive(Debug)]
pub(in crate::snapshot) struct Content {
    /// Its beginning.
    pub(in crate::snapshot) bytes: Vec<u8>,
    /// All its bytes.
    pub(in crate::snapshot) size: u64,
    /// NUL bytes among them.
    pub(in crate::snapshot) nul_bytes: u64,
}

impl ProcessDir {
    pub(in crate::snapshot) fn open(proc: &Path, pid: u32) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(proc.join(pid.to_string()), flags, Mode::empty())?))
    }

    /// A file: its first `max` bytes, and how many there are in all.
    pub(in crate::snapshot) fn read(&self, name: &str, max: usize) -> io::Result<Content> {
        let file = File::from(openat(&self.0, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?);
        let mut source = file.take(COUNT_MAX);
        let mut bytes = Vec::new();
        source.by_ref().take(u64::try_from(max).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
        let mut content = Content { size: 0, nul_bytes: 0, bytes };
        content.count(&content.bytes.clone());
        let mut rest = [0; 4096];
        loop {
            match source.read(&mut rest)? {
                0 => return Ok(content),
                size => content.count(&rest[..size]),
            }
        }
    }

    pub(in crate::snapshot) fn stat(&self) -> io::Result<Stat> {
        let line = self.read("stat", LINE_MAX)?.bytes;
        Stat::parse(&line).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    /// Of the file that a link leads to.
    pub(in crate::snapshot) fn metadata(&self, link: &str) -> io::Result<rustix::fs::Stat> {
        Ok(statat(&self.0, link, AtFlags::empty())?)
    }

    /// The text of a link.
    pub(super) fn link(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(readlinkat(&self.0, name, Vec::new())?.into_bytes())
    }

    /// The file that a link leads to, for looking at only.
    pub(super) fn open_path(&self, link: &str) -> io::Result<OwnedFd> {
        Ok(openat(&self.0, link, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// A file that holds one number.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        std::str::from_utf8(&self.read(name, LINE_MAX).ok()?.bytes).ok()?.trim().parse().ok()
    }

    /// Inode number of a namespace; 0 if the kernel has no such namespaces.
    pub(super) fn namespace(&self, name: &str) -> u32 {
        // The file is "NAME:[NUMBER]".
        let number = || {
            let link = String::from_utf8(self.link(&format!("ns/{name}")).ok()?).ok()?;
            link.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
        };
        number().unwrap_or_default()
    }

    /// Mode bits of the descriptors 0, 1, 2; 0 for a closed one.
    pub(super) fn stdio_modes(&self) -> [u16; 3] {
        ["fd/0", "fd/1", "fd/2"].map(|name| {
            // The type and permission bits of st_mode are the low 16.
            self.metadata(name).map_or(0, |stat| u16::try_from(stat.st_mode & 0xffff).unwrap_or_default())
        })
    }

    /// Its control group.
    pub(super) fn cgroup(&self) -> Option<Cgroup> {
        cgroup(&self.read("cgroup", CGROUP_SIZE_MAX).ok()?.bytes)
    }
}

impl Content {
    fn count(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.nul_bytes += bytes.iter().filter(|byte| **byte == 0).count() as u64;
    }
}

/// The control group that a process is reported to be in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cgroup {
    pub(super) path: Vec<u8>,
    /// Of a version 1 hierarchy.
    pub(super) is_v1: bool,
}

/// From `/proc/PID/cgroup`, lines of `HIERARCHY:CONTROLLERS:PATH`, by the rule of bpf/include/cgroup.h: the group in the
/// unified hierarchy, unless one in a hierarchy of version 1 is at least as deep.
fn cgroup(file: &[u8]) -> Option<Cgroup> {
    let lines: Vec<(&[u8], &[u8])> = file
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let mut fields = line.splitn(3, |byte| *byte == b':').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .collect();
    let unified = lines.iter().find(|(controllers, _)| controllers.is_empty()).map(|(_, path)| *path);
    let mut best = unified.map(|path| Cgroup { path: path.to_vec(), is_v1: false });
    let mut best_depth = unified.map_or(0, depth);
    for controller in CONTROLLERS {
        let has = |controllers: &[u8]| controllers.split(|byte| *byte == b',').any(|name| name == controller);
        let Some((_, path)) = lines.iter().find(|(controllers, _)| has(controllers)) else { continue };
        let (depth, best_is_v1) = (depth(path), best.as_ref().is_some_and(|best| best.is_v1));
        if depth > 0 && (depth > best_depth || !best_is_v1) && depth >= best_depth {
            best = Some(Cgroup { path: path.to_vec(), is_v1: true });
            best_depth = depth;
        }
    }
    // A host without the unified hierarchy, and a process in no group.
    best.or_else(|| lines.first().map(|(_, path)| Cgroup { path: path.to_vec(), is_v1: true }))
}

/// Controllers of version 1 whose groups count, those of container runtimes first.
const CONTROLLERS: [&[u8]; 6] = [b"memory", b"pids", b"cpu", b"devices", b"freezer", b"cpuset"];

fn depth(path: &[u8]) -> usize {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(file: &str) -> Option<(String, bool)> {
        cgroup(file.as_bytes()).map(|cgroup| (String::from_utf8(cgroup.path).unwrap(), cgroup.is_v1))
    }

    fn v1(path: &str) -> Option<(String, bool)> {
        Some((path.to_owned(), true))
    }

    fn v2(path: &str) -> Option<(String, bool)> {
        Some((path.to_owned(), false))
    }

    #[test]
    fn the_unified_hierarchy_counts_unless_another_says_as_much() {
        assert_eq!(find("0::/system.slice/x.service\n"), v2("/system.slice/x.service"));
        assert_eq!(find("1:name=systemd:/a/b\n0::/b\n"), v2("/b"));
        assert_eq!(find("9:pids:/\n0::/\n"), v2("/"));
        assert_eq!(find("9:memory:/a\n0::/a/b\n"), v2("/a/b"));
    }

    #[test]
    fn on_a_hybrid_host_the_hierarchy_of_the_runtime_is_found() {
        assert_eq!(find("9:pids:/\n8:memory:/docker/1\n7:cpu,cpuacct:/docker/2\n0::/\n"), v1("/docker/1"));
        assert_eq!(find("7:cpu,cpuacct:/docker/2\n0::/docker.service\n"), v1("/docker/2"));
        assert_eq!(find("7:cpuset:/a/b\n5:memory:/a\n"), v1("/a/b"));
    }

    #[test]
    fn a_path_may_hold_colons_and_a_damaged_file_holds_none() {
        assert_eq!(find("0::/cri-containerd:abc:def\n"), v2("/cri-containerd:abc:def"));
        assert_eq!(find("garbage\n\n"), None);
        assert_eq!(find("3:memory:/\n"), v1("/"));
    }
}
