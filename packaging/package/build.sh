#!/usr/bin/env bash
# Builds packages from the release build: `build.sh deb rpm tarball`, or any of these. They land in target/packages.
#
# CWS_BIN_DIR: where the built programs are, if not to be built now. CWS_PACKAGES_DIR: where the packages go.
# CWS_PACKAGE_RELEASE: what the version ends with, if not as in the changelog.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly OUT=${CWS_PACKAGES_DIR:-target/packages} STAGE=packaging/package/stage.sh

main() {
    (($#)) || set -- deb rpm tarball
    packaging/dev/setup.sh packages
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
    release=${CWS_PACKAGE_RELEASE:-$(sed -n '1s/.*(\(.*\)-\(.*\)).*/\2/p' packaging/package/changelog)}
    [[ $(sed -n '1s/.*(\(.*\)-.*).*/\1/p' packaging/package/changelog) == "$version" ]] ||
        fail "packaging/package/changelog does not begin with an entry for version $version"
    # The same sources make the same packages.
    SOURCE_DATE_EPOCH=$(date -d "$(sed -n 's/^ -- .*>  //p' packaging/package/changelog | head -1)" +%s)
    export SOURCE_DATE_EPOCH

    local bin=${CWS_BIN_DIR:-}
    if [[ -z $bin ]]; then
        cargo build --release --locked -p system-probe -p security-agent
        bin=$(cargo metadata --format-version 1 --no-deps --locked |
            sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release
    fi
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$OUT"
    "$STAGE" tree "$bin" "$work/root"
    local format
    for format; do
        case $format in
        deb | rpm | tarball) "$format" ;;
        *) fail "unknown format $format" ;;
        esac
    done
}

deb() {
    local root=$work/deb architecture script
    architecture=$(dpkg --print-architecture)
    cp -a "$work/root" "$root"
    mkdir -p "$root/DEBIAN" "$root/usr/share/lintian/overrides"
    install -m 0644 packaging/deb/lintian-overrides "$root/usr/share/lintian/overrides/cws-agent"
    "$STAGE" list config >"$root/DEBIAN/conffiles"
    for script in preinst postinst prerm postrm; do
        expand "packaging/deb/$script" "$root/DEBIAN/$script"
        chmod 0755 "$root/DEBIAN/$script"
    done
    sed -e "s/@version@/$version-$release/" -e "s/@architecture@/$architecture/" \
        -e "s/@depends@/$(shared_libraries "$root")/" -e "s/@size@/$(du -sk --apparent-size "$root" | cut -f1)/" \
        packaging/deb/control >"$root/DEBIAN/control"
    (cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) \
        >"$root/DEBIAN/md5sums"
    dpkg-deb --root-owner-group -Zxz --build "$root" "$OUT/cws-agent_$version-${release}_$architecture.deb"
}

# What dpkg-shlibdeps makes of the programs, as items of Depends:, each followed by a comma.
shared_libraries() {
    local root=$1 scratch=$work/shlibs
    mkdir -p "$scratch/debian"
    printf 'Source: cws-agent\n\nPackage: cws-agent\nArchitecture: any\n' >"$scratch/debian/control"
    (cd "$scratch" && dpkg-shlibdeps -O "$root"/opt/datadog-agent/embedded/bin/*) | sed -n 's/^shlibs:Depends=\(.*\)/\1, /p'
}

rpm() {
    local tree=$work/rpm
    mkdir -p "$tree/SPECS"
    expand packaging/rpm/cws-agent.spec "$tree/SPECS/cws-agent.spec"
    rpm_files >"$tree/files"
    rpmbuild -bb --quiet --target "$(uname -m)" \
        --define "_topdir $tree" --define "stage $work/root" --define "file_list $tree/files" \
        --define "package_version $version" --define "package_release $release" \
        --define "_rpmdir $work/rpms" --define '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
        "$tree/SPECS/cws-agent.spec"
    mv "$work"/rpms/*.rpm "$OUT/"
    find "$OUT" -name '*.rpm' -newer "$tree/files" -exec echo "built {}" \;
}

# The list of files as rpm wants it.
rpm_files() {
    local path owned
    echo '%defattr(-,root,root)'
    owned=" $("$STAGE" owned | tr '\n' ' ')"
    "$STAGE" list dir | while read -r path; do
        if [[ $owned == *" $path "* ]]; then echo "%attr(-,dd-agent,dd-agent) %dir $path"; else echo "%dir $path"; fi
    done
    "$STAGE" list file link page
    "$STAGE" list config | sed 's/^/%config(noreplace) /'
}

tarball() {
    local name
    name=cws-agent-$version-$(uname -m)
    mkdir -p "$work/tar/$name"
    cp -a "$work/root" "$work/tar/$name/root"
    expand packaging/tarball/install.sh "$work/tar/$name/install.sh"
    chmod 0755 "$work/tar/$name/install.sh"
    install -m 0644 LICENSE "$work/tar/$name/"
    (cd "$work/tar/$name/root" && find . -mindepth 1 ! -type d -printf '/%P\n' | sort) >"$work/tar/$name/files"
    "$STAGE" list config >"$work/tar/$name/config-files"
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$work/tar" \
        -cJf "$OUT/$name.tar.xz" "$name"
    echo "built $OUT/$name.tar.xz"
}

# Puts the shell functions that all formats share in the place of the line `@common@` of a script.
expand() {
    sed -e '/^@common@$/{' -e 'r packaging/package/common.sh' -e 'd' -e '}' \
        -e "s|@owned@|$("$STAGE" owned | tr '\n' ' ' | sed 's/ $//')|" "$1" |
        sed -e "s|@owned@|$("$STAGE" owned | tr '\n' ' ' | sed 's/ $//')|" >"$2"
}

fail() {
    echo "packages: $*" >&2
    exit 1
}

main "$@"
