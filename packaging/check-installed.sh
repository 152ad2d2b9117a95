#!/bin/sh
# Runs a built or installed tool on this Mac as Jamf would, as root and without an environment: check-installed.sh TOOL
#
# Whoever is at the console, or nobody: the answer has to be one of the five lines, and the exit status has to fit.
set -u

tool=$(cd "$(dirname "$1")" && pwd)/${1##*/}
answer=$(cd / && env -i "$tool" </dev/null; echo "exit $?")
printf '%s\n' "$answer"
case $answer in
    '<result>Registered</result>
exit 0' | '<result>WPJ Key present, JamfAAD PLIST missing</result>
exit 0' | '<result>WPJ Key present, AAD ID not acquired</result>
exit 0' | '<result>Not Registered</result>
exit 0' | '<result></result>
exit 1') ;;
    *)
        echo "$tool: this is none of its five answers" >&2
        exit 1
        ;;
esac
