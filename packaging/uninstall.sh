#!/bin/sh
# Removes wpj-state from this Mac; run it as root. Files that are not its own links are left alone.
set -u
PATH='/usr/bin:/bin:/usr/sbin:/sbin'

# Whether folder $1 and every folder above it are private to root: owned by root, not writable by others, and not a
# link. Otherwise a user could make root remove something else. $others is the first folder that is not. Access control
# lists are not checked.
is_private_to_root() {
    [ -z "$1" ] || is_private_to_root "${1%/*}" || return 1
    others=${1:-/}
    if [ ! -e "$others" ] && [ ! -L "$others" ]; then return 0; fi
    [ -n "$(find "$others" -prune -type d -user 0 ! -perm -020 ! -perm -002)" ]
}

unlink_if_ours() {
    case $(readlink "$1") in
        /usr/local/wpj-state/*) ;;
        *) return ;;
    esac
    if is_private_to_root "${1%/*}"; then
        rm -f "$1"
    else
        # The folder's owner or mode has changed since the installation.
        echo "$1: not removed, because $others is not private to root; remove this link yourself" >&2
    fi
}

unlink_if_ours /usr/local/bin/wpj-state
unlink_if_ours /usr/local/share/man/man1/wpj-state.1
unlink_if_ours /usr/local/share/zsh/site-functions/_wpj-state
unlink_if_ours /usr/local/share/bash-completion/completions/wpj-state
unlink_if_ours /usr/local/share/fish/vendor_completions.d/wpj-state.fish

status=0
# The second is what prompt-registration.sh counts, the third what is remembered of keys.
for folder in /usr/local/wpj-state '/Library/Application Support/wpj-state' /private/var/db/wpj-state; do
    if ! is_private_to_root "${folder%/*}"; then
        echo "$folder: not removed, because $others is not private to root; check it, and remove it yourself" >&2
        status=1
    elif ! rm -rf "$folder"; then
        echo "$folder: could not be removed; run this as root" >&2
        status=1
    fi
done
if [ "$status" = 0 ] && pkgutil --pkg-info wpj-state >/dev/null 2>&1; then
    pkgutil --forget wpj-state
fi
exit "$status"
