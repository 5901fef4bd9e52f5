#!/usr/bin/env bash
# Renders the chart with several values by Helm's own engine and checks what comes out (check.py), also against Kubernetes'
# schemas. Both are Python packages, which are installed for this alone, below target; where they can't be had it says so.
#
# CWS_BIN_DIR: where security-agent was built, which then has to understand the settings that the chart makes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly TOOLS=target/chart-tools PACKAGES=(helm-python-sdk==0.2.2 kubernetes-validate==1.37.0)

if [[ $(cat "$TOOLS/done" 2>/dev/null) != "${PACKAGES[*]}" ]]; then
    rm -rf "$TOOLS"
    if ! { python3 -m venv "$TOOLS" && "$TOOLS/bin/pip" install --quiet "${PACKAGES[@]}"; }; then
        rm -rf "$TOOLS"
        echo "skipped: chart: ${PACKAGES[*]} could not be installed"
        exit 0
    fi
    echo "${PACKAGES[*]}" >"$TOOLS/done"
fi
exec "$TOOLS/bin/python" packaging/helm/check.py
