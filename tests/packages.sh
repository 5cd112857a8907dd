# Sourced by the scripts beside it. `need_packages PACKAGE PROBE [PACKAGE PROBE ...]`: a probe is a command that
# succeeds when the Debian package is not needed (any more). As root what is missing is installed; otherwise the one
# line to type is printed, and nothing else happens.

need_packages() {
    local missing
    find_missing "$@"
    ((${#missing[@]} == 0)) && return 0

    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "Missing on this machine. Type:" >&2
        echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
        echo "(other systems: the packages of the same name, then run this again)" >&2
        return 1
    fi
    echo "Installing ${missing[*]}"
    apt-get update -qq </dev/null || return 1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null || return 1

    find_missing "$@"
    ((${#missing[@]} == 0)) && return 0
    echo "Installed, and still not usable: ${missing[*]}" >&2
    return 1
}

# Fills its caller's `missing`.
find_missing() {
    missing=()
    while (($#)); do
        bash -c "$2" >/dev/null 2>&1 </dev/null || missing+=("$1")
        shift 2
    done
}
