//! Mounts.

use model::payload::{Mount, PivotRoot, Umount};
use model::{Payload, Text};
use proto::wire::layout::{
    FILE_FLAG_DETACHED, MOUNT_CALL_PIVOT_ROOT, MOUNT_CALL_REMOUNT, mount_body, path_body,
};

use super::super::file::{normalized_path, path_resolution};
use super::super::until_nul;
use super::{View, result};

/// What the call did is the probe's to say, which knows how the kernel reads flags that exclude each other.
pub(super) fn mount(view: View<'_, '_>, body: &mount_body) -> Payload {
    if body.what == MOUNT_CALL_PIVOT_ROOT {
        return Payload::PivotRoot(PivotRoot {
            syscall_path: view.text(body.source_given),
            syscall_put_old: view.text(body.call.path),
            call: result(&body.call),
        });
    }
    let detached = body.mount_flags & FILE_FLAG_DETACHED != 0;
    Payload::Mount(Mount {
        fs_type: Text::new(until_nul(&body.filesystem)),
        mountpoint_path: normalized_path(view.record, &body.mountpoint),
        source_path: view.text(body.source),
        root_path: view.text(body.root),
        detached,
        remount: body.what == MOUNT_CALL_REMOUNT,
        visible: !detached,
        syscall_fs_type: view.text(body.type_given),
        syscall_mountpoint_path: view.text(body.call.path),
        syscall_source_path: view.text(body.source_given),
        call: result(&body.call),
        mount_id: body.mount_id,
        parent_mount_id: body.parent_mount_id,
        bind_source_mount_id: body.bind_source_mount_id,
        device: body.device,
        path_resolution: path_resolution(&body.mountpoint),
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
        path_resolution: root.path_resolution,
    }
}
