#!/usr/bin/env bash
# The test command: format, lints, dependencies, documentation examples and every test, in the release profile, so that
# Burn is compiled once for the tests and for `cargo run --release`. It says first what it is about to install.
#
#   tests/run          what each change must pass
#   tests/run --full   also advisories, the ignored (long) tests, more changed inputs, linking `--features cuda`, and packages
#                      compiled in two folders
#
# Writes only below target/, besides what cargo keeps of downloaded crates and apt of installed packages.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/packages.sh

full=no
for argument in "$@"; do
    case "$argument" in
        --full) full=yes ;;
        *) echo "usage: tests/run [--full]" >&2; exit 2 ;;
    esac
done

# Debian packages, each with the command that succeeds where it is not needed.
packages=(
    gcc "command -v cc"
    git "command -v git"
    strace "command -v strace"
    libimage-exiftool-perl "command -v exiftool"
    chromium "command -v chromium"
    openssl "command -v openssl"
    chromium-driver "command -v chromedriver"
    python3-venv "python3 -c 'import venv, ensurepip'"
    systemd "command -v systemd-analyze"
    systemd-container "command -v systemd-nspawn"
    nftables "command -v nft || test -x /usr/sbin/nft"
    groff-base "command -v groff"
    binutils "command -v objdump"
    lintian "command -v lintian"
    iproute2 "command -v ip || test -x /usr/sbin/ip"
)
python_packages=(
    'cryptography>=44'
    'rfc8785==0.1.4'
    'compliance-trestle==5.2.0'
    'cyclonedx-python-lib[json-validation]==11.12.0'
)
deny_version=0.20.2
# Changed inputs for each fuzz target in a full run; tests/fuzz says how many there are otherwise.
fuzz_inputs_full=200000

main() {
    phase "what is missing on this machine" missing_tools
    phase "system packages" need_packages "${packages[@]}"
    phase "python for the independent readers" python
    phase "cargo-deny" deny
    phase "format" cargo fmt --all --check
    phase "dependencies" dependencies bans licenses sources
    [ "$full" = no ] || phase "advisories" advisories
    phase "lints" cargo clippy --release --locked --workspace --all-targets -- -D warnings
    phase "the program, as the README runs it" cargo run --release --locked --quiet -- --version
    phase "documentation examples" cargo test --release --locked --workspace --doc -q
    [ "$full" = no ] || phase "compile and link for CUDA" tests/cuda_link.sh
    [ "$full" = no ] || phase "compile and pack twice" tests/rebuild.sh
    phase "tests" tests
}

# Runs a step and prints how long it took; the first that fails ends the run.
phase() {
    local name=$1 start=$SECONDS status=0
    shift
    echo "== $name"
    # Behind `||` a step runs without `set -e`, so the steps below hand on what fails in them.
    "$@" || status=$?
    echo "== $name: $((SECONDS - start)) s"
    if ((status)); then
        echo "tests/run: failed at: $name" >&2
        exit "$status"
    fi
}

