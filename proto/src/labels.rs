//! The labels of containers that are read, and the tags that they become.

/// A label of a container, and the tag that it becomes.
///
/// The probe hands on these labels and no others, because operators put secrets into labels too (passwords of a
/// reverse proxy, for one); the agent makes the tags.
pub const CONTAINER_LABELS: [(&str, &str); 13] = [
    // Unified service tagging of the reference.
    ("com.datadoghq.tags.env", "env"),
    ("com.datadoghq.tags.service", "service"),
    ("com.datadoghq.tags.version", "version"),
    // What orchestrators on top of Docker leave.
    ("com.docker.swarm.service.name", "swarm_service"),
    ("com.docker.stack.namespace", "swarm_namespace"),
    ("io.kubernetes.container.name", "kube_container_name"),
    ("io.kubernetes.pod.name", "pod_name"),
    ("io.kubernetes.pod.namespace", "kube_namespace"),
    ("io.rancher.container.name", "rancher_container"),
    ("io.rancher.stack.name", "rancher_stack"),
    ("io.rancher.stack_service.name", "rancher_service"),
    // What the image was built from.
    ("org.opencontainers.image.revision", "git.commit.sha"),
    ("org.opencontainers.image.source", "git.repository_url"),
];

/// What the kubelet tells of a pod, and the tags that it becomes: labels of the pod that have a meaning of their own, and
/// under the names of their tags what is not a label. Others may be anything, secrets included.
pub const POD_LABELS: [(&str, &str); 17] = [
    ("tags.datadoghq.com/env", "env"),
    ("tags.datadoghq.com/service", "service"),
    ("tags.datadoghq.com/version", "version"),
    ("app.kubernetes.io/name", "kube_app_name"),
    ("app.kubernetes.io/instance", "kube_app_instance"),
    ("app.kubernetes.io/version", "kube_app_version"),
    ("app.kubernetes.io/component", "kube_app_component"),
    ("app.kubernetes.io/part-of", "kube_app_part_of"),
    ("app.kubernetes.io/managed-by", "kube_app_managed_by"),
    ("kube_ownerref_kind", "kube_ownerref_kind"),
    ("kube_ownerref_name", "kube_ownerref_name"),
    ("kube_deployment", "kube_deployment"),
    ("kube_daemon_set", "kube_daemon_set"),
    ("kube_stateful_set", "kube_stateful_set"),
    ("kube_replica_set", "kube_replica_set"),
    ("kube_job", "kube_job"),
    ("kube_qos", "kube_qos"),
];

/// The tag that the label `name` becomes; `None`: it is not read.
#[must_use]
pub fn tag_of_label(name: &str) -> Option<&'static str> {
    CONTAINER_LABELS.iter().chain(&POD_LABELS).find(|(label, _)| *label == name).map(|(_, tag)| *tag)
}
