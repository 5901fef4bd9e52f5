#!/usr/bin/env bash
# In the guest of test-old-verifier.sh: what cannot be watched without a file of types and with one, and an event of each
# family, as the agent's signals tell it.
#
#   guest-old-verifier.sh DIR PROFILE_DIR TYPES_DIR VERSION
#
# TYPES_DIR has types.btf, the kernel's, and types-VERSION.btf (old_types.py): with these, programs are loaded and not run.
set -u
dir=$1 profile=$2 types=$3/types.btf version=$4
exec >"$dir/output" 2>&1

failed() { echo "FAIL $*"; }
ok() { echo "ok   $*"; }

mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tmpfs -o mode=1777 tmpfs /tmp
ip link set lo up
# As on RHEL: each use of bpf(2) takes privileges.
echo 1 >/proc/sys/kernel/unprivileged_bpf_disabled
echo "guest: $(uname -r), $(ls /sys/kernel/btf/vmlinux 2>&1)"

events=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/events
# shellcheck source=events/pair.sh
. "$events/pair.sh"

run=/tmp/cws
configure "$run" "$events/events.policy"

if "$profile/system-probe" check --config "$run/system-probe.yaml" >"$dir/without-types" 2>&1; then
    failed "without types there is nothing to watch"
elif grep -q 'set system_probe_config.btf_path' "$dir/without-types"; then
    ok "without types it says what to do"
else
    failed "without types it does not say what to do"
fi

echo "  btf_path: $types" >>"$run/system-probe.yaml"
"$profile/system-probe" check --json --config "$run/system-probe.yaml" >"$dir/check.json" 2>"$dir/check.err"
sed "s|btf_path: .*|btf_path: $3/types-$version.btf|" "$run/system-probe.yaml" >"$run/types-$version.yaml"
"$profile/system-probe" check --json --config "$run/types-$version.yaml" >"$dir/check-old-types.json" 2>"$dir/check-old-types.err"
# Of what cannot be watched there is a list; whatever else cannot is a program that this verifier refuses.
python3 - "$dir/check.json" "$dir/check-old-types.json" <<'PYTHON'
import json
import sys

known = {"process.capabilities", "network.flows", "kernel.sysctl", "kernel.io_uring_setup"}
for types, file in zip(("types of 5.10", "old types"), sys.argv[1:], strict=True):
    for observation in json.load(open(file))["observations"]:
        refused = "load failed" in observation["reason"]
        missing = observation["state"] == "unavailable" and observation["name"] not in known
        verdict = "FAIL" if refused or missing else "ok  "
        print(verdict, f"{types}:", observation["name"], observation["state"], observation["reason"] if verdict == "FAIL" else "")
PYTHON

start "$run" "$profile" "$dir"
provoke "$run" "$events/provoke.py"
cp "$run/agent/signals.jsonl" "$dir/signals.jsonl"
judge "$run"
"$profile/security-agent" status -c "$run/security-agent.yaml" >"$dir/status" 2>&1
stop
echo "guest: done"
