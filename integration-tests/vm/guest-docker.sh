#!/bin/sh
# In the guest: runs the container image by the command of docs/docker.md exactly as it is written there, with containers
# beside it, and looks at what comes of it; then without some of what the command gives.
. /payload/common.sh

signals() { docker logs "$1" 2>/dev/null; }
own_log() { docker logs "$1" 3>&1 >/dev/null 2>&3; }
# has_signal CONTAINER RULE TEXT: there is a signal of the rule with that in it.
has_signal() { signals "$1" | grep -F "\"rule_id\":\"$2\"" | grep -qF "$3"; }
# cause_in CONTAINER RULE TEXT COMMAND...: does it again and again until that signal is there.
cause_in() {
    container=$1 rule=$2 text=$3
    shift 3
    left=60
    until has_signal "$container" "$rule" "$text"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { docker logs "$container" 2>&1 | tail -20 | cut -c 1-300; return 1; }
        "$@" >/dev/null 2>&1
        sleep 1
    done
}
inspected() { docker inspect --format "$2" "$1"; }
is_inspected() { [ "$(inspected "$1" "$2")" = "$3" ] || { inspected "$1" "$2"; own_log "$1" | tail -20; false; }; }
connected() { docker exec "$1" security-agent status | grep -q '  connected to system-probe'; }
log_has() { own_log "$1" | grep -qF -- "$2"; }
# ends_by_itself CONTAINER: `docker stop` did not have to kill it. Emulation takes its time, hence a long one.
ends_by_itself() {
    since=$(date +%s)
    docker stop --time 120 "$1" && is_inspected "$1" '{{.State.ExitCode}} {{.State.OOMKilled}}' '0 false' &&
        ! docker events --since "$since" --until "$(date +%s)" --filter "container=$1" --filter event=kill \
            --format '{{.Actor.Attributes.signal}}' | grep -vx 15
}

modprobe -a overlay br_netfilter 2>/dev/null
systemctl unmask --quiet docker.service docker.socket containerd.service
check "docker runs" systemctl start docker
echo "# $(uname -r), docker $(docker version --format '{{.Server.Version}}'), $(docker info --format '{{.Driver}}, cgroup v{{.CgroupVersion}}')"
version=$(cat version)
check "the image is built" docker build --quiet --build-arg "TARGETARCH=$(cat architecture)" --tag "cws-agent:$version" \
    --file Dockerfile image
check "the image is small" sh -c "[ \"\$(docker image inspect --format '{{.Size}}' cws-agent:$version)\" -lt 62914560 ]"

# A container next to it, with a name, of an image with a name. Its shell runs what is called without a path itself.
mkdir -p neighbour/bin neighbour/etc
cp /bin/busybox neighbour/bin/busybox
for applet in sh sleep mount nslookup; do cp /bin/busybox "neighbour/bin/$applet"; done
tar -C neighbour -c . | docker import - registry.example/team/shop:1.2 >/dev/null
check "a container beside it" docker run -d --name shop registry.example/team/shop:1.2 /bin/sh -c 'while :; do sleep 1; done'
shop=$(inspected shop '{{.Id}}')

# The documented command as it is written, but for the version.
sed -n '/^\$ docker run/,/^```/{/^```/d;s/^\$ //;p}' docker.md | sed "s/cws-agent:VERSION/cws-agent:$version/" >documented
check "the command is in the documentation" grep -q -- '--cap-add SYS_RESOURCE' documented
check "docker run, as it is documented" sh documented
check "both processes are connected" until_true 120 connected cws-agent
check "the container lacks nothing" sh -c '! docker logs cws-agent 2>&1 >/dev/null | grep -E "without|lacks|--cap-add|--volume"'
check "a host process becomes a signal of the default policy" \
    cause_in cws-agent set_user_id_programs_searched '"path":"/usr/bin/find"' find /nothing -perm -4000
check "it is none of a container" sh -c '! docker logs cws-agent 2>/dev/null | grep -F "\"rule_id\":\"set_user_id_programs_searched\"" | grep -F "container_name"'
check "a process of a container becomes one" \
    cause_in cws-agent mount_tool_in_container "\"id\":\"$shop\"" docker exec shop /bin/sh -c '/bin/mount /nothing /etc; true'
