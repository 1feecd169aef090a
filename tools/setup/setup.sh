#!/bin/sh
# Sets up a fresh clone: Debian packages, .venv, Python packages. Run by make; a second run only looks at stamps.
# usage: setup.sh demo|test|lint|docs|audit|keras|flower|litert|tflite|clang|boards|wot|raspberry|container|systemd|system   (test adds the test tools, lint the linters;
# docs is what builds the site; audit is what `make audit` needs, in .venv-audit; keras is test in .venv-keras, with TensorFlow;
# flower is what benchmarks and Ray's tests need, in .venv-flower;
# clang is the second compiler that CI tests the C of this machine with, and what `make fuzz-node` needs;
# raspberry is what makes the roots of Debian of `make test-raspberry`, container the engine of `make test-container`,
# systemd what boots the container of `make test-systemd`;
# system is what tests of shells and of systemd's units need;
# wot is the generic client node-wot and the playground's validator, for `make test-wot`;
# boards is the compiler and emulator of RISC-V and the emulator of the Pico, for `make boards`;
# litert and tflite are a Pi's client with one of the two LiteRT runtimes, in .venv-litert and .venv-tflite: no compiler)
# JARAGUA_LOCKED=1 installs the exact versions of tools/setup/lock/, as CI does; they are those of an environment, so
# demo then brings what test, lint and docs need. JARAGUA_LOCKED=prefer takes the ranges where one cannot be had.
set -eu
cd "$(dirname "$0")/../.."

what=${1:-demo}
venv=.venv
case $what in
demo) extras=firmware ;;
test) extras=firmware,keras,test ;;
lint) extras=firmware,keras,test,lint ;;
docs) extras=docs ;;
audit) extras=audit venv=.venv-audit ;;
keras) extras=firmware,keras,test,tensorflow venv=.venv-keras ;;
flower) extras=test,ray,bench-flower venv=.venv-flower ;;
litert) extras=litert venv=.venv-litert ;;
tflite) extras=tflite venv=.venv-tflite ;;
clang | boards | wot | raspberry | container | systemd | system) ;;
*)
    echo "setup: unknown set-up '$what': use demo, test, lint, docs, audit, keras, flower, litert, tflite, clang, boards, wot, raspberry, container, systemd or system" >&2
    exit 2
    ;;
esac

# A Pi and the site need Python alone; tflite-runtime was last built for Python 3.11.
python_only=false newest=99
case $what in
litert | docs | audit) python_only=true ;;
tflite) python_only=true newest=11 ;;
esac
is_wanted="import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $newest))"

say() { echo "setup: $*" >&2; }

have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

# The first Python that is new enough; Debian 12's python3 is.
find_python() {
    for candidate in python3 python3.13 python3.12 python3.11; do
        if have "$candidate" && "$candidate" -c "$is_wanted" 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

missing_packages() {
    if [ "$what" = clang ]; then
        # libFuzzer is in clang's run-time libraries, which Debian has in a package of their own.
        [ -e "$(clang -print-runtime-dir 2>/dev/null)/libclang_rt.fuzzer-$(uname -m).a" ] || echo clang libclang-rt-dev
        return
    fi
    if [ "$what" = wot ]; then
        have node || echo nodejs
        have npm || echo npm
        return
    fi
    if [ "$what" = boards ]; then
        have riscv64-unknown-elf-gcc || echo gcc-riscv64-unknown-elf
        # The compiler comes without a C library; picolibc.specs is part of this one.
        if ! have riscv64-unknown-elf-gcc || [ "$(riscv64-unknown-elf-gcc -print-file-name=picolibc.specs)" = picolibc.specs ]; then
            echo picolibc-riscv64-unknown-elf
        fi
        have qemu-system-riscv32 || echo qemu-system-misc
        have node || echo nodejs
        have npm || echo npm
        return
    fi
    if [ "$what" = raspberry ]; then
        have mmdebstrap || echo mmdebstrap
        return
    fi
    if [ "$what" = container ]; then
        have mmdebstrap || echo mmdebstrap
        have podman || echo podman
        have crun || echo crun
        return
    fi
    if [ "$what" = systemd ]; then
        have systemd-nspawn || echo systemd-container
        have sudo || echo sudo
        return
    fi
    if [ "$what" = system ]; then
        have zsh || echo zsh
        have fish || echo fish
        have systemd-analyze || echo systemd
        return
    fi
    $python_only || missing_tools
    # Debian splits venv (ensurepip) off python3.
    if [ -z "$python" ]; then
        echo python3 python3-venv
    elif [ ! -x "$venv/bin/python" ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo python3-venv
    fi
}

missing_tools() {
    have cc || echo gcc libc6-dev
    have arm-none-eabi-gcc || echo gcc-arm-none-eabi
    # Debian's cross compiler comes without a C library; nano.specs is part of newlib.
    if ! have arm-none-eabi-gcc || [ "$(arm-none-eabi-gcc -print-file-name=nano.specs)" = nano.specs ]; then
        echo libnewlib-arm-none-eabi
    fi
    have qemu-system-arm || echo qemu-system-arm
    have mosquitto || echo mosquitto
    # Tests of pages, and `make pictures`, open them in a browser.
    [ "$what" != test ] || have chromium || echo chromium
    # Tests start a server of their own.
    [ "$what" != test ] || has_postgresql || echo postgresql
}

has_postgresql() {
    have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

# Debian's package makes a database server for the whole machine and starts it, unless a file says otherwise.
no_server=/etc/postgresql-common/createcluster.d/jaragua-setup.conf

apt_install() {
    case " $* " in
    *" postgresql "*)
        mkdir -p "$(dirname "$no_server")"
        echo "create_main_cluster = false" >"$no_server"
        ;;
    esac
    status=0
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } || status=1
    rm -f "$no_server"
    return $status
}

install_packages() {
    packages=$(missing_packages | tr '\n' ' ')
    packages=${packages% }
    [ -z "$packages" ] && return
    if ! have apt-get; then
        say "these programs are missing: $packages (Debian's names). Install them with your system's package manager, then run make again."
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        say "some Debian packages are missing and installing them needs root. Run this once, then make again:"
        echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $packages" >&2
        exit 1
    fi
    say "installing Debian packages: $packages"
    log=$(mktemp)
    if ! apt_install $packages >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        say "apt-get could not install them (its last lines are above). Mend that, then run make again."
        exit 1
    fi
    rm -f "$log"
}

in_ranges() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".[$extras]"
}