# Prints everything that the next phases install, before the first of them does.
missing_tools() {
    if ! command -v cargo >/dev/null; then
        echo "The Rust toolchain is missing; see https://rustup.rs" >&2
        return 1
    fi
    local missing plan=()
    find_missing "${packages[@]}"
    ((${#missing[@]} == 0)) || plan+=("with apt, as root: ${missing[*]}")
    [ "$own_python" = no ] || python_is_ready || plan+=("with pip, into target/test-python: ${python_packages[*]}")
    deny_is_ready || plan+=("with cargo, into target/tools: cargo-deny $deny_version, which takes two minutes on two cores")
    if ((${#plan[@]} == 0)); then
        echo "Nothing: no tool is installed."
    else
        echo "This will be installed:"
        printf '  %s\n' "${plan[@]}"
    fi
}

# The independent readers are Python programs over the `cryptography` package, in an environment of their own; beside them
# stand other people's programs that judge a bundle of evidence.
# Offline, name a Python that has it: LIGHTPROOF_TEST_PYTHON=/usr/bin/python3 tests/run
python() {
    python_is_ready && return
    if [ "$own_python" = no ]; then
        python_probe
        return
    fi
    python3 -m venv --clear target/test-python &&
        "$LIGHTPROOF_TEST_PYTHON" -m pip install --quiet --no-cache-dir --disable-pip-version-check "${python_packages[@]}" &&
        python_probe
}

python_is_ready() {
    python_probe 2>/dev/null
}

python_probe() {
    "$LIGHTPROOF_TEST_PYTHON" -c 'import cryptography, cyclonedx.validation.json, jsonschema, rfc8785, trestle; assert int(cryptography.__version__.split(".")[0]) >= 44'
}

# Unoptimised: it runs for a second and would be compiled for minutes. Of our own build folder it uses nothing.
deny() {
    deny_is_ready ||
        env -u CARGO_TARGET_DIR CARGO_PROFILE_DEV_DEBUG=0 \
            cargo install --quiet --locked --debug --root target/tools "cargo-deny@$deny_version"
}

deny_is_ready() {
    cargo deny --version >/dev/null 2>&1
}

dependencies() {
    cargo deny --locked --workspace check --hide-inclusion-graph "$@"
}

# Today's answer may be another one than yesterday's, so only a full run asks, and only where there is somebody to ask.
advisories() {
    if ! timeout 60 cargo deny fetch db >/dev/null 2>&1; then
        echo "Not checked: the database of advisories cannot be fetched from here."
        return
    fi
    dependencies advisories
}

tests() {
    local profile=default status=0 ignored=()
    [ "${CI:-}" != true ] || profile=ci
    if [ "$full" = yes ]; then
        ignored=(--run-ignored all)
        export LIGHTPROOF_FUZZ_INPUTS="${LIGHTPROOF_FUZZ_INPUTS:-$fuzz_inputs_full}"
    fi

    if ! cargo nextest --version >/dev/null 2>&1; then
        echo "cargo-nextest is missing; it runs each test in a process of its own: cargo install --locked cargo-nextest" >&2
        [ "${CI:-}" != true ] || return 1
        [ "$full" = no ] || ignored=(--include-ignored)
        cargo test --release --locked --workspace --lib --bins --tests -- --test-threads=2 "${ignored[@]}"
        return
    fi
    local report="target/nextest/$profile/junit.xml" not_run=target/tmp/not-run
    rm -f "$report" "$not_run"
    cargo nextest run --release --locked --workspace --profile "$profile" "${ignored[@]}" || status=$?
    # There is none when the tests did not compile.
    if [ -e "$report" ]; then slowest "$report"; fi
    if [ -e "$not_run" ]; then
        echo "Not run, since it needs root:"
        sort "$not_run"
    fi
    return "$status"
}

# The ten slowest tests, and one closing line.
slowest() {
    "$LIGHTPROOF_TEST_PYTHON" - "$1" <<'PY'
import sys
import xml.etree.ElementTree as ET

suites = ET.parse(sys.argv[1]).getroot()
cases = [(float(case.get("time", 0)), suite.get("name"), case.get("name"))
         for suite in suites.iter("testsuite") for case in suite.iter("testcase")]
print("Slowest tests:")
for seconds, suite, name in sorted(cases, reverse=True)[:10]:
    print(f"  {seconds:8.2f} s  {suite}  {name}")
failed = int(suites.get("failures", 0)) + int(suites.get("errors", 0))
print(f"{len(cases) - failed} passed, {failed} failed")
PY
}

# Everything that a test or tool writes lands here, even from one that forgot to say where.
export CARGO_TARGET_DIR="$PWD/target"
mkdir -p target/tmp target/user
export TMPDIR="$PWD/target/tmp"
# As root, parts of the tests become an ordinary user, who must reach these files. Where a folder above the checkout is
# closed to others, the same folder is seen at an open place too, in a mount namespace of this run alone.
if [ "$(id -u)" = 0 ] && ! setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$TMPDIR"; then
    if [ -z "${LIGHTPROOF_TESTS_ALONE:-}" ]; then
        exec env LIGHTPROOF_TESTS_ALONE=1 unshare --mount --propagation private "$0" "$@"
    fi
    mount --bind "$TMPDIR" /mnt
    export TMPDIR=/mnt
fi
export XDG_STATE_HOME="$PWD/target/user/state" XDG_CONFIG_HOME="$PWD/target/user/config"
export XDG_DATA_HOME="$PWD/target/user/data" XDG_CACHE_HOME="$PWD/target/user/cache"
export PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1
own_python=no
if [ -z "${LIGHTPROOF_TEST_PYTHON:-}" ]; then
    own_python=yes
    export LIGHTPROOF_TEST_PYTHON="$PWD/target/test-python/bin/python"
fi
# Where cargo finds the tools that were installed here.
export PATH="$PATH:$PWD/target/tools/bin"

missing_tools; need_packages "${packages[@]}"; python; deny
