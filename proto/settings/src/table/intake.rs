//! Sending signals to the intake of the vendor, or to one that speaks as it does.

use std::path::PathBuf;
use std::time::Duration;

use super::{OWN, v};
use crate::endpoint::{Endpoint, TlsVersion};
use crate::known::{Files, Group, Key, assign};
use crate::node::Node;
use crate::secret::Secret;
use crate::value::{Bytes, Setting};

group! {
    /// Sending to the intake
    Intake, Files::Own;

    /// Key of the organisation that signals are sent to. Without one, nothing is sent, and all else works.
    api_key: Secret = Secret::default(), "api_key", since(v("7.27"));

    /// Site of the organisation: the intake is `runtime-security-http-intake.logs.SITE`.
    site: String = String::from("datadoghq.com"), "site", since(v("7.27"));

    /// Intake in the place of the site's, `HOST:PORT`. May begin with `https://` or `http://`.
    logs_dd_url: String = String::new(), "runtime_security_config.endpoints.logs_dd_url", since(v("7.27"));

    /// Host of the intake in the place of the site's; `logs_dd_url` is stronger.
    dd_url: String = String::new(), "runtime_security_config.endpoints.dd_url", since(v("7.27"));

    /// Speaks plain HTTP to the intake of `logs_dd_url` or `dd_url`.
    logs_no_ssl: bool = false, "runtime_security_config.endpoints.logs_no_ssl", since(v("7.27"));

    /// More intakes that get every signal: a list of `{api_key: …, host: …}`, each with `port` (443) and `use_ssl` if
    /// need be. Each has its own spool, so that one that is away does not hold up the others.
    additional_endpoints: Vec<Endpoint> = Vec::new(), "runtime_security_config.endpoints.additional_endpoints", since(v("7.27"));

    /// Sends to `/api/v2/…`; off: to `/v1/input`.
    use_v2_api: bool = true, "runtime_security_config.endpoints.use_v2_api", since(v("7.27"));

    /// Sends to `/api/v2/secruntime`; off: to `/api/v2/logs`, as the reference did before 7.60.
    use_secruntime_track: bool = true, "runtime_security_config.use_secruntime_track", since(v("7.60"));

    /// Compresses what is sent with gzip.
    use_compression: bool = true, "runtime_security_config.endpoints.use_compression", since(v("7.27"));

    /// How hard gzip tries.
    compression_level: u32 = 6, "runtime_security_config.endpoints.compression_level", since(v("7.27")), range(0 => 9);

    /// Longest time that a signal waits for others to be sent with.
    batch_wait: Duration = Duration::from_secs(5), "runtime_security_config.endpoints.batch_wait", since(v("7.27")),
        range(Duration::from_millis(10) => Duration::from_secs(60));

    /// Most signals in a request.
    batch_max_size: u32 = 1_000, "runtime_security_config.endpoints.batch_max_size", since(v("7.27")), range(1 => 10_000);

    /// Most bytes in a request, before compression.
    batch_max_content_size: Bytes = Bytes(5_000_000), "runtime_security_config.endpoints.batch_max_content_size", since(v("7.27")),
        range(Bytes::kib(64) => Bytes::mib(16));

    /// First pause after a request that failed; it doubles with each further one.
    backoff_base: Duration = Duration::from_secs(1), "runtime_security_config.endpoints.sender_backoff_base", since(v("7.27")),
        range(Duration::from_millis(10) => Duration::from_secs(600));

    /// Longest pause.
    backoff_max: Duration = Duration::from_secs(120), "runtime_security_config.endpoints.sender_backoff_max", since(v("7.27")),
        range(Duration::from_millis(10) => Duration::from_secs(3600));

    /// A pause is drawn at random between itself divided by this and itself.
    backoff_factor: u32 = 2, "runtime_security_config.endpoints.sender_backoff_factor", since(v("7.27")), range(1 => 100);

    /// Failures that a request which got through makes up for.
    recovery_interval: u32 = 2, "runtime_security_config.endpoints.sender_recovery_interval", since(v("7.27")), range(1 => 100);

    /// Lets one request that got through make up for all failures.
    recovery_reset: bool = false, "runtime_security_config.endpoints.sender_recovery_reset", since(v("7.27"));

    /// Age at which the connection is given up for a new one, so that another server gets a turn. 0: never.
    connection_reset_interval: Duration = Duration::ZERO, "runtime_security_config.endpoints.connection_reset_interval",
        since(v("7.27")), range(Duration::ZERO => Duration::from_secs(86_400));

    /// Longest time that a request may take in all.
    timeout: Duration = Duration::from_secs(10), "runtime_security_config.endpoints.timeout", since(OWN),
        range(Duration::from_millis(100) => Duration::from_secs(300));

    /// Accepts any certificate of the intake: whoever is on the way can then read and change what is sent.
    skip_ssl_validation: bool = false, "skip_ssl_validation", since(v("7.27"));

    /// Oldest version of TLS that is spoken: tlsv1.2 or tlsv1.3. Older ones are never spoken; naming one means tlsv1.2.
    min_tls_version: TlsVersion = TlsVersion::V1_2, "min_tls_version", since(v("7.27"));

    /// Directory of the agent's own in which signals wait on disk until the intake has them, below `spool/`.
    run_path: PathBuf = PathBuf::from("/opt/datadog-agent/run"), "runtime_security_config.run_path", since(v("7.27"));

    /// Most disk space that waiting signals take, for each intake. Beyond this, the oldest are dropped and counted.
    spool_max_size: Bytes = Bytes::mib(128), "runtime_security_config.outputs.intake.spool_max_size", since(OWN),
        range(Bytes::mib(1) => Bytes::mib(65_536));
}