check "which names the container" has_signal cws-agent mount_tool_in_container '"container_name:shop"'
check "and its image" has_signal cws-agent mount_tool_in_container 'docker_image:registry.example/team/shop:1.2'
check "packets are watched" sh -c '! docker exec cws-agent security-agent status | grep "  unavailable  *network[.]"'
check "its memory is limited to 256 MiB" is_inspected cws-agent '{{.HostConfig.Memory}}' 268435456
echo "# memory: $(docker stats --no-stream --format '{{.MemUsage}}' cws-agent)"
check "it is not privileged" is_inspected cws-agent '{{.HostConfig.Privileged}}' false
agent=$(pgrep -x security-agent)
check "security-agent is not root" sh -c "grep -qE '^Uid:[[:space:]]60990[[:space:]]60990' /proc/$agent/status"
check "and has no capability" sh -c "grep -q '^CapPrm:[[:space:]]0*\$' /proc/$agent/status && grep -q '^CapBnd:[[:space:]]0*\$' /proc/$agent/status"
probe=$(pgrep -x system-probe)
kill -KILL "$probe"
check "a process that dies is started again" until_true 60 sh -c "new=\$(pgrep -x system-probe) && [ \"\$new\" != $probe ]"
check "the other one goes on" test -d "/proc/$agent"
check "both are connected again" until_true 120 connected cws-agent
check "docker stop ends it well" ends_by_itself cws-agent
docker rm -f cws-agent >/dev/null

# With policies of one's own, as the documentation says: by a volume.
mkdir -p policies
cat >policies/mine.policy <<'POLICY'
rules:
  - id: name_asked
    expression: dns.question.name == "guest-test.example" && process.container.tags == "container_name:shop"
POLICY
sed 's|docker run -d|& -v /payload/policies:/etc/datadog-agent/runtime-security.d:ro|' documented >mine
check "docker run with policies" sh mine
check "a question for a name in a container becomes a signal" \
    cause_in cws-agent name_asked '"container_name:shop"' docker exec shop nslookup guest-test.example 127.0.0.1
docker rm -f cws-agent >/dev/null

# Without the socket of Docker, which is also below the root of the host: all the same, without names.
sed 's|-v /var/run/docker.sock[^ ]* ||; s|-v /:/host/root:ro ||; s|-e HOST_ROOT=/host/root ||' documented >nameless
check "the socket is left out" sh -c '! grep -qE "docker.sock|host/root" nameless'
check "docker run without the socket" sh nameless
check "a process of a container without names becomes a signal" \
    cause_in cws-agent mount_tool_in_container "\"id\":\"$shop\"" docker exec shop /bin/sh -c '/bin/mount /nothing /etc; true'
check "without the name of that" sh -c '! docker logs cws-agent 2>/dev/null | grep -F container_name:shop'
check "what is missing is named" log_has cws-agent '--volume /var/run/docker.sock:/var/run/docker.sock:ro'
check "the root as well" log_has cws-agent '--volume /:/host/root:ro --env HOST_ROOT=/host/root'
docker rm -f cws-agent >/dev/null

# With nothing of it: it says what there would have to be, and does not give up.
check "docker run with nothing" docker run -d --name bare -e DD_RUNTIME_SECURITY_CONFIG_ENABLED=true "cws-agent:$version"
check "a bare container goes on trying" until_true 60 log_has bare 'is started again'
for option in '--cap-add SYS_ADMIN' '--cap-add SYS_PTRACE' '--cap-add SYS_RESOURCE' '--cap-add NET_ADMIN' '--cap-add IPC_LOCK' \
    '--pid host' '--cgroupns host' '--volume /proc:/host/proc:ro' '--volume /sys/fs/cgroup:/host/sys/fs/cgroup:ro' \
    '--volume /:/host/root:ro --env HOST_ROOT=/host/root' '--volume /var/run/docker.sock:/var/run/docker.sock:ro'; do
    check "missing: $option" log_has bare "$option"
done
check "docker stop ends that too" ends_by_itself bare
check "docker run of what is not enabled" docker run --name disabled "cws-agent:$version"
check "says so" log_has disabled 'nothing to do'
check "and ends well" is_inspected disabled '{{.State.ExitCode}}' 0
