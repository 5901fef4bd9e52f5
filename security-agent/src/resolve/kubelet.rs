//! What the kubelet of this node knows about containers: pod, namespace, labels, owners.
//!
//! It is asked for all pods of the node, which is the only question that it answers about them, and only when there is a
//! container that its last answer does not have. It hears of a container some time after the kernel does.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use proto::labels::{POD_LABELS, tag_of_label};
use proto::v1::{ContainerInfo, Label};
use serde::Deserialize;
use settings::table::Kubernetes;
use tokio::sync::Mutex;
use tokio::time::Instant;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// Longest answer: a node has at most a few hundred pods.
const ANSWER_MAX: u64 = 64 << 20;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Shortest time between two questions.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a container that the kubelet does not know is asked about again.
const PATIENCE: Duration = Duration::from_secs(4);
/// Containers that are remembered as unknown to the kubelet, such as those that only hold the network of a pod.
const STRANGERS_MAX: usize = 8_192;

/// The kubelet of this node.
#[derive(Debug)]
pub struct Kubelet {
    agent: ureq::Agent,
    url: String,
    kubernetes: Kubernetes,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    containers: Arc<HashMap<String, ContainerInfo>>,
    /// When it was asked last, answered or not.
    asked: Option<Instant>,
    strangers: HashSet<String>,
    failing: bool,
}

