//! Files as records carry them.

use model::{File, Text};
use proto::wire::Record;
use proto::wire::layout::{
    FILE_FLAG_DETACHED, FILE_FLAG_LOOKED_UP, FILE_FLAG_NO_INODE, FILE_FLAG_OVERLAY, FILE_FLAG_PATH_TRUNCATED,
    FILE_FLAG_PATH_USER, FILE_FLAG_UNREACHABLE, FILE_FLAG_UPPER_LAYER, FILE_FLAG_VALID, file_info,
};

use super::{Data, until_nul};
use crate::resolve::users::Users;

/// The file of `info`. `failed`: the record says that it could not be read.
pub(super) fn file(record: &Record<'_>, info: &file_info, failed: bool, users: &Users) -> File {
    let flag = |bit: u32| info.flags & bit != 0;
    if !flag(FILE_FLAG_VALID) {
        return if failed { unreadable() } else { File::default() };
    }
    let path = Data::of(record, info.path);
    // The kernel's own files (memfd, pipes) hang under no directory: what the walk found is a bare name.
    let (full, bare) =
        if path.bytes().first() == Some(&b'/') { (path.bytes(), &[][..]) } else { (&[][..], path.bytes()) };
    let normalized = flag(FILE_FLAG_PATH_USER).then(|| normalize(full));
    let known = !flag(FILE_FLAG_NO_INODE);
    File {
        path: normalized.map_or_else(|| Text::new(full), |path| Text::new(&path)),
        pathless_name: Text::new(bare),
        filesystem: Text::new(until_nul(&info.filesystem)),
        inode: info.inode,
        mode: info.mode,
        mount_id: info.mount_id,
        uid: info.uid,
        gid: info.gid,
        user: if known { users.user(info.uid) } else { Text::default() },
        group: if known { users.group(info.gid) } else { Text::default() },
        change_time: info.change_time_ns,
        modification_time: info.modification_time_ns,
        mount_detached: flag(FILE_FLAG_DETACHED),
        mount_visible: !flag(FILE_FLAG_DETACHED),
        upper_layer: (flag(FILE_FLAG_OVERLAY) && known).then_some(flag(FILE_FLAG_UPPER_LAYER)),
        mount_path: Text::new(mount_path(path.bytes(), info)),
        path_error: path_error(path, info, failed).into(),
        ..File::default()
    }
}

/// Who says which file `info` is: `kernel`, if it is the object that the call used, or `user`, if it was found beside the
/// call by what the caller had written, which may have been something else a moment before. Empty for no file.
pub(super) fn path_resolution(info: &file_info) -> Text {
    let flag = |bits: u32| info.flags & bits != 0;
    if !flag(FILE_FLAG_VALID) {
        Text::default()
    } else if flag(FILE_FLAG_LOOKED_UP | FILE_FLAG_PATH_USER) {
        "user".into()
    } else {
        "kernel".into()
    }
}

/// The path of `info` alone.
pub(super) fn normalized_path(record: &Record<'_>, info: &file_info) -> Text {
    let path = Data::of(record, info.path).bytes();
    if info.flags & FILE_FLAG_PATH_USER == 0 { Text::new(path) } else { Text::new(&normalize(path)) }
}

/// Takes ".", ".." and doubled slashes out of an absolute path, by its text alone.
fn normalize(path: &[u8]) -> Vec<u8> {
    let mut normal: Vec<u8> = Vec::with_capacity(path.len());
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => normal.truncate(normal.iter().rposition(|byte| *byte == b'/').unwrap_or(0)),
            name => {
                normal.push(b'/');
                normal.extend_from_slice(name);
            }
        }
    }
    if normal.is_empty() {
        normal.push(b'/');
    }
    normal
}

/// A file that there is, but nothing could be read of.
fn unreadable() -> File {
    File { path_error: "not readable in the kernel".into(), ..File::default() }
}

fn mount_path<'r>(path: &'r [u8], info: &file_info) -> &'r [u8] {
    usize::try_from(info.overlay_prefix).ok().and_then(|end| path.get(..end)).unwrap_or_default()
}

/// Why the path is not the whole truth; empty if it is.
fn path_error(path: Data<'_>, info: &file_info, failed: bool) -> &'static str {
    let flag = |bit: u32| info.flags & bit != 0;
    match path {
        Data::Damaged => "damaged record",
        Data::Whole(b"") => "not readable in the kernel",
        _ if flag(FILE_FLAG_PATH_TRUNCATED) => "too long or too deep: the beginning is missing",
        _ if flag(FILE_FLAG_UNREACHABLE) => "outside of the root directory of the process",
        _ if flag(FILE_FLAG_PATH_USER) => "as given by the process: links are not resolved",
        _ if flag(FILE_FLAG_NO_INODE) => "attributes unknown: not in the kernel's caches",
        _ if failed => "read in part",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::normalize;

    #[test]
    fn paths_are_normalized_by_their_text() {
        for (given, normal) in [
            ("/a/b", "/a/b"),
            ("/a//b/", "/a/b"),
            ("/a/./b/.", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../a", "/a"),
            ("/a/..", "/"),
            ("//", "/"),
            ("", "/"),
            ("/...", "/..."),
        ] {
            assert_eq!(normalize(given.as_bytes()), normal.as_bytes(), "{given}");
        }
    }
}
