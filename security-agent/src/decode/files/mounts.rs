//! Mounts.

use model::Text;
use model::payload::{Mount, Umount};
use proto::wire::layout::{
    FILE_FLAG_DETACHED, MOUNT_CALL_MOUNT, MOUNT_CALL_PIVOT_ROOT, mount_body, path_body,
};

use super::super::file::normalized_path;
use super::super::until_nul;
use super::{View, result};

/// `MS_UNBINDABLE | MS_PRIVATE | MS_SLAVE | MS_SHARED` of mount(2): says how an existing mount propagates.
const CHANGES_PROPAGATION: u32 = 1 << 17 | 1 << 18 | 1 << 19 | 1 << 20;

/// `None` for calls that mount nothing: a change of propagation, an exchange of the root.
pub(super) fn mount(view: View<'_, '_>, body: &mount_body) -> Option<Mount> {
    let is_propagation = body.what == MOUNT_CALL_MOUNT && body.flags & CHANGES_PROPAGATION != 0;
    if is_propagation || body.what == MOUNT_CALL_PIVOT_ROOT {
        return None;
    }
    let detached = body.mount_flags & FILE_FLAG_DETACHED != 0;
    Some(Mount {
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
    })
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
