//! Changes of mode, owner, times and extended attributes.

use model::Text;
use model::payload::{Chmod, Chown, Utimes, Xattr};
use proto::wire::layout::{TIME_NOW, TIME_OMIT, chmod_body, chown_body, utimes_body, xattr_body};

use super::super::Data;
use super::{View, result};

/// Bytes of the name of an attribute that rules see, as in CWS.
const XATTR_NAME_MAX: usize = 200;

pub(super) fn chmod(view: View<'_, '_>, body: &chmod_body) -> Chmod {
    Chmod {
        mode: body.mode,
        syscall_path: view.text(body.call.path),
        syscall_mode: body.mode,
        file: view.file(&body.file),
        call: result(&body.call),
    }
}

pub(super) fn chown(view: View<'_, '_>, body: &chown_body) -> Chown {
    let (uid, gid) = (new_id(body.uid), new_id(body.gid));
    Chown {
        uid,
        user: if uid < 0 { Text::default() } else { view.users.user(body.uid) },
        gid,
        group: if gid < 0 { Text::default() } else { view.users.group(body.gid) },
        syscall_path: view.text(body.call.path),
        syscall_uid: uid,
        syscall_gid: gid,
        file: view.file(&body.file),
        call: result(&body.call),
    }
}

/// The id that an owner is set to; -1: it stays.
fn new_id(id: u32) -> i64 {
    if id == u32::MAX { -1 } else { i64::from(id) }
}

pub(super) fn utimes(view: View<'_, '_>, body: &utimes_body) -> Utimes {
    // "Now" and "as it is" name no time.
    let given = |time: u64| if time == TIME_NOW || time == TIME_OMIT { 0 } else { time };
    Utimes {
        syscall_path: view.text(body.call.path),
        access_time: given(body.access_time_ns),
        modification_time: given(body.modification_time_ns),
        file: view.file(&body.file),
        call: result(&body.call),
    }
}

pub(super) fn xattr(view: View<'_, '_>, body: &xattr_body) -> Xattr {
    let name = Data::of(view.record, body.name).bytes();
    Xattr {
        name: Text::new(name.get(..XATTR_NAME_MAX).unwrap_or(name)),
        file: view.file(&body.file),
        call: result(&body.call),
    }
}
