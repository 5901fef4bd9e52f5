//! What rules and reports see of environment variables.

use std::sync::Arc;

use crate::text::TextList;

/// Variables that `*.envs` shows with their values unless configured otherwise. Of all others only the name is shown, as
/// values hold secrets; these decide how programs and libraries are loaded, what the shell keeps of its history, or where a
/// session comes from.
pub const SHOWN_WITH_VALUE: [&str; 7] =
    ["LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HISTSIZE", "HISTFILESIZE", "GLIBC_TUNABLES", "SSH_CLIENT"];

/// A bit for each length of a name in [`SHOWN_WITH_VALUE`].
const DEFAULT_LENGTHS: u64 = {
    let mut lengths = 0;
    let mut index = 0;
    while index < SHOWN_WITH_VALUE.len() {
        lengths |= 1 << SHOWN_WITH_VALUE[index].len();
        index += 1;
    }
    lengths
};

/// Which variables `*.envs` shows with their values (`event_monitoring_config.envs_with_value`). Cheap to clone; the default
/// is [`SHOWN_WITH_VALUE`].
#[derive(Debug, Clone, Default)]
pub struct ShownWithValue(Option<Arc<[Box<[u8]>]>>);

impl ShownWithValue {
    /// Shows these variables with their values, and no others.
    pub fn new<T: AsRef<[u8]>>(names: impl IntoIterator<Item = T>) -> Self {
        Self(Some(names.into_iter().map(|name| name.as_ref().into()).collect()))
    }

    /// What is shown of `entry` (`NAME=value`).
    pub fn of<'a>(&self, entry: &'a [u8]) -> &'a [u8] {
        let Some(end) = entry.iter().position(|byte| *byte == b'=') else { return entry };
        let name = &entry[..end];
        let with_value = match &self.0 {
            // Most names differ in length from all of them.
            None => {
                DEFAULT_LENGTHS >> name.len().min(63) & 1 == 1
                    && SHOWN_WITH_VALUE.iter().any(|shown| shown.as_bytes() == name)
            }
            Some(names) => names.iter().any(|shown| **shown == *name),
        };
        if with_value { entry } else { name }
    }
}

/// The value of variable `name` among `entries`.
pub fn value<'a>(entries: &'a TextList, name: &str) -> Option<&'a [u8]> {
    entries.iter().find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_variables_keep_their_value() {
        let default = ShownWithValue::default();
        assert_eq!(default.of(b"AWS_SECRET=x=y"), b"AWS_SECRET");
        assert_eq!(default.of(b"LD_PRELOAD=/tmp/x.so"), b"LD_PRELOAD=/tmp/x.so");
        assert_eq!(default.of(b"LD_PRELOAD_X=/tmp/x.so"), b"LD_PRELOAD_X");
        assert_eq!(default.of(b"no_equals"), b"no_equals");
        assert_eq!(default.of(b"=x"), b"");
        for name in SHOWN_WITH_VALUE {
            let entry = format!("{name}=x");
            assert_eq!(default.of(entry.as_bytes()), entry.as_bytes());
        }
        let long = [b"a".repeat(1000), b"=x".to_vec()].concat();
        assert_eq!(default.of(&long).len(), 1000);
    }

    #[test]
    fn the_list_is_configurable() {
        let configured = ShownWithValue::new(["PYTHONPATH"]);
        assert_eq!(configured.of(b"PYTHONPATH=/tmp"), b"PYTHONPATH=/tmp");
        assert_eq!(configured.of(b"LD_PRELOAD=/tmp/x.so"), b"LD_PRELOAD");
        assert_eq!(ShownWithValue::new::<&str>([]).of(b"PATH=/bin"), b"PATH");
    }

    #[test]
    fn a_value_is_found_by_its_whole_name() {
        let entries: TextList = ["PATHS=1", "PATH=/bin=2"].iter().collect();
        assert_eq!(value(&entries, "PATH"), Some(&b"/bin=2"[..]));
        assert_eq!(value(&entries, "PAT"), None);
    }
}
