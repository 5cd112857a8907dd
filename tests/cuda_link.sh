#!/usr/bin/env bash
# Compiles and links the program with `--features cuda`, without a GPU, a driver or the CUDA toolkit.
#
# Burn's CUDA runtime links LLVM 23 statically, from an archive that its build script downloads. This check must also
# hold where nothing can be downloaded, so it puts Debian's LLVM 22 in that archive's place: enough to show that our
# code compiles and that the program links. No kernel is compiled or run; a release for GPUs uses the archive.
#
# Then, as root, it is started on a machine that seems to have a card: nodes of that name, which are no card's. Every process gets the
# plan of a card, the fences are tried, and the driver is looked for behind them.
#
# Everything goes to target/cuda, unoptimised and without debug information.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/packages.sh

llvm=/usr/lib/llvm-22
need_packages \
    g++ "command -v c++" \
    binutils "command -v nm" \
    llvm-22-dev "test -x $llvm/bin/llvm-config -a -e $llvm/lib/libLLVMNVPTXCodeGen.a" \
    libz3-dev "test -e /usr/include/z3.h" \
    libzstd-dev "test -e /usr/include/zstd.h" \
    zlib1g-dev "test -e /usr/include/zlib.h" \
    libxml2-dev "test -d /usr/include/libxml2"

# The bundler looks for `tracel/tracel-llvm-VERSION` in the user's data folder; the marker file says "installed".
version=$(grep -A1 '^name = "tracel-llvm-bundler"$' Cargo.lock | sed -n 's/^version = "\(.*\)"$/\1/p')
if [ -z "$version" ]; then
    echo "Cargo.lock names no tracel-llvm-bundler: is the feature \`cuda\` still burn-tensor/cuda?" >&2
    exit 1
fi
export XDG_DATA_HOME="$PWD/target/cuda/data"
prefix="$XDG_DATA_HOME/tracel/tracel-llvm-$version"
mkdir -p "$prefix/bin"
touch "$prefix/.tracel-llvm-installed"

# Debian's llvm-config lists Polly, which it does not ship as an archive, and libz3 as an absolute path, which the
# bundler would turn into `-llibz3`.
cat >"$prefix/bin/llvm-config" <<SH
#!/bin/sh
out=\$($llvm/bin/llvm-config "\$@") || exit \$?
echo "\$out" | sed -e 's/-lPollyISL//g' -e 's/-lPolly//g' -e 's#/[^ ]*/libz3\\.so#-lz3#g'
SH
chmod +x "$prefix/bin/llvm-config"

# Checked before half an hour of compiling: each archive exists, and each system library is one the linker can name.
libdir=$("$prefix/bin/llvm-config" --link-static --libdir)
archives=$("$prefix/bin/llvm-config" --link-static --libs)
for library in $archives; do
    if [ ! -e "$libdir/lib${library#-l}.a" ]; then
        echo "llvm-config names $library, and $libdir has no such archive" >&2
        exit 1
    fi
done
system=$("$prefix/bin/llvm-config" --link-static --system-libs)
for library in $system; do
    if ! echo 'int main(void) { return 0; }' | cc -x c - -o target/cuda/probe "$library"; then
        echo "the linker does not find $library" >&2
        exit 1
    fi
done
rm -f target/cuda/probe
echo "LLVM stand-in: $(wc -w <<<"$archives") archives, system libraries:" $system
if [ "${1:-}" = --stand-in-only ]; then
    exit 0
fi

export CARGO_TARGET_DIR="$PWD/target/cuda" CARGO_INCREMENTAL=0
export CARGO_PROFILE_DEV_OPT_LEVEL=0 CARGO_PROFILE_DEV_DEBUG=0
cargo build --locked --package lightproof --features cuda

# Linked means: Burn's CUDA runtime is inside, and the driver is looked for when a person asks for it, not before.
program=target/cuda/debug/lightproof
symbols=$(nm "$program" | grep -c cubecl_cuda || true)
if [ "$symbols" = 0 ]; then
    echo "$program holds no symbol of Burn's CUDA runtime" >&2
    exit 1
fi
if readelf --dynamic "$program" | grep NEEDED | grep -i -E 'cuda|nvrtc|nvidia'; then
    echo "$program cannot start on a machine without NVIDIA's driver" >&2
    exit 1
fi
"$program" --version
echo "cuda_link: $program links, with $symbols symbols of the CUDA runtime and no library of NVIDIA's"

if [ "$(id -u)" != 0 ]; then
    echo "Not run, since it needs root: a start on nodes that are no card's."
    [ "${CI:-}" != true ] || exit 1
    exit 0
fi
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
chmod 755 "$home"
install -d -o nobody -m 700 "$home/user"
install -m 755 "$program" "$home/lightproof"
generate=("$home/lightproof" generate "a red apple" --device cuda:0 --home "$home/user/state" --outputs "$home/user/pictures" --passphrase-file "$home/user/passphrase")
install -o nobody -m 600 /dev/stdin "$home/user/passphrase" <<<"a passphrase of this test"
cp "$home/user/passphrase" "$home/root-passphrase"
as_nobody() { setpriv --reuid nobody --regid nogroup --clear-groups env -C "$home/user" HOME="$home/user" "$@"; }
says() {
    local wanted=$1 said
    shift
    if said=$("$@" 2>&1); then
        echo "there is no card here, and a picture was made: $said" >&2
        exit 1
    fi
    if [[ $said != *"$wanted"* ]]; then
        printf 'wanted: %s\nsaid: %s\n' "$wanted" "$said" >&2
        exit 1
    fi
    echo "cuda_link: said: ${said##*error: }"
}
as_nobody "$home/lightproof" vault init --home "$home/user/state" --outputs "$home/user/pictures" --passphrase-file "$home/user/passphrase" >/dev/null
says "no card is used as root" "${generate[@]/user\//root-}"
says "there is no NVIDIA card here" as_nobody "${generate[@]}"
# A view of /dev of its own, with nodes that are those of /dev/null.
export -f as_nobody says
export home
unshare --mount bash -euo pipefail -c '
    mkdir "$home/dev"
    mount -t tmpfs tmpfs "$home/dev"
    cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty "$home/dev/"
    for node in nvidia0 nvidiactl; do mknod -m 666 "$home/dev/$node" c 1 3; done
    mount --bind "$home/dev" /dev
    says "/dev/nvidia-uvm is missing" as_nobody "$@"
    mknod -m 666 /dev/nvidia-uvm c 1 3
    says "the NVIDIA driver finds no card" as_nobody "$@"
' bash "${generate[@]}"
log=$(as_nobody "$home/lightproof" audit show --home "$home/user/state" --json)
if [ "$(grep -c '"device"' <<<"$log")" = 0 ]; then
    echo "no refusal is on record: $log" >&2
    exit 1
fi
echo "cuda_link: with the plan of a card all three processes were fenced, and each refusal is on record"
