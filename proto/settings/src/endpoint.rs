//! Intakes beside the main one, and versions of TLS.

use crate::node::{Kind, Node};
use crate::secret::Secret;
use crate::value::{Setting, quote};
use crate::yaml;

/// An additional intake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd)]
pub struct Endpoint {
    /// Key of the organisation there.
    pub api_key: Secret,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub use_ssl: bool,
}

impl Endpoint {
    fn read(node: &Node) -> Option<Self> {
        let Kind::Mapping(pairs) = &node.kind else { return None };
        let get = |wanted: &str| {
            let is = |key: &Node| key.text().is_some_and(|key| key.eq_ignore_ascii_case(wanted));
            pairs.iter().rev().find(|(key, _)| is(key)).map(|(_, value)| value)
        };
        let text = |name: &str| get(name).and_then(Node::text).map(str::trim).filter(|text| !text.is_empty());
        Some(Self {
            api_key: Secret::from(text("api_key")?),
            host: text("host")?.to_owned(),
            port: get("port")
                .map_or(Some(443), |port| port.text()?.trim().parse().ok().filter(|port| *port != 0))?,
            use_ssl: get("use_ssl").map_or(Some(true), bool::read)?,
        })
    }
}

impl Setting for Vec<Endpoint> {
    const TYPE: &'static str = "list of endpoints";
    const EXPECTED: &'static str = "a list of `{api_key: …, host: …, port: …}`";

    /// A YAML sequence, or JSON as in the environment.
    fn read(node: &Node) -> Option<Self> {
        match &node.kind {
            Kind::Sequence(items) => items.iter().map(Endpoint::read).collect(),
            Kind::Scalar(text) => match yaml::parse(text).ok()?.kind {
                Kind::Sequence(items) => items.iter().map(Endpoint::read).collect(),
                _ => None,
            },
            Kind::Null | Kind::Mapping(_) => None,
        }
    }

    fn render(&self) -> String {
        let item = |item: &Endpoint| {
            let (key, host) = (item.api_key.render(), quote(&item.host));
            format!("{{api_key: {key}, host: {host}, port: {}, use_ssl: {}}}", item.port, item.use_ssl)
        };
        format!("[{}]", self.iter().map(item).collect::<Vec<_>>().join(", "))
    }
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum TlsVersion {
    /// 1.2
    V1_2,
    /// 1.3
    V1_3,
}

impl Setting for TlsVersion {
    const TYPE: &'static str = "TLS version";
    const EXPECTED: &'static str = "one of tlsv1.0, tlsv1.1, tlsv1.2, tlsv1.3";

    fn read(node: &Node) -> Option<Self> {
        match node.text()?.trim().to_ascii_lowercase().as_str() {
            "tlsv1.0" | "tlsv1.1" | "tlsv1.2" => Some(Self::V1_2),
            "tlsv1.3" => Some(Self::V1_3),
            _ => None,
        }
    }

    fn render(&self) -> String {
        match self {
            Self::V1_2 => "tlsv1.2".to_owned(),
            Self::V1_3 => "tlsv1.3".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<Endpoint>> {
        Setting::read(&Node::from_environment(text))
    }

    #[test]
    fn endpoints_are_read_from_json_and_yaml_alike() {
        let json = r#"[{"api_key": "k1", "Host": "a.example", "Port": 8443}, {"API_KEY": "k2", "host": "b", "use_ssl": false}]"#;
        let endpoints = read(json).unwrap();
        assert_eq!(
            (endpoints[0].api_key.reveal(), endpoints[0].host.as_str(), endpoints[0].port),
            ("k1", "a.example", 8443)
        );
        assert_eq!((endpoints[1].port, endpoints[1].use_ssl), (443, false));
        let yaml = yaml::parse(
            "- api_key: k1\n  host: a.example\n  port: 8443\n- api_key: k2\n  host: b\n  use_ssl: no\n",
        )
        .unwrap();
        assert_eq!(<Vec<Endpoint>>::read(&yaml).unwrap(), endpoints);
        assert!(!endpoints.render().contains("k1"), "{}", endpoints.render());
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in [
            "[1]",
            "{}",
            "x",
            "[{\"host\": \"a\"}]",
            "[{\"api_key\": \"k\"}]",
            "[{\"api_key\": \"k\", \"host\": \"a\", \"port\": 70000}]",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("[]"), Some(Vec::new()));
    }
}
