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
