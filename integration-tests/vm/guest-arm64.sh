#!/bin/busybox sh
# shellcheck shell=dash
# The first process of the guest of test-arm64.sh. What it finds are lines of the console that begin with CWS.
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin PYTHONDONTWRITEBYTECODE=1

say() { echo "CWS $*"; }

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tracefs tracefs /sys/kernel/tracing
mkdir -p /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=1777 tmpfs /tmp
ip link set lo up
say "guest: $(uname -rm)"

run=/tmp/cws
mkdir -p $run/policies $run/files $run/probe $run/agent
chmod 755 $run $run/policies $run/files
chmod 750 $run/probe
chgrp nogroup $run/probe
chown nobody $run/agent
cp /cws/events.policy $run/policies/default.policy
cat >$run/system-probe.yaml <<YAML
runtime_security_config:
  enabled: true
  socket: $run/probe/events.sock
security_agent:
  user: nobody
system_probe_config:
  log_file: ""
YAML
cat >$run/security-agent.yaml <<YAML
runtime_security_config:
  enabled: true
  socket: $run/probe/events.sock
  policies:
    dir: $run/policies
  outputs:
    file:
      path: $run/agent/signals.jsonl
security_agent:
  user: nobody
  cmd_socket: $run/agent/command.sock
  log_file: ""
YAML

/cws/system-probe check --json --config $run/system-probe.yaml >$run/check.json 2>$run/check.err
head -n 5 $run/check.err | while read -r line; do say "$line"; done
python3 - $run/check.json <<'PYTHON'
import json
import sys

check = json.load(open(sys.argv[1]))
for fact in check["facts"]:
    print("CWS fact:", fact["name"], "yes" if fact["available"] else "no", fact["detail"])
for observation in check["observations"]:
    # What the machine lets us see is not for us to say; what the verifier refuses is.
    verdict = "FAIL" if "load failed" in observation["reason"] else "ok  "
    first = ", ".join(observation["programs"][:2])
    print("CWS", verdict, observation["name"], observation["state"], first, observation["reason"][:300])
print("CWS verified:", sum(check["verified_instructions"].values()), "instructions of", len(check["verified_instructions"]), "programs")
PYTHON

/cws/system-probe run --config $run/system-probe.yaml >$run/probe.log 2>&1 &
probe=$!
for _ in $(seq 240); do [ -S $run/probe/events.sock ] && break; sleep 1; done
/cws/security-agent start -c $run/security-agent.yaml >$run/agent.log 2>&1 &
agent=$!
for _ in $(seq 120); do /cws/security-agent status -c $run/security-agent.yaml >/dev/null 2>&1 && break; sleep 1; done

# Again if the programs were not all attached yet.
for _ in $(seq 10); do
    rm -rf $run/files/*
    python3 /cws/provoke.py $run/files
    for _ in $(seq 20); do grep -q '"rule_id":"end_of_events"' $run/agent/signals.jsonl && break 2; sleep 1; done
done
for rule in $(sed -n 's/^ *- id: //p' $run/policies/default.policy); do
    if grep -q "\"rule_id\":\"$rule\"" $run/agent/signals.jsonl; then say "ok   event: $rule"; else say "FAIL event: $rule"; fi
done
grep -o '"arch":"[a-z0-9]*"' $run/agent/signals.jsonl | sort -u | while read -r line; do say "$line"; done
kill $agent $probe
wait $agent $probe
say "left: $(grep -c cws /sys/kernel/tracing/kprobe_events) probes"
head -n 20 $run/probe.log | while read -r line; do say "probe: $line"; done
say "guest: done"
poweroff -f
