#!/usr/bin/env bash
# In a guest: what this kernel can do, and the tests of the programs and of both processes under each plan that it
# allows. All results are files in DIR; `done` is the last of them.
#
# CWS_VM_DEPTH=all: all tests of the list; each: those that show one of each.
#
#   guest-kernel.sh DIR PROFILE_DIR     (DIR/executables: lines NAME PATH of tests; DIR/settings: see test-kernels.sh)
set -u
dir=$1 profile=$2
vm=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
CWS_VM_PLANS='fentry kprobe tracepoint old' CWS_VM_TESTS=. CWS_VM_DEPTH=each CWS_VM_UNITS=
# shellcheck source=/dev/null
. "$dir/settings"
export CWS_TRIGGERS=$dir/../../triggers PATH=$PATH:/usr/sbin:/sbin HOME=/root CWS_PATIENCE=10 CWS_RACE_TRIES=${CWS_RACE_TRIES:-15}

mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
# A checkout below /tmp stays where it is.
root=$(realpath "$vm/../..")
if [[ $root == /tmp/* ]]; then
    mkdir -p /run/checkout
    mount --rbind "$root" /run/checkout
fi
mount -t tmpfs -o mode=1777 tmpfs /tmp
if [[ $root == /tmp/* ]]; then
    mkdir -p "$root"
    mount --rbind /run/checkout "$root"
fi
ip link set lo up
# Before 5.11 what a map takes counts as locked memory, of which an ordinary login may have little: not so here.
ulimit -l unlimited
uname -r >"$dir/release"

# run NAME SECONDS COMMAND…: its output is NAME.log, its status a line of `status`.
run() {
    local name=$1 seconds=$2 begin=$SECONDS
    shift 2
    timeout --kill-after=5 "$seconds" "$@" >"$dir/$name.log" 2>&1 </dev/null
    echo "$name $? $((SECONDS - begin))" >>"$dir/status"
}

executable() { sed -n "s/^$1 //p" "$dir/executables" | head -1; }

printf 'runtime_security_config:\n  enabled: true\n' >/tmp/probe.yaml
# What the programs of a plan are attached to. A plan that no observation follows is none of this kernel.
declare -A hooks=([fentry]='fentry/|fexit/' [kprobe]='kprobe/|kretprobe/' [tracepoint]='tracepoint/' [old]='raw_tp/' [oldest]='tracepoint/sched/')
plans=()
for plan in $CWS_VM_PLANS; do
    run "check-$plan" 300 "$profile/system-probe" check --json --config /tmp/probe.yaml --plan "$plan"
    if grep -qE "\"(${hooks[$plan]})" "$dir/check-$plan.log"; then
        plans+=("$plan")
    fi
done
echo "${plans[*]}" >"$dir/plans"
# The tests of the list under a plan: TARGET TEST.
listed() {
    local which="^\+([^+]*,)?$1(,[^+]*)?\+|^\+[^+]*$"
    [[ $CWS_VM_DEPTH != all ]] || which='^[^#]'
    # Of some, the programs for old kernels do not see what they are about.
    [[ $CWS_VM_DEPTH != all || $1 != old* ]] || which='^[^#-]'
    grep -E "$which" "$vm/tests.list" | sed 's/^.*+//; s/^-//' | awk '$1 !~ /^bpf-/ { print $1, $2 }' | grep -E " .*($CWS_VM_TESTS)"
}

# What is best first: a guest that is ended early has shown what most machines use.
units_ran=
for plan in "${plans[@]}"; do
    for target in $(listed "$plan" | awk '{ print $1 }' | awk '!seen[$0]++'); do
        mapfile -t tests < <(listed "$plan" | awk -v target="$target" '$1 == target { print $2 }' | sort -u)
        CWS_PLAN=$plan run "e2e-$plan-$target" 1800 "$(executable "$target")" --test-threads=1 --show-output --exact "${tests[@]}"
    done
    [[ -z $units_ran ]] || continue
    units_ran=yes
    for name in $CWS_VM_UNITS; do
        run "bpf-$name" 900 "$(executable "bpf-$name")" --test-threads=2 --show-output
        # Where there are other programs for the same, they have to pass the same tests.
        if [[ $name == file && " ${plans[*]} " == *' fentry '* ]]; then
            CWS_PLAN=fentry run bpf-file-fentry 900 "$(executable bpf-file)" --test-threads=2 --show-output
        fi
    done
done
: >"$dir/done"
