#!/bin/sh
# Jamf Pro policy script: runs Jamf's gatherAADInfo as the user at the console, if that user's AAD ID was not acquired,
# and then asks for a new inventory.
#
# Parameter in Jamf Pro; left blank it takes its default:
#    4  how many seconds gatherAADInfo may take, 1 to 3600; 120 by default
#
# Only acts in the state "WPJ Key present, AAD ID not acquired", and never as root, for whom gatherAADInfo does harm.
#
# Prints one line on what was done, or why nothing was. Exit status:
#    0  nothing is wrong: there was nothing to do, the state cannot be told, or the AAD ID was acquired and Jamf Pro
#       has a new inventory
#    1  failed: an administrator has to look at what the line says
#    2  a wrong parameter, or not run by root
set -u

# From here to the line of dashes, prompt-registration.sh and gather-aad-info.sh are the same.

# Settings
tool='/usr/local/wpj-state/wpj-state'
# How many seconds a program may take that normally answers at once; wpj-state gives up after 10 by itself.
patience='30'
# Who has to run this and own the tool, and what stands in front of all other paths: only tests change these.
owner='0'
root=''

# Nothing that the caller's environment says is relied upon: not its paths, language, folder or shell functions.
unset -f awk cd env find head id kill mkdir mktemp printf ps read rm sleep tail tr umask 2>/dev/null
PATH='/usr/bin:/bin:/usr/sbin:/sbin'
LC_ALL='C'
export PATH LC_ALL
umask 022
cd /

# Each ends the script with its one line for the policy's log.
finish() {
    printf '%s\n' "$1"
    exit 0
}
fail() {
    printf 'failed: %s\n' "$1"
    exit 1
}
refuse() {
    printf 'refused: %s\n' "$1"
    exit 2
}

