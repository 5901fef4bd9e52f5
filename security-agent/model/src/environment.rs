//! What rules and reports see of environment variables.

/// Variables whose values `*.envs` shows. Of all others only the name is shown, as values hold secrets; these decide how
/// programs and libraries are loaded, what the shell keeps of its history, or where a session comes from.
pub const SHOWN_WITH_VALUE: [&str; 7] =
    ["LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HISTSIZE", "HISTFILESIZE", "GLIBC_TUNABLES", "SSH_CLIENT"];

/// What `*.envs` shows of `entry` (`NAME=value`).
pub fn reported(entry: &[u8]) -> &[u8] {
    match equals_sign(entry) {
        Some(end) if !SHOWN_WITH_VALUE.iter().any(|name| name.as_bytes() == &entry[..end]) => &entry[..end],
        _ => entry,
    }
}

/// The value of variable `name` among `entries`.
pub fn value<'a>(entries: &'a crate::TextList, name: &str) -> Option<&'a [u8]> {
    entries.iter().find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

fn equals_sign(entry: &[u8]) -> Option<usize> {
    entry.iter().position(|byte| *byte == b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_variables_keep_their_value() {
        assert_eq!(reported(b"AWS_SECRET=x=y"), b"AWS_SECRET");
        assert_eq!(reported(b"LD_PRELOAD=/tmp/x.so"), b"LD_PRELOAD=/tmp/x.so");
        assert_eq!(reported(b"LD_PRELOAD_X=/tmp/x.so"), b"LD_PRELOAD_X");
        assert_eq!(reported(b"no_equals"), b"no_equals");
        assert_eq!(reported(b"=x"), b"");
    }

    #[test]
    fn a_value_is_found_by_its_whole_name() {
        let entries: crate::TextList = ["PATHS=1", "PATH=/bin=2"].iter().collect();
        assert_eq!(value(&entries, "PATH"), Some(&b"/bin=2"[..]));
        assert_eq!(value(&entries, "PAT"), None);
    }
}
