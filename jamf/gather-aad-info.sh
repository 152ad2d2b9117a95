#!/bin/sh
# Jamf Pro policy script: runs Jamf's gatherAADInfo as the console user if that is what the user needs, and then sends a
# new inventory.
#
# Parameter in Jamf Pro; if it is blank, it takes its default:
#    4  how many seconds gatherAADInfo may take, 1 to 3600; 120 by default
#
# wpj-state determines what the user needs (--attribute remedy). The script acts only on "Run gatherAADInfo": JamfAAD
# has not obtained the Azure AD ID, or has never run for a user whom Platform SSO has registered. It never runs
# gatherAADInfo as root, for whom that does harm. If the user has to register, prompt-registration.sh is for that.
#
# Prints one line on what was done, or why nothing was. Exit status:
#    0  nothing is wrong: there was nothing to do, what is needed cannot be determined, or gatherAADInfo ran, Jamf Pro
#       has a new inventory, and the line says what the user needs now
#    1  failed: an administrator should read the line
#    2  a wrong parameter, or not run by root
set -u

# From here to the line of dashes, both policy scripts are the same; packaging/policy-common.sh is the source.

# Settings
tool='/usr/local/wpj-state/wpj-state'
# How many seconds a program may take that normally answers at once; wpj-state itself gives up after 10.
patience='30'
# Who must run this and own what root starts, and what precedes every other path: only tests change these.
owner='root'
root=''

PATH='/usr/bin:/bin:/usr/sbin:/sbin'
LC_ALL='C'
export PATH LC_ALL
umask 022
cd /

# Prints a line for the policy's log. It may contain words of a program, so only printable ASCII goes through.
log() {
    printf '%s' "$1" | tr -c '[:print:]' '?'
    printf '\n'
}

