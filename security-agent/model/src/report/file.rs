//! Files in reports.

use super::object::objects;
use super::{non_zero, non_zero_u64, text, texts, yes};
use crate::constants::{ABI, ARCHITECTURE, COMPRESSION, FILE_TYPE, OPEN_FLAGS, UNLINK_FLAGS};
use crate::event::{Event, Payload};
use crate::file::{File, FileMetadata, Package};
use crate::payload::{Chown, Mount, Utimes, Xattr};

objects! {
    /// A file.
    FILE: "File" of File = |file, scope| {
        /// Path as the process sees it.
        "path" [opt str] = text(&file.path);
        /// Last component of the path.
        "name" [opt str] = text(file.name());
        /// Extension of the name.
        "extension" [opt str] = text(file.extension());
        /// Why the path is missing or cut.
        "path_resolution_error" [opt str] = text(&file.path_error);
        /// Who says that this was the file: `kernel` (the very object that the call used) or `user` (found by the text of the
        /// caller, beside the call; another thread of the caller can forge it).
        "path_resolution" [opt str] = text(&file.path_resolution);
        /// Inode number.
        "inode" [opt int] = non_zero_u64(file.inode);
        /// File type and permission bits.
        "mode" [opt int] = non_zero(file.mode);
        /// On an overlay file system: whether the file is in the writable layer.
        "in_upper_layer" [opt bool] = file.upper_layer;
        /// Identifier of the mount.
        "mount_id" [opt int] = non_zero(file.mount_id);
        /// Type of the file system.
        "filesystem" [opt str] = text(&file.filesystem);
        /// User id of the owner.
        "uid" [int] = i64::from(file.uid);
        /// Group id of the owner.
        "gid" [int] = i64::from(file.gid);
        /// User name of the owner.
        "user" [opt str] = text(&file.user);
        /// Group name of the owner.
        "group" [opt str] = text(&file.group);
        /// Last change of the content.
        "modification_time" [time] = file.modification_time;
        /// Last change of the inode.
        "change_time" [time] = file.change_time;
        /// Digests of the content, as `algorithm:hex`.
        "hashes" [opt strs] = texts(&file.hashes);
        /// Where the mount is mounted.
        "mount_path" [opt str] = text(&file.mount_path);
        /// What is mounted.
        "mount_source" [opt str] = text(&file.mount_source);
        /// The mount is attached to no mount tree.
        "mount_detached" [opt bool] = yes(file.mount_detached);
        /// The mount shows in `/proc/self/mountinfo`.
        "mount_visible" [opt bool] = yes(file.mount_visible);
        /// The package of the file.
        "" [opt flat PACKAGE] = file.package.as_deref();
    }

    /// The package that installed a file.
    PACKAGE: "Package" of Package = |package, scope| {
        /// Name of the package that installed the file.
        "package_name" [opt str] = text(&package.name);
        /// Version of the package.
        "package_version" [opt str] = text(&package.version);
        /// Epoch of the version.
        "package_epoch" [opt int] = non_zero(package.epoch);
        /// Release of the version.
        "package_release" [opt str] = text(&package.release);
        /// Version of the source package.
        "package_source_version" [opt str] = text(&package.source_version);
        /// Epoch of the version of the source package.
        "package_source_epoch" [opt int] = non_zero(package.source_epoch);
        /// Release of the version of the source package.
        "package_source_release" [opt str] = text(&package.source_release);
    }

    /// What the content of a file says about it.
    METADATA: "FileMetadata" of FileMetadata = |metadata, scope| {
        /// Size in bytes.
        "size" [opt int] = non_zero_u64(metadata.size);
        /// What the file is.
        "type" [opt str] = FILE_TYPE.name(metadata.file_type.into()).map(str::to_owned);
        /// The file is an executable.
        "is_executable" [opt bool] = yes(metadata.is_executable);
        /// Instruction set of the executable.
        "architecture" [opt str] = ARCHITECTURE.name(metadata.architecture.into()).map(str::to_owned);
        /// Word size of the executable.
        "abi" [opt str] = ABI.name(metadata.abi.into()).map(str::to_owned);
        /// The executable was packed by UPX.
        "is_upx_packed" [opt bool] = yes(metadata.is_upx_packed);
        /// Compression of the file.
        "compression" [opt str] = COMPRESSION.name(metadata.compression.into()).map(str::to_owned);
        /// The executable is a Go program obfuscated by garble.
        "is_garble_obfuscated" [opt bool] = yes(metadata.is_garble_obfuscated);
    }

    /// The file of an event, and what happened to it.
    FILE_EVENT: "FileEvent" of Event = |event, scope| {
        /// The file.
        "" [opt flat FILE] = subject(event);
        /// Flags of the call.
        "flags" [opt strs] = call_flags(event);
        /// What the content of an executed file says about it.
        "metadata" [opt object METADATA] = match &event.payload {
            Payload::Exec(exec) => exec.metadata.as_deref(),
            _ => None,
        };
        /// What the file became, or was asked to become.
        "destination" [opt object DESTINATION] = has_destination(event).then_some(event);
        /// For a mount: the directory of the file system that shows.
        "path" [opt str] = mount(event).and_then(|mount| text(&mount.root_path));
        /// Identifier of the new mount.
        "new_mount_id" [opt int] = mount(event).and_then(|mount| non_zero(mount.mount_id));
        /// Device number of the mounted file system.
        "device" [opt int] = mount(event).and_then(|mount| non_zero(mount.device));
        /// Type of the mounted file system.
        "fstype" [opt str] = mount(event).and_then(|mount| text(&mount.fs_type));
    }

    /// What a file became, or was asked to become: its new name, or only what was changed.
    DESTINATION: "Destination" of Event = |event, scope| {
        /// The file under its new name.
        "" [opt flat FILE] = match &event.payload {
            Payload::Rename(rename) => Some(&rename.destination),
            Payload::Link(link) => Some(&link.destination),
            _ => None,
        };
        /// The new mode.
        "mode" [opt int] = new_mode(event);
        /// User id of the new owner; -1: unchanged.
        "uid" [opt int] = chown(event).map(|chown| chown.uid);
        /// User name of the new owner.
        "user" [opt str] = chown(event).and_then(|chown| text(&chown.user));
        /// Group id of the new owner; -1: unchanged.
        "gid" [opt int] = chown(event).map(|chown| chown.gid);
        /// Group name of the new owner.
        "group" [opt str] = chown(event).and_then(|chown| text(&chown.group));
        /// The access time that was asked for.
        "access_time" [time] = utimes(event).map_or(0, |utimes| utimes.access_time);
        /// The modification time that was asked for.
        "modification_time" [time] = utimes(event).map_or(0, |utimes| utimes.modification_time);
        /// Name of the extended attribute.
        "attribute_name" [opt str] = xattr(event).and_then(|xattr| text(&xattr.name));
        /// Namespace of the extended attribute.
        "attribute_namespace" [opt str] = xattr(event).and_then(|xattr| text(xattr.namespace()));
        /// The mount point.
        "path" [opt str] = mount(event).and_then(|mount| text(&mount.mountpoint_path));
    }
}

