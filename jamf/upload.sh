#!/bin/sh
# Creates or updates the extension attributes and smart groups of this folder in Jamf Pro; --help says how.

# Settings: limits in seconds, for the connection and for a whole call
connect_limit='10'
call_limit='60'

# A trace would show the secret.
set +x
set -u
LC_ALL='C'
export LC_ALL
umask 077

usage() {
    cat <<'END'
Usage: upload.sh [--apply]

Creates or updates the extension attributes and smart groups of this folder in
Jamf Pro. Without --apply it only looks, and says what it would do.

  JAMF_URL            address of Jamf Pro, such as https://contoso.jamfcloud.com
  JAMF_CLIENT_ID      id of an API client
  JAMF_CLIENT_SECRET  its secret

The API client's role needs the privileges Create, Read and Update for Computer
Extension Attributes and for Smart Computer Groups; without --apply, Read.

What is there already is found by its name, and is replaced as a whole: an
extension attribute with its script and where it is displayed, and enabled
again; a smart group with its criteria. Jamf Pro 11.9 or later is needed.

Exit status: 0 all is done, or would be; 1 something failed; 2 wrong usage.
END
}

say() {
    printf 'upload.sh: %s\n' "$1" >&2
}

refuse() {
    say "$1"
    exit 2
}

# The rest cannot succeed either.
stop() {
    say "$1; nothing more was done"
    exit 1
}

fail() {
    say "$1"
    failed=$((failed + 1))
}

# The beginning of an answer, without what a terminal would obey, nor what a server may have repeated of the secrets.
excerpt() {
    whole=$(tr -c '[:print:]' ' ' <"$work/answer")
    case $whole in
        *"$client_secret"* | *"$token"*) printf 'an answer that repeats a secret' ;;
        *) printf '%s' "$whole" | head -c 300 ;;
    esac
}

# Nobody there can be signed out either.
no_answer() {
    token=''
    stop "$url: no answer: $(head -c 300 "$work/errors" | tr -c '[:print:]' ' ')"
}

# A text between the quotation marks of curl's configuration.
quoted() {
    printf '%s' "$1" | sed 's/["\\]/\\&/g'
}

# All bytes as %XX, which any URL takes.
encoded() {
    printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g'
}

# Cookies keep a cluster from answering from a member that has not heard of the last change.
#
# Sends $1, a method, to $2, a path, with more of curl's configuration in $3. $code is then the HTTP status, and the
# answer is in a file. Secrets reach curl through its configuration: anybody can read its arguments.
send() {
    rm -f "$work/answer"
    code=$(printf '%s\nurl = "%s%s"\n' "$3" "$(quoted "$url")" "$2" |
        curl -q --config - --request "$1" --proto "=$protocol" --connect-timeout "$connect_limit" \
            --max-time "$call_limit" --cookie "$work/cookies" --cookie-jar "$work/cookies" \
            --silent --show-error --output "$work/answer" --write-out '%{http_code}' \
            2>"$work/errors") || no_answer
    [ -e "$work/answer" ] || : >"$work/answer"
}

get_token() {
    send POST /api/oauth/token "data = \"grant_type=client_credentials\"
data-urlencode = \"client_id=$(quoted "$client_id")\"
data-urlencode = \"client_secret=$(quoted "$client_secret")\""
    case $code in
        200) ;;
        400 | 401 | 403) stop "$url: it does not take the client id and secret (HTTP $code)" ;;
        *) stop "$url: no token (HTTP $code); is this the address of Jamf Pro?" ;;
    esac
    token=$(tr -d '\n' <"$work/answer" | sed -n 's/.*"access_token" *: *"\([^"\\]*\)".*/\1/p')
    rm -f "$work/answer"
    [ -n "$token" ] || stop "$url: no token in its answer; is this the address of Jamf Pro?"
}

# Sends $1, a method, to $2, a path; $3 is the type of what is sent, if $4, a file, is, and of the answer.
call() {
    for attempt in first second; do
        config="header = \"Authorization: Bearer $(quoted "$token")\"
header = \"Accept: $3\""
        if [ -n "$4" ]; then
            config="$config
header = \"Content-Type: $3\"
data-binary = \"@$(quoted "$4")\""
        fi
        send "$1" "$2" "$config"
        # A token is valid for some minutes only.
        if [ "$code" != 401 ] || [ "$attempt" = second ]; then
            break
        fi
        get_token
    done
    [ "$code" != 401 ] || stop "$url: it does not take its own token, or the client's role lacks a privilege (HTTP 401)"
}

# Says of $1, a thing, why what was to be done with it, $2, failed.
explain() {
    case $code in
        403) fail "$1: not $2: the API client's role lacks a privilege (HTTP 403); --help lists them" ;;
        409) fail "$1: not $2: Jamf Pro finds a conflict, such as a name that is taken (HTTP 409): $(excerpt)" ;;
        *) fail "$1: not $2 (HTTP $code): $(excerpt)" ;;
    esac
}

