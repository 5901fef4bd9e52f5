//! Records as bytes: their layout (generated from `bpf/include/events.h`), a reader that trusts nothing, and a
//! writer for records that user space makes (snapshots, tests).

mod kind;
pub mod layout;
mod reader;
mod writer;

pub use kind::Kind;
pub use reader::BadRecord;
pub use reader::Record;
pub use reader::Records;
pub use writer::RecordBuilder;

/// Identity of the record layout: both processes must have the same (`Hello`).
///
/// FNV-1a over the generated layout, so any change of a field, a constant or the version changes it.
pub const RECORD_LAYOUT_HASH: u64 = {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < layout::SOURCES.len() {
        hash = fnv1a(hash, layout::SOURCES[at].as_bytes());
        at += 1;
    }
    hash
};

const fn fnv1a(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests;