# With hashes pip installs nothing in place: so the packages first, among them what installs the clone.
locked() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock" &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
}

# The stamp holds what was installed and from which description, so an unchanged tree costs nothing.
install_python_packages() {
    stamp=$venv/.jaragua-$what
    lock=tools/setup/lock/${venv#.}.txt
    wanted="$(cksum <pyproject.toml) $("$venv/bin/python" -c 'import sys; print(sys.version.split()[0])')"
    [ -z "${JARAGUA_LOCKED:-}" ] || wanted="$wanted $(cksum <"$lock")"
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return
    fi
    say "installing Python packages into $venv ($extras); this takes a minute"
    if [ -n "${JARAGUA_LOCKED:-}" ]; then
        if locked; then
            echo "$wanted" >"$stamp"
            return
        fi
        say "pip could not install the exact versions of $lock (its message is above): the package index may lack one."
        if [ "$JARAGUA_LOCKED" != prefer ]; then
            say "Run make lock for versions that this index has, or leave JARAGUA_LOCKED out to take the ranges of pyproject.toml."
            exit 1
        fi
        say "taking the ranges of pyproject.toml instead"
    fi
    if ! in_ranges; then
        say "pip could not install the Python packages (its message is above). Check the network, then run make again."
        exit 1
    fi
    echo "$wanted" >"$stamp"
}

# The versions of a package-lock.json, into node_modules beside it.
install_node_packages() {
    if ! cmp -s "$1/package-lock.json" "$1/node_modules/.jaragua"; then
        npm ci --prefix "$1" --silent --no-audit --no-fund
        cp "$1/package-lock.json" "$1/node_modules/.jaragua"
    fi
}

python=$(find_python)
if [ "$what" = tflite ] && [ -z "$python" ]; then
    say "tflite-runtime needs Python 3.11 and there is none here. Take the newer runtime: tools/setup/setup.sh litert"
    exit 1
fi
install_packages
case $what in
clang | raspberry | container | systemd | system) exit 0 ;;
boards)
    # rp2040js, pinned: the emulator of the Raspberry Pi Pico.
    install_node_packages tools/emulators
    exit 0
    ;;
wot)
    install_node_packages tools/wot
    exit 0
    ;;
esac
python=$(find_python)
if ! "$venv/bin/python" -c "$is_wanted" 2>/dev/null; then
    rm -rf "$venv"
    say "creating $venv with $("$python" --version)"
    "$python" -m venv "$venv"
fi
install_python_packages
[ "$what" = flower ] || $python_only || "$venv/bin/python" -c 'import sys; from jaragua.emulate import build_engine; sys.exit(build_engine.main())'
