#!/bin/sh
# Jamf Pro policy script: asks the console user to register, and opens Self Service or System Settings for that.
#
# Parameters in Jamf Pro; if one is blank, its default applies:
#    4  ID of the Self Service policy that starts registration, as in id= of its address in Jamf Pro; required
#    5  how many times the user can choose Later, 0 to 999; 3 by default. When none are left, the button disappears.
#    6  title of the dialogs
#    7  text of the dialog before Self Service
#    8  name of the button that opens Self Service
#    9  name of the Later button; the number of deferrals left is added in parentheses
#   10  seconds until a dialog closes, 1 to 3600; 300 by default. A timeout does not count as a deferral.
#   11  text of the dialog before System Settings; the one for "Finish registration in macOS" is always built in
#
# wpj-state determines what the user needs (--attribute remedy):
#    Register in Self Service               asks, and opens the policy in Self Service+ or Self Service
#    Register or repair in macOS            asks, and opens System Settings: Platform SSO registers there
#    Finish registration in macOS           asks to answer macOS's notification, or to log out and in
#    Run gatherAADInfo                      does nothing; use gather-aad-info.sh
#    Deploy SSO profile, then register      fails; the profile must come first
#    anything else                          does nothing, and says why
#
# Prints one line that says what it did, or why it did nothing, and before it one about an unusable deferral count, if
# there is one. Exit status:
#    0  nothing is wrong: nothing had to be done, it could not determine what the user needs, or it asked the user
#    1  failed: an administrator should read the line
#    2  a parameter is wrong, or root did not run it
set -u

# From here to the line of dashes, both policy scripts are the same; packaging/policy-common.sh is the source.

# Settings
tool='/usr/local/wpj-state/wpj-state'
# Time limit in seconds for a program that normally finishes at once; wpj-state itself gives up after 10.
patience='30'
# The user who must run this script and own the programs, and a prefix for all other paths. Only tests change these.
owner='root'
root=''

PATH='/usr/bin:/bin:/usr/sbin:/sbin'
LC_ALL='C'
export PATH LC_ALL
umask 022
cd /

# Prints a line for the policy's log. It may contain a program's output, so only printable ASCII is kept.
log() {
    printf '%s' "$1" | tr -c '[:print:]' '?'
    printf '\n'
}

# Each of these prints a line and ends the script.
finish() {
    log "$1"
    exit 0
}
fail() {
    log "failed: $1"
    exit 1
}
refuse() {
    log "refused: $1"
    exit 2
}

