#!/usr/bin/env bash
# Compiles and links the program with `--features cuda`, without a GPU, a driver or the CUDA toolkit.
#
# Burn's CUDA runtime links LLVM 23 statically, from an archive that its build script downloads. This check must also
# hold where nothing can be downloaded, so it puts Debian's LLVM 22 in that archive's place: enough to show that our
# code compiles and that the program links. No kernel is compiled or run; a release for GPUs uses the archive.
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
