//! What the kernel can judge of each kind of events: the only list.

use crate::wire::Kind;

/// What of an event of some kind a filter can look at. The login user id it can always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// The second file.
    pub destination: bool,
    /// The flags of an open.
    pub open_flags: bool,
    /// Whether the file lies in the upper layer of an overlay file system.
    pub upper_layer: bool,
}

const ONE_FILE: Capability = Capability { destination: false, open_flags: false, upper_layer: false };
const TWO_FILES: Capability = Capability { destination: true, ..ONE_FILE };
const OPEN: Capability = Capability { open_flags: true, upper_layer: true, ..ONE_FILE };

/// What can be judged of a kind; `None` if it is sent whole or not at all.
#[must_use]
pub const fn capability(kind: Kind) -> Option<Capability> {
    match kind {
        Kind::Open => Some(OPEN),
        Kind::Rename | Kind::Link => Some(TWO_FILES),
        Kind::Mkdir
        | Kind::Rmdir
        | Kind::Unlink
        | Kind::Chmod
        | Kind::Chown
        | Kind::Utimes
        | Kind::Setxattr
        | Kind::Removexattr
        | Kind::Chdir
        | Kind::Splice => Some(ONE_FILE),
        // Mounts are few, symlink has a file on its second side alone.
        _ => None,
    }
}
