#!/bin/sh
# In the guest: installs the Debian package, does exactly what the documentation says, and looks at what comes of it; upgrades,
# removes and purges.
. /payload/common.sh

files >/tmp/files-before

echo "# $(uname -r), $(systemctl --version | head -1)"
check "installs" dpkg -i first.deb
check "the umbrella is active" is_state datadog-agent.service ActiveState active
check "the umbrella is enabled" systemctl -q is-enabled datadog-agent.service
for unit in $PROBE $AGENT; do
    check "disabled: $unit ends" until_true 30 is_state $unit ActiveState inactive
    check "disabled: $unit ended well" is_state $unit Result success
    check "disabled: $unit was not started again" is_state $unit NRestarts 0
    check "disabled: $unit says so" until_true 10 says $unit "nothing to do"
done
check "dd-agent has no shell" sh -c 'getent passwd dd-agent | grep -qE "(nologin|false)$"'
check "the configuration is for the agent alone" \
    sh -c '[ "$(stat -c "%U:%G %a" /etc/datadog-agent/security-agent.yaml)" = "root:dd-agent 640" ]'

# The documented commands, as they are written.
echo "runtime_security_config.enabled: true" >> /etc/datadog-agent/security-agent.yaml
echo "runtime_security_config.enabled: true" >> /etc/datadog-agent/system-probe.yaml
check "systemctl restart datadog-agent" systemctl restart datadog-agent
check "both run and are connected" both_run
check "security-agent runs as dd-agent" sh -c "[ \"$(ps -o user= -p "$(main_pid $AGENT)")\" = dd-agent ]"
check "security-agent has no capability" sh -c "[ \"$(status_of $AGENT CapEff) $(status_of $AGENT CapPrm) $(status_of $AGENT CapBnd)\" = '0000000000000000 0000000000000000 0000000000000000' ]"
check "nothing gains privileges" sh -c "[ '$(status_of $AGENT NoNewPrivs) $(status_of $PROBE NoNewPrivs)' = '1 1' ]"
check "system-probe filters system calls" sh -c "[ '$(status_of $PROBE Seccomp)' = 2 ]"

cat >/etc/datadog-agent/runtime-security.d/mine.policy <<'POLICY'
rules:
  - id: guest_exec
    expression: exec.file.path == "/usr/bin/find" && exec.args_flags in ["nouser"]
  - id: guest_open
    expression: open.file.path == "/etc/hostname" && process.file.name == "tac"
  - id: guest_name
    expression: dns.question.name == "guest-test.example" && process.file.name == "getent"
  - id: guest_kill
    expression: exec.file.path == "/usr/bin/sleep" && exec.argv == "123456"
    actions: [{kill: {signal: SIGKILL}}]
POLICY
check "systemctl reload loads policies" systemctl reload $AGENT
check "an exec becomes a signal" cause guest_exec find /nothing -nouser
check "an open becomes a signal" cause guest_open tac /etc/hostname
# Of another user: that takes the capability for it.
check "a rule kills a process" sh -c 'setpriv --reuid 12345 --clear-groups timeout 60 sleep 123456; [ $? = 137 ]'
check "and says so" until_true 30 sh -c 'grep "\"rule_id\":\"guest_kill\"" /var/log/datadog/signals.jsonl | grep -q "\"status\":\"performed\""'
check "default rules load without errors" sh -c 'security-agent status | grep -qE "[1-9][0-9]* rules loaded, [0-9]+ skipped, 0 errors"'
check "the log of signals is not for everybody" sh -c '[ "$(stat -c "%U %a" /var/log/datadog/signals.jsonl)" = "dd-agent 640" ]'
security-agent status | sed 's/^/# /'

echo "runtime_security_config.network.enabled: true" >> /etc/datadog-agent/system-probe.yaml
check "restart with network events" systemctl restart datadog-agent
check "both run again" both_run
check "a question for a name becomes a signal" cause guest_name getent hosts guest-test.example
check "packets are watched" sh -c '! security-agent status | grep "  unavailable  *network[.]"'

old=$(main_pid $PROBE)
kill -KILL "$old"
check "a system-probe that dies is started again" until_true 60 sh -c "[ \"\$(systemctl show -p MainPID --value $PROBE)\" -gt 0 ] && [ \"\$(systemctl show -p MainPID --value $PROBE)\" != $old ]"
check "and is used again" both_run

find /etc/datadog-agent -type f ! -name '*.example' -exec md5sum {} + | sort >/tmp/configuration
old=$(main_pid $AGENT)
check "upgrades" dpkg -i second.deb
check "both run after the upgrade" both_run
check "it is the new agent" sh -c "[ '$(main_pid $AGENT)' != '$old' ]"
check "the upgrade keeps the configuration" sh -c "find /etc/datadog-agent -type f ! -name '*.example' -exec md5sum {} + | sort | cmp - /tmp/configuration"
rm -f /var/log/datadog/signals.jsonl
check "signals after the upgrade" cause guest_exec find /nothing -nouser

for unit in datadog-agent $PROBE $AGENT; do
    echo "# systemd-analyze security $unit: $(systemd-analyze security --no-pager "$unit" 2>&1 | tail -1)"
done
for unit in $PROBE $AGENT; do
    check "systemd understands $unit" sh -c "! systemd-analyze verify --man=no /usr/lib/systemd/system/$unit 2>&1 | grep -i datadog"
    memory=$(sed -n 's/^VmRSS:[[:space:]]*//p' "/proc/$(main_pid $unit)/status")
    echo "# resident memory of $unit: $memory"
done

check "stopping takes little time" timeout 15 systemctl stop datadog-agent
check "stopping stops both" until_true 30 sh -c "! systemctl -q is-active $PROBE && ! systemctl -q is-active $AGENT"
check "starting starts both" systemctl start datadog-agent
check "both run once more" both_run
journalctl --no-pager -u $PROBE -u $AGENT -p warning -o cat | sort | uniq -c | sort -rn | head -20 | sed 's/^/# log: /'

check "removes" dpkg -r cws-agent
check "removing stops both" sh -c "! systemctl -q is-active $PROBE && ! systemctl -q is-active $AGENT"
check "removing keeps the configuration" test -s /etc/datadog-agent/security-agent.yaml
rm -f /etc/datadog-agent/runtime-security.d/mine.policy
check "purges" dpkg -P cws-agent
new_files /tmp/files-before >/tmp/left
check "nothing is left" sh -c '! grep . /tmp/left'