# Whether $1 is a whole number from $2 to $3. The shell would read leading zeros as octal.
is_number() {
    case $1 in
        0) ;;
        '' | 0* | *[!0-9]* | ???????????*) return 1 ;;
    esac
    [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

# Whether $1 and every folder above it are owned by root, not writable by others, and not links. A user who can rename
# one of them could replace it after this check. If not, $why names the first unsafe one. Access control lists are not
# checked.
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

# Prints the descendants of the process that was started last, if that is still a child of this script.
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

# Ends the process that was started last and its descendants, one by one: sudo does not pass on signals from its own
# process group, and at a terminal it runs its command in another group. The second round also ends the processes of
# the first round, whose parents may be gone by then. Process IDs are not reused that soon.
end_started() {
    for signal in TERM KILL; do
        descendants >>"$work/processes"
        while read -r process; do
            kill -s "$signal" "$process"
        done <"$work/processes" 2>/dev/null
        sleep 1
    done
}

# Passes on at most 64 KiB, byte by byte, because a buffer could hold output back. It reads and discards the rest: a
# program would wait at a full pipe, and end at a closed one.
limit() {
    dd bs=1 count=65536
    cat >/dev/null
}

# Runs a program for at most $1 seconds, with $work/input as its standard input. Fails if it had to end the program.
# Otherwise $code is the exit status, and $files.output and $files.errors contain what the program printed.
#
# Each program gets new pipes and files. A process that a user's program leaves behind then cannot write into the output
# of a later program. All files are opened at the start: when such a process ends, $work is gone, and a user could have
# put something else in its place.
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
        # A process that was left behind may keep the pipes open, so they are read for only one more second.
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

# Runs a program as user $uid in that user's session, for at most $1 seconds. It does not get root's environment: sudo
# on macOS would even keep root's HOME.
run_as_user() {
    seconds=$1
    shift
    run "$seconds" /usr/bin/env -i PATH="$PATH" LANG=en_US.UTF-8 \
        "$root/bin/launchctl" asuser "$uid" "$root/usr/bin/sudo" -n -u "#$uid" "$@"
}

# Prints a colon and the first line that is not blank of the last program's errors, or else of its output. sudo says
# there why it refuses. awk reads on after that line, because tr would report a closed pipe if SIGPIPE is ignored.
reason() {
    { cat "$files.errors"; echo; cat "$files.output"; } | tr -c '[:print:]\n' ' ' | awk '
        NF && !said++ {
            sub(/^ +/, "")
            line = substr($0, 1, 200)
            sub(/ +$/, "", line)
            print ": " line
        }'
}

ending() {
    printf 'exit status %s%s' "$code" "$(reason)"
}

# Sets $console to the console user's UID. It is blank if there is no such user, as at the login window or in Setup
# Assistant. The name may be an alias, so the UID counts. Lines with more indentation describe sessions, perhaps of
# other users. A name that contains newlines could add lines but not remove any, so a second line is an error.
find_console_user() {
    printf 'show State:/Users/ConsoleUser\n' >"$work/input"
    run "$patience" "$root/usr/sbin/scutil" || fail "scutil timed out after $patience s$(reason)"
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
        *) fail "cannot determine the console user; scutil: $(ending)" ;;
    esac
    if [ "$names" -gt 1 ] || [ "$numbers" -gt 1 ]; then
        fail 'cannot determine the console user: scutil names several users'
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
    is_number "$console" 0 4294967295 || fail 'cannot determine the console user: scutil prints no UID'
    # No person has the two highest UIDs: -2 is nobody, and -1 means no user.
    if [ "$console" -lt 500 ] || [ "$console" -ge 4294967294 ]; then
        console=''
    fi
}

# Sets $remedy to what user $uid needs; the tool determines that.
find_remedy() {
    may_start "$tool" || fail "$why"
    run "$patience" "$tool" --user "$uid" --attribute remedy || fail "$tool: timed out after $patience s$(reason)"
    # Most shells drop NUL bytes from a variable.
    remedy=$(head -c 1000 "$files.output" | tr '\000' '?')
    case $code$remedy in
        '0<result>None</result>') ;;
        '0<result>Register in Self Service</result>') ;;
        '0<result>Deploy SSO profile, then register</result>')
            fail "$done; this Mac has no profile for Microsoft's SSO extension, which new registrations need"
            ;;
        '0<result>Register or repair in macOS</result>') ;;
        '0<result>Finish registration in macOS</result>') ;;
        '0<result>Sign in with local password</result>')
            finish "$done; user $uid has to sign in once with the local password"
            ;;
        '0<result>Check while user is logged in</result>')
            finish "$done; user $uid can be checked only inside the login session, which could not be entered"
            ;;
        '0<result>Run gatherAADInfo</result>') ;;
        '0<result>Check tenant</result>')
            finish "$done; user $uid is registered with an unexpected tenant"
            ;;
        '1<result></result>') finish "$done; cannot determine what user $uid needs$(reason)" ;;
        *) fail "$tool: failed or printed an unknown remedy: $(ending)" ;;
    esac
    remedy=${remedy#'<result>'}
    remedy=${remedy%'</result>'}
}

[ "$(id -un)" = "$owner" ] || refuse 'only root can run this'
done='nothing done'
started=''
runs=0
work=$(mktemp -d "$root/tmp/wpj-state.XXXXXXXX" 2>/dev/null) || fail 'cannot create a private folder in /tmp'
: >"$work/input"
trap 'rm -rf "$work"' EXIT
# For when the policy is cancelled or the Mac shuts down.
trap '[ -z "$started" ] || end_started; rm -rf "$work"; printf "failed: ended by a signal\n"; exit 143' HUP INT TERM
# ----------------------------------------------------------------------------------------------------------------------

