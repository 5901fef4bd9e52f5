"""Renders the chart with Helm's own engine and looks at what comes out: valid for Kubernetes' schemas, with the privileges
that are needed and no others, and with the settings that the values ask for. See check.sh for what it needs."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import helm_python
import kubernetes_validate
import yaml

CHART = Path(__file__).parent / "cws-agent"
# The oldest and the newest API that the chart is for.
KUBERNETES = ["1.25", kubernetes_validate.latest_version()]
# All that each container may ever have. SYS_RESOURCE and SYS_ADMIN are for kernels before 5.11 and 5.8.
PROBE_CAPABILITIES = {"SYS_ADMIN", "SYS_RESOURCE", "SYS_PTRACE", "NET_ADMIN", "CHOWN", "DAC_READ_SEARCH", "SYSLOG"}
HOST_PATHS = {"/", "/proc", "/sys/fs/cgroup", "/sys/kernel/debug", "/etc/passwd", "/etc/group", "/etc/os-release"}

failures = []


def check(what, true, detail=""):
    """Notes a failure, with what was found instead."""
    if not true:
        failures.append(what)
        print(f"FAILED {what}" + (f": {detail}" if detail != "" else ""), file=sys.stderr)


def equal(what, found, wanted):
    check(what, found == wanted, f"{found!r}, not {wanted!r}")


def values(**runtime):
    """Values of a chart that is turned on, with more below `datadog.securityAgent.runtime`."""
    return {"datadog": {"securityAgent": {"runtime": {"enabled": True, **runtime}}}}


class Rendered:
    """The objects of one rendering."""

    def __init__(self, name, given, release="release"):
        self.name = name
        with helm_python.Chart.load(CHART) as chart:
            files = chart.render(given, name=release, namespace="security")
        self.notes = next(text for path, text in files.items() if path.endswith("NOTES.txt"))
        texts = [text for path, text in files.items() if path.endswith(".yaml")]
        self.objects = [item for text in texts for item in yaml.safe_load_all(text) if item]
        for item in self.objects:
            for version in KUBERNETES:
                try:
                    kubernetes_validate.validate(item, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    check(f"{name}: {item['kind']} is valid for Kubernetes {version}", False, error.message)
            self.metadata(item)
        print(f"rendered {name}: {len(self.objects)} objects")

    def metadata(self, item):
        """What every object has."""
        labels = item["metadata"]["labels"]
        equal(f"{self.name}: {item['kind']} is of the release", labels["app.kubernetes.io/managed-by"], "Helm")
        check(f"{self.name}: {item['kind']} has a short name", len(item["metadata"]["name"]) <= 63)
        if not item["kind"].startswith("Cluster"):
            equal(f"{self.name}: {item['kind']} is in the namespace", item["metadata"]["namespace"], "security")

    def kinds(self):
        return sorted(item["kind"] for item in self.objects)

    def one(self, kind):
        return next(item for item in self.objects if item["kind"] == kind)

    def pod(self):
        return self.one("DaemonSet")["spec"]["template"]["spec"]

    def container(self, name):
        return next(item for item in self.pod()["containers"] if item["name"] == name)

    def environment(self, name):
        return {item["name"]: item.get("value", item.get("valueFrom")) for item in self.container(name)["env"]}

    def mounts(self, name):
        return {item["mountPath"]: item["name"] for item in self.container(name)["volumeMounts"]}

    def host_paths(self):
        return {item["hostPath"]["path"] for item in self.pod()["volumes"] if "hostPath" in item}

    def settings(self, file):
        return yaml.safe_load(self.one("ConfigMap")["data"][file])


def consistent(rendered):
    """What has to hold whatever the values are."""
    name = rendered.name
    pod = rendered.pod()
    template = rendered.one("DaemonSet")["spec"]["template"]
    selector = rendered.one("DaemonSet")["spec"]["selector"]["matchLabels"]
    check(f"{name}: the selector finds the pods", selector.items() <= template["metadata"]["labels"].items(), selector)
    volumes = {item["name"] for item in pod["volumes"]}
    used = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
    equal(f"{name}: volumes are those that are mounted", used, volumes)
    equal(f"{name}: the account is there", pod["serviceAccountName"], rendered.one("ServiceAccount")["metadata"]["name"])
    maps = {item["configMap"]["name"] for item in pod["volumes"] if "configMap" in item}
    check(f"{name}: the settings are mounted", rendered.one("ConfigMap")["metadata"]["name"] in maps, maps)

    for container in pod["containers"]:
        context = container["securityContext"]
        what = f"{name}: {container['name']}"
        equal(f"{what} is not privileged", context["privileged"], False)
        equal(f"{what} cannot write to its image", context["readOnlyRootFilesystem"], True)
        equal(f"{what} begins without capabilities", context["capabilities"]["drop"], ["ALL"])
        variables = rendered.environment(container["name"])
        equal(f"{what} knows the socket", variables["DD_RUNTIME_SECURITY_CONFIG_SOCKET"], "/var/run/sysprobe/runtime-security.sock")
        check(f"{what} has memory limits", "memory" in container["resources"]["limits"])
    probe = set(rendered.container("system-probe")["securityContext"]["capabilities"]["add"])
    check(f"{name}: capabilities of system-probe", probe <= PROBE_CAPABILITIES | {"KILL"}, probe)
    agent = rendered.container("security-agent")["securityContext"]
    check(f"{name}: security-agent has no capability", "add" not in agent["capabilities"])
    equal(f"{name}: security-agent is not root", (agent["runAsNonRoot"], agent["allowPrivilegeEscalation"]), (True, False))
    check(f"{name}: the key is not where the probe is", "DD_API_KEY" not in rendered.environment("system-probe"))
    check(f"{name}: the token is not where the probe is", "token" not in rendered.mounts("system-probe").values())
    programs_understand(rendered)


def programs_understand(rendered):
    """The settings are read by the program they are for, where it was built: without a complaint."""
    program = Path(os.environ.get("CWS_BIN_DIR", "/nonexistent")) / "security-agent"
    if not program.exists():
        return
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "security-agent.yaml"
        file.write_text(rendered.one("ConfigMap")["data"]["security-agent.yaml"])
        variables = {
            key: value for key, value in rendered.environment("security-agent").items() if isinstance(value, str)
        }
        # No agent that runs here is meant.
        variables["DD_SECURITY_AGENT_CMD_SOCKET"] = f"{directory}/none.sock"
        done = subprocess.run(
            [program, "config", "-c", file], env=variables, capture_output=True, text=True, check=False
        )
        equal(f"{rendered.name}: security-agent reads its settings", done.returncode, 0)
        complaints = [line for line in done.stderr.splitlines() if not line.startswith("no agent runs:")]
        equal(f"{rendered.name}: security-agent knows all of them", complaints, [])
        check(f"{rendered.name}: it is enabled", "runtime_security_config.enabled: true" in done.stdout, done.stdout)


def defaults():
    equal("nothing is installed unless it is turned on", Rendered("defaults", {}).kinds(), [])


def enabled():
    got = Rendered("enabled", values())
    consistent(got)
    equal("objects", got.kinds(), ["ClusterRole", "ClusterRoleBinding", "ConfigMap", "DaemonSet", "ServiceAccount"])
    equal("hostPID", got.pod()["hostPID"], True)
    check("no network of the host", "hostNetwork" not in got.pod())
    equal("no token by itself", got.pod()["automountServiceAccountToken"], False)
    equal("host paths", got.host_paths(), HOST_PATHS)
    probe = got.container("system-probe")
    equal("capabilities", set(probe["securityContext"]["capabilities"]["add"]), PROBE_CAPABILITIES | {"KILL"})
    equal("command", probe["command"][1:], ["run", "--config=/etc/datadog-agent/system-probe.yaml"])
    writable = [mount["name"] for mount in probe["volumeMounts"] if not mount.get("readOnly")]
    equal("what system-probe may write to", sorted(writable), ["debugfs", "sysprobe"])
    runtime = got.settings("system-probe.yaml")["runtime_security_config"]
    equal("settings of system-probe", runtime, {"enabled": True, "network": {"enabled": True}, "enforcement": {"enabled": True}})
    agent = got.settings("security-agent.yaml")
    equal("site", agent["site"], "datadoghq.com")
    equal("the track", agent["runtime_security_config"]["use_secruntime_track"], True)
    check("policies are those of the image", "policies" not in agent["runtime_security_config"])
    variables = got.environment("security-agent")
    equal("HOST_ROOT", variables["HOST_ROOT"], "/host/root")
    equal("level", variables["DD_LOG_LEVEL"], "info")
    check("no key", "DD_API_KEY" not in variables)
    equal("the kubelet", variables["DD_KUBERNETES_KUBELET_HOST"]["fieldRef"]["fieldPath"], "status.hostIP")
    equal("its certificate", variables["DD_KUBELET_TLS_VERIFY"], "true")
    equal("what the token may do", got.one("ClusterRole")["rules"], [{"apiGroups": [""], "resources": ["nodes/pods", "nodes/proxy"], "verbs": ["get"]}])
    check("the token is mounted", "/var/run/secrets/kubernetes.io/serviceaccount" in got.mounts("security-agent"))
    check("it runs on every node", {"operator": "Exists"} in got.pod()["tolerations"])


def everything():
    given = values(
        policies={"configMap": "mine"},
        network={"enabled": False},
        enforcement={"enabled": False},
        useSecruntimeTrack=False,
    )
    given["datadog"] |= {
        "apiKey": "k", "site": "datadoghq.eu", "tags": ["a:b", "quoted:\"'\\"], "clusterName": "c", "logLevel": "DEBUG",
        "env": [{"name": "DD_ENV", "value": "prod"}],
    }
    given |= {
        "securityAgent": {"spoolHostPath": "/var/lib/spool"},
        "priorityClassName": "system-node-critical",
        "image": {"repository": "registry.example/cws-agent", "tag": "9.9.9", "pullSecrets": [{"name": "s"}]},
        "agentUser": 1234,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "podLabels": {"mine": "label"},
        "podAnnotations": {"mine": "annotation"},
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}}},
    }
    got = Rendered("everything", given)
    consistent(got)
    agent = got.settings("security-agent.yaml")
    equal("site", agent["site"], "datadoghq.eu")
    equal("tags", agent["tags"], ["a:b", "quoted:\"'\\", "kube_cluster_name:c"])
    equal("policies", agent["runtime_security_config"]["policies"]["dir"], "/etc/datadog-agent/runtime-security.d")
    equal("their volume", got.mounts("security-agent")["/etc/datadog-agent/runtime-security.d"], "policies")
    equal("the track", agent["runtime_security_config"]["use_secruntime_track"], False)
    runtime = got.settings("system-probe.yaml")["runtime_security_config"]
    equal("settings of system-probe", runtime, {"enabled": True, "network": {"enabled": False}, "enforcement": {"enabled": False}})
    check("no kills", "KILL" not in got.container("system-probe")["securityContext"]["capabilities"]["add"])
    equal("key", got.one("Secret")["stringData"], {"api-key": "k"})
    reference = got.environment("security-agent")["DD_API_KEY"]["secretKeyRef"]
    equal("its use", reference, {"name": got.one("Secret")["metadata"]["name"], "key": "api-key"})
    check("spool", "/var/lib/spool" in got.host_paths(), got.host_paths())
    equal("image", {item["image"] for item in got.pod()["containers"]}, {"registry.example/cws-agent:9.9.9"})
    equal("user", got.container("security-agent")["securityContext"]["runAsUser"], 1234)
    equal("and whom system-probe lets in", got.environment("system-probe")["DD_SECURITY_AGENT_USER"], "1234")
    equal("variables", [got.environment(name)["DD_ENV"] for name in ("system-probe", "security-agent")], ["prod", "prod"])
    equal("level", got.environment("system-probe")["DD_LOG_LEVEL"], "debug")
    equal("node selector", got.pod()["nodeSelector"], {"kubernetes.io/os": "linux"})
    equal("priority", got.pod()["priorityClassName"], "system-node-critical")
    metadata = got.one("DaemonSet")["spec"]["template"]["metadata"]
    equal("label and annotation", (metadata["labels"]["mine"], metadata["annotations"]["mine"]), ("label", "annotation"))
    before = Rendered("enabled again", values()).one("DaemonSet")["spec"]["template"]["metadata"]["annotations"]
    check("other settings are other pods", before["checksum/config"] != metadata["annotations"]["checksum/config"])


def kubelet():
    given = values()
    given["datadog"]["kubelet"] = {"enabled": False}
    got = Rendered("no kubelet", given)
    consistent(got)
    check("nothing about the kubelet", not any("KUBELET" in name for name in got.environment("security-agent")))
    equal("objects", got.kinds(), ["ConfigMap", "DaemonSet", "ServiceAccount"])
    check("no token", "projected" not in json.dumps(got.pod()))

    given["datadog"]["kubelet"] = {"hostCAPath": "/etc/kubernetes/pki/ca.crt", "tlsVerify": False}
    got = Rendered("a kubelet with certificates of its own", given)
    consistent(got)
    check("its file", "/etc/kubernetes/pki/ca.crt" in got.host_paths())
    path = got.environment("security-agent")["DD_KUBELET_CLIENT_CA"]
    equal("where it is mounted", got.mounts("security-agent")[path], "kubelet-ca")
    equal("not verified", got.environment("security-agent")["DD_KUBELET_TLS_VERIFY"], "false")


def secret_of_others():
    given = values()
    given["datadog"] |= {"apiKeyExistingSecret": "theirs", "apiKey": "not used"}
    got = Rendered("an existing secret", given)
    consistent(got)
    check("no secret of our own", "Secret" not in got.kinds())
    equal("theirs", got.environment("security-agent")["DD_API_KEY"]["secretKeyRef"], {"name": "theirs", "key": "api-key"})
    check("the key shows nowhere", "not used" not in json.dumps(got.objects))


def values_of_the_other_chart():
    """Documented values that mean nothing here are accepted, change nothing, and are named."""
    ignored = {
        "fimEnabled": True, "syscallMonitor": {"enabled": True}, "directSendFromSystemProbe": True,
        "activityDump": {"enabled": True, "tracedCgroupsCount": 3, "cgroupDumpTimeout": 20, "cgroupWaitListSize": 0,
                         "pathMerge": {"enabled": True}},
        "securityProfile": {"enabled": True, "anomalyDetection": {"enabled": True}, "autoSuppression": {"enabled": True}},
        "containerInclude": "image:a", "containerExclude": "image:b",
    }
    got = Rendered("values of the other chart", values(**ignored))
    equal("they change nothing", got.objects, Rendered("and without them", values()).objects)
    for name in ignored:
        check(f"{name} is named as having no effect", f"datadog.securityAgent.runtime.{name}\n" in got.notes, got.notes)
    check("nothing else is", "no effect" not in Rendered("no such values", values()).notes)


def refused():
    wrong = {
        "a site that is no string": {"datadog": {"site": 1}},
        "an empty site": {"datadog": {"site": ""}},
        "tags that are no list": {"datadog": {"tags": "a:b"}},
        "enabled by text": {"datadog": {"securityAgent": {"runtime": {"enabled": "yes"}}}},
        "root as the agent's user": {"agentUser": 0},
        "a relative path": {"datadog": {"kubelet": {"hostCAPath": "ca.crt"}}},
    }
    with helm_python.Chart.load(CHART) as chart:
        for what, given in wrong.items():
            try:
                chart.render(given, name="release", namespace="security")
            except helm_python.HelmError:
                continue
            check(f"{what} is refused", False)


def main():
    found = helm_python.lint(CHART, values(), strict=True)
    messages = [item for item in found.get("messages", []) if "icon is recommended" not in str(item)]
    equal("helm lint has nothing to say", messages, [])
    defaults()
    enabled()
    everything()
    kubelet()
    secret_of_others()
    values_of_the_other_chart()
    consistent(Rendered("a release with a long name", values(), release="r" * 53))
    refused()
    print(f"chart: {len(failures)} failures, Kubernetes {' and '.join(KUBERNETES)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
