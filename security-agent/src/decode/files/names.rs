//! Names that come and go, and the working directory.

use model::payload::{Chdir, Link, Mkdir, Rename, Rmdir, Symlink, Unlink};
use proto::wire::layout::{link_body, path_body};

use super::{View, result};

pub(super) fn mkdir(view: View<'_, '_>, body: &path_body) -> Mkdir {
    Mkdir {
        mode: body.mode,
        syscall_path: view.text(body.call.path),
        syscall_mode: body.mode,
        file: view.file(&body.file),
        call: result(&body.call),
    }
}

pub(super) fn rmdir(view: View<'_, '_>, body: &path_body) -> Rmdir {
    Rmdir { syscall_path: view.text(body.call.path), file: view.file(&body.file), call: result(&body.call) }
}

pub(super) fn unlink(view: View<'_, '_>, body: &path_body) -> Unlink {
    Unlink {
        flags: body.flags,
        syscall_dirfd: i64::from(body.call.dirfd),
        syscall_path: view.text(body.call.path),
        syscall_flags: body.flags,
        file: view.file(&body.file),
        call: result(&body.call),
    }
}

pub(super) fn rename(view: View<'_, '_>, body: &link_body) -> Rename {
    Rename {
        syscall_path: view.text(body.call.path),
        syscall_destination_path: view.text(body.destination_path),
        file: view.file(&body.file),
        destination: view.destination(&body.destination),
        call: result(&body.call),
    }
}

pub(super) fn link(view: View<'_, '_>, body: &link_body) -> Link {
    Link {
        syscall_path: view.text(body.call.path),
        syscall_destination_path: view.text(body.destination_path),
        file: view.file(&body.file),
        destination: view.destination(&body.destination),
        call: result(&body.call),
    }
}

pub(super) fn chdir(view: View<'_, '_>, body: &path_body) -> Chdir {
    Chdir { syscall_path: view.text(body.call.path), file: view.file(&body.file), call: result(&body.call) }
}

/// The record has the text of the link as its first path and the link as its destination.
pub(super) fn symlink(view: View<'_, '_>, body: &link_body) -> Symlink {
    Symlink {
        target_path: view.text(body.call.path),
        syscall_path: view.text(body.destination_path),
        file: view.destination(&body.destination),
        call: result(&body.call),
    }
}