# Sends $4, a file, to $3, a path, with $2, a method, and tells what was done with $1.
put() {
    case $2 in POST) done='created' ;; *) done='updated' ;; esac
    if [ "$apply" = no ]; then
        printf 'would be %s: %s\n' "$done" "$1"
        return
    fi
    call "$2" "$3" "$type" "$4"
    case $code in
        200 | 201 | 202 | 204) printf '%s: %s\n' "$done" "$1" ;;
        *) explain "$1" "$done" ;;
    esac
}

# Its name stands in the file's second line.
extension_attribute() {
    target='/api/v1/computer-extension-attributes'
    type='application/json'
    name=$(sed -n '2s/^  "name": "\([^"\\]*\)",$/\1/p' "$1")
    [ -n "$name" ] || { fail "$1: no name in its second line"; return; }
    call GET "$target?filter=$(encoded "name==\"$name\"")" "$type" ''
    case $code in
        200) ;;
        404) stop "$url: it has no API for extension attributes (HTTP 404); Jamf Pro 11.9 or later has" ;;
        *)
            explain "$name" 'found'
            return
            ;;
    esac
    # Between quotation marks that are not escaped is no text of somebody's.
    found=$(tr '\n' ' ' <"$work/answer" | sed -n 's/^.*[{,] *"totalCount" *: *\([0-9]*\).*$/\1/p')
    ids=$(fields '"id" *: *"?[0-9]+"?' | grep -oE '[0-9]+')
    names=$(fields "\"name\" *: *\"$name\"" | grep -c .)
    case $found,$(printf '%s' "$ids" | grep -c .),$names in
        0,0,0) put "$name" POST "$target" "$1" ;;
        1,1,1) put "$name" PUT "$target/$ids" "$1" ;;
        ,*,* | [01],*,*) fail "$name: not found: the answer makes no sense: $(excerpt)" ;;
        *) fail "$name: left as it is: there are several of this name; leave one of them" ;;
    esac
}

# What $1, a regular expression, finds in the answer between commas and braces.
fields() {
    tr '\n,{}' '    ' <"$work/answer" | grep -oE "(^| )$1( |\$)"
}

# Its name stands in the file's third line.
smart_group() {
    target='/JSSResource/computergroups'
    type='application/xml'
    name=$(sed -n '3s/^  <name>\([^<&]*\)<\/name>$/\1/p' "$1")
    [ -n "$name" ] || { fail "$1: no name in its third line"; return; }
    call GET "$target/name/$(encoded "$name")" "$type" ''
    case $code in
        404) put "$name" POST "$target/id/0" "$1" ;;
        200)
            if grep -q '<is_smart>true</is_smart>' "$work/answer"; then
                put "$name" PUT "$target/name/$(encoded "$name")" "$1"
            else
                fail "$name: left as it is: a group of this name is there, and is no smart group"
            fi
            ;;
        *) explain "$name" 'found' ;;
    esac
}

apply=no
for argument in "$@"; do
    case $argument in
        --apply) apply=yes ;;
        --help)
            usage
            exit 0
            ;;
        *) refuse "$argument: not understood; see --help" ;;
    esac
done
need() {
    [ -n "$2" ] || refuse "$1 is not set; see --help"
    case $2 in *[![:print:]]*) refuse "$1 has characters that it cannot have" ;; esac
}
need JAMF_URL "${JAMF_URL:-}"
need JAMF_CLIENT_ID "${JAMF_CLIENT_ID:-}"
need JAMF_CLIENT_SECRET "${JAMF_CLIENT_SECRET:-}"
# The programs that are started here have no need to know.
client_id=$JAMF_CLIENT_ID
client_secret=$JAMF_CLIENT_SECRET
unset JAMF_CLIENT_ID JAMF_CLIENT_SECRET
url=$(printf '%s' "$JAMF_URL" | sed 's:/*$::')
case $url in
    https://*) protocol='https' ;;
    # For tests.
    http://127.0.0.1:*) protocol='http' ;;
    *) refuse "JAMF_URL has to begin with https://" ;;
esac
case ${url#*://} in
    *[!A-Za-z0-9.:/_-]*) refuse "JAMF_URL has characters that an address cannot have" ;;
esac
command -v curl >/dev/null || refuse 'curl is not installed'

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
failed=0
token=''
work=$(mktemp -d "${TMPDIR:-/tmp}/upload.XXXXXXXX") || exit 1
# The token would be valid for some more minutes.
trap '[ -z "$token" ] || (call POST /api/v1/auth/invalidate-token application/json "") 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

get_token
# Groups refer to attributes, so that these come first.
for file in "$here"/extension-attributes/*.json; do
    [ ! -e "$file" ] || extension_attribute "$file"
done
for file in "$here"/smart-groups/*.xml; do
    [ ! -e "$file" ] || smart_group "$file"
done
[ "$failed" = 0 ] || { say "failed: $failed"; exit 1; }
[ "$apply" = yes ] || printf 'Nothing was changed; --apply does it.\n'