impl Kubelet {
    /// By the settings. `None`: it is not to be asked.
    ///
    /// # Errors
    /// If the certificates cannot be read.
    pub fn new(kubernetes: &Kubernetes) -> anyhow::Result<Option<Self>> {
        let host = kubernetes.kubelet_host.trim();
        if host.is_empty() {
            return Ok(None);
        }
        let mut tls = TlsConfig::builder().disable_verification(!kubernetes.kubelet_verify);
        if kubernetes.kubelet_verify {
            let path = &kubernetes.kubelet_ca;
            let pem = std::fs::read(path).with_context(|| path.display().to_string())?;
            let certificates: Vec<_> = parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            ensure!(!certificates.is_empty(), "{}: no certificate", path.display());
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        let tls = tls.unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = ureq::Agent::config_builder()
            .tls_config(tls.build())
            .proxy(None)
            .http_status_as_error(false)
            // Whatever it redirects to must not get the token.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(TIMEOUT));
        let host =
            if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
        Ok(Some(Self {
            agent: config.build().into(),
            url: format!("https://{host}:{}/pods", kubernetes.kubelet_port),
            kubernetes: kubernetes.clone(),
            state: Mutex::default(),
        }))
    }

    /// What it knows about a container, which may be so new that it has to hear of it first.
    pub async fn container(self: &Arc<Self>, id: &str) -> Option<ContainerInfo> {
        let started = Instant::now();
        loop {
            let mut state = self.state.lock().await;
            if let Some(info) = state.containers.get(id) {
                return Some(info.clone());
            }
            if state.strangers.contains(id) {
                return None;
            }
            let is_new_enough = state.asked.is_some_and(|asked| asked >= started);
            if is_new_enough && started.elapsed() >= PATIENCE {
                if state.strangers.len() >= STRANGERS_MAX {
                    state.strangers.clear();
                }
                state.strangers.insert(id.to_owned());
                return None;
            }
            // Whoever waits for the lock meanwhile finds the new answer.
            if let Some(rest) = state.asked.and_then(|asked| PAUSE.checked_sub(asked.elapsed())) {
                drop(state);
                tokio::time::sleep(rest).await;
                continue;
            }
            state.asked = Some(Instant::now());
            let kubelet = Arc::clone(self);
            let answer = tokio::task::spawn_blocking(move || kubelet.ask()).await;
            match answer.map_err(anyhow::Error::from).and_then(|answer| answer) {
                Ok(containers) => {
                    state.containers = Arc::new(containers);
                    state.failing = false;
                }
                Err(error) => {
                    if !std::mem::replace(&mut state.failing, true) {
                        tracing::warn!("containers have no pods, as the kubelet does not tell: {error:#}");
                    }
                }
            }
        }
    }

    fn ask(&self) -> anyhow::Result<HashMap<String, ContainerInfo>> {
        let path = &self.kubernetes.kubelet_token;
        let token = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let request = self.agent.get(&self.url).header("Authorization", format!("Bearer {}", token.trim()));
        let mut answer = request.call()?;
        let status = answer.status();
        ensure!(status.is_success(), "{status}: may the service account read nodes/proxy?");
        let body = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec()?;
        containers(&body)
    }
}

#[derive(Debug, Deserialize)]
struct Pods {
    #[serde(default)]
    items: Vec<Pod>,
}

#[derive(Debug, Deserialize)]
struct Pod {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    namespace: String,
    labels: HashMap<String, String>,
    owner_references: Vec<Owner>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Owner {
    kind: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    qos_class: String,
    container_statuses: Vec<ContainerStatus>,
    init_container_statuses: Vec<ContainerStatus>,
    ephemeral_container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerStatus {
    name: String,
    image: String,
    #[serde(rename = "imageID")]
    image_id: String,
    #[serde(rename = "containerID")]
    container_id: String,
}

/// The containers of all pods, by their ids.
fn containers(body: &[u8]) -> anyhow::Result<HashMap<String, ContainerInfo>> {
    let pods: Pods = serde_json::from_slice(body).context("the answer of the kubelet makes no sense")?;
    let mut containers = HashMap::new();
    for pod in &pods.items {
        let labels = labels(pod);
        let status = &pod.status;
        let all = [
            &status.container_statuses,
            &status.init_container_statuses,
            &status.ephemeral_container_statuses,
        ];
        for container in all.into_iter().flatten() {
            // `containerd://ID`; none while the container is being made.
            let Some((_, id)) = container.container_id.split_once("://") else { continue };
            let mut labels = labels.clone();
            labels.push(label("io.kubernetes.container.name", &container.name));
            let info = ContainerInfo {
                id: id.to_owned(),
                name: container.name.clone(),
                image: container.image.clone(),
                image_id: container.image_id.rsplit('@').next().unwrap_or_default().to_owned(),
                labels,
                ..ContainerInfo::default()
            };
            containers.insert(id.to_owned(), info);
        }
    }
    Ok(containers)
}

fn labels(pod: &Pod) -> Vec<Label> {
    let metadata = &pod.metadata;
    let mut labels = vec![
        label("io.kubernetes.pod.name", &metadata.name),
        label("io.kubernetes.pod.namespace", &metadata.namespace),
        label("kube_qos", &pod.status.qos_class),
    ];
    for (name, _) in POD_LABELS {
        labels.extend(metadata.labels.get(name).map(|value| label(name, value)));
    }
    if let Some(owner) = metadata.owner_references.first() {
        labels.push(label("kube_ownerref_kind", &owner.kind.to_lowercase()));
        labels.push(label("kube_ownerref_name", &owner.name));
        let name = match owner.kind.as_str() {
            "ReplicaSet" => "kube_replica_set",
            "DaemonSet" => "kube_daemon_set",
            "StatefulSet" => "kube_stateful_set",
            "Job" => "kube_job",
            _ => "",
        };
        if tag_of_label(name).is_some() {
            labels.push(label(name, &owner.name));
        }
        // A deployment names its sets after itself and a hash that the pods have as a label.
        let hash = metadata.labels.get("pod-template-hash");
        let deployment = hash.and_then(|hash| owner.name.strip_suffix(hash.as_str())?.strip_suffix('-'));
        labels.extend(
            deployment.filter(|_| owner.kind == "ReplicaSet").map(|name| label("kube_deployment", name)),
        );
    }
    labels.retain(|label| !label.value.is_empty());
    labels
}

fn label(name: &str, value: &str) -> Label {
    Label { name: name.to_owned(), value: value.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustls::pki_types::PrivateKeyDer;

    use super::*;
    use crate::resolve::container_tags::metadata;

    const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn pods() -> String {
        serde_json::json!({ "kind": "PodList", "items": [{
            "metadata": {
                "name": "shop-7d4b-x2x", "namespace": "prod",
                "labels": {
                    "app.kubernetes.io/name": "shop", "tags.datadoghq.com/service": "cart",
                    "pod-template-hash": "7d4b", "password": "hunter2",
                },
                "ownerReferences": [{ "kind": "ReplicaSet", "name": "shop-7d4b" }],
            },
            "status": {
                "qosClass": "Burstable",
                "containerStatuses": [
                    { "name": "web", "image": "gcr.io/shop:2", "imageID": "gcr.io/shop@sha256:12",
                      "containerID": format!("containerd://{ID}"), "ready": true },
                    { "name": "new", "image": "x" },
                ],
            },
        }, { "metadata": { "name": "bare" } }] })
        .to_string()
    }

    #[test]
    fn pods_become_the_tags_of_their_containers() {
        let containers = containers(pods().as_bytes()).unwrap();
        assert_eq!(containers.len(), 1, "what has no id yet has no events");
        let tags = metadata(&containers[ID]).tags;
        let tags: Vec<String> = tags.iter().map(|tag| String::from_utf8(tag.to_vec()).unwrap()).collect();
        for tag in [
            "container_name:web",
            "image_name:gcr.io/shop",
            "image_tag:2",
            "image_id:sha256:12",
            "pod_name:shop-7d4b-x2x",
            "kube_namespace:prod",
            "kube_container_name:web",
            "kube_app_name:shop",
            "service:cart",
            "kube_qos:Burstable",
            "kube_ownerref_kind:replicaset",
            "kube_ownerref_name:shop-7d4b",
            "kube_replica_set:shop-7d4b",
            "kube_deployment:shop",
        ] {
            assert!(tags.iter().any(|other| other == tag), "{tag} is not among {tags:?}");
        }
        assert!(!tags.iter().any(|tag| tag.contains("hunter2")), "labels may be secrets: {tags:?}");
    }

    #[test]
    fn nonsense_is_an_error() {
        for body in ["", "[1]", "{\"items\": 1}", "{\"items\": [{\"metadata\": 1}]}"] {
            assert!(containers(body.as_bytes()).is_err(), "{body}");
        }
        assert!(containers(b"{}").unwrap().is_empty());
    }

    /// A kubelet that demands `token`, and has no pods the first time. Gives its settings and how often it was asked.
    fn kubelet(directory: &std::path::Path, token: &'static str) -> (Kubernetes, Arc<AtomicUsize>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
                .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = BufReader::new(rustls::StreamOwned::new(connection, stream));
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).is_ok_and(|read| read > 0) {}
                if head.is_empty() {
                    continue;
                }
                let is_trusted = head.contains(&format!("Bearer {token}\r\n"));
                let (status, body) = match is_trusted {
                    false => (401, String::new()),
                    true if count.fetch_add(1, Ordering::SeqCst) == 0 => (200, "{\"items\": []}".to_owned()),
                    true => (200, pods()),
                };
                assert!(head.starts_with("GET /pods "), "{head}");
                let head = format!(
                    "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                // Whoever does not like the certificate goes away.
                let _gone = stream.get_mut().write_all((head + &body).as_bytes());
                let _gone = stream.get_mut().flush();
            }
        });
        std::fs::write(directory.join("ca.crt"), made.cert.pem()).unwrap();
        std::fs::write(directory.join("token"), "sesame\n").unwrap();
        let settings = Kubernetes {
            kubelet_host: "localhost".to_owned(),
            kubelet_port: port.into(),
            kubelet_ca: directory.join("ca.crt"),
            kubelet_token: directory.join("token"),
            ..Kubernetes::default()
        };
        (settings, asked)
    }

