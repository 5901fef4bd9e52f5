#!/usr/bin/env bash
# The committed files that derive from the code (documentation, example files, gRPC code) are each owned
# by a test that compares them, or rewrites them with UPDATE_GENERATED=1. `generated.sh check` fails if
# rewriting changes anything; `generated.sh write` just rewrites.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

mode=${1:?usage: generated.sh check|write}
packaging/dev/setup.sh test
before=$(git status --porcelain && git diff | sha256sum)
# First what the other packages need to compile.
UPDATE_GENERATED=1 cargo test --quiet --locked -p proto
UPDATE_GENERATED=1 cargo test --quiet --locked -p settings -p secl -p model -p engine -p security-agent -p cli-docs
after=$(git status --porcelain && git diff | sha256sum)
if [[ $mode == check && $before != "$after" ]]; then
    echo "committed files differ from what the code generates; the working tree now has the right ones:" >&2
    git status --short >&2
    exit 1
fi