# Each ends the script with a line; $hint is what an administrator should know in any case.
hint=''
finish() {
    log "$1$hint"
    exit 0
}
fail() {
    log "failed: $1$hint"
    exit 1
}
refuse() {
    log "refused: $1"
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

# Whether $1 and every folder above it are owned by root, not writable by others, and not links, because a user who can
# rename a folder can put something else there after this check. If not, $why names the first that is wrong. Access
# control lists are not checked.
is_safe() {
    folder_above=$1
    case $1 in
        "$root"/*) ;;
        *)
            why="$1: must be an absolute path"
            return 1
            ;;
    esac
    set -- "$1"
    until [ "$folder_above" = "$root" ]; do
        folder_above=${folder_above%/*}
        set -- "${folder_above:-/}" "$@"
    done
    why=$(find "$@" -prune \( -type l -o ! -user "$owner" -o -perm -020 -o -perm -002 \) 2>/dev/null && echo safe)
    [ "$why" != safe ] || return 0
    why=$(printf '%s\n' "${why:-$1}" | head -n 1)
    why="$why: must be owned by root, not writable by group or others, and not a link"
    return 1
}

# Whether root may start the program $1. If not, $why says why.
may_start() {
    why="$1: not installed, or not executable"
    [ -f "$1" ] && [ -x "$1" ] && is_safe "$1"
}

# The processes that descend from the one that was started last, while that is still a child of this one.
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
# group, and at a terminal it gives its command another group. The second round also ends the processes of the first
# one, whose parents may be gone by then; process IDs are not given out again that soon.
end_started() {
    for signal in TERM KILL; do
        descendants >>"$work/processes"
        while read -r process; do
            kill -s "$signal" "$process"
        done <"$work/processes" 2>/dev/null
        sleep 1
    done
}

# Passes on at most 64 KiB, byte by byte, so that nothing waits in a buffer; the rest is thrown away, because a program
# would wait at a full pipe, or end at a closed one.
limit() {
    dd bs=1 count=65536
    cat >/dev/null
}

# Runs a program for at most $1 seconds, with $work/input as its input; fails if the program had to be ended. Otherwise
# $code is its exit status, and $files.output and $files.errors are what it has printed.
#
# Each program gets new pipes and files, so that one that a user's program has left behind cannot write into what a
# later program prints. All files are opened at the start: by the time such a program ends, $work is gone, and a user
# could have put something else in its place.
run() {
    ticks=$(($1 * 10))
    shift
    runs=$((runs + 1))
    files="$work/$runs"
    code=''
    rm -f "$work/processes"
    (
        {
            {
                "$@" <"$work/input" 2>&3 3>&- 4>&- 5>&- 6>&- 7>&-
                printf '%s\n' "$?" >&6
            } | limit >&4 3>&-
        } 3>&1 | limit >&5
        printf 'read\n' >&7
    ) </dev/null >/dev/null 2>&1 4>"$files.output" 5>"$files.errors" 6>"$files.code" 7>"$files.end" &
    started=$!
    until [ -s "$files.end" ]; do
        # A program that was left behind may keep the pipes open: they are read for one more second.
        if [ -s "$files.code" ] && [ "$ticks" -gt 10 ]; then
            ticks=10
        elif [ "$ticks" -gt 0 ]; then
            ticks=$((ticks - 1))
        elif [ -s "$files.code" ]; then
            break
        else
            end_started
            started=''
            return 1
        fi
        sleep 0.1
    done
    started=''
    read -r code <"$files.code"
}

# Runs a program as user $uid in that user's session, for at most $1 seconds, without root's environment: sudo on macOS
# would even keep root's HOME.
run_as_user() {
    seconds=$1
    shift
    run "$seconds" /usr/bin/env -i PATH="$PATH" LANG=en_US.UTF-8 \
        "$root/bin/launchctl" asuser "$uid" "$root/usr/bin/sudo" -n -u "#$uid" "$@"
}

# The first line of what the program that ran last has said: there, sudo says why it refuses.
first_line() {
    said=$files.errors
    [ -s "$said" ] || said=$files.output
    tr -c '[:print:]\n' ' ' <"$said" | awk 'NF { sub(/ +$/, ""); print substr($0, 1, 200); exit }'
}

ending() {
    line=$(first_line)
    printf 'exit status %s%s' "$code" "${line:+: $line}"
}

# Finds the UID of the console user, $console. It is blank if nobody is there, or not a person, as at the login window
# or in Setup Assistant. The name may be an alias. Lines with more indentation are about sessions, which may be other
# users'. Names that contain new lines could add lines, but not remove any, so there must be no second one.
look_at_console() {
    printf 'show State:/Users/ConsoleUser\n' >"$work/input"
    run "$patience" "$root/usr/sbin/scutil" || fail "scutil did not name the console user within $patience s"
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
    done <"$files.output"
    case $code$first in
        *'  No such key')
            console=''
            return
            ;;
        '0<dictionary> {') ;;
        *) fail "the console user cannot be determined; scutil: $(ending)" ;;
    esac
    if [ "$names" -gt 1 ] || [ "$numbers" -gt 1 ]; then
        fail 'the console user cannot be determined: scutil names several'
    fi
    case $name in
        '' | loginwindow | root | _*)
            console=''
            return
            ;;
    esac
    # scutil prints a UID as a signed number of 32 bits.
    case $console in
        -*) is_number "${console#-}" 1 2147483648 && console=$((4294967296 - ${console#-})) ;;
    esac
    is_number "$console" 0 4294967295 || fail 'the console user cannot be determined: scutil prints no UID'
    # The last two are no user's: -2 is nobody, and -1 stands for none at all.
    if [ "$console" -lt 500 ] || [ "$console" -ge 4294967294 ]; then
        console=''
    fi
}

# Asks the tool what user $uid needs, $remedy.
look_for_remedy() {
    may_start "$tool" || fail "$why"
    run "$patience" "$tool" --user "$uid" --attribute remedy || fail "$tool: no answer within $patience s"
    # A NUL byte would vanish from a variable.
    remedy=$(head -c 1000 "$files.output" | tr '\000' '?')
    case $code$remedy in
        '0<result>None</result>') ;;
        '0<result>Register in Self Service</result>') ;;
        '0<result>Deploy SSO profile, then register</result>')
            hint="; this Mac has no profile of Microsoft's SSO extension, which new registrations need"
            ;;
        '0<result>Register or repair in macOS</result>') ;;
        '0<result>Finish registration in macOS</result>') ;;
        '0<result>Sign in with local password</result>')
            finish "$done; user $uid has to sign in once with the local password"
            ;;
        '0<result>Check while user is logged in</result>')
            finish "$done; the state of user $uid shows only in a session, and none could be entered"
            ;;
        '0<result>Run gatherAADInfo</result>') ;;
        '0<result>Check tenant</result>')
            finish "$done; user $uid is registered with another tenant than the one expected"
            ;;
        '1<result></result>') finish "$done; what user $uid needs cannot be determined: $(first_line)" ;;
        *) fail "$tool: failed, or printed something unknown: $(ending)" ;;
    esac
    remedy=${remedy#'<result>'}
    remedy=${remedy%'</result>'}
}

[ "$(id -un)" = "$owner" ] || refuse 'only root can run this'
done='nothing done'
started=''
runs=0
work=$(mktemp -d "$root/tmp/wpj-state.XXXXXXXX" 2>/dev/null) || fail 'no private folder can be made in /tmp'
: >"$work/input"
trap 'rm -rf "$work"' EXIT
# The policy is cancelled, or the Mac shuts down.
trap '[ -z "$started" ] || end_started; rm -rf "$work"; printf "failed: ended by a signal\n"; exit 143' HUP INT TERM
# ----------------------------------------------------------------------------------------------------------------------

# How many seconds the inventory may take: nothing is known of the other scripts in it.
inventory='1800'
apps="$root/Library/Application Support/JAMF/Jamf.app/Contents/MacOS"
# Not the link in /usr/local/bin, a folder that may belong to Homebrew's user.
jamf="$root/usr/local/jamf/bin/jamf"

period=${4-}
[ -n "$period" ] || period='120'
is_number "$period" 1 3600 || refuse 'parameter 4, the seconds that gatherAADInfo may take, must be 1 to 3600'

look_at_console
[ -n "$console" ] || finish 'nothing done: nobody is logged in'
uid=$console
look_for_remedy
case $remedy in
    'Run gatherAADInfo') ;;
    None) finish "nothing done: user $uid is registered" ;;
    *) finish "nothing done: user $uid needs something else ($remedy); prompt-registration.sh is for that" ;;
esac

gather="$apps/Jamf Conditional Access.app/Contents/MacOS/Jamf Conditional Access"
# Where earlier releases of Jamf Pro have it.
[ -x "$gather" ] || gather="$apps/JamfAAD.app/Contents/MacOS/JamfAAD"
may_start "$gather" || fail "$why"
look_at_console
[ "$console" = "$uid" ] || finish "nothing done: user $uid has just left the console"
run_as_user "$period" "$gather" gatherAADInfo ||
    fail "gatherAADInfo as user $uid did not end by itself, and was ended after $period s"
[ "$code" = 0 ] || fail "gatherAADInfo as user $uid failed: $(ending)"

done="gatherAADInfo ran as user $uid"
may_start "$jamf" || fail "$done, but there is no new inventory: $why"
run "$inventory" "$jamf" recon || fail "$done, but jamf recon did not end by itself, and was ended after $inventory s"
[ "$code" = 0 ] || fail "$done, but jamf recon failed: $(ending)"
done="$done, and Jamf Pro has a new inventory"
# Nothing public says what gatherAADInfo's exit status means.
look_for_remedy
case $remedy in
    'Run gatherAADInfo') fail "$done, but the user still needs gatherAADInfo" ;;
    None) finish "$done; the user is now registered" ;;
    *) finish "$done; the user now needs something else: $remedy" ;;
esac
