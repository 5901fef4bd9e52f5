//! What operators look at, and how the agent gets out.

use std::path::PathBuf;
use std::time::Duration;

use super::{OWN, v};
use crate::known::{Files, Group, Key, assign};
use crate::node::Node;
use crate::secret::ProxyUrl;
use crate::value::Setting;

group! {
    /// Proxies on the way to the intake
    Proxies, Files::Own;

    /// Proxy for intakes of plain HTTP, `http://[USER:PASSWORD@]HOST:PORT`.
    http: ProxyUrl = ProxyUrl::default(), "proxy.http", since(v("7.27")), env["HTTP_PROXY", "http_proxy"];

    /// Proxy for intakes of HTTPS, `http://[USER:PASSWORD@]HOST:PORT`.
    https: ProxyUrl = ProxyUrl::default(), "proxy.https", since(v("7.27")), env["HTTPS_PROXY", "https_proxy"];

    /// Hosts that are reached without a proxy: names, of which all below them are meant too, or `*`.
    no_proxy: Vec<String> = Vec::new(), "proxy.no_proxy", since(v("7.27")), env["NO_PROXY", "no_proxy"];
}

group! {
    /// Metrics
    Metrics, Files::Own;

    /// Sends metrics to a DogStatsD server, with the reference's names where there are such.
    dogstatsd: bool = false, "runtime_security_config.metrics.dogstatsd.enabled", since(OWN);

    /// Host of that server.
    dogstatsd_host: String = String::from("localhost"), "bind_host", since(v("7.27"));

    /// Its UDP port.
    dogstatsd_port: u32 = 8125, "dogstatsd_port", since(v("7.27")), range(0 => 65_535);

    /// Its Unix datagram socket, in the place of host and port. Setting it turns the metrics on.
    dogstatsd_socket: String = String::new(), "dogstatsd_socket", since(v("7.27"));

    /// Address on which Prometheus finds metrics at `/metrics`, such as `127.0.0.1:9464`. They have no secrets, but
    /// nobody is asked for a password. Empty: none.
    prometheus: String = String::new(), "runtime_security_config.metrics.prometheus.listen", since(OWN);
}

group! {
    /// Self-test
    SelfTest, Files::Own;

    /// Looks at start whether a file that the agent itself opens and changes is seen and reported.
    enabled: bool = true, "runtime_security_config.self_test.enabled", since(v("7.31"));

    /// Sends the result as a `self_test` event.
    send_report: bool = true, "runtime_security_config.self_test.send_report", since(v("7.39"));

    /// How long the events of the test may take.
    timeout: Duration = Duration::from_secs(3), "runtime_security_config.self_test.timeout", since(OWN),
        range(Duration::from_millis(100) => Duration::from_secs(60));
}

group! {
    /// Pods of Kubernetes
    Kubernetes, Files::Own;

    /// Host of the kubelet of this node, which tells security-agent the pods, namespaces and labels of containers. Empty:
    /// it is not asked.
    kubelet_host: String = String::new(), "kubernetes_kubelet_host", since(v("7.27"));

    /// Port of the kubelet, where it speaks HTTPS.
    kubelet_port: u32 = 10_250, "kubernetes_https_kubelet_port", since(v("7.27")), range(1 => 65_535);

    /// Demands a certificate of the kubelet that `kubelet_client_ca` vouches for. Off, whoever is on the way can have the
    /// token of the service account.
    kubelet_verify: bool = true, "kubelet_tls_verify", since(v("7.27"));

    /// Certificates that vouch for the kubelet.
    kubelet_ca: PathBuf = PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"),
        "kubelet_client_ca", since(v("7.27"));

    /// File with the token that the kubelet is asked with. It is read anew each time, as Kubernetes changes it.
    kubelet_token: PathBuf = PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/token"),
        "kubelet_auth_token_path", since(v("7.27"));
}
