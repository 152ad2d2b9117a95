#!/bin/sh
# Jamf extension attribute of wpj-state: prints one <result>, whatever happens, and exits 0.
# The result is blank if the value is not known; the reason is then on standard error.

# Settings: which attribute (see the tool's --list-attributes), and the path of the tool
attribute='state'
tool='/usr/local/wpj-state/wpj-state'

# Nothing that the caller's environment says is relied upon: not its paths, language or shell functions; nor is /dev/null.
set +e
# Only bash takes functions from there.
[ -z "${BASH_VERSION-}" ] || unset -f find grep head id printf tail tr
PATH='/usr/bin:/bin:/usr/sbin:/sbin'
LC_ALL='C'
export PATH LC_ALL

# A new line in a pattern has to stand there as it is.
new_line='
'

blank() {
    printf 'wpj-state extension attribute: %s\n' "$1" >&2
    printf '<result></result>\n'
    exit 0
}

# Whether the tool and every folder above it is owned by root, not writable by others, and not a link. A user who could
# rename a folder could put another tool there between this check and the start. Access control lists are not seen.
is_safe() {
    folder=$tool
    set -- "$tool"
    while [ -n "$folder" ]; do
        folder=${folder%/*}
        set -- "${folder:-/}" "$@"
    done
    unsafe=$(find "$@" -prune \( -type l -o ! -user 0 -o -perm -020 -o -perm -002 \) && echo safe)
    [ "$unsafe" = safe ]
}

# The lines of a value: $1 is a regular expression for each of them.
most=1000
case $attribute in
    state)
        lines='Registered|WPJ Key present, JamfAAD PLIST missing|WPJ Key present, AAD ID not acquired|Not Registered'
        ;;
    device-id | tenant-id) lines='[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}' ;;
    key-storage) lines='Login Keychain|Secure Enclave|None' ;;
    certificate-expires | last-token) lines='[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}' ;;
    user | user-principal-name | finding) lines='[!-%'\''-;=?-~][ -%'\''-;=?-~]*' ;;
    users)
        lines='[!-%'\''-;=?-~][ -%'\''-;=?-~]*:( Registered| WPJ Key present, (JamfAAD PLIST missing|AAD ID not acquired)| Not Registered)?'
        most=100000
        ;;
    *) blank "$attribute: there is no such attribute; see $tool --list-attributes" ;;
esac
case $tool in
    /*) ;;
    *) blank "$tool: the path of the tool has to be absolute" ;;
esac
[ -e "$tool" ] || blank "$tool: not installed"
[ -f "$tool" ] || blank "$tool: not a file"
[ -x "$tool" ] || blank "$tool: not executable"
case $(id -u) in
    0)
        is_safe || {
            first=${unsafe%%"$new_line"*}
            blank "${first:-$tool}: must be owned by root, not writable by group or others, and not a link"
        }
        ;;
    [1-9]*) ;;
    *) blank 'it cannot be told who runs this' ;;
esac

# The tool's output, of which too much cannot be right, and its exit status on a line of its own. A NUL byte would vanish
# from a shell's variable, so it becomes something that cannot be right either. The dot keeps the shell from taking away
# new lines at the end.
answer=$(
    {
        : | "$tool" --attribute "$attribute"
        printf 'exit %s\n' "$?"
    } | head -c "$most" | tr '\000' '\177'
    printf '.'
)

wrong() {
    end=$(printf '%s' "${answer%.}" | tail -n 2 | tr -c '[:print:]' ' ' | head -c 200)
    blank "$tool: failed, or printed what it must not; its output ends: $end"
}

case $answer in
    "<result></result>${new_line}exit 1$new_line.")
        # The tool has given its reason.
        printf '<result></result>\n'
        exit 0
        ;;
    "<result>"*"</result>${new_line}exit 0$new_line.") ;;
    "<result>"*"</result>${new_line}exit 1$new_line.")
        # Only of several users can some be known and others not.
        [ "$attribute" = users ] || wrong
        ;;
    *) wrong ;;
esac
value=${answer#"<result>"}
value=${value%"</result>${new_line}exit "*}
# Every line has to be right, and only a list may have more than one.
[ "$attribute" = users ] || case $value in *"$new_line"*) wrong ;; esac
printf '%s\n' "$value" | grep -Evq -e "^($lines)\$" && wrong
printf '<result>%s</result>\n' "$value"
exit 0
