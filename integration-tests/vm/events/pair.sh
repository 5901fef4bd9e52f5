# shellcheck shell=sh
# What the guests share that have both processes tell an event of each family: the configuration below a directory, and
# what came of it. For any shell, that of busybox included; `ok` and `failed` are the caller's.

# configure RUN EVENTS_POLICY
configure() {
    mkdir -p "$1/policies" "$1/files" "$1/probe" "$1/agent"
    chmod 755 "$1" "$1/policies" "$1/files"
    chmod 750 "$1/probe"
    chgrp nogroup "$1/probe"
    chown nobody "$1/agent"
    cp "$2" "$1/policies/default.policy"
    cat >"$1/system-probe.yaml" <<YAML
runtime_security_config:
  enabled: true
  socket: $1/probe/events.sock
security_agent:
  user: nobody
system_probe_config:
  log_file: ""
YAML
    cat >"$1/security-agent.yaml" <<YAML
runtime_security_config:
  enabled: true
  socket: $1/probe/events.sock
  policies:
    dir: $1/policies
  outputs:
    file:
      path: $1/agent/signals.jsonl
security_agent:
  user: nobody
  cmd_socket: $1/agent/command.sock
  log_file: ""
YAML
}

# start RUN BINARIES LOGS: both, and waits until the agent is connected: the programs may take a minute to load. stop
# ends them.
start() {
    "$2/system-probe" run --config "$1/system-probe.yaml" >"$3/probe.log" 2>&1 &
    probe=$!
    for _ in $(seq 240); do [ -S "$1/probe/events.sock" ] && break; sleep 1; done
    "$2/security-agent" start -c "$1/security-agent.yaml" >"$3/agent.log" 2>&1 &
    agent=$!
    for _ in $(seq 240); do
        "$2/security-agent" status -c "$1/security-agent.yaml" 2>/dev/null | grep -q '^ *connected to system-probe$' && break
        sleep 1
    done
}

# provoke RUN PROVOKE: until the last of the events comes; again if the programs were not all attached yet.
provoke() {
    for _ in $(seq 10); do
        rm -rf "${1:?}"/files/*
        (cd "$1/files" && python3 "$2" "$1/files")
        for _ in $(seq 20); do grep -q '"rule_id":"end_of_events"' "$1/agent/signals.jsonl" && return; sleep 1; done
    done
}

# judge RUN: one finding for each rule.
judge() {
    for rule in $(sed -n 's/^ *- id: //p' "$1/policies/default.policy"); do
        if grep -q "\"rule_id\":\"$rule\"" "$1/agent/signals.jsonl"; then ok "event: $rule"; else failed "event: $rule"; fi
    done
}

stop() {
    kill "$agent" "$probe"
    wait "$agent" "$probe"
}
