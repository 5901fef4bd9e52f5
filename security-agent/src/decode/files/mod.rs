//! Events of files, one module per family.

mod attributes;
mod mounts;
mod names;
mod open;
#[cfg(test)]
mod tests;

use model::payload::{Call, Splice};
use model::{File, Payload, Text};
use proto::wire::layout::{ERROR_DESTINATION, ERROR_FILE, file_call, file_info, span, splice_body};
use proto::wire::{Kind, Record};

use super::Data;
use super::file::{file, path_resolution};
use crate::resolve::users::Users;

/// What a record of a file event tells; `None` if its kind is no such event, or if it is about none that rules know.
pub(super) fn payload(record: &Record<'_>, users: &Users) -> Option<Payload> {
    let view = View { record, users };
    Some(match record.kind() {
        Kind::Open => Payload::Open(open::open(view, &record.body())),
        Kind::Mkdir => Payload::Mkdir(names::mkdir(view, &record.body())),
        Kind::Rmdir => Payload::Rmdir(names::rmdir(view, &record.body())),
        Kind::Unlink => Payload::Unlink(names::unlink(view, &record.body())),
        Kind::Rename => Payload::Rename(names::rename(view, &record.body())),
        Kind::Link => Payload::Link(names::link(view, &record.body())),
        Kind::Chdir => Payload::Chdir(names::chdir(view, &record.body())),
        Kind::Chmod => Payload::Chmod(attributes::chmod(view, &record.body())),
        Kind::Chown => Payload::Chown(attributes::chown(view, &record.body())),
        Kind::Utimes => Payload::Utimes(attributes::utimes(view, &record.body())),
        Kind::Setxattr => Payload::Setxattr(attributes::xattr(view, &record.body())),
        Kind::Removexattr => Payload::Removexattr(attributes::xattr(view, &record.body())),
        Kind::Symlink => Payload::Symlink(names::symlink(view, &record.body())),
        Kind::Umount => Payload::Umount(mounts::umount(view, &record.body())),
        Kind::Mount => mounts::mount(view, &record.body()),
        Kind::Splice => Payload::Splice(splice(view, &record.body())),
        _ => return None,
    })
}

/// A record, with what it takes to put names to numbers.
#[derive(Clone, Copy)]
struct View<'v, 'r> {
    record: &'v Record<'r>,
    users: &'v Users,
}

impl View<'_, '_> {
    fn text(self, span: span) -> Text {
        Text::new(Data::of(self.record, span).bytes())
    }

    fn failed(self, error: u32) -> bool {
        self.record.header().errors & error != 0
    }

    /// The file that an event is about.
    fn file(self, info: &file_info) -> File {
        self.told(info, self.failed(ERROR_FILE))
    }

    /// The second file of an event.
    fn destination(self, info: &file_info) -> File {
        self.told(info, self.failed(ERROR_DESTINATION))
    }

    fn told(self, info: &file_info, failed: bool) -> File {
        File { path_resolution: path_resolution(info), ..file(self.record, info, failed, self.users) }
    }
}

fn result(call: &file_call) -> Call {
    Call { retval: call.retval }
}

fn splice(view: View<'_, '_>, body: &splice_body) -> Splice {
    Splice {
        pipe_entry_flag: body.pipe_entry_flag,
        pipe_exit_flag: body.pipe_exit_flag,
        file: view.file(&body.file),
        call: result(&body.call),
    }
}
