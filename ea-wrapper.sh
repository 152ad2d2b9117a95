#!/bin/sh
# Jamf extension attribute "AAD Registration State": prints one <result> line, whatever happens, and exits 0.
# The result is blank if the state cannot be told; the reason is then on standard error.

# Settings
tool='/usr/local/wpj-state/wpj-state'

# Nothing that the caller's environment says is relied upon.
PATH='/usr/bin:/bin:/usr/sbin:/sbin'
LC_ALL='C'
export PATH LC_ALL

blank() {
    echo "wpj-state extension attribute: $1" >&2
    echo '<result></result>'
    exit 0
}

# Whether $1, of type $2 (f file, d folder), is root's, and nobody else may write it. Links are not followed.
is_safe() {
    [ -n "$(find "$1" -prune -type "$2" -user 0 ! -perm -020 ! -perm -002 2>/dev/null)" ]
}

case $tool in
    /*) ;;
    *) blank "$tool: the path of the tool has to be absolute" ;;
esac
[ -e "$tool" ] || blank "$tool: not installed"
[ -f "$tool" ] || blank "$tool: not a file"
[ -x "$tool" ] || blank "$tool: not executable"
if [ "$(id -u)" = 0 ]; then
    is_safe "${tool%/*}" d || blank "${tool%/*}: root has to own this folder, and nobody else may write it"
    is_safe "$tool" f || blank "$tool: root has to own this file, and nobody else may write it"
fi

# The tool's output, of which more than a little cannot be right, and its exit status on a line of its own. A NUL byte
# would vanish from a shell's variable, so it becomes something that cannot be right either.
answer=$({
    "$tool" </dev/null
    echo "exit $?"
} | head -c 1000 | tr '\000' '?')

# A new line in a pattern has to stand there as it is.
end='
exit 0'
case $answer in
    "<result>Registered</result>$end" | \
        "<result>WPJ Key present, JamfAAD PLIST missing</result>$end" | \
        "<result>WPJ Key present, AAD ID not acquired</result>$end" | \
        "<result>Not Registered</result>$end")
        echo "${answer%"$end"}"
        ;;
    '<result></result>
exit 1')
        # The tool has given its reason.
        echo '<result></result>'
        ;;
    *)
        end=$(printf '%s\n' "$answer" | tail -n 2 | tr -c '[:print:]' ' ' | head -c 200)
        blank "$tool: failed, or printed what it must not; its output ends: $end"
        ;;
esac
exit 0
