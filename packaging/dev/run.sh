#!/usr/bin/env bash
# Watches this machine from a checkout: builds both processes, starts system-probe as root and security-agent
# as an unprivileged user on a configuration of their own in a temporary directory, and shows each detection.
# Ctrl-C stops both and removes the directory. Nothing is installed, and an installed agent is left alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# How long a process may take to get ready. Loading programs takes seconds on a slow kernel.
readonly READY_SECONDS=60

main() {
    if [[ ${1:-} == --started-as-root ]]; then
        watch "$2"
    fi
    packaging/dev/setup.sh build
    cargo build --release --locked -p system-probe -p security-agent
    local bin
    bin=$(target_directory)/release
    if [[ $(id -u) == 0 ]]; then
        watch "$bin"
    elif command -v sudo >/dev/null; then
        echo "system-probe needs root: sudo may ask for your password."
        # Not `exec`: sudo must stay a child, so that Ctrl-C reaches it through this terminal.
        sudo "$PWD/packaging/dev/run.sh" --started-as-root "$bin"
    else
        echo "run: system-probe needs root, and there is no sudo here: run \`make run\` as root" >&2
        exit 1
    fi
}

target_directory() {
    cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}

# As root: start both, show what they find, clean up. Does not return.
watch() {
    local bin=$1
    dir=$(mktemp -d /tmp/cws-run.XXXXXX)
    probe_pid='' agent_pid=''
    trap stop EXIT
    trap 'exit 0' INT TERM HUP
    local user
    user=$(agent_user)
    write_configuration "$user"

    "$bin/system-probe" run --config="$dir/system-probe.yaml" >"$dir/system-probe.log" 2>&1 </dev/null &
    probe_pid=$!
    await "system-probe" "$probe_pid" "$dir/system-probe.log" test -S "$dir/probe/events.sock"

    "$bin/security-agent" start -c "$dir/security-agent.yaml" 2>"$dir/security-agent.log" </dev/null &
    agent_pid=$!
    await "security-agent" "$agent_pid" "$dir/security-agent.log" \
        "$bin/security-agent" status -c "$dir/security-agent.yaml"

    cat <<TEXT

Watching this machine. Detections appear below; Ctrl-C stops.
  rules      $dir/policies
  signals    $dir/agent/signals.jsonl
  logs       $dir/system-probe.log, $dir/security-agent.log
  status     sudo $bin/security-agent status -c $dir/security-agent.yaml
Something to detect, from another terminal (harmless, and refused to ordinary users):
  sh -c 'cat /etc/shadow > /dev/null'

TEXT
    wait -n "$probe_pid" "$agent_pid" || true
    for name in system-probe security-agent; do
        echo "== end of $name.log" >&2
        tail -n 20 "$dir/$name.log" >&2
    done
    echo "run: one of the processes ended by itself" >&2
    exit 1
}

# The user that an installed agent has, or else one that every machine has.
agent_user() {
    if id -u dd-agent >/dev/null 2>&1; then echo dd-agent; else echo nobody; fi
}

write_configuration() {
    local user=$1 group
    group=$(id -gn "$user")
    # The agent must reach its files here, but nobody needs to list them.
    chmod 0711 "$dir"
    install -d -m 0750 -o root -g "$group" "$dir/probe"
    install -d -m 0700 -o "$user" -g "$group" "$dir/agent"
    # A copy: the checkout may be in a home directory that the agent's user cannot enter.
    install -d -m 0755 "$dir/policies"
    install -m 0644 packaging/policies/*.policy "$dir/policies"

    cat >"$dir/system-probe.yaml" <<YAML
runtime_security_config:
  enabled: true
  socket: $dir/probe/events.sock
security_agent:
  user: $user
system_probe_config:
  log_file: ""
YAML
    cat >"$dir/security-agent.yaml" <<YAML
runtime_security_config:
  enabled: true
  socket: $dir/probe/events.sock
  policies:
    dir: $dir/policies
  outputs:
    stdout:
      enabled: true
    file:
      path: $dir/agent/signals.jsonl
security_agent:
  user: $user
  cmd_socket: $dir/agent/command.sock
  log_file: ""
YAML
    chmod 0644 "$dir"/*.yaml
}

# Waits until a command succeeds; shows the process' log and gives up if the process ends or takes too long.
await() {
    local name=$1 pid=$2 log=$3 deadline=$((SECONDS + READY_SECONDS))
    shift 3
    until "$@" >/dev/null 2>&1; do
        if ! kill -0 "$pid" 2>/dev/null; then
            local status=0
            wait "$pid" || status=$?
            tail -n 40 "$log" >&2
            echo "run: $name ended with status $status" >&2
            exit 1
        fi
        if ((SECONDS > deadline)); then
            tail -n 40 "$log" >&2
            echo "run: $name is not ready after $READY_SECONDS seconds" >&2
            exit 1
        fi
        sleep 0.1
    done
}

stop() {
    trap - EXIT INT TERM HUP
    local pid
    # The agent first, so that it still gets what the probe has.
    for pid in $agent_pid $probe_pid; do
        kill -TERM "$pid" 2>/dev/null || true
        local deadline=$((SECONDS + 10))
        until has_ended "$pid" || ((SECONDS >= deadline)); do sleep 0.05; done
        kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf "$dir"
}

# Whether nothing is left of a process but what the kernel takes its time to clean up: the probe's hooks.
has_ended() {
    [[ ! -e /proc/$1/status ]] || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

main "$@"
