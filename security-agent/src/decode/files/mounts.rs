//! Mounts.

use model::payload::{Mount, PivotRoot, Umount};
use model::{Payload, Text};
use proto::wire::layout::{
    FILE_FLAG_DETACHED, MOUNT_CALL_MOUNT, MOUNT_CALL_PIVOT_ROOT, mount_body, path_body,
};

use super::super::file::normalized_path;
use super::super::until_nul;
use super::{View, result};

/// `MS_UNBINDABLE | MS_PRIVATE | MS_SLAVE | MS_SHARED` of mount(2): says how an existing mount propagates.
const CHANGES_PROPAGATION: u32 = 1 << 17 | 1 << 18 | 1 << 19 | 1 << 20;

/// `None` for calls that mount nothing: a change of propagation.
pub(super) fn mount(view: View<'_, '_>, body: &mount_body) -> Option<Payload> {
    if body.what == MOUNT_CALL_MOUNT && body.flags & CHANGES_PROPAGATION != 0 {
        return None;
    }
    if body.what == MOUNT_CALL_PIVOT_ROOT {
        return Some(Payload::PivotRoot(PivotRoot {
            syscall_path: view.text(body.source_given),
            syscall_put_old: view.text(body.call.path),
            call: result(&body.call),
        }));
    }
    let detached = body.mount_flags & FILE_FLAG_DETACHED != 0;
    Some(Payload::Mount(Mount {
        fs_type: Text::new(until_nul(&body.filesystem)),
        mountpoint_path: normalized_path(view.record, &body.mountpoint),
        source_path: view.text(body.source),
        root_path: view.text(body.root),
        detached,
        visible: !detached,
        syscall_fs_type: view.text(body.type_given),
        syscall_mountpoint_path: view.text(body.call.path),
        syscall_source_path: view.text(body.source_given),
        call: result(&body.call),
        mount_id: body.mount_id,
        parent_mount_id: body.parent_mount_id,
        bind_source_mount_id: body.bind_source_mount_id,
        device: body.device,
    }))
}

/// The record's file is the root of the mount that is gone, under the path of its mount point.
pub(super) fn umount(view: View<'_, '_>, body: &path_body) -> Umount {
    let root = view.file(&body.file);
    Umount {
        fs_type: root.filesystem,
        mountpoint_path: root.path,
        flags: body.flags,
        syscall_mountpoint_path: view.text(body.call.path),
        call: result(&body.call),
        mount_id: root.mount_id,
        device: body.file.device,
        path_error: root.path_error,
    }
}
