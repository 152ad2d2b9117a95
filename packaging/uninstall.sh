#!/bin/sh
# Removes wpj-state from this Mac; run it as root. Whatever else stands in place of its links stays.
set -u
PATH='/usr/bin:/bin:/usr/sbin:/sbin'

# Another volume's root, for tests.
volume=${1:-}

unlink_if_ours() {
    case $(readlink "$volume$1") in
        /usr/local/wpj-state/*) rm -f "$volume$1" ;;
    esac
}

unlink_if_ours /usr/local/bin/wpj-state
unlink_if_ours /usr/local/share/man/man1/wpj-state.1
unlink_if_ours /usr/local/share/zsh/site-functions/_wpj-state
unlink_if_ours /usr/local/share/bash-completion/completions/wpj-state
unlink_if_ours /usr/local/share/fish/vendor_completions.d/wpj-state.fish
# The latter is what prompt-registration.sh counts.
rm -rf "$volume/usr/local/wpj-state" "$volume/Library/Application Support/wpj-state"
if [ -e "$volume/usr/local/wpj-state" ]; then
    echo "$volume/usr/local/wpj-state: could not be removed; run this as root" >&2
    exit 1
fi
if [ -z "$volume" ] && pkgutil --pkg-info wpj-state >/dev/null 2>&1; then
    pkgutil --forget wpj-state
fi
