#!/usr/bin/env bash
# Runs the checks of the project, all of them even if one fails, and sums up.
#
#   test.sh lint    formatting and static checks
#   test.sh all     those, the tests of the workspace, and the end-to-end tests, here and in guests
#
# CWS_GUESTS=no leaves the guests out, which are emulated and take about a third of the time.
#
# The last line is `N passed, N failed, N skipped`, counted from the output of the checks: each static check
# is one; a test that prints a line `skipped: REASON` counts as skipped. The same line is in
# target/test-summary.txt. Exit status 1 if anything failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

readonly LOGS=target/test-logs
# Longest time for one group of tests, building included.
readonly TESTS_SECONDS=2400
passed=0 failed=0 skipped=0
failures=() skips=()

main() {
    local what=${1:?usage: test.sh lint|all}
    export CARGO_TERM_COLOR=never
    # Nothing here asks anything.
    exec </dev/null
    mkdir -p "$LOGS"
    rm -f "$LOGS"/*.log target/test-summary.txt

    if static setup packaging/dev/setup.sh test; then
        lint
        if [[ $what == all ]]; then
            rust_tests
            end_to_end_tests
            deployment
            guest_tests
        fi
    fi
    summary
}

lint() {
    static format cargo fmt --all --check
    static clippy cargo clippy --workspace --all-targets --locked -- -D warnings
    if packaging/dev/setup.sh arm64 >"$LOGS/setup-arm64.log" 2>&1; then
        # What it compiles to is not run; that it compiles shows what only x86-64 has.
        static arm64 cargo check --workspace --exclude integration-tests --exclude cli-docs --lib --bins --locked --target aarch64-unknown-linux-gnu
    else
        skip "arm64: $(grep '^setup: ' "$LOGS/setup-arm64.log" | head -1)"
    fi
    static clang-format clang_format
    static doc env RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --locked --document-private-items
    if command -v cargo-deny >/dev/null; then
        static deny cargo deny --offline --workspace check bans licenses sources
    else
        skip "deny: cargo-deny is not installed (cargo install cargo-deny)"
    fi
    if command -v shellcheck >/dev/null; then
        static shellcheck shellcheck --severity=warning packaging/*/*.sh integration-tests/vm/*.sh integration-tests/vm/events/*.sh .ci/run
    else
        skip "shellcheck: not installed"
    fi
}

clang_format() {
    find bpf integration-tests -name '*.[ch]' -print0 | xargs -0 --no-run-if-empty clang-format --dry-run -Werror
}

rust_tests() {
    # The end-to-end tests want the machine for themselves: see end_to_end_tests.
    tests unit cargo test --workspace --exclude integration-tests --locked --no-fail-fast -- --show-output
}

# Both real processes on this kernel, as they are shipped (a debug build can't follow 20,000 processes in a
# burst), one test at a time. The tests themselves are built as those of the workspace are: with optimisation
# that takes minutes.
end_to_end_tests() {
    local runner=() triple
    if [[ $(id -u) != 0 ]]; then
        if ! sudo -n true 2>/dev/null; then
            skip "end-to-end tests: they need root, and sudo asks for a password"
            return
        fi
        triple=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
        runner=(env "CARGO_TARGET_${triple}_RUNNER=sudo -E")
    fi
    static build cargo build --release --locked -p system-probe -p security-agent -p supervisor --bins || return
    CWS_BIN_DIR=$PWD/target/release tests end-to-end "${runner[@]}" cargo test -p integration-tests --locked \
        --no-fail-fast -- --test-threads=1 --show-output
}

# The packages of what was just built, and the chart.
deployment() {
    local profile=target/release
    [[ -x $profile/system-probe && -x $profile/security-agent ]] || return
    rm -rf target/test-packages
    CWS_BIN_DIR=$profile CWS_PACKAGES_DIR=target/test-packages static build-packages packaging/package/build.sh &&
        static packages packaging/package/check.sh target/test-packages
    CWS_BIN_DIR=$profile static chart packaging/helm/check.sh
}

# One of each event on other kernels, under each plan, where guests can be had.
guest_tests() {
    if [[ ${CWS_GUESTS:-yes} == no ]]; then
        skip "guests: CWS_GUESTS=no"
    elif [[ $(id -u) != 0 ]]; then
        skip "guests: their kernels are linked below /lib/modules, which needs root"
    elif ! packaging/dev/setup.sh vm >"$LOGS/setup-vm.log" 2>&1; then
        skip "guests: what they need can't be installed (see $LOGS/setup-vm.log)"
    else
        tests guests integration-tests/vm/test-kernels.sh
    fi
}

# static NAME COMMAND…: one check, good or bad, or skipped if it says so of a part of it.
static() {
    local name=$1 reason
    shift
    if logged "$name" "$@"; then
        if reason=$(grep -m1 '^skipped: ' "$LOGS/$name.log"); then
            skip "$name: ${reason#skipped: }"
        else
            passed=$((passed + 1))
        fi
    else
        bad "$name: see $LOGS/$name.log"
        return 1
    fi
}

# tests NAME COMMAND…: counts the tests in the output of `cargo test`.
tests() {
    local name=$1 log="$LOGS/$1.log" status=0 line
    shift
    # A test that hangs must not hide the result of the others.
    logged "$name" timeout --kill-after=10 "$TESTS_SECONDS" "$@" || status=$?
    local good bad ignored said=0
    read -r good bad ignored < <(count "$log")
    while IFS= read -r line; do
        skips+=("$name: ${line#"${line%%skipped: *}"skipped: }")
        said=$((said + 1))
    done < <(grep -E '^ *skipped: ' "$log")
    passed=$((passed + good - said))
    skipped=$((skipped + ignored + said))
    ((ignored == 0)) || skips+=("$name: $ignored ignored")
    while IFS= read -r line; do failures+=("$name: $line"); done < <(failing "$log")
    failed=$((failed + bad))
    # A build that fails, or a crash of the harness, has no count.
    if ((status != 0 && bad == 0)); then
        bad "$name: ended with status $status, see $log"
    fi
}

# Prints: passed failed ignored.
count() {
    awk '/^test result: / {
            for (i = 2; i <= NF; i++) {
                if ($i == "passed;") good += $(i - 1)
                if ($i == "failed;") bad += $(i - 1)
                if ($i == "ignored;") ignored += $(i - 1)
            }
        }
        END { print good + 0, bad + 0, ignored + 0 }' "$1"
}

# Prints the names of failing tests, each once.
failing() {
    sed -nE 's/^test (.*) \.\.\. FAILED$/\1/p' "$1" | sort -u
}

# logged NAME COMMAND…: runs it, shows its output, keeps it in a file.
logged() {
    local name=$1
    shift
    echo "== $name: $*"
    "$@" 2>&1 | tee "$LOGS/$name.log"
    return "${PIPESTATUS[0]}"
}

bad() {
    failed=$((failed + 1))
    failures+=("$1")
}

skip() {
    skipped=$((skipped + 1))
    skips+=("$1")
}

summary() {
    echo
    ((${#skips[@]} == 0)) || printf 'skipped  %s\n' "${skips[@]}"
    ((${#failures[@]} == 0)) || printf 'failed   %s\n' "${failures[@]}"
    echo "$passed passed, $failed failed, $skipped skipped" | tee target/test-summary.txt
    ((failed == 0))
}

main "$@"
