#!/bin/sh
# Runs a built or installed tool on this Mac like Jamf does, as root and without an environment: check-installed.sh TOOL
#
# For any console user, or none, the output must be one of five lines, and the exit status must match it.
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
        echo "$tool: unexpected output" >&2
        exit 1
        ;;
esac
