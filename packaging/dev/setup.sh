#!/usr/bin/env bash
# Makes sure that what building (`setup.sh build`), testing (`setup.sh test`), testing in guests (`setup.sh vm`),
# packaging (`setup.sh packages`), checking packages (`setup.sh lint-packages`) or compiling for arm64 (`setup.sh arm64`) needs is there. Installs what is missing on
# Debian and Ubuntu; elsewhere, says what to install. Does nothing if all is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

main() {
    local purpose=${1:?usage: setup.sh build|test|vm|packages|lint-packages|arm64}
    check_rust
    local apt=() dnf=()

    # Each line: a check, the Debian package, the Fedora package.
    need "command -v cc" gcc gcc
    need "command -v make" make make
    need "command -v clang" clang clang
    need "command -v pkg-config" pkg-config pkgconf-pkg-config
    need "pkg-config --exists libelf" libelf-dev elfutils-libelf-devel
    need "pkg-config --exists zlib" zlib1g-dev zlib-devel
    need "has_header stdio.h" libc6-dev glibc-devel
    need "has_header linux/bpf.h" linux-libc-dev kernel-headers
    if [[ $purpose == vm ]]; then
        need "command -v debootstrap" debootstrap debootstrap
        need "command -v qemu-system-x86_64" qemu-system-x86 qemu-system-x86-core
        need "command -v depmod || test -x /sbin/depmod" kmod kmod
        need "command -v udevadm" udev systemd-udev
        need "command -v busybox" busybox-static busybox
        # A policy with a boolean, for the guest that runs with SELinux.
        need "command -v checkpolicy" checkpolicy checkpolicy
        need "command -v cpio" cpio cpio
    fi
    if [[ $purpose == test || $purpose == vm ]]; then
        need "command -v clang-format" clang-format clang-tools-extra
        # The triggers of the end-to-end tests are static, so that they run in any root directory.
        need "has_static_libc" libc6-dev glibc-static
        # One of the clients of name services that the tests watch.
        need "command -v dig" bind9-dnsutils bind-utils
        # The layout tests read the C header through libclang.
        need "has_libclang" libclang-dev clang-devel
    fi

    if [[ $purpose == lint-packages ]]; then
        need "command -v lintian" lintian lintian
        need "command -v rpmlint" rpmlint rpmlint
        need "command -v rpm2cpio" rpm2cpio rpm
        need "command -v cpio" cpio cpio
    fi
    if [[ $purpose == packages || $purpose == lint-packages ]]; then
        need "command -v dpkg-deb" dpkg dpkg
        need "command -v dpkg-shlibdeps" dpkg-dev dpkg-dev
        need "command -v rpmbuild" rpm rpm-build
        need "command -v xz" xz-utils xz
        need "command -v strip" binutils binutils
    fi

    if [[ $purpose == arm64 ]]; then
        need "command -v aarch64-linux-gnu-gcc" gcc-aarch64-linux-gnu gcc-aarch64-linux-gnu
        need "test -e /usr/aarch64-linux-gnu/include/stdio.h" libc6-dev-arm64-cross glibc-arm-linux-gnu
    fi

    if ((${#apt[@]})); then
        install_packages
    fi
    if [[ $purpose == arm64 && ! -d $(rustc --print target-libdir --target aarch64-unknown-linux-gnu) ]]; then
        timeout 300 rustup target add aarch64-unknown-linux-gnu ||
            fail "there is no Rust library for arm64" "Then: rustup target add aarch64-unknown-linux-gnu"
    fi
    if [[ $purpose == vm ]] && ! command -v vng >/dev/null; then
        pip install --quiet virtme-ng || fail "virtme-ng could not be installed" "Then: pip install virtme-ng"
    fi
}

# Installs what `need` has noted.
install_packages() {
    if command -v apt-get >/dev/null; then
        apt_install "${apt[@]}"
    else
        fail "missing here: ${dnf[*]}" \
            "On Fedora and its relatives: sudo dnf install ${dnf[*]}" \
            "Elsewhere, the packages of the same purpose; on Debian they are: ${apt[*]}"
    fi
}

# Notes the packages of a check that fails. Appends to `apt` and `dnf` of the caller.
need() {
    if ! eval "$1" >/dev/null 2>&1; then
        apt+=("$2")
        dnf+=("$3")
    fi
}

has_header() {
    printf '#include <%s>\n' "$1" | cc -E -x c - >/dev/null 2>&1
}

has_static_libc() {
    printf 'int main(void) { return 0; }\n' | cc -static -x c -o /dev/null -
}

has_libclang() {
    compgen -G '/usr/lib*/llvm-*/lib/libclang*.so*' || compgen -G '/usr/lib*/libclang*.so*' ||
        compgen -G '/usr/lib/*/libclang*.so*'
}

check_rust() {
    command -v cargo >/dev/null || fail "Rust is missing" \
        "Install it from https://rustup.rs (the packages of most distributions are too old), then repeat the command."
    local wanted have
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    have=$(rustc --version | awk '{ print $2 }')
    [[ $(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1) == "$wanted" ]] ||
        fail "Rust $have is too old: $wanted or later is needed" "With rustup: rustup update stable"
}

apt_install() {
    local as_root=()
    if [[ $(id -u) != 0 ]]; then
        command -v sudo >/dev/null || fail "missing here: $*" "As root: apt-get install $*"
        as_root=(sudo)
    fi
    echo "installing: $*" >&2
    "${as_root[@]}" apt-get update -q >&2 || fail "apt-get update failed" "Then: apt-get install $*"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2 ||
        fail "apt-get could not install: $*"
}

# Says what is wrong, and what to do about it.
fail() {
    echo "setup: $1" >&2
    shift
    (($#)) && printf '       %s\n' "$@" >&2
    exit 1
}

main "$@"
