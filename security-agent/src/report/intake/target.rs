//! Which intakes there are.

use std::hash::Hasher;

use settings::Secret;
use settings::table::Intake;

/// An intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// What `status` calls it.
    pub(super) name: String,
    /// Directory of its spool, below that of all.
    pub(super) directory: String,
    /// Whole address of the requests.
    pub(super) url: String,
    /// Its host, in lower case.
    pub(super) host: String,
    pub(super) is_tls: bool,
    pub(super) api_key: Secret,
}

/// The main intake and the additional ones. Those without a key are left out.
pub(super) fn all(intake: &Intake) -> Vec<Target> {
    let path = match (intake.use_v2_api, intake.use_secruntime_track) {
        (false, _) => "/v1/input",
        (true, true) => "/api/v2/secruntime",
        (true, false) => "/api/v2/logs",
    };
    let main = (!intake.api_key.is_empty()).then(|| {
        let (address, is_tls) = main_address(intake);
        // Always the same: what waits is sent also after the site or the key has changed.
        Target::new("main".to_owned(), &address, is_tls, path, intake.api_key.clone())
    });
    let additional = intake.additional_endpoints.iter().map(|endpoint| {
        let address = format!("{}:{}", without_scheme(&endpoint.host).0, endpoint.port);
        let directory = format!("additional-{:016x}", identity(&address, &endpoint.api_key));
        Target::new(directory, &address, endpoint.use_ssl, path, endpoint.api_key.clone())
    });
    main.into_iter().chain(additional).collect()
}

impl Target {
    fn new(directory: String, address: &str, is_tls: bool, path: &str, api_key: Secret) -> Self {
        let scheme = if is_tls { "https" } else { "http" };
        let host = host_of(address).to_ascii_lowercase();
        Self {
            name: format!("intake {address}"),
            url: format!("{scheme}://{address}{path}"),
            directory,
            host,
            is_tls,
            api_key,
        }
    }
}

/// `HOST[:PORT]`, and whether to speak TLS there.
fn main_address(intake: &Intake) -> (String, bool) {
    let overriding = [&intake.logs_dd_url, &intake.dd_url];
    match overriding.into_iter().find(|address| !address.trim().is_empty()) {
        Some(address) => {
            let (address, is_tls) = without_scheme(address);
            (address.to_owned(), is_tls.unwrap_or(!intake.logs_no_ssl))
        }
        None => (format!("runtime-security-http-intake.logs.{}", intake.site.trim()), true),
    }
}

/// An address without `https://` and what follows the host, and whether the scheme says to speak TLS.
fn without_scheme(address: &str) -> (&str, Option<bool>) {
    let address = address.trim();
    let (rest, is_tls) = match address.split_once("://") {
        Some(("http", rest)) => (rest, Some(false)),
        Some((_, rest)) => (rest, Some(true)),
        None => (address, None),
    };
    (rest.split('/').next().unwrap_or_default(), is_tls)
}

fn host_of(address: &str) -> &str {
    match address.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => address.split(':').next().unwrap_or_default(),
    }
}

/// Tells additional intakes apart, from one start to the next. Signals for one organisation must not go to another
/// because the list was put into another order.
fn identity(address: &str, api_key: &Secret) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write(address.as_bytes());
    hasher.write(api_key.reveal().as_bytes());
    hasher.finish()
}

/// Whether `host` is reached without a proxy.
pub(super) fn is_direct(host: &str, no_proxy: &[String]) -> bool {
    no_proxy.iter().any(|entry| {
        let entry = entry.trim().to_ascii_lowercase();
        let entry = host_of(entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(&entry));
        let name = entry.trim_start_matches('.');
        entry == "*"
            || (!name.is_empty()
                && (host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))))
    })
}

#[cfg(test)]
mod tests {
    use settings::Environment;

    use super::*;

    fn targets(variables: &[(&str, &str)]) -> Vec<Target> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let variables = variables.iter().map(|(name, value)| (format!("DD_{name}"), *value));
        let environment = Environment::from_pairs(variables);
        all(&settings::agent::load(&[file.path().to_owned()], &environment).unwrap().value.intake)
    }

    fn urls(variables: &[(&str, &str)]) -> Vec<String> {
        targets(variables).into_iter().map(|target| target.url).collect()
    }

    #[test]
    fn without_a_key_there_is_none() {
        assert_eq!(urls(&[]), Vec::<String>::new());
    }

    #[test]
    fn addresses_are_those_of_the_reference() {
        let key = ("API_KEY", "k");
        let endpoint = |name: &str| format!("RUNTIME_SECURITY_CONFIG_ENDPOINTS_{name}");
        assert_eq!(
            urls(&[key]),
            ["https://runtime-security-http-intake.logs.datadoghq.com/api/v2/secruntime"]
        );
        assert_eq!(
            urls(&[key, ("SITE", "datadoghq.eu"), ("RUNTIME_SECURITY_CONFIG_USE_SECRUNTIME_TRACK", "false")]),
            ["https://runtime-security-http-intake.logs.datadoghq.eu/api/v2/logs"]
        );
        let v1 = endpoint("USE_V2_API");
        let logs_url = endpoint("LOGS_DD_URL");
        let no_ssl = endpoint("LOGS_NO_SSL");
        assert_eq!(urls(&[key, (&v1, "no"), (&logs_url, "a:8443")]), ["https://a:8443/v1/input"]);
        assert_eq!(urls(&[key, (&no_ssl, "yes"), (&logs_url, "a:80")]), ["http://a:80/api/v2/secruntime"]);
        assert_eq!(urls(&[key, (&logs_url, "http://[::1]:80/x")]), ["http://[::1]:80/api/v2/secruntime"]);
        let url = endpoint("DD_URL");
        assert_eq!(urls(&[key, (&url, "https://b/")]), ["https://b/api/v2/secruntime"]);
        assert_eq!(urls(&[key, (&url, "b"), (&logs_url, "a:1")]), ["https://a:1/api/v2/secruntime"]);
    }

    #[test]
    fn additional_intakes_keep_their_spools() {
        let name = "RUNTIME_SECURITY_CONFIG_ENDPOINTS_ADDITIONAL_ENDPOINTS";
        let one = r#"{"api_key": "1", "host": "a"}"#;
        let two = r#"{"api_key": "2", "host": "a"}"#;
        let first = targets(&[(name, &format!("[{one}, {two}]"))]);
        let second = targets(&[(name, &format!("[{two}, {one}]"))]);
        assert_eq!(first[0], second[1]);
        assert_eq!(first[1], second[0]);
        assert_ne!(first[0].directory, first[1].directory);
        assert_eq!(first[0].url, "https://a:443/api/v2/secruntime");
    }

    #[test]
    fn hosts_without_a_proxy_are_found() {
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        for (host, no_proxy, expected) in [
            ("a.example.com", "example.com", true),
            ("a.example.com", ".example.com", true),
            ("a.example.com", "*.example.com", true),
            ("a.example.com", "A.example.com:443", true),
            ("badexample.com", "example.com", false),
            ("a.b", "*", true),
            ("a.b", "", false),
            ("a.b", ".", false),
            ("::1", "[::1]", true),
        ] {
            assert_eq!(is_direct(host, &list(no_proxy)), expected, "{host} {no_proxy}");
        }
    }
}
