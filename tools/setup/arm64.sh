#!/bin/sh
# Tests a Pi's client on aarch64 under emulation, in a root of Debian in build/arm64 (docs/reference/litert.md). Run by make test-arm64, as root.
# DEBIAN_MIRROR names a mirror of Debian where the system's own apt has none.
set -eu
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin:/sbin

# Debian 12's QEMU (7.2) does not run LiteRT; this suite's (10.0) does.
suite=trixie python=3.13
base=$PWD/build/arm64
root=$base/root
qemu=$base/qemu/usr/bin/qemu-aarch64
binfmt=/proc/sys/fs/binfmt_misc
handler=jaragua-arm64-$$

name=arm64
. tools/setup/steps.sh

# own_apt ARGUMENT...: for $architecture; the system's lists, sources and packages stay as they are.
own_apt() {
    apt-get -o Dir::Etc::sourcelist="$base/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State="$base/apt/state" \
        -o Dir::State::status="$base/apt/status" -o Dir::Cache="$base/apt/cache" -o APT::Sandbox::User=root \
        -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" "$@"
}

# download ARCHITECTURE PACKAGE...: with what they depend on, into build/arm64/apt/cache/archives.
download() {
    architecture=$1
    shift
    rm -rf "$base/apt"
    mkdir -p "$base/apt/state/lists/partial" "$base/apt/cache/archives/partial"
    : >"$base/apt/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $DEBIAN_MIRROR $suite main" >"$base/apt/sources.list"
    quietly own_apt update
    quietly own_apt install -y --no-install-recommends --download-only "$@"
}

unpack_qemu() {
    [ -x "$qemu" ] && return
    say "unpacking the user emulation of $suite's QEMU into build/arm64/qemu"
    download "$(dpkg --print-architecture)" qemu-user
    quietly dpkg-deb -x "$base"/apt/cache/archives/qemu-user_*.deb "$base/apt/unpacked"
    mkdir -p "${qemu%/*}"
    mv "$base/apt/unpacked/usr/bin/qemu-aarch64" "$qemu"
}

# The packages are unpacked and not configured: dpkg under emulation takes many minutes.
make_root() {
    [ -f "$root/.jaragua-root" ] && return
    say "making a root of Debian's $suite for arm64 in build/arm64"
    rm -rf "$root"
    mkdir -p "$root"
    download arm64 base-files coreutils dash python3 python3-venv gcc libc6-dev
    for package in "$base"/apt/cache/archives/base-files_*.deb "$base"/apt/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink
    done
    ln -sf gcc "$root/usr/bin/cc"
    rm -rf "$base/apt"
    touch "$root/.jaragua-root"
}

# Flag F: the kernel opens QEMU once, so every process in the root runs by it. The newest handler is asked first.
register_qemu() {
    mountpoint -q "$binfmt" || mount -t binfmt_misc none "$binfmt" || give_up "this kernel has no binfmt_misc, by which it runs aarch64's programs with QEMU."
    trap 'echo -1 >"$binfmt/$handler"' EXIT
    trap 'exit 130' INT TERM HUP
    magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s' ":$handler:M::$magic:$mask:$qemu:F" >"$binfmt/register"
}

in_root() {
    chroot "$root" env -i PATH=/usr/bin HOME=/root LC_ALL=C.UTF-8 "$@"
}

# The tree as git sees it, so without any environment of this machine.
copy_tree() {
    rm -rf "$root/jaragua"
    mkdir "$root/jaragua"
    git ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read -T - | tar -x -C "$root/jaragua" --no-same-owner
}

# This machine's pip with aarch64's wheels: the same as in the root, in a fraction of the time.
pip_install() {
    for glibc in $(seq 17 41); do set -- --platform "manylinux_2_${glibc}_aarch64" "$@"; done
    quietly .venv/bin/python -m pip install --target "$root/usr/local/lib/python$python/dist-packages" --upgrade --no-compile \
        --python-version "$python" --only-binary=:all: --platform manylinux2014_aarch64 "$@"
}

# The installed package, as on a Pi, made of this tree each time.
install_packages() {
    wanted=$(cksum <pyproject.toml)
    if [ -f "$root/.jaragua-packages" ] && [ "$(cat "$root/.jaragua-packages")" = "$wanted" ]; then
        pip_install --no-deps .
        return
    fi
    say "installing Python packages for aarch64 in the root; this takes a minute or two"
    pip_install '.[litert]' 'pytest>=8'
    echo "$wanted" >"$root/.jaragua-packages"
}

run_tests() {
    say "training on this machine, then on aarch64; this takes some minutes"
    .venv/bin/python tests/client/machine_steps.py "$root/jaragua/this-machine.npz"
    in_root JARAGUA_OTHER_MACHINE=this-machine.npz sh -c \
        'cd /jaragua && exec python3 -m pytest -s -p no:cacheprovider tests/client/test_other_machine.py tests/client/test_litert_engine.py'
}

[ "$(uname -m)" != aarch64 ] || give_up "this machine is an aarch64 itself: make test-litert tests here what this tests under emulation."
[ "$(id -u)" -eq 0 ] || give_up "making a root of Debian and registering QEMU need root: run make test-arm64 as root."
command -v dpkg-deb >/dev/null || give_up "this needs a Debian system, whose apt brings QEMU and the root."
# What is mounted from here on is there for this script and its children alone.
[ -n "${JARAGUA_ARM64_UNSHARED:-}" ] || JARAGUA_ARM64_UNSHARED=1 exec unshare --mount tools/setup/arm64.sh

mkdir -p "$base"
debian_mirror
unpack_qemu
make_root
register_qemu
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount --bind /dev "$root/dev"
copy_tree
install_packages
run_tests
