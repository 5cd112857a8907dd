#!/usr/bin/env bash
# Compiles and packs what is committed in two folders, and compares: the same commit and compiler give the same bytes. It takes the
# first build twice, so only a full run does it.
set -euo pipefail
cd "$(dirname "$0")/.."

work=target/rebuild
rm -rf "$work"
for folder in one another/and-longer; do
    git clone --quiet --no-hardlinks . "$work/$folder"
    "$work/$folder/deploy/package" --trial --output "$PWD/$work/made/${folder%/*}"
    for program in lightproof lightproof-audit; do
        if grep -aqF -e "$PWD/" -e "${CARGO_HOME:-$HOME/.cargo}/" "$work/$folder/target/package/release/$program"; then
            echo "rebuild: $program names folders of this machine" >&2
            exit 1
        fi
    done
done
diff -r "$work/made/one" "$work/made/another"
echo "rebuild: the same bytes twice"
rm -rf "$work"
