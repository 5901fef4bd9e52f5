# shellcheck shell=sh
# What the scripts of all package formats do alike. POSIX shell: Debian's is dash.

# The user and group that security-agent runs as.
create_user() {
    getent group dd-agent >/dev/null || groupadd --system dd-agent
    getent passwd dd-agent >/dev/null ||
        useradd --system --gid dd-agent --home-dir /opt/datadog-agent --no-create-home \
            --shell "$(command -v nologin || echo /bin/false)" --comment "Workload security agent" dd-agent
}

# What a configuration file says at first.
first_text() {
    case $1 in
        datadog) echo '# Settings that products share: api_key, site, tags, hostname, proxy, log_level.' ;;
        security-agent)
            cat <<TEXT
# Settings of security-agent. Each key, with its default and what it does: security-agent.yaml.example
# Signals go into this file, a JSON object a line; with an api_key they are also sent.
runtime_security_config.outputs.file.path: /var/log/datadog/signals.jsonl
TEXT
            ;;
        *) echo "# Settings of $1. Each key, with its default and what it does: $1.yaml.example" ;;
    esac
}

# The configuration files that users write to. They are no files of the package, so that neither an upgrade nor the
# files of another agent in the same place ever ask what to do with them.
create_configuration() {
    for name in datadog system-probe security-agent; do
        file=/etc/datadog-agent/$name.yaml
        if [ -e "$file" ] || [ -L "$file" ]; then continue; fi
        (umask 077 && first_text "$name" >"$file")
        # The agent may read it, as it may hold an API key; nobody else may, and only root changes it.
        chown root:dd-agent "$file"
        chmod 0640 "$file"
    done
}

# Directories that the agent writes to.
give_directories() {
    # shellcheck disable=SC2043 # Several paths stand in its place.
    for directory in @owned@; do
        chown dd-agent:dd-agent "$directory"
    done
}

# Configuration files in which nobody has written anything.
remove_unchanged_configuration() {
    for name in datadog system-probe security-agent; do
        file=/etc/datadog-agent/$name.yaml
        if [ -f "$file" ] && [ "$(cat "$file")" = "$(first_text "$name")" ]; then rm -f "$file"; fi
    done
}

# What the processes have made while they ran, without what users wrote and without logs.
remove_state() {
    rm -rf /opt/datadog-agent/run/spool /opt/datadog-agent/run/self-test-*
    rm -f /opt/datadog-agent/run/*.sock /opt/datadog-agent/run/*.pid
}

# What is left after the package is gone: configuration, logs, and directories unless others use them.
remove_everything() {
    remove_state
    for name in datadog system-probe security-agent; do
        rm -f "/etc/datadog-agent/$name.yaml"
    done
    rm -f /var/log/datadog/security-agent.log* /var/log/datadog/system-probe.log* /var/log/datadog/signals.jsonl*
    remove_directories
}

# Directories, unless something else is in them.
remove_directories() {
    for directory in /etc/datadog-agent/runtime-security.d /etc/datadog-agent /var/log/datadog \
        /opt/datadog-agent/run /opt/datadog-agent/embedded/bin /opt/datadog-agent/embedded /opt/datadog-agent; do
        rmdir "$directory" 2>/dev/null || true
    done
}
