//! The id of a container, checked.

use std::fmt;

/// Digits of an id.
const LENGTH: usize = 64;

/// 64 hexadecimal digits in lower case: nothing else gets into a request to a container runtime.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ContainerId(String);

impl ContainerId {
    /// `None` if `text` is anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        is_hex(text, LENGTH).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether `text` is that many hexadecimal digits in lower case.
pub(super) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_lower_case_hexadecimal_digits_are_an_id() {
        let id = "0123456789abcdef".repeat(4);
        assert_eq!(ContainerId::parse(&id).unwrap().as_str(), id);
        for other in [
            "",
            "../../images/json",
            &id[1..],
            &format!("{id}0"),
            &id.to_uppercase(),
            &format!("{}/", &id[1..]),
            &format!("{}\r\n", &id[2..]),
            &"\u{e9}".repeat(32),
        ] {
            assert_eq!(ContainerId::parse(other), None, "{other:?}");
        }
    }
}
