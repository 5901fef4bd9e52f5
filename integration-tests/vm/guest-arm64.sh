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

ok() { say "ok   $*"; }
failed() { say "FAIL $*"; }
. /cws/pair.sh

run=/tmp/cws
configure $run /cws/events.policy

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

start $run /cws $run
provoke $run /cws/provoke.py
judge $run
grep -o '"arch":"[a-z0-9]*"' $run/agent/signals.jsonl | sort -u | while read -r line; do say "$line"; done
stop
say "left: $(grep -c cws /sys/kernel/tracing/kprobe_events) probes"
head -n 20 $run/probe.log | while read -r line; do say "probe: $line"; done
say "guest: done"
poweroff -f
