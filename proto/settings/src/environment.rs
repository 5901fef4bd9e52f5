//! The environment variables of a process, read once.

use std::collections::BTreeMap;
use std::fmt;

/// Where other programs have their proxies.
const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// The variables that can matter: `DD_…` and the few older names without that prefix.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

/// Names only: a value may be a secret, such as `DD_API_KEY`.
impl fmt::Debug for Environment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.variables.keys()).finish()
    }
}

impl Environment {
    /// Those of this process. Values that are not UTF-8 are left out.
    #[must_use]
    pub fn of_this_process() -> Self {
        let matters = |name: &str| {
            ["DD_", "HOST_", "LOG_", "DOCKER_", "KUBERNETES_"].iter().any(|prefix| name.starts_with(prefix))
                || PROXIES.iter().any(|proxy| name.eq_ignore_ascii_case(proxy))
        };
        Self::from_pairs(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .filter(|(name, _)| matters(name)),
        )
    }

    /// Those given. An empty value counts as not set, as in the reference.
    #[must_use]
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let variables = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .filter(|(_, value): &(String, String)| !value.is_empty())
            .collect();
        Self { variables }
    }

    /// The value of one variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The names of all variables that are set.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let environment = Environment::from_pairs([("DD_A", ""), ("DD_B", "b")]);
        assert_eq!(environment.get("DD_A"), None);
        assert_eq!(environment.get("DD_B"), Some("b"));
    }

    #[test]
    fn no_value_is_printed_for_debugging() {
        let environment = Environment::from_pairs([("DD_API_KEY", "secret")]);
        assert_eq!(format!("{environment:?}"), "{\"DD_API_KEY\"}");
    }
}
