#!/bin/sh
# In the guest: what the tests of packages and of the container image share. Each line of output is `ok …`, `FAIL …`, or a
# remark that begins with `#`.
cd /payload || exit 1
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

check() {
    what=$1
    shift
    if "$@" >/tmp/check.log 2>&1; then
        echo "ok   $what"
    else
        echo "FAIL $what: $*"
        sed 's/^/#      /' /tmp/check.log | head -40
    fi
}

# until_true SECONDS COMMAND...
until_true() {
    left=$1
    shift
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 1
    done
}

state() { systemctl show -p "$2" --value "$1"; }
is_state() { [ "$(state "$1" "$2")" = "$3" ] || { systemctl status --no-pager "$1"; false; }; }
says() { journalctl --no-pager -u "$1" | grep -q "$2"; }
signal_of() { grep -q "\"rule_id\":\"$1\"" /var/log/datadog/signals.jsonl; }
main_pid() { state "$1" MainPID; }
status_of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$(main_pid "$1")/status" | tr '\t' ' '; }
PROBE=datadog-agent-sysprobe.service
AGENT=datadog-agent-security.service

both_run() {
    until_true 90 is_state $PROBE ActiveState active && until_true 60 is_state $AGENT ActiveState active &&
        until_true 60 sh -c 'security-agent status | grep -q "  connected to system-probe"'
}

# cause RULE COMMAND...: does it again and again until the signal is there.
cause() {
    rule=$1
    shift
    until_true 60 sh -c '
        rule=$1
        shift
        "$@" >/dev/null 2>&1
        sleep 1
        grep -q "\"rule_id\":\"$rule\"" /var/log/datadog/signals.jsonl' - "$rule" "$@"
}

# Files of the whole system, without what the system itself makes while it runs.
files() {
    find / -xdev \( -path /proc -o -path /payload -o -path /sys -o -path /tmp -o -path /var/lib/dpkg -o -path /var/lib/rpm \
        -o -path /var/log/journal \) -prune -o -print | sort
}
# new_files BEFORE: those that are not in that list, and that no package tool keeps for itself.
new_files() {
    files | comm -13 "$1" - |
        grep -vE '^/(root/[.]rpmdb|etc/(passwd|group|shadow|gshadow)-|run/|var/lib/systemd/|var/cache/|var/log/(dpkg|btmp|wtmp|lastlog|faillog))'
}

# Nobody answers questions for names: what counts is that they are seen.
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >/etc/resolv.conf
