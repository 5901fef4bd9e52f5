#!/usr/bin/env bash
# Installs the tarball the way an operator does on a host without deb and rpm, uses it, and removes it again:
#
#   test.sh TARBALL
#
# The host is this machine's own root directory under an overlay in memory, in a mount namespace of its own: nothing of it
# outlives the test. Needs root. Prints what it checked; ends with an error at the first thing that is wrong.
set -euo pipefail

if [[ ${CWS_INNER:-} != 1 ]]; then
    tarball=$(realpath "${1:?usage: test.sh TARBALL}")
    work=$(mktemp -d)
    trap 'rmdir "$work"' EXIT
    CWS_INNER=1 unshare --mount --pid --fork --mount-proc --kill-child --propagation private "$0" "$tarball" "$work"
    exit
fi

tarball=$1 work=$2
main() {
    mount -t tmpfs none "$work"
    mkdir "$work/upper" "$work/scratch" "$work/host"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/scratch" "$work/host"
    host=$work/host
    mount -t proc proc "$host/proc"
    mount --rbind /dev "$host/dev"
    # What another installation on this machine has is not ours to see.
    rm -rf "$host"/opt/datadog-agent "$host"/etc/datadog-agent "$host"/var/log/datadog
    sed -i '/^dd-agent:/d' "$host/etc/passwd" "$host/etc/group"
    # No systemd here, whatever this machine has.
    mkdir -p "$host/run" "$host/tmp"
    mount -t tmpfs none "$host/run"
    mount -t tmpfs none "$host/tmp"
    tar -xJf "$tarball" -C "$host/tmp"
    directory=/tmp/$(basename "$tarball" .tar.xz)
    changes >"$work/before"

    installed_and_used
    upgraded
    uninstalled
    purged
}

installed_and_used() {
    local file said
    said=$(inside ./install.sh)
    has "$said" "there is no systemd"
    has "$said" "To turn it on"
    while read -r file; do
        [[ -e $host$file || -L $host$file ]] || bad "not installed: $file"
    done <"$host$directory/files"
    owned_by dd-agent /opt/datadog-agent/run
    owned_by dd-agent /var/log/datadog
    has "$(inside stat -c '%U:%G %a' /etc/datadog-agent/security-agent.yaml)" "root:dd-agent 640"
    has "$(inside system-probe version)" "system-probe "
    # Off as it comes.
    has "$(inside security-agent start 2>&1)" "nothing to do"
    # As the documentation has it.
    for file in security-agent system-probe; do
        inside sh -c "echo 'runtime_security_config.enabled: true' >>/etc/datadog-agent/$file.yaml"
    done
    has "$(inside security-agent config get runtime_security_config.enabled)" "true"
    # Nobody listens there: what waits is kept.
    inside sh -c "echo 'api_key: k
runtime_security_config.endpoints.logs_dd_url: 127.0.0.1:9
runtime_security_config.self_test.enabled: false' >>/etc/datadog-agent/security-agent.yaml"
    inside security-agent start 2>"$work/log" &
    local agent=$! tries=0
    until inside security-agent status >"$work/status" 2>&1; do
        ((tries += 1))
        ((tries < 300)) || bad "the agent does not answer: $(cat "$work/log")"
        sleep 0.1
    done
    has "$(cat "$work/status")" "user $(inside id -u dd-agent),"
    [[ -d $host/opt/datadog-agent/run/spool/main ]] || bad "no spool: $(cat "$work/log")"
    kill "$(pgrep -f '^security-agent start' | head -1)"
    wait "$agent" || bad "the agent ended badly: $(cat "$work/log")"
    [[ -s $host/var/log/datadog/signals.jsonl ]] || bad "no signals"
    echo "installed, turned on, and used"
}

upgraded() {
    inside sh -c "echo '# mine' >>/etc/datadog-agent/runtime-security.d/default.policy"
    has "$(inside ./install.sh)" "kept your /etc/datadog-agent/runtime-security.d/default.policy"
    has "$(inside tail -1 /etc/datadog-agent/runtime-security.d/default.policy)" "# mine"
    has "$(inside security-agent config get runtime_security_config.enabled)" "true"
    rm "$host/etc/datadog-agent/runtime-security.d/default.policy.new"
    echo "upgraded, with the configuration kept"
}

uninstalled() {
    inside ./install.sh uninstall
    [[ ! -e $host/opt/datadog-agent/embedded/bin/security-agent ]] || bad "the programs are still there"
    [[ ! -e $host/opt/datadog-agent/run/spool ]] || bad "the spool is still there"
    has "$(cat "$host/etc/datadog-agent/security-agent.yaml")" "runtime_security_config.enabled: true"
    [[ -e $host/var/log/datadog/security-agent.log ]] || bad "the log is gone"
    echo "uninstalled, with configuration and logs kept"
}

purged() {
    inside ./install.sh >/dev/null
    inside ./install.sh purge
    changes >"$work/after"
    # The user stays.
    local left
    left=$(comm -13 "$work/before" "$work/after" |
        grep -vE '^/etc/((passwd|group|shadow|gshadow|subuid|subgid)-?|\.pwd\.lock)$' || true)
    [[ -z $left ]] || bad "left behind: $left"
    echo "purged, with nothing left but the user"
}

# What is on the host that this machine does not have, or has otherwise. A directory is there already if this machine has it.
changes() {
    local path
    find "$work/upper" -mindepth 1 ! -type c -printf '/%P\n' | sort | while read -r path; do
        [[ -d $work/upper$path && -d $path ]] || echo "$path"
    done
}

inside() {
    chroot "$host" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        sh -c "cd '$directory' && exec \"\$@\"" - "$@"
}

owned_by() {
    [[ $(inside stat -c %U "$2") == "$1" ]] || bad "$2 does not belong to $1"
}

has() {
    [[ $1 == *"$2"* ]] || bad "expected: $2; found: $1"
}

bad() {
    echo "FAILED $*" >&2
    exit 1
}

main
