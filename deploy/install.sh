#!/bin/sh
# Puts the programs, manual pages and completions of this folder below a prefix, or takes them away again.
#
#   ./install.sh --prefix DIR
#   DIR/share/lightproof/install.sh --uninstall --prefix DIR
#
# All or nothing: whatever is in the way is said before anything is written. Vaults, pictures and logs are never touched.
set -eu
umask 022

usage() {
    echo "usage: install.sh [--uninstall] --prefix DIR" >&2
    exit 2
}

uninstall=no prefix=''
while [ $# -gt 0 ]; do
    case "$1" in
        --uninstall) uninstall=yes ;;
        --prefix)
            [ $# -gt 1 ] || usage
            prefix=$2
            shift ;;
        *) usage ;;
    esac
    shift
done
[ -n "$prefix" ] || usage
case "$prefix" in
    /*) ;;
    *) prefix=$PWD/$prefix ;;
esac
prefix=${prefix%/}
case "$prefix/" in
    / | */../* | */./* | *//*) echo "install.sh: name the folder itself, without .. and not the root" >&2; exit 2 ;;
esac
# What lies below the prefix from us: `FILE SUM PATH` and `DIR PATH`, in the order in which they were made.
list=share/lightproof/installed

refuse() {
    echo "install.sh: $1" >&2
    echo "install.sh: nothing was changed" >&2
    exit 1
}

# Whether a folder can take files of ours; root writes everywhere, and would leave files of root's in somebody's home.
fits() {
    [ ! -L "$1" ] || refuse "$1 is a link; name the folder that it leads to"
    [ -d "$1" ] || refuse "$1 is no folder"
    [ -w "$1" ] && [ -x "$1" ] || refuse "$1 cannot be written by this user; name another prefix, or run this as its owner"
    if [ "$(id -u)" = 0 ] && [ "$(stat -c %u "$1")" != 0 ]; then
        refuse "$1 belongs to $(stat -c %U "$1"), and files of root's in it would be in their way; run this as that user"
    fi
}

sum_of() {
    sha256sum <"$1" | cut -d' ' -f1
}

# Whether an earlier installation has put a file there.
is_ours() {
    [ -f "$prefix/$list" ] && cut -d' ' -f1,3- "$prefix/$list" | grep -qxF "FILE $1"
}

install_all() {
    here=$(cd "$(dirname "$0")" && pwd)
    [ -f "$here/SHA256SUMS" ] && [ -d "$here/files" ] || refuse "SHA256SUMS and files/ are not beside this script; unpack the archive anew"
    (cd "$here/files" && sha256sum --quiet -c ../SHA256SUMS >&2) || refuse "a file of the archive is not what SHA256SUMS says"

    folders=$(sed 's/^[0-9a-f]*  //; s,/*[^/]*$,,' "$here/SHA256SUMS" | sort -u)
    # The prefix itself, and each folder on the way to a file.
    way=$(for folder in $folders; do
        while [ "$folder" != "${folder%/*}" ]; do echo "$folder"; folder=${folder%/*}; done
        echo "$folder"
    done | sort -u)
    base=$prefix
    if [ ! -e "$prefix" ] && [ ! -L "$prefix" ]; then
        base=$(dirname "$prefix")
        [ -d "$base" ] || refuse "there is no folder $base; make it, if the path is right"
    fi
    fits "$base"
    for folder in $way; do
        if [ -e "$prefix/$folder" ] || [ -L "$prefix/$folder" ]; then fits "$prefix/$folder"; fi
    done
    while read -r _ path; do
        target=$prefix/$path
        if [ -L "$target" ]; then refuse "$target is a link; take it away"; fi
        if [ -e "$target" ] && [ ! -f "$target" ]; then refuse "$target is no file; take it away"; fi
        if [ -e "$target" ] && ! is_ours "$path"; then refuse "$target is there, and this program did not put it there; take it away"; fi
    done <"$here/SHA256SUMS"
    needed=$(du -sk "$here/files" | cut -f1)
    free=$(df -Pk "$base" | awk 'NR == 2 { print $4 }')
    [ "$free" -gt "$needed" ] || refuse "the disk of $prefix has $free KiB left, and $needed are needed"

    # First everything beside its place, then each at its place by a rename: a full disk is met before anything is replaced.
    new=.lightproof-new
    made=$(mktemp)
    trap 'undo; rm -f "$made"' EXIT
    trap 'exit 1' HUP INT TERM
    make_folder "$prefix"
    for folder in $way; do make_folder "$prefix/$folder"; done
    while read -r _ path; do
        install -m "$(stat -c %a "$here/files/$path")" "$here/files/$path" "$prefix/$path$new" || exit 1
    done <"$here/SHA256SUMS"
    {
        if [ -f "$prefix/$list" ]; then grep '^DIR ' "$prefix/$list" || true; fi
        sed "s,^,DIR ," "$made"
        sed 's/^\([0-9a-f]*\)  /FILE \1 /' "$here/SHA256SUMS"
    } >"$prefix/$list$new" || exit 1
    sync "$prefix/$list$new" 2>/dev/null || true
    # What an earlier version had and this one has not.
    former=''
    if [ -f "$prefix/$list" ]; then former=$(grep '^FILE ' "$prefix/$list" | cut -d' ' -f3-); fi
    trap 'rm -f "$made"; echo "install.sh: it was interrupted; run it again" >&2' EXIT
    mv -f "$prefix/$list$new" "$prefix/$list"
    while read -r _ path; do mv -f "$prefix/$path$new" "$prefix/$path"; done <"$here/SHA256SUMS"
    for path in $former; do
        is_ours "$path" || rm -f "$prefix/$path"
    done
    trap 'rm -f "$made"' EXIT
    echo "Installed below $prefix. Next: '$prefix/bin/lightproof' --help"
    echo "To take it away: '$prefix/share/lightproof/install.sh' --uninstall --prefix '$prefix'"
    # A profile is root's and the whole machine's, so it is said and not loaded.
    if [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)" = 1 ]; then
        echo "AppArmor of this machine keeps user namespaces from programs without a profile. As root, for this one:"
        echo "  sed 's,lightproof \"/usr,lightproof-tarball \"$prefix,' '$prefix/share/lightproof/apparmor/lightproof' >/etc/apparmor.d/lightproof-tarball"
        echo "  apparmor_parser -r /etc/apparmor.d/lightproof-tarball"
    fi
}

make_folder() {
    [ -d "$1" ] && return
    mkdir "$1"
    printf '%s/\n' "${1#"$prefix"}" >>"$made"
}

# After a failure: what was put beside its place goes, and what was there stays as it was.
undo() {
    while read -r _ path; do rm -f "$prefix/$path$new"; done <"$here/SHA256SUMS"
    rm -f "$prefix/$list$new"
    sort -r "$made" | while read -r folder; do rmdir --ignore-fail-on-non-empty "$prefix$folder" 2>/dev/null || true; done
    echo "install.sh: it did not succeed; what was there before is as it was" >&2
}

uninstall_all() {
    [ -f "$prefix/$list" ] && [ ! -L "$prefix/$list" ] || refuse "$prefix/$list is not there: nothing was installed below $prefix"
    fits "$prefix"
    if cut -d' ' -f2- "$prefix/$list" | grep -qE '(^|/)[.][.](/|$)'; then
        refuse "$prefix/$list names a path that this script never wrote"
    fi
    kept=0
    while read -r kind sum path; do
        [ "$kind" = FILE ] || continue
        target=$prefix/$path
        [ -e "$target" ] || [ -L "$target" ] || continue
        if [ "$(readlink -f "$(dirname "$target")")" != "$(readlink -f "$prefix")/$(dirname "$path")" ] || [ -L "$target" ] ||
            [ ! -f "$target" ] || [ "$(sum_of "$target")" != "$sum" ]; then
            echo "install.sh: kept, since somebody has changed it: $target" >&2
            kept=$((kept + 1))
            continue
        fi
        rm -f "$target"
    done <"$prefix/$list"
    folders=$(grep '^DIR ' "$prefix/$list" | cut -d' ' -f2- | sort -r)
    rm -f "$prefix/$list"
    for folder in $folders; do
        [ -L "$prefix$folder" ] || [ ! -d "$prefix$folder" ] || rmdir --ignore-fail-on-non-empty "$prefix$folder"
    done
    echo "Taken away from $prefix, $kept kept. Vaults, pictures and logs are where they were."
}

case "$uninstall" in
    yes) uninstall_all ;;
    no) install_all ;;
esac
