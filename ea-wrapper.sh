#!/bin/sh
# Jamf extension attribute "AAD Registration State": prints one <result> line, whatever happens, and exits 0.
# The result is blank if the state cannot be told; the reason is then on standard error.

# Settings
tool='/usr/local/wpj-state/wpj-state'

# Nothing that the caller's environment says is relied upon: not its paths, language or shell functions.
set +e
unset -f find head id printf tail tr 2>/dev/null
PATH='/usr/bin:/bin:/usr/sbin:/sbin'
LC_ALL='C'
export PATH LC_ALL

blank() {
    printf 'wpj-state extension attribute: %s\n' "$1" >&2
    printf '<result></result>\n'
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
case $(id -u) in
    0)
        folder=${tool%/*}
        [ -n "$folder" ] || folder='/'
        is_safe "$folder" d || blank "$folder: root has to own this folder, and nobody else may write it"
        is_safe "$tool" f || blank "$tool: root has to own this file, and nobody else may write it"
        ;;
    [1-9]*) ;;
    *) blank 'it cannot be told who runs this' ;;
esac

# The tool's output, of which more than a little cannot be right, and its exit status on a line of its own. A NUL byte
# would vanish from a shell's variable, so it becomes something that cannot be right either. The dot keeps the shell
# from taking away new lines at the end.
answer=$(
    {
        "$tool" </dev/null
        printf 'exit %s\n' "$?"
    } | head -c 1000 | tr '\000' '?'
    printf '.'
)

# A new line in a pattern has to stand there as it is.
end='
exit 0
.'
case $answer in
    "<result>Registered</result>$end" | \
        "<result>WPJ Key present, JamfAAD PLIST missing</result>$end" | \
        "<result>WPJ Key present, AAD ID not acquired</result>$end" | \
        "<result>Not Registered</result>$end")
        printf '%s\n' "${answer%"$end"}"
        ;;
    '<result></result>
exit 1
.')
        # The tool has given its reason.
        printf '<result></result>\n'
        ;;
    *)
        end=$(printf '%s' "${answer%.}" | tail -n 2 | tr -c '[:print:]' ' ' | head -c 200)
        blank "$tool: failed, or printed what it must not; its output ends: $end"
        ;;
esac
exit 0
