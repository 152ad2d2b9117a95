#!/bin/sh
# Jamf Pro extension attribute: prints exactly one <result>, and exits 0. The result is blank if the value
# is not known or the tool fails; the reason is then on standard error.

# Settings: the attribute (see the tool's --list-attributes), and the tool's absolute path
attribute='state'
tool='/usr/local/wpj-state/wpj-state'

export LC_ALL='C'
trap : INT PIPE # Otherwise a tool that ends by SIGINT, or a closed pipe, could end this script before its result.
# Root must own the tool and every folder above it, and nobody else may write to them: a user who can rename one of
# them could make root start another program. Access control lists are not checked.
set -- "/${tool#/}"
while [ "$1" != / ]; do
    folder=${1%/*}; set -- "${folder:-/}" "$@"
done
if unsafe=$(/usr/bin/find "$@" -prune \( -type l -o ! -user root -o -perm -020 -o -perm -002 \)) && [ -z "$unsafe" ]
then
    answer=$("/${tool#/}" --attribute "$attribute")
    outcome="exit status $?: $answer"
else
    outcome="must exist, be owned by root, not writable by group or others, and not a link: ${unsafe:-$tool}"
fi
# Exit status 1: the value is not known, and the tool has printed why. A value never contains < > &.
[ "${#outcome}" -lt 100000 ] && case $outcome in
    'exit status '[01]': <result>'*['<>&']*'</result>') ;;
    'exit status '[01]': <result>'*'</result>') printf '%s\n' "$answer"; exit 0 ;;
esac
printf '<result></result>\n'
printf 'wpj-state extension attribute: %.200s\n' "$outcome" >&2 || exit 0
