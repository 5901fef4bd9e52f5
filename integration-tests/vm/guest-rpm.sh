#!/bin/sh
# In the guest: installs the rpm into the rpm database of a Debian system whose first process is systemd, does exactly what
# the documentation says, upgrades and erases. Dependencies are names of packages that Debian does not have: `--nodeps`.
. /payload/common.sh

signals=/var/log/datadog/signals.jsonl
files >/tmp/rpm-before
mkdir -p /var/lib/rpm
check "rpm: installs" rpm -i --force-debian --nodeps first.rpm
check "rpm: files have the modes and owners of the package" rpm -V --nodeps cws-agent
check "rpm: the umbrella is active" is_state datadog-agent.service ActiveState active
check "rpm: the umbrella is enabled" systemctl -q is-enabled datadog-agent.service
for unit in $PROBE $AGENT; do
    check "rpm: disabled: $unit ends" until_true 30 is_state $unit ActiveState inactive
    check "rpm: disabled: $unit ended well" is_state $unit Result success
done
check "rpm: the configuration is for the agent alone" \
    sh -c '[ "$(stat -c "%U:%G %a" /etc/datadog-agent/security-agent.yaml)" = "root:dd-agent 640" ]'

# The documented commands, as they are written.
echo "runtime_security_config.enabled: true" >> /etc/datadog-agent/security-agent.yaml
echo "runtime_security_config.enabled: true" >> /etc/datadog-agent/system-probe.yaml
check "rpm: systemctl restart datadog-agent" systemctl restart datadog-agent
check "rpm: both run and are connected" both_run
cat >/etc/datadog-agent/runtime-security.d/mine.policy <<'POLICY'
rules:
  - id: guest_exec
    expression: exec.file.path == "/usr/bin/find" && exec.args_flags in ["nouser"]
POLICY
check "rpm: systemctl reload loads policies" systemctl reload $AGENT
check "rpm: an exec becomes a signal" cause guest_exec find /nothing -nouser

find /etc/datadog-agent -type f ! -name '*.example' -exec md5sum {} + | sort >/tmp/configuration
old=$(main_pid $AGENT)
check "rpm: upgrades" rpm -U --force-debian --nodeps second.rpm
check "rpm: one is installed" sh -c '[ "$(rpm -q cws-agent | wc -l)" = 1 ] && rpm -q cws-agent | grep -q -- "-2[.]"'
check "rpm: both run after the upgrade" both_run
check "rpm: it is the new agent" sh -c "[ '$(main_pid $AGENT)' != '$old' ]"
check "rpm: the upgrade keeps the configuration" \
    sh -c "find /etc/datadog-agent -type f ! -name '*.example' -exec md5sum {} + | sort | cmp - /tmp/configuration"
rm -f "$signals"
check "rpm: signals after the upgrade" cause guest_exec find /nothing -nouser

rm -f /etc/datadog-agent/runtime-security.d/mine.policy
check "rpm: erases" rpm -e --force-debian cws-agent
check "rpm: erasing stops both" sh -c "! systemctl -q is-active $PROBE && ! systemctl -q is-active $AGENT"
check "rpm: the umbrella is gone" sh -c '! systemctl -q is-enabled datadog-agent.service'
check "rpm: what was written to keeps its text" grep -q enabled /etc/datadog-agent/security-agent.yaml
check "rpm: what nobody wrote to is gone" test ! -e /etc/datadog-agent/datadog.yaml
# What users wrote, and logs: no more. The directory /opt is nobody's in Debian: dpkg has taken it away before.
new_files /tmp/rpm-before | grep -vE '^/(opt|etc/datadog-agent(/(security-agent|system-probe)[.]yaml)?|var/log/datadog(/[a-z-]+[.](log|jsonl))?)$' >/tmp/left
check "rpm: nothing else is left" sh -c '! grep . /tmp/left'
rm -rf /etc/datadog-agent /var/log/datadog