# Whether $1 is a whole number from $2 to $3. Leading zeros would make it octal for the shell.
is_number() {
    case $1 in
        0) ;;
        '' | 0* | *[!0-9]* | ???????????*) return 1 ;;
    esac
    [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

# Whether $1 and every folder above it is owned by root, not writable by others, and not a link. A user who could rename
# a folder could put something else there between this check and the use. If not, $unsafe is the first of them. Access
# control lists are not seen.
is_safe() {
    unsafe=$1
    case $1 in
        "$root"/*) ;;
        *) return 1 ;;
    esac
    set -- "$1"
    until [ "$unsafe" = "$root" ]; do
        unsafe=${unsafe%/*}
        set -- "${unsafe:-/}" "$@"
    done
    unsafe=$(find "$@" -prune \( -type l -o ! -user "$owner" -o -perm -020 -o -perm -002 \) 2>/dev/null && echo safe)
    [ "$unsafe" != safe ] || return 0
    unsafe=$(printf '%s\n' "${unsafe:-$1}" | head -n 1)
    return 1
}
demand='must be owned by root, not writable by group or others, and not a link'

# The processes that descend from the one that was started last, as long as that is still a child of this one.
descendants() {
    ps -axo pid= -o ppid= | awk -v top="$started" -v self="$$" '
        { parent[$1] = $2 }
        END {
            if (parent[top] != self) exit
            for (pid in parent) {
                up = parent[pid]
                for (steps = 0; steps < 1000 && up != top && up in parent; steps++) up = parent[up]
                if (up == top) print pid
            }
        }'
}

# Ends what was started last, and all that it has started, one by one: sudo passes on no signal from its own process
# group, and at a terminal it gives its command another group. The second round is for the processes of the first one,
# too, whose parents may be gone by then; numbers are not given out again that soon.
end_started() {
    for signal in TERM KILL; do
        descendants >>"$work/processes"
        while read -r process; do
            kill -s "$signal" "$process"
        done <"$work/processes" 2>/dev/null
        sleep 1
    done
}

# Runs a program for at most $1 seconds, with $work/input as its input; $code is then its exit status. It fails if the
# program had to be ended. The outputs are files, because Jamf, or this script, would wait for as long as something that
# the program leaves behind holds a pipe open.
run() {
    ticks=$(($1 * 10))
    shift
    rm -f "$work/code" "$work/processes"
    (
        "$@" <"$work/input" >"$work/output" 2>"$work/errors"
        printf '%s\n' "$?" >"$work/code"
    ) </dev/null >/dev/null 2>&1 &
    started=$!
    while [ ! -s "$work/code" ]; do
        if [ "$ticks" -le 0 ]; then
            end_started
            started=''
            return 1
        fi
        ticks=$((ticks - 1))
        sleep 0.1
    done
    started=''
    read -r code <"$work/code"
}

# Runs a program as user $uid in that user's session, for at most $1 seconds. Root's environment is no business of the
# user's: sudo on macOS would even keep root's HOME.
run_as_user() {
    seconds=$1
    shift
    run "$seconds" env -i PATH="$PATH" LANG=en_US.UTF-8 \
        "$root/bin/launchctl" asuser "$uid" "$root/usr/bin/sudo" -n -u "#$uid" "$@"
}

# How the program that ran last ended, and the last line of what it said.
ending() {
    said=$work/errors
    [ -s "$said" ] || said=$work/output
    last=$(tail -n 1 "$said" | tr -c '[:print:]\n' ' ' | head -c 200)
    printf 'exit status %s%s' "$code" "${last:+: $last}"
}

# Who is at the console, by number, in $console; blank if nobody is, or no person, as at the login window or in Setup
# Assistant. The name may be an alias. What is indented further is about sessions, which may be other users'. Names that
# contain new lines could add lines, but not remove any, so that there must be no second one.
look_at_console() {
    printf 'show State:/Users/ConsoleUser\n' >"$work/input"
    run "$patience" "$root/usr/sbin/scutil" || fail "scutil did not tell within $patience s who is at the console"
    : >"$work/input"
    first='' name='' names=0 console='' numbers=0
    while IFS= read -r line; do
        [ -n "$first" ] || first=$line
        case $line in
            '  Name : '*)
                name=${line#'  Name : '}
                names=$((names + 1))
                ;;
            '  UID : '*)
                console=${line#'  UID : '}
                numbers=$((numbers + 1))
                ;;
        esac
    done <"$work/output"
    case $code$first in
        *'  No such key')
            console=''
            return
            ;;
        '0<dictionary> {') ;;
        *) fail "it cannot be told who is at the console; scutil: $(ending)" ;;
    esac
    if [ "$names" -gt 1 ] || [ "$numbers" -gt 1 ]; then
        fail 'it cannot be told who is at the console: scutil names several users'
    fi
    case $name in
        '' | loginwindow | root | _*)
            console=''
            return
            ;;
    esac
    is_number "$console" 0 4294967295 || fail 'it cannot be told who is at the console: scutil gives no number'
    [ "$console" -ge 500 ] || console=''
}

# How far user $uid is, in $state.
look_at_state() {
    [ -e "$tool" ] || fail "$tool: not installed"
    [ -f "$tool" ] || fail "$tool: not a file"
    [ -x "$tool" ] || fail "$tool: not executable"
    is_safe "$tool" || fail "$unsafe: $demand"
    run "$patience" "$tool" --user "$uid" || fail "$tool: no answer within $patience s"
    # A NUL byte would vanish from a variable.
    answer=$(head -c 1000 "$work/output" | tr '\000' '?' && printf 'exit %s' "$code")
    case $answer in
        '<result>Registered</result>
exit 0' | '<result>WPJ Key present, JamfAAD PLIST missing</result>
exit 0' | '<result>WPJ Key present, AAD ID not acquired</result>
exit 0' | '<result>Not Registered</result>
exit 0')
            state=${answer#'<result>'}
            state=${state%%'</result>'*}
            ;;
        '<result></result>
exit 1') finish "$done; the state of user $uid cannot be told; wpj-state: $(ending)" ;;
        *) fail "$tool: failed, or printed what it must not: $(ending)" ;;
    esac
}

[ "$(id -u)" = "$owner" ] || refuse 'only root can run this'
done='nothing done'
started=''
work=$(mktemp -d "$root/tmp/wpj-state.XXXXXXXX" 2>/dev/null) || fail 'no private folder can be made in /tmp'
: >"$work/input"
trap 'rm -rf "$work"' EXIT
# The policy is cancelled, or the Mac shuts down.
trap '[ -z "$started" ] || end_started; rm -rf "$work"; printf "failed: ended by a signal\n"; exit 143' HUP INT TERM
# ----------------------------------------------------------------------------------------------------------------------

# How many seconds the inventory may take: nothing is known of the other scripts in it.
inventory='1800'
apps="$root/Library/Application Support/JAMF/Jamf.app/Contents/MacOS"
# Not the link in /usr/local/bin, a folder that may be Homebrew's user's.
jamf="$root/usr/local/jamf/bin/jamf"

period=${4-}
[ -n "$period" ] || period='120'
is_number "$period" 1 3600 || refuse 'parameter 4, the seconds that gatherAADInfo may take, has to be 1 to 3600'

look_at_console
[ -n "$console" ] || finish 'nothing done: nobody is logged in'
uid=$console
look_at_state
case $state in
    Registered) finish "nothing done: user $uid is registered" ;;
    'WPJ Key present, AAD ID not acquired') ;;
    *) finish "nothing done: user $uid is in the state \"$state\"; the remedy is registration in Self Service" ;;
esac

gather="$apps/Jamf Conditional Access.app/Contents/MacOS/Jamf Conditional Access"
# Where earlier releases of Jamf Pro have it.
[ -x "$gather" ] || gather="$apps/JamfAAD.app/Contents/MacOS/JamfAAD"
[ -x "$gather" ] || fail 'neither Jamf Conditional Access nor JamfAAD is installed'
is_safe "$gather" || fail "$unsafe: $demand"
look_at_console
[ "$console" = "$uid" ] || finish "nothing done: user $uid has just left the console"
run_as_user "$period" "$gather" gatherAADInfo ||
    fail "gatherAADInfo as user $uid did not end by itself, and was ended after $period s"
[ "$code" = 0 ] || fail "gatherAADInfo as user $uid failed: $(ending)"

[ -x "$jamf" ] || fail "gatherAADInfo ran as user $uid, but there is no new inventory: $jamf is missing"
is_safe "$jamf" || fail "gatherAADInfo ran as user $uid, but there is no new inventory: $unsafe: $demand"
run "$inventory" "$jamf" recon ||
    fail "gatherAADInfo ran as user $uid, but jamf recon did not end by itself, and was ended after $inventory s"
[ "$code" = 0 ] || fail "gatherAADInfo ran as user $uid, but jamf recon failed: $(ending)"
done="gatherAADInfo ran as user $uid, and Jamf Pro has a new inventory"
# Nothing public says what gatherAADInfo's exit status means.
look_at_state
[ "$state" != 'WPJ Key present, AAD ID not acquired' ] || fail "$done, but the AAD ID is still not acquired"
finish "$done; the state is now \"$state\""