# Seconds to wait before Self Service gets the policy's address: it has crashed when it got one while starting.
start='3'
# The folder with each user's deferral count. The file names contain UIDs, because a user name could contain a path.
folder="$root/Library/Application Support/wpj-state"

# osascript would take a first argument that begins with a dash for an option, so the number comes first.
dialog='on run argv
    set {aTime, aTitle, aText, anAgreement, aDelay} to argv
    set aTime to aTime as integer
    try
        if aDelay is "" then
            set both to {anAgreement}
            display dialog aText with title aTitle buttons both default button 1 giving up after aTime
            set aReply to result
        else
            set both to {aDelay, anAgreement}
            display dialog aText with title aTitle buttons both default button 2 cancel button 1 giving up after aTime
            set aReply to result
        end if
    on error number -128
        return "later"
    end try
    if gave up of aReply then return "gave up"
    return "agree"
end run'

policy=${4-}
deferrals=${5-}
title=${6-}
service_text=${7-}
service_button=${8-}
later=${9-}
period=${10-}
settings_text=${11-}
[ -n "$deferrals" ] || deferrals='3'
[ -n "$title" ] || title='Register your Mac'
[ -n "$service_text" ] || service_text="Your Mac is not registered with your organisation yet. Until it is, you may \
lose access to work email, documents and apps.

Open Self Service, start the registration, and sign in with your work account when asked. It takes a few minutes."
[ -n "$service_button" ] || service_button='Open Self Service'
[ -n "$period" ] || period='300'
finish_text="macOS has not finished registering your Mac with your organisation. Until it has, you may lose access to \
work email, documents and apps.

If macOS shows the notification Registration Required, click it, and sign in with your work account when asked. If \
not, log out of your Mac and log in again, so macOS can continue."
is_number "$policy" 1 999999999 || refuse 'parameter 4 must be the ID of the Self Service policy'
is_number "$deferrals" 0 999 || refuse 'parameter 5, the number of deferrals, must be 0 to 999'
is_number "$period" 1 3600 || refuse 'parameter 10, the seconds until a dialog closes, must be 1 to 3600'

# Sets $value to the value of the key $1 in the property list $2. It is blank if there is none.
read_value() {
    value=''
    if run "$patience" "$root/usr/bin/plutil" -extract "$1" raw -o - "$root$2" && [ "$code" = 0 ]; then
        value=$(head -c 1000 "$files.output" | tr '\000' '?')
    fi
}

