#!/bin/sh
# Roots of Debian for a Raspberry Pi's processor, in which make test-raspberry follows docs/how-to/raspberry-pi.md under emulation. As root.
# usage: raspberry.sh SYSTEM...   bookworm-arm64 or trixie-arm64; bookworm-armhf or trixie-armhf are the 32-bit ones
# DEBIAN_MIRROR names a mirror of Debian where the system's own apt has none.
set -eu
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin:/sbin

base=$PWD/build/raspberry
# Debian 12's QEMU (7.2) does not run LiteRT; this suite's (10.0) does, and is linked statically.
qemu_suite=trixie
qemu=$base/qemu/usr/bin
binfmt=/proc/sys/fs/binfmt_misc

name=raspberry
. tools/setup/steps.sh

# own_apt ARGUMENT...: the system's lists, sources and packages stay as they are.
own_apt() {
    apt-get -o Dir::Etc::sourcelist="$base/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State="$base/apt/state" \
        -o Dir::State::status="$base/apt/status" -o Dir::Cache="$base/apt/cache" -o APT::Sandbox::User=root "$@"
}

unpack_qemu() {
    [ -x "$qemu/qemu-aarch64" ] && return
    say "unpacking the user emulation of $qemu_suite's QEMU into build/raspberry/qemu"
    rm -rf "$base/apt"
    mkdir -p "$base/apt/state/lists/partial" "$base/apt/cache/archives/partial" "$qemu"
    : >"$base/apt/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $DEBIAN_MIRROR $qemu_suite main" >"$base/apt/sources.list"
    quietly own_apt update
    quietly own_apt install -y --no-install-recommends --download-only qemu-user
    quietly dpkg-deb -x "$base"/apt/cache/archives/qemu-user_*.deb "$base/apt/unpacked"
    mv "$base/apt/unpacked/usr/bin/qemu-aarch64" "$base/apt/unpacked/usr/bin/qemu-arm" "$qemu"
    rm -rf "$base/apt"
}

# register EMULATOR MACHINE CLASS: MACHINE and CLASS are bytes of an ELF header. Flag F: the kernel opens QEMU once, so
# every process in a root runs by it. The newest handler is asked first.
register() {
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    magic="\\x7fELF\\x$3\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\x$2\\x00"
    printf '%s' ":jaragua-$1-$$:M::$magic:$mask:$qemu/qemu-$1:F" >"$binfmt/register"
}

register_qemu() {
    mountpoint -q "$binfmt" || mount -t binfmt_misc none "$binfmt" || give_up "this kernel has no binfmt_misc, by which it runs a Pi's programs with QEMU."
    trap 'for handler in "$binfmt"/jaragua-*-$$; do echo -1 >"$handler"; done' EXIT
    trap 'exit 130' INT TERM HUP
    register aarch64 b7 02
    register arm 28 01
}

# The certificates of the machine (whole_pi.py puts them in) take the place of Debian's: to configure ca-certificates, a
# shell starts tens of thousands of processes, which takes a quarter of an hour under emulation.
make_stand_in() {
    mkdir -p "$base/stand-in/DEBIAN"
    printf '%s\n' 'Package: ca-certificates' 'Version: 99999999' 'Architecture: all' 'Maintainer: Jaragua <jaragua@localhost>' \
        'Description: the certificates of the machine that made this root' >"$base/stand-in/DEBIAN/control"
    quietly dpkg-deb --build "$base/stand-in" "$base/stand-in.deb"
}

# What Raspberry Pi OS has, too, and the page relies on. apt in it asks nothing: nobody is there to answer. dpkg waits for
# no disk: a root that a crash has damaged is made anew.
make_root() {
    root=$base/$1/root
    [ -f "$root/.jaragua-root" ] && return
    say "making a root of Debian's ${1%-*} for ${1#*-} in build/raspberry/$1; this takes some minutes"
    rm -rf "$root"
    mkdir -p "$base/$1"
    began=$(date +%s)
    make_stand_in
    quietly mmdebstrap --mode=root --variant=apt --architectures="${1#*-}" --skip=check/qemu --include=python3,sudo \
        --aptopt='APT::Get::Assume-Yes "true"' --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
        --customize-hook="upload $base/stand-in.deb /stand-in.deb" --customize-hook='chroot "$1" dpkg --install /stand-in.deb' \
        "${1%-*}" "$root" "$DEBIAN_MIRROR"
    say "made in $(($(date +%s) - began)) s; $(du -sm "$root" | cut -f 1) MB"
    touch "$root/.jaragua-root"
}

# A user's changes lie over the root and go with the next run.
mount_root() {
    home=$base/$1
    rm -rf "$home/changes" "$home/work"
    mkdir -p "$home/changes" "$home/work" "$home/pi"
    mount -t overlay overlay -o "lowerdir=$home/root,upperdir=$home/changes,workdir=$home/work" "$home/pi"
    mount -t proc proc "$home/pi/proc"
    mount -t sysfs -o ro sysfs "$home/pi/sys"
    mount --rbind /dev "$home/pi/dev"
    cp -L /etc/resolv.conf /etc/hosts "$home/pi/etc/"
}

[ $# -gt 0 ] || set -- bookworm-arm64 trixie-arm64
for system in "$@"; do
    case $system in
    bookworm-arm64 | trixie-arm64 | bookworm-armhf | trixie-armhf) ;;
    *) give_up "there is no system '$system'. Use bookworm-arm64, trixie-arm64, bookworm-armhf or trixie-armhf." ;;
    esac
done
[ "$(uname -m)" = x86_64 ] || give_up "this needs a PC (x86-64). On a Pi, follow docs/how-to/raspberry-pi.md itself; make test-litert tests the engines."
[ "$(id -u)" -eq 0 ] || give_up "making roots of Debian and registering QEMU need root: run make test-raspberry as root."
command -v mmdebstrap >/dev/null || give_up "mmdebstrap is missing; tools/setup/setup.sh raspberry installs it on a Debian system."
# What is mounted from here on is there for this script and its children alone.
[ -n "${JARAGUA_RASPBERRY_UNSHARED:-}" ] || JARAGUA_RASPBERRY_UNSHARED=1 exec unshare --mount tools/setup/raspberry.sh "$@"

mkdir -p "$base"
debian_mirror
unpack_qemu
register_qemu
for system in "$@"; do
    make_root "$system"
    mount_root "$system"
    PYTHONPATH=tests .venv/bin/python tests/raspberry/whole_pi.py "$system" "$base/$system"
done
