//! Files: what every `*.file.*` prefix reads.

use std::sync::Arc;

use secl::Matching;
use secl::schema::weight;

use crate::constants::{ABI, ARCHITECTURE, COMPRESSION, FILE_TYPE, INODE_MODE};
use crate::record::record;
use crate::text::{Text, TextList};

record! {
    /// A file, as the kernel saw it at the time of the event.
    pub struct File {
        leaf {
            /// Type of the file system, such as `ext4`, `overlay` or `tmpfs`.
            filesystem: Text = "filesystem", "7.27", { example: Some(r#"exec.file.filesystem == "tmpfs""#), };
            /// Inode number.
            inode: u64 = "inode", "7.27";
            /// File type and permission bits (`st_mode`).
            mode: u32 = "mode", "7.27", {
                constants: Some(&INODE_MODE), example: Some("chmod.file.mode & S_ISUID > 0"),
            };
            /// Identifier of the mount.
            mount_id: u32 = "mount_id", "7.27";
            /// User id of the owner.
            uid: u32 = "uid", "7.27";
            /// Group id of the owner.
            gid: u32 = "gid", "7.27";
            /// User name of the owner.
            user: Text = "user", "7.27", { weight: weight::RESOLVED, };
            /// Group name of the owner.
            group: Text = "group", "7.27", { weight: weight::RESOLVED, };
            /// Last change of the inode: content, owner, permissions.
            change_time: u64 = "change_time", "7.31", { time: true, };
            /// Last change of the content.
            modification_time: u64 = "modification_time", "7.31", {
                time: true, example: Some("exec.file.modification_time < 30s"),
            };
            /// Digests of the content as `algorithm:hex`.
            hashes: TextList = "hashes", "7.47", { weight: weight::REMOTE, filled: false, };
            /// The file is on a mount that is attached to no mount tree (`fsmount`, `open_tree`).
            mount_detached: bool = "mount_detached", "7.74";
            /// The mount shows in `/proc/self/mountinfo`.
            mount_visible: bool = "mount_visible", "7.74";
        }
        derived {
            /// Full path as the process sees it: within the mount namespace, or root directory, of its container. Empty
            /// for what has no path (memfd), which still has a name.
            path: path = "path", "7.27", |file| file, {
                matching: Matching::Path, alternatives: true, length: true, weight: weight::RESOLVED,
                example: Some(r#"open.file.path =~ "/etc/cron.d/*""#),
            };
            /// Last component of the path; `memfd:x` and the like for what has no path.
            name: name = "name", "7.27", |file| file, {
                alternatives: true, length: true, weight: weight::RESOLVED,
                example: Some(r#"exec.file.name in ["nc", "ncat", "netcat"]"#),
            };
            /// On an overlay file system: the file is in the writable layer, so it is not part of the image.
            in_upper_layer: bool = "in_upper_layer", "7.27", |file| file.upper_layer == Some(true), {
                example: Some(r#"exec.file.in_upper_layer && process.container.id != """#),
            };
            /// Permission bits: the mode without the file type.
            rights: int = "rights", "7.28", |file| i64::from(file.rights()), {
                constants: Some(&INODE_MODE), weight: weight::COMPUTED,
                example: Some("open.file.rights & (S_ISUID|S_ISGID) > 0"),
            };
            /// Extension of the name, with its dot.
            extension: str = "extension", "7.74", |file| file.extension(), {
                weight: weight::RESOLVED, example: Some(r#"open.file.extension == ".ko""#),
            };
        }
        nested {
            /// The package that installed the file.
            package: Option<Arc<Package>> = "package";
        }
        hidden {
            /// The path.
            path: Text;
            /// The name of what has no path, such as `memfd:x`; empty for everything else.
            pathless_name: Text;
            /// Whether the file is in the upper layer of an overlay; `None` on other file systems.
            upper_layer: Option<bool>;
            /// The symbolic link by which the file was executed; empty if it was none. Rules on path and name match it
            /// too.
            symlink_path: Text;
            /// Where the mount of the file is mounted. Rules on the path of a file on an overlay match the path below it
            /// too.
            mount_path: Text;
            /// Why the path is missing or cut; empty if it is neither.
            path_error: Text;
            /// Who says which file it is: `kernel` or `user`; empty if it was not told.
            path_resolution: Text;
            /// What is mounted: the device or, for a bind mount, its source.
            mount_source: Text;
        }
    }
}

record! {
    /// The package, of the distribution or container image, that a file belongs to.
    pub struct Package {
        leaf {
            /// Name of the package that installed the file.
            name: Text = "name", "7.44", { weight: weight::REMOTE, filled: false, };
            /// Version of the package.
            version: Text = "version", "7.44", { weight: weight::REMOTE, filled: false, };
            /// Epoch of the version of the package.
            epoch: i64 = "epoch", "7.74", { weight: weight::REMOTE, filled: false, };
            /// Release of the version of the package.
            release: Text = "release", "7.74", { weight: weight::REMOTE, filled: false, };
            /// Version of the source package it was built from.
            source_version: Text = "source_version", "7.44", { weight: weight::REMOTE, filled: false, };
            /// Epoch of the version of the source package.
            source_epoch: i64 = "source_epoch", "7.74", { weight: weight::REMOTE, filled: false, };
            /// Release of the version of the source package.
            source_release: Text = "source_release", "7.74", { weight: weight::REMOTE, filled: false, };
        }
    }
}

record! {
    /// What the content of an executed file says about it.
    pub struct FileMetadata {
        leaf {
            /// Size of the file in bytes.
            size: u64 = "size", "7.74", { filled: false, };
            /// What the file is, by its content.
            file_type: u32 = "type", "7.74", { constants: Some(&FILE_TYPE), filled: false, };
            /// The file is an executable.
            is_executable: bool = "is_executable", "7.74", { filled: false, };
            /// Instruction set the executable is made for.
            architecture: u32 = "architecture", "7.74", { constants: Some(&ARCHITECTURE), filled: false, };
            /// Word size of the executable.
            abi: u32 = "abi", "7.74", { constants: Some(&ABI), filled: false, };
            /// The executable was packed by UPX.
            is_upx_packed: bool = "is_upx_packed", "7.74", {
                example: Some("exec.file.metadata.is_upx_packed == true"),
                filled: false,
            };
            /// Compression of the file.
            compression: u32 = "compression", "7.74", { constants: Some(&COMPRESSION), filled: false, };
            /// The executable is a Go program obfuscated by garble.
            is_garble_obfuscated: bool = "is_garble_obfuscated", "7.74", { filled: false, };
        }
    }
}

/// `S_ISUID | S_ISGID | S_ISVTX | 0777`: the bits of a mode that `chmod` sets.
pub const RIGHTS_MASK: u32 = 0o7777;

impl File {
    /// Last component of the path, or the name of what has no path.
    #[inline]
    pub fn name(&self) -> &[u8] {
        if self.path.is_empty() { &self.pathless_name } else { base_name(&self.path) }
    }

    /// Extension of the name, with its dot; empty if there is none.
    pub fn extension(&self) -> &[u8] {
        let name = self.name();
        name.iter().rposition(|byte| *byte == b'.').map_or(b"", |dot| &name[dot..])
    }

    /// The mode without the file type.
    #[inline]
    pub fn rights(&self) -> u32 {
        self.mode & RIGHTS_MASK
    }

    /// Whether the event carried nothing about the file, not even a failed path.
    pub fn is_absent(&self) -> bool {
        self.path.is_empty() && self.inode == 0 && self.path_error.is_empty()
    }

    /// Whether `test` holds for another path by which rules may mean this file.
    pub fn any_other_path(&self, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        let on_overlay = self.filesystem.as_bytes() == b"overlay";
        if on_overlay && strip_mount(&self.path, &self.mount_path).is_some_and(&mut test) {
            return true;
        }
        !self.symlink_path.is_empty() && test(&self.symlink_path)
    }

    /// Whether `test` holds for another name by which rules may mean this file.
    pub fn any_other_name(&self, test: impl FnOnce(&[u8]) -> bool) -> bool {
        !self.symlink_path.is_empty() && test(base_name(&self.symlink_path))
    }
}

/// What follows the last slash of `path`.
#[inline]
pub fn base_name(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(path, |slash| &path[slash + 1..])
}

/// `path` as seen from its mount point; `None` if it is not below it.
pub(crate) fn strip_mount<'a>(path: &'a [u8], mount_path: &[u8]) -> Option<&'a [u8]> {
    let mount_path = mount_path.strip_suffix(b"/").unwrap_or(mount_path);
    if mount_path.is_empty() {
        return None;
    }
    path.strip_prefix(mount_path).filter(|rest| rest.first() == Some(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        File { path: path.into(), ..File::default() }
    }

    #[test]
    fn name_and_extension_are_slices_of_the_path() {
        for (path, name, extension) in [
            ("/usr/bin/bash", "bash", ""),
            ("/tmp/a.tar.gz", "a.tar.gz", ".gz"),
            ("/etc.d/passwd", "passwd", ""),
            ("/", "", ""),
            ("", "", ""),
            ("/root/.bashrc", ".bashrc", ".bashrc"),
        ] {
            assert_eq!(file(path).name(), name.as_bytes(), "{path}");
            assert_eq!(file(path).extension(), extension.as_bytes(), "{path}");
        }
    }

    #[test]
    fn what_has_no_path_has_a_name() {
        let memfd = File { pathless_name: "memfd:x.so".into(), inode: 7, ..File::default() };
        assert_eq!(
            (memfd.path.as_bytes(), memfd.name(), memfd.extension()),
            (&b""[..], &b"memfd:x.so"[..], &b".so"[..])
        );
    }

    #[test]
    fn overlay_files_are_also_known_by_the_path_below_their_mount() {
        let others = |file: &File| {
            let mut seen = Vec::new();
            file.any_other_path(|path| {
                seen.push(String::from_utf8_lossy(path).into_owned());
                false
            });
            seen
        };
        let mut seen_from_host = file("/var/lib/docker/overlay2/abc/merged/etc/passwd");
        seen_from_host.mount_path = "/var/lib/docker/overlay2/abc/merged".into();
        assert!(others(&seen_from_host).is_empty(), "not known to be an overlay");
        seen_from_host.filesystem = "overlay".into();
        assert_eq!(others(&seen_from_host), ["/etc/passwd"]);
        seen_from_host.mount_path = "/var/lib/docker/overlay2/ab".into();
        assert!(others(&seen_from_host).is_empty(), "another mount");
        seen_from_host.mount_path = "/".into();
        assert!(others(&seen_from_host).is_empty(), "nothing to strip");
    }

    #[test]
    fn executed_symlinks_are_other_paths_and_names() {
        let busybox = File { symlink_path: "/bin/wget".into(), ..file("/bin/busybox") };
        assert!(busybox.any_other_path(|path| path == b"/bin/wget"));
        assert!(busybox.any_other_name(|name| name == b"wget"));
        assert!(!busybox.any_other_name(|name| name == b"busybox"));
    }
}