    #[tokio::test]
    async fn a_new_container_is_waited_for_and_asked_about_once_for_all() {
        let directory = tempfile::tempdir().unwrap();
        let (settings, asked) = kubelet(directory.path(), "sesame");
        let kubelet = Arc::new(Kubelet::new(&settings).unwrap().unwrap());
        let all = (0..20).map(|_| {
            let kubelet = Arc::clone(&kubelet);
            tokio::spawn(async move { kubelet.container(ID).await })
        });
        for answer in all.collect::<Vec<_>>() {
            assert_eq!(answer.await.unwrap().unwrap().name, "web");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2, "the second answer has it");
        let stranger = "b".repeat(64);
        assert_eq!(kubelet.container(&stranger).await, None);
        let before = asked.load(Ordering::SeqCst);
        assert_eq!(kubelet.container(&stranger).await, None);
        assert_eq!(asked.load(Ordering::SeqCst), before, "it is not asked about that again");
    }

    #[tokio::test]
    async fn without_the_right_token_or_certificate_there_is_no_answer() {
        let directory = tempfile::tempdir().unwrap();
        let (settings, asked) = kubelet(directory.path(), "another");
        let refused = Kubelet::new(&settings).unwrap().unwrap();
        assert!(refused.ask().unwrap_err().to_string().contains("401"));
        let other = tempfile::tempdir().unwrap();
        let (trusted, _) = kubelet(other.path(), "sesame");
        let stranger = Kubernetes { kubelet_ca: trusted.kubelet_ca, ..settings.clone() };
        assert!(Kubelet::new(&stranger).unwrap().unwrap().ask().is_err());
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        let broken = Kubernetes { kubelet_ca: "/nonexistent".into(), ..settings.clone() };
        assert!(Kubelet::new(&broken).is_err());
        let unverified = Kubernetes { kubelet_verify: false, ..broken };
        assert!(Kubelet::new(&unverified).unwrap().unwrap().ask().unwrap_err().to_string().contains("401"));
        let off = Kubernetes { kubelet_host: String::new(), ..settings };
        assert!(Kubelet::new(&off).unwrap().is_none());
    }
}