# Sets $app to the path that Jamf's preferences have under the key $1, or else to the usual path $2.
find_app() {
    read_value "$1" /Library/Preferences/com.jamfsoftware.jamf.plist
    for app in "${value%/}" "$2"; do
        case $app in
            /*.app)
                app=$root$app
                [ ! -d "$app" ] || return 0
                ;;
        esac
    done
    return 1
}

# Opens $1 as user $uid; messages call it $2.
open_as_user() {
    run_as_user "$patience" "$root/usr/bin/open" "$1" ||
        fail "user $uid agreed, but $2 did not open within $patience s$(reason)"
    [ "$code" = 0 ] || fail "user $uid agreed, but $2 could not be opened: $(ending)"
}

find_console_user
[ -n "$console" ] || finish 'nothing done: nobody is logged in'
uid=$console
find_remedy
count="$folder/deferrals-$uid"
app=''
case $remedy in
    None)
        if [ -d "$folder" ] && is_safe "$folder"; then
            rm -rf "$count"
        fi
        finish "nothing done: user $uid is registered"
        ;;
    'Run gatherAADInfo') finish "nothing done: user $uid needs gatherAADInfo; use gather-aad-info.sh" ;;
    'Register or repair in macOS')
        place='System Settings'
        button='Open System Settings'
        # The dialog closes before System Settings opens, so it names only the steps of this version of macOS.
        read_value ProductVersion /System/Library/CoreServices/SystemVersion.plist
        steps='the (i) next to your name, Platform SSO'
        case $value in 13.* | 14.*) steps='Edit next to Network Account Server' ;; esac
        text=$settings_text
        [ -n "$text" ] || text="Your Mac's registration with your organisation is not complete. Until it is, you may \
lose access to work email, documents and apps.

If macOS shows the notification Registration Required, click it. If not, click Open System Settings, then $steps, and \
Register or Repair.

Sign in with your work account when asked."
        address='x-apple.systempreferences:com.apple.Users-Groups-Settings.extension'
        ;;
    'Finish registration in macOS')
        text=$finish_text
        button='OK'
        address=''
        ;;
    *)
        text=$service_text
        button=$service_button
        if find_app self_service_plus_path '/Applications/Self Service+.app'; then
            place='Self Service+'
            address="selfservicecapability://content?entity=policy&id=$policy"
        elif find_app self_service_app_path '/Applications/Self Service.app'; then
            place='Self Service'
            address="jamfselfservice://content?entity=policy&id=$policy&action=view"
        else
            fail "neither Self Service+ nor Self Service is installed, so user $uid was not asked"
        fi
        ;;
esac

used=0
if [ "$deferrals" -gt 0 ]; then
    is_safe "${folder%/*}" || fail "$why"
    mkdir "$folder" 2>/dev/null
    is_safe "$folder" || fail "$why"
    if [ -e "$count" ] || [ -L "$count" ]; then
        used='unusable'
        if [ -f "$count" ] && is_safe "$count"; then
            used=$(head -c 10 "$count" | tr '\000' '?')
        fi
        # An old count belongs to an earlier registration.
        if [ -n "$(find "$count" -prune -mtime +30 2>/dev/null)" ]; then
            used=0
        elif ! is_number "$used" 0 1000; then
            log "$count: not a valid count; it starts again at 0"
            used=0
        fi
    fi
fi
left=$((deferrals - used))
if [ "$left" -le 0 ]; then
    later=''
else
    later=${later:+"$later ($left)"}
    later=${later:-"Later ($left left)"}
fi

osascript="$root/usr/bin/osascript"
[ -x "$osascript" ] || fail "$osascript: missing, so user $uid was not asked"
find_console_user
[ "$console" = "$uid" ] || finish "nothing done: user $uid has just left the console"
run_as_user $((period + patience)) "$osascript" -e "$dialog" "$period" "$title" "$text" "$button" "$later" ||
    fail "the dialog for user $uid did not finish and was stopped after $((period + patience)) s$(reason)"
case "$code $(head -c 100 "$files.output" | tr '\000' '?')" in
    '0 agree') ;;
    '0 gave up') finish "user $uid was asked ($remedy), and did not answer within $period s" ;;
    '0 later')
        [ -n "$later" ] || finish "user $uid was asked ($remedy), and closed the dialog; no deferral is left"
        rm -rf "$count"
        { printf '%s\n' "$((used + 1))" >"$count"; } 2>/dev/null || fail "$count: the deferral could not be stored"
        finish "user $uid was asked ($remedy), and chose Later; deferrals left: $((left - 1))"
        ;;
    *)
        ended=$(ending)
        # A logout ends the dialog, too.
        find_console_user
        [ "$console" = "$uid" ] || finish "user $uid left the console before answering"
        fail "osascript could not ask user $uid: $ended"
        ;;
esac

[ -n "$address" ] || finish "user $uid was asked ($remedy), and agreed"
find_console_user
[ "$console" = "$uid" ] || finish "user $uid agreed, but has left the console; $place was not opened"
if [ -n "$app" ]; then
    open_as_user "$app" "$place"
    sleep "$start"
fi
open_as_user "$address" "$place"
finish "user $uid was asked ($remedy), and agreed; $place was opened"
