# What the scripts that make a root of another system share. A script sets `name` (its folder below build/) and `base`.

say() { echo "$name: $*" >&2; }

give_up() {
    say "$*"
    exit 1
}

# Runs a command; its output is shown if it fails.
quietly() {
    "$@" >"$base/log" 2>&1 || {
        tail -n 20 "$base/log" >&2
        give_up "this failed (its last lines are above, all of them in build/$name/log): $*"
    }
}

debian_mirror() {
    # shellcheck disable=SC2016  # apt fills the field in
    [ -n "${DEBIAN_MIRROR:-}" ] || DEBIAN_MIRROR=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
    [ -n "$DEBIAN_MIRROR" ] || give_up "apt knows no mirror of Debian. Run apt-get update, or set DEBIAN_MIRROR to the address of one."
}
