#!/bin/sh
# Builds the image of the Containerfile with Podman on a base made on this machine, and runs the commands of docs/how-to/container.md. Run by make test-container, as root.
# DEBIAN_MIRROR names a mirror of Debian where the system's own apt has none.
set -eu
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin:/sbin

base=$PWD/build/container
unified=/sys/fs/cgroup/unified

name=container
. tools/setup/steps.sh

# How this machine reaches the package index goes into the base, as Podman's build takes nothing else of the machine.
make_base() {
    [ -f "$base/base.tar" ] && return
    say "making a base image of Debian 12 in build/container; this takes a minute or more"
    PYTHONPATH=tests .venv/bin/python -m common.on_demand "$base/pip.conf"
    quietly mmdebstrap --mode=root --variant=minbase --include=ca-certificates \
        --customize-hook="upload $base/pip.conf /etc/pip.conf" \
        --customize-hook="upload /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt" \
        bookworm "$base/new.tar" "$DEBIAN_MIRROR"
    mv "$base/new.tar" "$base/base.tar"
}

# Storage of its own. The limits are those that any root may set; Podman's own ask for more than a container may have.
# Containers share the network of whoever starts them: it needs no bridge.
configure_podman() {
    export CONTAINERS_STORAGE_CONF="$base/storage.conf" CONTAINERS_CONF="$base/containers.conf"
    cat >"$CONTAINERS_STORAGE_CONF" <<STORAGE
[storage]
driver = "overlay"
graphroot = "$base/storage"
runroot = "$base/running"
STORAGE
    cat >"$CONTAINERS_CONF" <<CONTAINERS
[containers]
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
CONTAINERS
}

build_image() {
    say "building the image"
    podman image exists localhost/jaragua-base || quietly podman import "$base/base.tar" localhost/jaragua-base
    quietly podman build --build-arg BASE=localhost/jaragua-base --tag jaragua .
    say "built: $(podman image inspect --format '{{.Size}}' jaragua | awk '{ printf "%.0f MB", $1 / 1e6 }')"
}

[ "$(id -u)" -eq 0 ] || give_up "making the base image needs root: run make test-container as root."
for program in mmdebstrap podman crun; do
    command -v "$program" >/dev/null || give_up "$program is missing; tools/setup/setup.sh container installs it on a Debian system."
done
# What is mounted or hidden from here on is so for this script and its children alone.
[ -n "${JARAGUA_CONTAINER_UNSHARED:-}" ] || JARAGUA_CONTAINER_UNSHARED=1 exec unshare --mount tools/setup/container.sh

mkdir -p "$base"
# crun refuses to run where both versions of cgroups are mounted; the first is enough.
if mountpoint -q "$unified"; then umount "$unified"; fi
debian_mirror
make_base
configure_podman
build_image
# A network of its own, so that the page's ports are free.
PYTHONPATH=tests unshare --net sh -c 'ip link set lo up && exec .venv/bin/python tests/container/whole_container.py "$1"' sh "$base"