/// The file that an event is about.
pub(super) fn subject(event: &Event) -> Option<&File> {
    use Payload as P;
    let file = match &event.payload {
        P::Exec(_) | P::Exit(_) => &event.process.image.file,
        P::Open(open) => &open.file,
        P::Mkdir(mkdir) => &mkdir.file,
        P::Rmdir(rmdir) => &rmdir.file,
        P::Unlink(unlink) => &unlink.file,
        P::Rename(rename) => &rename.file,
        P::Link(link) => &link.file,
        P::Chmod(chmod) => &chmod.file,
        P::Chown(chown) => &chown.file,
        P::Utimes(utimes) => &utimes.file,
        P::Setxattr(xattr) | P::Removexattr(xattr) => &xattr.file,
        P::Splice(splice) => &splice.file,
        P::Chdir(chdir) => &chdir.file,
        P::Symlink(symlink) => &symlink.file,
        P::Mmap(mmap) => mmap.file.as_deref()?,
        P::LoadModule(module) => module.file.as_deref()?,
        P::Selinux(selinux) => selinux.file.as_deref()?,
        P::CgroupWrite(write) => &write.file,
        _ => return None,
    };
    Some(file).filter(|file| !file.is_absent())
}

/// Whether an event has a [`FILE_EVENT`].
pub(super) fn has_file(event: &Event) -> bool {
    subject(event).is_some() || mount(event).is_some()
}

fn has_destination(event: &Event) -> bool {
    use Payload as P;
    match &event.payload {
        P::Rename(_) | P::Link(_) | P::Mkdir(_) | P::Chmod(_) | P::Chown(_) | P::Utimes(_) => true,
        P::Setxattr(_) | P::Removexattr(_) | P::Mount(_) => true,
        _ => new_mode(event).is_some(),
    }
}

fn call_flags(event: &Event) -> Option<Vec<String>> {
    let names = match &event.payload {
        Payload::Open(open) => OPEN_FLAGS.flag_names(open.flags.into()),
        Payload::Unlink(unlink) => UNLINK_FLAGS.flag_names(unlink.flags.into()),
        _ => return None,
    };
    Some(names).filter(|names| !names.is_empty())
}

/// `O_CREAT`.
const OPEN_CREATES: u32 = 0o100;
/// `__O_TMPFILE`, which no constant of rules has: a file is created that has no name.
const OPEN_NAMELESS: u32 = 0o20_000_000;

fn new_mode(event: &Event) -> Option<i64> {
    match &event.payload {
        Payload::Open(open) if open.flags & (OPEN_CREATES | OPEN_NAMELESS) != 0 => Some(open.mode.into()),
        Payload::Mkdir(mkdir) => Some(mkdir.mode.into()),
        Payload::Chmod(chmod) => Some(chmod.mode.into()),
        _ => None,
    }
}

fn chown(event: &Event) -> Option<&Chown> {
    if let Payload::Chown(chown) = &event.payload { Some(chown) } else { None }
}

fn utimes(event: &Event) -> Option<&Utimes> {
    if let Payload::Utimes(utimes) = &event.payload { Some(utimes) } else { None }
}

fn xattr(event: &Event) -> Option<&Xattr> {
    if let Payload::Setxattr(xattr) | Payload::Removexattr(xattr) = &event.payload {
        Some(xattr)
    } else {
        None
    }
}

pub(super) fn mount(event: &Event) -> Option<&Mount> {
    if let Payload::Mount(mount) = &event.payload { Some(mount) } else { None }
}
