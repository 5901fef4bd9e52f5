//! Values that must not show: not in a log, not in `config`, not in a support bundle.

use std::fmt;

use crate::node::Node;
use crate::value::{Setting, quote};

/// What stands in the place of a secret.
pub(crate) const BLOT: &str = "********";

/// A secret text.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd)]
pub struct Secret(String);

impl Secret {
    /// The text itself. Whoever asks sees to it that it goes nowhere else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.render())
    }
}

impl Setting for Secret {
    const TYPE: &'static str = "secret";
    const EXPECTED: &'static str = "a string";

    fn read(node: &Node) -> Option<Self> {
        node.text().map(Self::from)
    }

    fn render(&self) -> String {
        quote(if self.is_empty() { "" } else { BLOT })
    }
}

/// Address of a proxy, which may hold a password.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd)]
pub struct ProxyUrl(String);

impl ProxyUrl {
    /// The whole address, password included; empty if there is none.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ProxyUrl {
    fn from(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.render())
    }
}

impl Setting for ProxyUrl {
    const TYPE: &'static str = "URL";
    const EXPECTED: &'static str = "a URL";

    fn read(node: &Node) -> Option<Self> {
        node.text().map(Self::from)
    }

    /// Without name and password.
    fn render(&self) -> String {
        let start = self.0.find("://").map_or(0, |at| at + 3);
        match self.0.rfind('@') {
            Some(at) if at >= start => quote(&format!("{}{BLOT}{}", &self.0[..start], &self.0[at..])),
            _ => quote(&self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let secret = Secret::from(" abc123\n");
        assert_eq!(secret.reveal(), "abc123");
        assert_eq!(format!("{secret:?} {}", secret.render()), "\"********\" \"********\"");
        assert_eq!(Secret::default().render(), "\"\"");
    }

    #[test]
    fn a_proxy_shows_without_its_password() {
        for (url, shown) in [
            ("http://me:p@ss@proxy:3128", "\"http://********@proxy:3128\""),
            ("me:pass@proxy", "\"********@proxy\""),
            ("http://proxy:3128", "\"http://proxy:3128\""),
            ("", "\"\""),
        ] {
            assert_eq!(ProxyUrl::from(url).render(), shown);
        }
    }
}
