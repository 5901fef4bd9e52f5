//! One request at a time to one intake.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustls::crypto::CryptoProvider;
use settings::table::{Intake, Proxies};
use settings::{Secret, TlsVersion};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use super::target::{Target, is_direct};
use crate::stream::client::VERSION;

/// Bytes that are read of an answer: its reason is for the log.
const ANSWER_MAX: u64 = 4 << 10;
/// Characters of it that are shown.
const ANSWER_SHOWN: usize = 200;

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The intake has it.
    Accepted,
    /// The intake does not want it, now or ever.
    Refused(String),
    /// It may be sent again.
    Failed(String),
}

/// Talks to an intake.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    made: Instant,
    target: Target,
    intake: Intake,
    proxy: Option<Proxy>,
    roots: RootCerts,
}

impl Client {
    /// For an intake; no connection is made yet.
    ///
    /// # Errors
    /// If the address of the proxy makes no sense.
    pub(super) fn new(
        target: Target,
        intake: &Intake,
        proxies: &Proxies,
        roots: RootCerts,
    ) -> anyhow::Result<Self> {
        let proxy = if target.is_tls { &proxies.https } else { &proxies.http };
        let proxy = match proxy.reveal() {
            "" => None,
            _ if is_direct(&target.host, &proxies.no_proxy) => None,
            // The error would name the address, and with it a password.
            url => Some(Proxy::new(url).ok().context("the address of the proxy makes no sense")?),
        };
        let intake = intake.clone();
        let agent = agent(&intake, proxy.as_ref(), &roots);
        Ok(Self { agent, made: Instant::now(), target, intake, proxy, roots })
    }

    /// Sends a batch.
    pub(super) fn post(&mut self, body: &[u8], is_compressed: bool, timeout: Duration) -> Outcome {
        let reset = self.intake.connection_reset_interval;
        if !reset.is_zero() && self.made.elapsed() >= reset {
            self.agent = agent(&self.intake, self.proxy.as_ref(), &self.roots);
            self.made = Instant::now();
        }
        let mut request = self
            .agent
            .post(&self.target.url)
            .header("DD-API-KEY", self.key().reveal())
            .header("Content-Type", "application/json")
            .header("Content-Encoding", if is_compressed { "gzip" } else { "identity" });
        if self.intake.use_v2_api {
            request = request
                .header("DD-EVP-ORIGIN", "cloud-workload-security")
                .header("DD-EVP-ORIGIN-VERSION", VERSION);
        }
        let answer = request.config().timeout_global(Some(timeout)).build().send(body);
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        let status = answer.status();
        if status.is_success() {
            // Read, so that the connection can be used again.
            let _read = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec();
            return Outcome::Accepted;
        }
        let reason = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec().unwrap_or_default();
        let reason: String = model::lossy(&reason)
            .chars()
            .take(ANSWER_SHOWN)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let reason = format!("{status} {}", reason.trim()).trim().to_owned();
        match status.as_u16() {
            400 | 401 | 403 | 413 => Outcome::Refused(reason),
            // Also where it was redirected to a page that asks for a login.
            _ => Outcome::Failed(reason),
        }
    }

    fn key(&self) -> &Secret {
        &self.target.api_key
    }
}

fn agent(intake: &Intake, proxy: Option<&Proxy>, roots: &RootCerts) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(roots.clone())
        .disable_verification(intake.skip_ssl_validation)
        .unversioned_rustls_crypto_provider(Arc::new(provider(intake.min_tls_version)))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .proxy(proxy.cloned())
        .user_agent("")
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .build()
        .into()
}

/// Only ciphers of the versions that are wanted: another version then cannot be agreed on.
fn provider(oldest: TlsVersion) -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    if oldest == TlsVersion::V1_3 {
        provider.cipher_suites.retain(|suite| suite.tls13().is_some());
    }
    provider
}

/// Whom this machine trusts; where it trusts nobody, as in an image without certificates: whom Mozilla trusts.
pub(super) fn roots() -> RootCerts {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a certificate of this machine cannot be read");
    }
    if found.certs.is_empty() {
        tracing::info!("this machine has no certificates: trusting those that are built in");
        return RootCerts::WebPki;
    }
    let certificates: Vec<_> = found.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    RootCerts::new_with_certs(&certificates)
}
