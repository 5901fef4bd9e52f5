//! What the kernel can judge of each kind of events: the only list.

use crate::wire::Kind;

/// What of an event of some kind a filter can look at. The login user id it can always, but for packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// The file that it is about.
    pub file: bool,
    /// The second file.
    pub destination: bool,
    /// A number: flags, or a value.
    pub number: Option<Number>,
    /// Whether the file lies in the upper layer of an overlay file system.
    pub upper_layer: bool,
    /// The headers of a packet, and nothing else.
    pub packet: bool,
    /// The port of an address.
    pub port: bool,
}

/// A number of an event that filters look at, by the last part of the name of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// A set of flags.
    Flags(&'static str),
    /// One of several values below 31, looked at as the flag of that number.
    Value(&'static str),
}

const ONE_FILE: Capability = Capability {
    file: true,
    destination: false,
    number: None,
    upper_layer: false,
    packet: false,
    port: false,
};
const NO_FILE: Capability = Capability { file: false, ..ONE_FILE };
const TWO_FILES: Capability = Capability { destination: true, ..ONE_FILE };
const OPEN: Capability = Capability { number: Some(Number::Flags("flags")), upper_layer: true, ..ONE_FILE };
/// Where the family of an address is a number below 31, as it is for all that have ports.
const ADDRESS: Capability = Capability { number: Some(Number::Value("addr.family")), port: true, ..NO_FILE };
const MMAP: Capability = Capability { number: Some(Number::Flags("protection")), ..ONE_FILE };

const fn flags(field: &'static str) -> Option<Capability> {
    Some(Capability { number: Some(Number::Flags(field)), ..NO_FILE })
}

const fn value(field: &'static str) -> Option<Capability> {
    Some(Capability { number: Some(Number::Value(field)), ..NO_FILE })
}

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
        Kind::Mmap => Some(MMAP),
        Kind::Mprotect => flags("req_protection"),
        Kind::Bpf => value("cmd"),
        Kind::Signal => value("type"),
        Kind::Prctl => value("option"),
        Kind::Sysctl => value("action"),
        Kind::Bind | Kind::Connect | Kind::Accept => Some(ADDRESS),
        Kind::Packet => Some(Capability { packet: true, ..NO_FILE }),
        // Mounts are few, symlink has a file on its second side alone.
        _ => None,
    }
}
