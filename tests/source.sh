#!/usr/bin/env bash
# Makes the archive of all sources, unpacks it elsewhere, and compiles the auditor's program from it, without a network and without
# what cargo has fetched for anybody before. (The whole program takes the first build once more; deploy/PACKAGES.md has the lines.)
set -euo pipefail
cd "$(dirname "$0")/.."

work=$PWD/target/source
rm -rf "$work"
mkdir -p "$work/home"
deploy/source --output "$work"
tar --extract --gzip --file "$work"/lightproof-*-source.tar.gz --directory "$work"
cd "$work"/lightproof-*-source
# Whoever has root shows that nothing is asked for; for others cargo's own word has to do.
alone=(env)
[ "$(id -u)" != 0 ] || alone=(unshare --net env)
"${alone[@]}" -u CARGO_TARGET_DIR CARGO_HOME="$work/home" cargo build --release --locked --offline -p evidence
target/release/lightproof-audit --version
# A crate that was changed on the way is not compiled; of what is compiled already cargo asks nothing.
rm -rf target
printf "\n" >>"$(printf "%s\n" vendor/hmac-0*/src/lib.rs | tail -n 1)"
if env -u CARGO_TARGET_DIR CARGO_HOME="$work/home" cargo build --release --locked --offline -p evidence; then
    echo "source: a changed crate was compiled" >&2
    exit 1
fi
rm -rf "$work"
