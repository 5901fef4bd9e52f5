#!/usr/bin/env bash
# Lays the files of the manifest out below a directory, as a package would install them.
#
#   stage.sh tree BIN ROOT      makes ROOT; BIN is where the built programs are
#   stage.sh list KIND...       paths of these kinds, for file lists
#   stage.sh owned              directories of user dd-agent
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly MANIFEST=packaging/package/manifest

# entries: one "kind mode path source owner" a line, "-" for what is left out.
entries() {
    awk '!/^ *(#|$)/ {
        source = "-"; owner = "-"
        for (i = 4; i <= NF; i++) if (sub(/^owner=/, "", $i)) owner = $i; else source = $i
        print $1, $2, $3, source, owner
    }' "$MANIFEST"
}

tree() {
    local bin=$1 root=$2 kind mode path source
    rm -rf "$root"
    mkdir -p "$root"
    # Directories that no line names belong to the system: what a package says of them is what every package says.
    umask 022
    while read -r kind mode path source _; do
        source=${source/#@bin@/$bin}
        mkdir -p "$root$(dirname "$path")"
        case $kind in
        dir) install -d -m "$mode" "$root$path" ;;
        file | config) install -m "$mode" "$source" "$root$path" ;;
        link) ln -s "$source" "$root$path" ;;
        # Without name and time in it, the same page is the same file.
        page) gzip -9n <"$source" >"$root$path.gz" && chmod "$mode" "$root$path.gz" ;;
        *)
            echo "$MANIFEST: unknown kind $kind" >&2
            return 1
            ;;
        esac
    done < <(entries)
    strip --strip-unneeded "$root"/opt/datadog-agent/embedded/bin/*
}

list() {
    local wanted=" $* " kind path
    while read -r kind _ path _; do
        [[ $wanted == *" $kind "* ]] || continue
        [[ $kind == page ]] && path+=.gz
        echo "$path"
    done < <(entries)
}

owned() {
    entries | awk '$5 != "-" { print $3 }'
}

"$@"
