#!/usr/bin/env bash
# Renders the chart with several values, validates what comes out against Kubernetes' schemas, and looks at the privileges.
# Needs helm and kubernetes-validate (pip install kubernetes-validate).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/cws-agent"

for tool in helm kubernetes-validate; do
    command -v "$tool" >/dev/null || { echo "skipped: helm chart: $tool is not installed"; exit 0; }
done
out=$(mktemp)
trap 'rm -f "$out"' EXIT
failed=0

# render NAME VALUES...: into $out, valid against old and new schemas.
render() {
    local name=$1 version
    shift
    helm template release . --namespace security "$@" >"$out"
    if [[ -s $out ]]; then
        for version in 1.25 1.37; do
            kubernetes-validate --strict --quiet -k "$version" "$out" || bad "$name: not valid for Kubernetes $version"
        done
    fi
    echo "rendered $name: $(grep -c '^kind:' "$out" || true) objects"
}

# has TEXT, lacks TEXT: of what was rendered last.
has() { grep -qF -- "$1" "$out" || bad "missing: $1"; }
lacks() { ! grep -qF -- "$1" "$out" || bad "not wanted: $1"; }
bad() {
    echo "FAILED $*" >&2
    failed=1
}

helm lint --quiet . || bad "helm lint"
on=(--set datadog.securityAgent.runtime.enabled=true)

render "defaults"
lacks 'kind:'

render "enabled" "${on[@]}"
has 'kind: DaemonSet'
lacks 'privileged: true'
lacks 'DD_API_KEY'
has 'drop: ["ALL"]'
has 'runAsNonRoot: true'
has '- KILL'
has 'fieldPath: status.hostIP'
has 'DD_KUBELET_TLS_VERIFY'
has 'resources: ["nodes/pods", "nodes/proxy"]'
has 'automountServiceAccountToken: false'
# The token is mounted once: not into the privileged container.
[[ $(grep -c 'name: token, mountPath' "$out") == 1 ]] || bad "the token is not mounted into one container"

render "everything" "${on[@]}" --set datadog.apiKey=k --set datadog.site=datadoghq.eu --set 'datadog.tags={a:b}' \
    --set datadog.clusterName=c --set datadog.securityAgent.runtime.policies.configMap=mine \
    --set datadog.securityAgent.runtime.network.enabled=false \
    --set datadog.securityAgent.runtime.enforcement.enabled=false --set securityAgent.spoolHostPath=/var/lib/spool \
    --set priorityClassName=system-node-critical --set 'image.pullSecrets[0].name=s'
has 'site: "datadoghq.eu"'
has 'tags: ["a:b","kube_cluster_name:c"]'
has 'name: mine'
has 'path: "/var/lib/spool"'
has 'key: api-key'
lacks '- KILL'

render "no kubelet" "${on[@]}" --set datadog.kubelet.enabled=false
lacks 'KUBELET'
lacks 'kind: ClusterRole'
lacks 'serviceAccountToken:'

render "a kubelet with certificates of its own" "${on[@]}" --set datadog.kubelet.hostCAPath=/etc/kubernetes/pki/ca.crt
has 'path: "/etc/kubernetes/pki/ca.crt"'
has 'value: /var/run/host-kubelet-ca.crt'

render "an existing secret" "${on[@]}" --set datadog.apiKeyExistingSecret=theirs
has 'name: theirs'
lacks 'kind: Secret'

! helm template release . --set datadog.site=1 >/dev/null 2>&1 || bad "a site that is no string is accepted"
exit $failed
