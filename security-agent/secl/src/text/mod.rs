//! Matching byte strings: patterns, path globs, regular expressions, and many of them at once.

pub(crate) mod glob;
pub(crate) mod index;
pub(crate) mod matcher;
pub(crate) mod pattern;
pub(crate) mod regexp;
mod trie;
pub(crate) mod wild;

/// Calls `read` with `value` in ASCII lower case, without allocating for values as long as a host name can be.
pub(crate) fn folded<R>(value: &[u8], read: impl FnOnce(&[u8]) -> R) -> R {
    /// A DNS name has at most 253 characters.
    const HOST_NAME: usize = 256;
    if !value.iter().any(u8::is_ascii_uppercase) {
        return read(value);
    }
    let mut short = [0; HOST_NAME];
    match short.get_mut(..value.len()) {
        Some(copy) => {
            copy.copy_from_slice(value);
            copy.make_ascii_lowercase();
            read(copy)
        }
        None => read(&value.to_ascii_lowercase()),
    }
}
