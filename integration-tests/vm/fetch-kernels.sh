#!/usr/bin/env bash
# Fetches Debian kernels for the guests into DIR (first argument), one directory per kernel, and prints a line
# "NAME VMLINUZ VERSION" for each that could be had. Other suites are reached on the mirror that the machine's
# own apt already uses, through an apt configuration of its own: the machine's is left as it is.
#
#   fetch-kernels.sh DIR [NAME...]        NAME: 5.10 6.1 6.12 newest
#
# NAME source-5.10 is the source of the first; the line is "source-5.10 ARCHIVE".
set -euo pipefail

dir=${1:?usage: fetch-kernels.sh DIR [NAME...]}
shift
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# NAME  repository (main or security)  suite  package
kernels='
5.10 security bullseye-security linux-image-amd64
6.1  security bookworm-security linux-image-amd64
6.12 main     trixie            linux-image-amd64
newest main   trixie-backports  linux-image-amd64
'

say() { echo "$*" >&2; }

# "http://mirror/debian" for main, the security archive's for security.
mirror_of() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u |
        case $1 in
        security) grep -m1 -- 'debian-security' ;;
        main) grep -v -- 'debian-security' | grep -m1 -- '/debian/*$' ;;
        esac
}

private_apt() {
    local root=$1
    shift
    apt-get -qq \
        -o "Dir::Etc::sourcelist=$root/sources.list" -o Dir::Etc::sourceparts=- \
        -o "Dir::State::lists=$root/lists" -o "Dir::Cache=$root/cache" \
        -o APT::Sandbox::User=root -o APT::Get::List-Cleanup=0 "$@"
}

# Packages that a package depends on, of names that a pattern of sed matches.
depends() {
    apt-cache -o "Dir::Etc::sourcelist=$1/sources.list" -o Dir::Etc::sourceparts=- \
        -o "Dir::State::lists=$1/lists" -o "Dir::Cache=$1/cache" depends "$2" |
        sed -n "s/^ *Depends: \\($3\\)/\\1/p"
}

# Sets up the private apt of a suite in a directory made anew.
add_suite() {
    local root=$1 repository=$2 suite=$3 mirror
    mirror=$(mirror_of "$repository") || { say "$root: no $repository mirror among the apt sources"; return 1; }
    rm -rf "$root"
    mkdir -p "$root/lists/partial" "$root/cache/archives/partial" "$root/tree"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$root/sources.list"
    private_apt "$root" update >&2 || { say "$root: suite $suite can't be read"; return 1; }
}

fetch_source() {
    local version=$1 suite=$2 root=$dir/source-$1
    if [ ! -s "$root/done" ]; then
        add_suite "$root" security "$suite" || return 1
        (cd "$root" && private_apt "$root" download "linux-source-$version" >&2) || return 1
        dpkg -x "$root"/linux-source-*.deb "$root/tree"
        rm -rf "$root"/linux-*.deb "$root/lists" "$root/cache"
        find "$root/tree" -name 'linux-source-*.tar.xz' >"$root/done"
    fi
    echo "source-$version $(cat "$root/done")"
}

fetch() {
    local name=$1 repository=$2 suite=$3 meta=$4 root=$dir/$1 image parts part
    if [ ! -s "$root/done" ]; then
        add_suite "$root" "$repository" "$suite" || return 1
        image=$(depends "$root" "$meta" 'linux-image-[0-9].*' | head -1)
        [ -n "$image" ] || { say "kernel $name: $suite names no kernel"; return 1; }
        # Newer packages are split: the image itself and its modules are in packages that this one names.
        parts=$(depends "$root" "$image" 'linux-\(binary\|modules\|base\)-[0-9].*')
        for part in $image $parts; do
            (cd "$root" && private_apt "$root" download "$part" >&2) ||
                { say "kernel $name: $part can't be downloaded"; return 1; }
        done
        for part in "$root"/linux-*.deb; do
            dpkg -x "$part" "$root/tree"
        done
        rm -rf "$root"/linux-*.deb "$root/lists" "$root/cache"
        find "$root/tree" -name modules.builtin -printf '%h\n' | head -1 | xargs basename >"$root/done"
    fi
    local version modules
    version=$(cat "$root/done")
    modules=$(echo "$root"/tree/{usr/,}lib/modules/"$version" | tr ' ' '\n' | while read -r d; do [ -d "$d" ] && echo "$d"; done | head -1)
    # The guest sees this machine's file system and looks for its modules at the usual place.
    mkdir -p /lib/modules
    if [ ! -e "/lib/modules/$version" ]; then
        ln -sfn "$modules" "/lib/modules/$version"
    fi
    depmod "$version"
    image=$(find "$root/tree" -name "vmlinuz-$version" -o -path "*/$version/vmlinuz" | head -1)
    [ -n "$image" ] || { say "kernel $name: no vmlinuz for $version"; return 1; }
    echo "$name $image $version"
}

wanted=" ${*:-5.10 6.1 6.12 newest} "
status=0
while read -r name repository suite meta; do
    [ -n "$name" ] || continue
    case $wanted in *" $name "*) fetch "$name" "$repository" "$suite" "$meta" || status=1 ;; esac
done <<<"$kernels"
case $wanted in *' source-5.10 '*) fetch_source 5.10 bullseye-security || status=1 ;; esac
exit $status
