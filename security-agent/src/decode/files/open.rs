//! Opening, creating, truncating.

use model::payload::Open;
use proto::wire::layout::{OPEN_CALL_FALLOCATE, open_body};

use super::{View, result};

pub(super) fn open(view: View<'_, '_>, body: &open_body) -> Open {
    // fallocate has a mode of its own, which is no mode of a file.
    let mode = if body.what == OPEN_CALL_FALLOCATE { 0 } else { body.mode };
    Open {
        flags: body.flags,
        mode,
        syscall_path: view.text(body.call.path),
        syscall_flags: body.flags,
        syscall_mode: mode,
        file: view.file(&body.file),
        call: result(&body.call),
    }
}
