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

    /// Path of its cgroup.
    pub(super) fn cgroup_path(&self) -> Option<Vec<u8>> {
        cgroup_path(&self.read("cgroup", CGROUP_SIZE_MAX).ok()?.bytes)
    }
}

impl Content {
    fn count(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.nul_bytes += bytes.iter().filter(|byte| **byte == 0).count() as u64;
    }
}

/// From `/proc/PID/cgroup`, lines of `HIERARCHY:CONTROLLERS:PATH`: the path in the unified hierarchy, or on a host
/// that uses version 1, where that is "/", the first that says something.
fn cgroup_path(file: &[u8]) -> Option<Vec<u8>> {
    let paths = file.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let hierarchy = fields.next()?;
        let path = fields.nth(1)?;
        Some((hierarchy, path))
    });
    let (mut unified, mut first) = (None, None);
    for (hierarchy, path) in paths {
        if hierarchy == b"0" {
            unified = Some(path);
        } else if first.is_none_or(|first| first == b"/") {
            first = Some(path);
        }
    }
    unified.filter(|path| *path != b"/").or(first).or(unified).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(file: &str) -> Option<String> {
        cgroup_path(file.as_bytes()).map(|path| String::from_utf8(path).unwrap())
    }

    #[test]
    fn the_unified_hierarchy_is_preferred() {
        assert_eq!(path("0::/system.slice/x.service\n").unwrap(), "/system.slice/x.service");
        assert_eq!(path("1:name=systemd:/a\n0::/b\n").unwrap(), "/b");
    }

    #[test]
    fn on_a_hybrid_host_the_hierarchy_in_use_is_found() {
        assert_eq!(path("9:pids:/\n8:memory:/docker/1\n7:cpu:/docker/2\n0::/\n").unwrap(), "/docker/1");
        assert_eq!(path("9:pids:/\n0::/\n").unwrap(), "/");
    }

    #[test]
    fn a_path_may_hold_colons_and_a_damaged_file_holds_none() {
        assert_eq!(path("0::/cri-containerd:abc:def\n").unwrap(), "/cri-containerd:abc:def");
        assert_eq!(path("garbage\n\n"), None);
    }
}
