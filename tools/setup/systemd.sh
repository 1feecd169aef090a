#!/bin/sh
# Boots systemd in a container that is this system with a layer over it, and starts the units of docs/how-to/run-at-boot.md there. Run by make test-systemd, as root.
set -eu
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin:/sbin

base=$PWD/build/systemd
root=$base/root

name=systemd
. tools/setup/steps.sh

# What is written goes into the layer. The machine id is the container's own.
mount_root() {
    rm -rf "$base"
    mkdir -p "$base/layer" "$base/work" "$base/out" "$root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$base/layer,workdir=$base/work" "$root"
    : >"$root/etc/machine-id"
}

# The page's first step, as it needs the network, which the container does not get. With Debian's Python: a user's own one
# is in a home, which services do not see.
install_package() {
    say "installing the wheel into /opt/jaragua of the container"
    .venv/bin/python -m hatchling build -t wheel -d "$base/dist" >"$base/log" 2>&1 || give_up "the wheel could not be built; see build/systemd/log"
    chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -ec "cd '$base' && python3 -m venv /opt/jaragua && /opt/jaragua/bin/pip install --quiet --disable-pip-version-check 'dist/jaragua-0.1.0-py3-none-any.whl[trust]'" >"$base/log" 2>&1 ||
        give_up "pip could not install the wheel; see build/systemd/log"
}

# A unit runs the test when systemd has come up, and ends the container.
write_unit() {
    cat >"$root/etc/systemd/system/whole.service" <<UNIT
[Unit]
After=basic.target
Requires=basic.target
[Service]
Type=oneshot
TimeoutStartSec=3600
WorkingDirectory=$PWD
Environment=PYTHONPATH=tests HOME=/root
ExecStart=$PWD/.venv/bin/python tests/service/whole_systemd.py /out $1
ExecStopPost=/usr/bin/systemctl poweroff --force
StandardOutput=append:/out/said
StandardError=append:/out/said
UNIT
}

[ "$(id -u)" -eq 0 ] || give_up "booting a container needs root: run make test-systemd as root."
command -v systemd-nspawn >/dev/null || give_up "systemd-nspawn is missing; tools/setup/setup.sh systemd installs it on a Debian system."
# What is mounted from here on is there for this script and its children alone.
[ -n "${JARAGUA_SYSTEMD_UNSHARED:-}" ] || JARAGUA_SYSTEMD_UNSHARED=1 exec unshare --mount tools/setup/systemd.sh

image=$(.venv/bin/python -c 'from jaragua.emulate import build_image; print(build_image("native", "sine", False, 0))')
mount_root
install_package
write_unit "$image"
# systemd writes to a terminal, so it gets one.
script --quiet --return --command "systemd-nspawn --directory=$root --bind=$base/out:/out --private-network --register=no --keep-unit --boot systemd.unit=whole.service" \
    "$base/console" </dev/null >/dev/null || true
[ -f "$base/out/said" ] || give_up "systemd did not start the test; see build/systemd/console"
cat "$base/out/said"
[ -f "$base/out/passed" ] || give_up "the test failed"
