#!/usr/bin/env bash
# Checks the packages: that lintian and rpmlint have nothing to say that is not overridden with a reason
# (packaging/deb/lintian-overrides, packaging/rpm/rpmlint.toml), and that deb, rpm and tarball hold the same.
#
#   check.sh [DIR]     default: target/packages
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

directory=$(realpath "${1:-target/packages}")
deb=$(echo "$directory"/cws-agent_*.deb) rpm=$(echo "$directory"/cws-agent-*.rpm) tarball=$(echo "$directory"/cws-agent-*.tar.xz)
for package in "$deb" "$rpm" "$tarball"; do
    [[ -f $package ]] || { echo "check: no $package, or several; make packages builds them" >&2; exit 1; }
done
# Where lintian and rpmlint can't be had, all else is checked.
packaging/dev/setup.sh lint-packages || true
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$PWD failed=0

bad() {
    echo "FAILED $1" >&2
    failed=1
}

# same WHAT FILE FILE
same() {
    if diff -u "$2" "$3" >"$work/diff"; then
        echo "same in both: $1, $(wc -l <"$2") lines"
    else
        bad "$1 differ"
        cat "$work/diff" >&2
    fi
    [[ -s $2 ]] || bad "$1: none"
}

lint() {
    if ! command -v lintian >/dev/null || ! command -v rpmlint >/dev/null; then
        echo "skipped: lintian and rpmlint can't be installed here"
        return
    fi
    if LC_ALL=C lintian --allow-root --no-cfg --tag-display-limit 0 --fail-on error,warning "$deb" >"$work/lintian"; then
        echo "lintian: clean"
    else
        bad lintian
    fi
    cat "$work/lintian"
    # An override for something that is no longer there hides the next thing of the kind.
    LC_ALL=C lintian --allow-root --no-cfg --tag-display-limit 0 --tags mismatched-override,unused-override "$deb" >"$work/lintian"
    [[ ! -s $work/lintian ]] || { bad "overrides that are not needed"; cat "$work/lintian"; }
    if rpmlint --config packaging/rpm/rpmlint.toml "$rpm" >"$work/rpmlint" && grep -q ' 0 errors, 0 warnings' "$work/rpmlint"; then
        echo "rpmlint: clean"
    else
        bad rpmlint
        cat "$work/rpmlint"
    fi
}

# Contents, below one directory each.
unpack() {
    mkdir "$work/deb" "$work/rpm" "$work/tar"
    dpkg-deb -x "$deb" "$work/deb"
    (cd "$work/rpm" && rpm2cpio "$rpm" | cpio --extract --make-directories --quiet)
    tar -xJf "$tarball" -C "$work/tar" --strip-components=2 --wildcards '*/root/*'
    # Of lintian alone.
    rm -r "$work/deb/usr/share/lintian"
}

# Kind, mode, size and target of everything that is not a directory, and of the directories that belong to the package.
listed() {
    (
        cd "$1"
        find . ! -type d -printf '%p %y %m %l\n'
        packaged_directories | while read -r path; do find ".$path" -maxdepth 0 -printf '%p %y %m\n'; done
    ) | sort
}

packaged_directories() { "$here/packaging/package/stage.sh" list dir; }

contents() {
    local name
    for name in deb rpm tar; do
        listed "$work/$name" >"$work/$name.list"
        (cd "$work/$name" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$work/$name.sums"
    done
    for name in rpm tar; do
        same "files of deb and $name" "$work/deb.list" "$work/$name.list"
        same "contents of deb and $name" "$work/deb.sums" "$work/$name.sums"
    done
    # What the two package managers themselves say they own.
    dpkg-deb --fsys-tarfile "$deb" | tar -t | sed -n 's|^\./\(.*[^/]\)$|/\1|p' | grep -v '^/usr/share/lintian' | sort >"$work/deb.owned"
    rpm -qp --nosignature --qf '[%{FILENAMES} %{FILEMODES:perms}\n]' "$rpm" | sed -n '/ d[^ ]*$/!s/ [^ ]*$//p' | sort >"$work/rpm.owned"
    same "owned files" "$work/deb.owned" "$work/rpm.owned"
}

metadata() {
    # dpkg-deb prints only what is not a directory as a configuration file; so does rpm.
    dpkg-deb --info "$deb" conffiles | sort >"$work/deb.conffiles"
    rpm -qp --nosignature --configfiles "$rpm" | sort >"$work/rpm.conffiles"
    same "configuration files" "$work/deb.conffiles" "$work/rpm.conffiles"
    {
        echo "cws-agent $(dpkg-deb -f "$deb" Version)"
        for field in Provides Conflicts; do echo "$field $(dpkg-deb -f "$deb" $field)"; done
    } >"$work/deb.names"
    {
        rpm -qp --nosignature --qf '%{NAME} %{VERSION}-%{RELEASE}\n' "$rpm"
        echo "Provides $(rpm -qp --nosignature --provides "$rpm" | grep -v cws-agent)"
        echo "Conflicts $(rpm -qp --nosignature --conflicts "$rpm")"
    } >"$work/rpm.names"
    same "names" "$work/deb.names" "$work/rpm.names"
    # Who owns the directories that the agent writes to is in the rpm; the deb's script says it.
    packaging/package/stage.sh owned | sort >"$work/owned"
    rpm -qp --nosignature --qf '[%{FILENAMES} %{FILEUSERNAME}:%{FILEGROUPNAME}\n]' "$rpm" |
        sed -n 's/ dd-agent:dd-agent$//p' | sort >"$work/rpm.dirs"
    same "directories of the agent" "$work/owned" "$work/rpm.dirs"
    local script
    for script in preinst postinst prerm postrm; do
        dpkg-deb --info "$deb" "$script" >"$work/$script"
        sh -n "$work/$script" || bad "$script is no shell script"
        ! grep -n '@[a-z]*@' "$work/$script" || bad "$script has a place that was not filled in"
    done
    rpm -qp --nosignature --scripts "$rpm" >"$work/scripts"
    ! grep -n '@[a-z]*@' "$work/scripts" || bad "a script of the rpm has a place that was not filled in"
    grep -q "chown dd-agent:dd-agent" "$work/postinst" || bad "postinst gives no directory away"
}

lint
unpack
contents
metadata
exit $failed
