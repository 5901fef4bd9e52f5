#!/usr/bin/env bash
# Builds the container image from the release build: `make image`. It needs no other image and no network.
#
#   IMAGE            its name, cws-agent:VERSION if not set
#   CWS_BIN_DIR      where the built programs are, if not to be built now
#   CWS_IMAGE_DIR    where to leave what is copied into the image; `build.sh archive` makes that and no image
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly PREFIX=opt/datadog-agent PROGRAMS=(system-probe security-agent supervisor)
# The number in the Dockerfile.
readonly AGENT_ID=60990

main() {
    local version bin
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
    bin=${CWS_BIN_DIR:-$(built)}
    # Not local: the trap uses it after this function.
    context=${CWS_IMAGE_DIR:-}
    if [[ -z $context ]]; then
        context=$(mktemp -d)
        trap 'rm -rf "$context"' EXIT
    fi
    tree "$bin" "$context/root"
    archive "$context/root" "$context/$(architecture).tar"
    rm -rf "$context/root"
    [[ ${1:-} != archive ]] || return 0
    docker build --quiet --build-arg "TARGETARCH=$(architecture)" --tag "${IMAGE:-cws-agent:$version}" \
        --file packaging/docker/Dockerfile "$context"
    docker image inspect --format '{{index .RepoTags 0}}: {{.Size}} bytes' "${IMAGE:-cws-agent:$version}"
}

built() {
    packaging/dev/setup.sh build >&2
    cargo build --release --locked -p system-probe -p security-agent -p supervisor >&2
    echo "$(cargo metadata --format-version 1 --no-deps --locked |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release"
}

# The name that images have for this machine.
architecture() {
    case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) uname -m ;;
    esac
}

# Everything that is in the image, below a directory.
tree() {
    local bin=$1 root=$2 program
    rm -rf "$root"
    umask 022
    mkdir -p "$root/$PREFIX/embedded/bin" "$root/etc/datadog-agent/runtime-security.d" \
        "$root/etc/ssl/certs" "$root/var/log/datadog" "$root/var/run" "$root/run"
    # Mount points. A container with a read-only root file system cannot make them itself.
    mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/host/proc" "$root/host/sys/fs/cgroup" "$root/host/root"
    install -d -m 1777 "$root/tmp"
    # The sockets: `archive` gives it to the agent.
    install -d -m 0755 "$root/$PREFIX/run"
    for program in "${PROGRAMS[@]}"; do
        install -m 0755 "$bin/$program" "$root/$PREFIX/embedded/bin/$program"
        strip --strip-unneeded "$root/$PREFIX/embedded/bin/$program"
    done
    libraries "$root"
    install -m 0644 packaging/policies/*.policy "$root/etc/datadog-agent/runtime-security.d/"
    install -m 0644 packaging/config/system-probe.yaml.example "$root/etc/datadog-agent/system-probe.yaml"
    install -m 0644 packaging/config/security-agent.yaml.example "$root/etc/datadog-agent/security-agent.yaml"
    printf 'root:x:0:0:root:/:/sbin/nologin\ndd-agent:x:%d:%d::/%s:/sbin/nologin\n' "$AGENT_ID" "$AGENT_ID" "$PREFIX" >"$root/etc/passwd"
    printf 'root:x:0:\ndd-agent:x:%d:\n' "$AGENT_ID" >"$root/etc/group"
    # The certificate authorities, for the intake.
    if [[ -f /etc/ssl/certs/ca-certificates.crt ]]; then
        install -m 0644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    fi
}

# An archive keeps owners, which COPY does not, and needs no root to be made.
archive() {
    local root=$1 archive=$2
    local same=(--sort=name "--mtime=@${SOURCE_DATE_EPOCH:-0}" --numeric-owner -C "$root")
    tar "${same[@]}" --owner=0 --group=0 --exclude="./$PREFIX/run" -cf "$archive" .
    tar "${same[@]}" --owner="$AGENT_ID" --group="$AGENT_ID" -rf "$archive" "./$PREFIX/run"
}

# The shared libraries of the programs, and the loader, at the paths where the loader looks for them.
libraries() {
    local root=$1 library
    ldd "$root/$PREFIX/embedded/bin"/* | grep -o '/[^ ]*\.so[^ ]*' | sort -u | while read -r library; do
        # Not with -D alone: the link from /lib64 to /usr/lib64 of merged systems is not made here.
        install -D -m 0755 "$(readlink -f "$library")" "$root$library"
    done
}

main "$@"
