//! What was given to system calls, in reports.

use super::object::objects;
use super::{non_zero, text};
use crate::event::{Event, EventKind, Payload};

objects! {
    /// Arguments of the system call, by type of event. They come from the memory of the process, which can change them
    /// while the call runs.
    SYSCALL: "SyscallContext" of Event = |event, scope| {
        /// Arguments of `execve`.
        "exec" [opt object ARGUMENTS] = of(event, EventKind::Exec);
        /// Arguments of `open`.
        "open" [opt object ARGUMENTS] = of(event, EventKind::Open);
        /// Arguments of `mkdir`.
        "mkdir" [opt object ARGUMENTS] = of(event, EventKind::Mkdir);
        /// Arguments of `rmdir`.
        "rmdir" [opt object ARGUMENTS] = of(event, EventKind::Rmdir);
        /// Arguments of `unlink`.
        "unlink" [opt object ARGUMENTS] = of(event, EventKind::Unlink);
        /// Arguments of `rename`.
        "rename" [opt object ARGUMENTS] = of(event, EventKind::Rename);
        /// Arguments of `link`.
        "link" [opt object ARGUMENTS] = of(event, EventKind::Link);
        /// Arguments of `chmod`.
        "chmod" [opt object ARGUMENTS] = of(event, EventKind::Chmod);
        /// Arguments of `chown`.
        "chown" [opt object ARGUMENTS] = of(event, EventKind::Chown);
        /// Arguments of `utimes`.
        "utimes" [opt object ARGUMENTS] = of(event, EventKind::Utimes);
        /// Arguments of `mount`.
        "mount" [opt object ARGUMENTS] = of(event, EventKind::Mount);
        /// Arguments of `chdir`.
        "chdir" [opt object ARGUMENTS] = of(event, EventKind::Chdir);
        /// Arguments of `symlink`.
        "symlink" [opt object ARGUMENTS] = of(event, EventKind::Symlink);
        /// Arguments of `umount`.
        "umount" [opt object ARGUMENTS] = of(event, EventKind::Umount);
        /// Arguments of `pivot_root`.
        "pivot_root" [opt object ARGUMENTS] = of(event, EventKind::PivotRoot);
    }

    /// Arguments of a system call.
    ARGUMENTS: "SyscallArgs" of Event = |event, scope| {
        /// Path.
        "path" [opt str] = path(event);
        /// Flags.
        "flags" [opt int] = match &event.payload {
            Payload::Open(open) => Some(open.syscall_flags.into()),
            Payload::Unlink(unlink) => Some(unlink.syscall_flags.into()),
            Payload::Umount(umount) => Some(umount.flags.into()),
            _ => None,
        };
        /// Mode.
        "mode" [opt int] = match &event.payload {
            Payload::Open(open) => non_zero(open.syscall_mode),
            Payload::Mkdir(mkdir) => Some(mkdir.syscall_mode.into()),
            Payload::Chmod(chmod) => Some(chmod.syscall_mode.into()),
            _ => None,
        };
        /// User id; -1: unchanged.
        "uid" [opt int] = if let Payload::Chown(chown) = &event.payload { Some(chown.syscall_uid) } else { None };
        /// Group id; -1: unchanged.
        "gid" [opt int] = if let Payload::Chown(chown) = &event.payload { Some(chown.syscall_gid) } else { None };
        /// Directory descriptor.
        "dirfd" [opt int] = if let Payload::Unlink(unlink) = &event.payload { Some(unlink.syscall_dirfd) } else { None };
        /// Second path.
        "destination_path" [opt str] = match &event.payload {
            Payload::Rename(rename) => text(&rename.syscall_destination_path),
            Payload::Link(link) => text(&link.syscall_destination_path),
            Payload::Symlink(symlink) => text(&symlink.syscall_path),
            Payload::PivotRoot(pivot) => text(&pivot.syscall_put_old),
            Payload::Mount(mount) => text(&mount.syscall_mountpoint_path),
            _ => None,
        };
        /// Type of the file system.
        "fs_type" [opt str] = match &event.payload {
            Payload::Mount(mount) => text(&mount.syscall_fs_type),
            _ => None,
        };
    }
}

fn path(event: &Event) -> Option<String> {
    use Payload as P;
    match &event.payload {
        P::Exec(exec) => text(&exec.syscall_path),
        P::Open(open) => text(&open.syscall_path),
        P::Mkdir(mkdir) => text(&mkdir.syscall_path),
        P::Rmdir(rmdir) => text(&rmdir.syscall_path),
        P::Unlink(unlink) => text(&unlink.syscall_path),
        P::Rename(rename) => text(&rename.syscall_path),
        P::Link(link) => text(&link.syscall_path),
        P::Chmod(chmod) => text(&chmod.syscall_path),
        P::Chown(chown) => text(&chown.syscall_path),
        P::Utimes(utimes) => text(&utimes.syscall_path),
        P::Mount(mount) => text(&mount.syscall_source_path),
        P::Chdir(chdir) => text(&chdir.syscall_path),
        P::Symlink(symlink) => text(&symlink.target_path),
        P::Umount(umount) => text(&umount.syscall_mountpoint_path),
        P::PivotRoot(pivot) => text(&pivot.syscall_path),
        _ => None,
    }
}

/// The event, if it is of that type and its arguments were read.
fn of(event: &Event, kind: EventKind) -> Option<&Event> {
    Some(event).filter(|event| has_arguments(event) && event.kind() == kind)
}

/// Whether the arguments of the system call were read: its path, which all of these calls have, tells.
pub(super) fn has_arguments(event: &Event) -> bool {
    path(event).is_some()
}
