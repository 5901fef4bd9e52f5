#!/usr/bin/env bash
# Boots other kernels under QEMU, each once, and runs there the tests of the BPF programs and of both processes under
# each plan (guest-kernel.sh, tests.list). Needs no KVM. Prints one line for each result, in the form that `make test`
# counts, compares what the programs cost the verifier to the committed numbers, and exits 1 if anything failed.
#
#   test-kernels.sh [KERNEL...]      5.10 6.1 6.12 newest; default: all
#
# CWS_VM_PROFILE=debug takes the debug builds, CWS_VM_JOBS is the number of guests at a time, CWS_VM_SECONDS the time
# that one may take. CWS_VM_DEPTH=each|all: the tests that show one of each event (the default), or all of tests.list under
# all plans, which takes hours. CWS_VM_PLANS (of fentry, kprobe, tracepoint, old and oldest; the default is the first four on 5.10, and
# elsewhere what users have), CWS_VM_UNITS and CWS_VM_TESTS (a pattern) choose the plans, the test files of the programs (bpf/tests) that are run
# as well, and the end-to-end tests. CWS_VM_APPEND is more
# of the kernels' command line; by default SELinux is on, without a policy. CWS_VM_QEMU is more of QEMU's: with
# "-icount shift=0,sleep=off" an instruction takes a nanosecond in the guest, so that times mean something. CWS_VM_PREFIX is a
# command that runs each guest, such as nice.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

export PATH=$PATH:/usr/sbin:/sbin
profile=${CWS_VM_PROFILE:-release} jobs=${CWS_VM_JOBS:-2} seconds=${CWS_VM_SECONDS:-1100}
kernels=("$@")
# The slowest first, so that two at a time end together.
((${#kernels[@]})) || kernels=(newest 5.10 6.12 6.1)
out=$PWD/target/vm
mkdir -p "$out/results" "$out/triggers"

if ! command -v vng >/dev/null || ! command -v qemu-system-x86_64 >/dev/null; then
    echo "skipped: guests need vng and qemu-system-x86_64 (packaging/dev/setup.sh vm installs them)"
    exit 0
fi

flags=()
[[ $profile == debug ]] || flags=(--release)
# What is tested is built as its users get it; the tests themselves, which take far longer to build so, as ever.
cargo build -q --locked "${flags[@]}" -p system-probe -p security-agent -p supervisor --bins || exit 1
cargo build -q --locked -p integration-tests --bins || exit 1
cargo test -q --locked --no-run --message-format=json -p bpf -p integration-tests |
    sed -n 's/.*"package_id":"\([^"]*\)".*"kind":\["test"\].*"name":"\([^"]*\)".*"executable":"\([^"]*\)".*/\1 \2 \3/p' |
    awk '{ print ($1 ~ /\/bpf[#@]/ ? "bpf-" : "") $2, $3 }' >"$out/executables"
# A build of its own for the guests, which one that goes on meanwhile does not change.
rm -rf "$out/build"
mkdir -p "$out/build/deps"
cp target/"$profile"/{system-probe,security-agent,supervisor} "$out/build"
while read -r name path; do
    cp "$path" "$out/build/deps" && echo "$name $out/build/deps/$(basename "$path")"
done <"$out/executables" >"$out/executables.copied"
for source in integration-tests/triggers/*.c; do
    name=$(basename "$source" .c)
    [[ $out/triggers/$name -nt $source ]] ||
        cc -std=gnu11 -O1 -static -pthread -o "$out/triggers/$name" "$source" || exit 1
done

# boot NAME IMAGE VERSION
boot() {
    local name=$1 image=$2 results=$out/results/$1 plans
    rm -rf "$results"
    mkdir -p "$results"
    cp "$out/executables.copied" "$results/executables"
    # Plans that no young kernel follows by itself are tried on the oldest: all of them everywhere take half as long again.
    plans='fentry tracepoint'
    [[ ${CWS_VM_DEPTH-} != all ]] || plans='fentry kprobe tracepoint'
    [[ $name != 5.10 ]] || plans='fentry kprobe tracepoint old'
    [[ ${CWS_VM_DEPTH-} != all || $name != 5.10 ]] || plans+=' oldest'
    echo "export CWS_VM_PLANS='$plans'" >"$results/settings"
    for setting in CWS_VM_PLANS CWS_VM_UNITS CWS_VM_TESTS CWS_VM_DEPTH CWS_RACE_TRIES; do
        [[ -z ${!setting+set} ]] || echo "export $setting='${!setting}'"
    done >>"$results/settings"
    # One thread emulates both processors: with two, one may go on executing a breakpoint that the kernel has long taken
    # away (where a program is put at a function), for ever. The prefix is words.
    # shellcheck disable=SC2086
    ${CWS_VM_PREFIX:-} timeout --kill-after=5 "$seconds" vng --disable-kvm --run "$image" --force-9p --cpus 2 --memory 2G \
        --qemu-opts="-accel tcg,thread=single ${CWS_VM_QEMU-}" \
        --rwdir="$out/results" --cwd "$PWD" --append "${CWS_VM_APPEND-security=selinux selinux=1}" \
        --exec "bash $PWD/integration-tests/vm/guest-kernel.sh $results $out/build" \
        >"$results/console" 2>&1 </dev/null
    echo "== $name: $(cat "$results/release" 2>/dev/null), ${SECONDS} s"
}

integration-tests/vm/fetch-kernels.sh target/kernels "${kernels[@]}" >"$out/kernels"
for name in "${kernels[@]}"; do
    image=$(awk -v name="$name" '$1 == name { print $2 }' "$out/kernels")
    [[ -n $image ]] || continue
    while (($(jobs -rp | wc -l) >= jobs)); do wait -n; done
    boot "$name" "$image" &
done
wait

failed=0 passed=0
bad() {
    echo "test $1 ... FAILED"
    failed=$((failed + 1))
}
for name in "${kernels[@]}"; do
    results=$out/results/$name
    if ! grep -q "^$name " "$out/kernels"; then
        echo "skipped: guest $name: its kernel can't be had"
        continue
    fi
    if [[ ! -e $results/done ]]; then
        bad "$name: the guest came to its end"
        tail -n 15 "$results/console" 2>/dev/null | cut -c1-300
    fi
    for log in "$results"/bpf-*.log "$results"/e2e-*.log; do
        [[ -e $log ]] || continue
        group="$name $(basename "$log" .log)"
        sed -n "s/^test \(.* \.\.\. .*\)/test $group \1/p; s/^ *skipped: /skipped: $group: /p" "$log"
        passed=$((passed + $(grep -c '^test .* ok$' "$log")))
        failed=$((failed + $(grep -c '^test .* FAILED$' "$log")))
        grep -q '^test result: ' "$log" || bad "$group came to its end"
    done
done
if [[ ! -s $out/kernels ]]; then
    exit 0
fi
if target/debug/kernel-matrix "${CWS_VM_MATRIX:-compare}" "$out/results"; then
    passed=$((passed + 1))
else
    bad "the results are those that are committed (kernel-matrix write)"
fi
echo "test result: $passed passed; $failed failed; 0 ignored; after $SECONDS s"
((failed == 0))
