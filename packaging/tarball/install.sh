#!/bin/sh
# Installs cws-agent from this directory on a host that has neither deb nor rpm.
#
#   ./install.sh              installs, or upgrades
#   ./install.sh uninstall    removes the programs; configuration and logs stay
#   ./install.sh purge        removes everything but the user dd-agent
#
# DESTDIR=DIR installs below DIR only: no user, no service.
set -eu

@common@

cd "$(dirname "$0")"
destination=${DESTDIR:-}

has_systemd() { [ -z "$destination" ] && [ -d /run/systemd/system ]; }

# is_config PATH: a file that the administrator may have changed.
is_config() { grep -qxF "$1" config-files; }

copy_files() {
    (cd root && find . -type d) | while read -r directory; do
        [ -d "$destination/$directory" ] || (umask 022 && mkdir -p "$destination/$directory")
    done
    while read -r file; do
        target=$destination$file
        if is_config "$file" && [ -e "$target" ] && ! cmp -s "root$file" "$target"; then
            cp -p "root$file" "$target.new"
            echo "kept your $target; the new one is $target.new"
        else
            # A program that runs can't be written to, but another can take its place.
            cp -pP "root$file" "$target.installing"
            mv -f "$target.installing" "$target"
        fi
    done <files
}

remove_files() {
    while read -r file; do
        if is_config "$file" && [ "$1" != purge ]; then continue; fi
        rm -f "$destination$file" "$destination$file.new"
    done <files
    # Directories that may have been made for them; those of a shell that is installed are not empty.
    for directory in doc/cws-agent fish/vendor_completions.d fish zsh/vendor-completions zsh; do
        rmdir "$destination/usr/share/$directory" 2>/dev/null || true
    done
}

install_all() {
    # Only the FHS directory of add-on packages, and what systemd and shells look into.
    copy_files
    [ -z "$destination" ] || return 0
    create_user
    give_directories
    chmod 0770 /var/log/datadog
    create_configuration
    if has_systemd; then
        systemctl daemon-reload
        systemctl enable --quiet datadog-agent.service
        systemctl restart datadog-agent.service
    else
        echo "there is no systemd: start system-probe as root and security-agent as dd-agent in your own way:"
        echo "  /opt/datadog-agent/embedded/bin/system-probe run"
        echo "  /opt/datadog-agent/embedded/bin/security-agent start"
    fi
    echo "installed. To turn it on, set runtime_security_config.enabled: true in security-agent.yaml and"
    echo "system-probe.yaml in /etc/datadog-agent, then restart datadog-agent"
}

uninstall() {
    if has_systemd; then
        systemctl disable --quiet datadog-agent.service || true
        systemctl stop datadog-agent.service datadog-agent-security.service datadog-agent-sysprobe.service || true
    fi
    remove_files "$1"
    if [ -z "$destination" ]; then
        if [ "$1" = purge ]; then remove_everything; else remove_state; fi
    fi
    if has_systemd; then systemctl daemon-reload; fi
}

if [ -z "$destination" ] && [ "$(id -u)" != 0 ]; then
    echo "install.sh: run it as root" >&2
    exit 1
fi
case ${1:-install} in
    install) install_all ;;
    uninstall | purge) uninstall "$1" ;;
    *)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
        exit 1
        ;;
esac
