#!/bin/sh
# Functions that call Jamf's API with curl, for the other scripts here. They set $program and then read this file.

# Settings: time limits in seconds for connecting and for a whole call; seconds to wait before trying once more, if Jamf
# does not name a time, and the longest wait; the size limit for an answer in bytes
connect_limit='10'
call_limit='60'
pause='5'
pause_limit='60'
answer_limit='33554432'

# Tracing would show the secret.
set +x
set -u
: "${program:?run upload.sh or compare-device-ids.sh instead}"
LC_ALL='C'
export LC_ALL
umask 077

settings_help() {
    cat <<'END'
Settings, as environment variables:
  JAMF_URL            Jamf Pro's address, such as https://contoso.jamfcloud.com,
                      or the Platform API's, https://REGION.api.jamfcloud.com,
                      where REGION is us, eu or apac
  JAMF_CLIENT_ID      ID of an API client, or of a Platform API integration
  JAMF_CLIENT_SECRET  its secret
  JAMF_ENVIRONMENT_ID, JAMF_TENANT_ID
                      only for the Platform API, one of the two: the ID of the
                      environment or tenant that the integration belongs to
  JAMF_PROXY          proxy to use, such as http://proxy.contoso.com:8080;
                      http_proxy, https_proxy and the like are ignored

The Platform API is used as Jamf documents it. Nobody has tried that yet.
END
}

say() {
    printf '%s: %s\n' "$program" "$1" >&2
}

refuse() {
    say "$1"
    exit 2
}

# Reports $1 and exits, because nothing else can succeed either.
stop() {
    say "$1; nothing more was done"
    exit 1
}

fail() {
    say "$1"
    failed=$((failed + 1))
}

# Prints the beginning of the answer, without control characters, but nothing of an answer that may repeat a secret.
# Most escapes and line breaks leave the secret's letters and digits as they are; others write these as numbers, which
# an escaped percent sign may begin. The paths of requests have no such escape, so an answer may repeat them.
excerpt() {
    {
        printf '%s\n%s\n' "$client_secret" "$token"
        head -c 100000 "$work/answer" | tr -c '[:print:]' ' '
    } | awk '
        NR <= 2 {
            count = split($0, runs, /[^0-9A-Za-z]+/)
            for (i = 1; i <= count; i++) if (length(runs[i]) > length(longest[NR])) longest[NR] = runs[i]
            next
        }
        {
            text = substr($0, 1, 300)
            repeats = text ~ /%(25|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])|\\[ux0-9]|&#/
            gsub(/[^0-9A-Za-z]+/, "")
            for (i in longest) if (index($0, longest[i])) repeats = 1
            print (repeats ? "an answer that may repeat a secret" : text)
        }'
}

# Exits. Unless the answer was too long, it does not sign out, because the server would not answer that either.
no_answer() {
    [ "$curl_status" != 23 ] || stop "$url: the answer is too long, or could not be stored"
    token=''
    stop "$url: no answer: $(head -c 300 "$work/errors" | tr -c '[:print:]' ' ')"
}

lower() {
    printf '%s' "$1" | tr '[:upper:]' '[:lower:]'
}

# Escapes a text for use between quotation marks in curl's configuration.
quoted() {
    printf '%s' "$1" | sed 's/["\\]/\\&/g'
}

# Prints a text for use in a URL: each byte as %XX, unless it is a letter or digit.
encoded() {
    printf '%s' "$1" | od -An -v -tu1 | awk '{
        for (i = 1; i <= NF; i++) {
            character = sprintf("%c", $i + 0)
            if (character !~ /[0-9A-Za-z]/) character = sprintf("%%%02x", $i)
            printf "%s", character
        }
    }'
}

# Sends a request with method $1, path $2 and additional curl configuration $3. Then $code is the HTTP status, or 000 if
# there was no answer; the answer and its headers are in files. curl gets secrets through its configuration, because
# every user can read its arguments. With cookies, the same member of a cluster answers, which knows the last change.
transfer() {
    : >"$work/answer"
    : >"$work/headers"
    curl_status=0
    code=$(
        # This limits the size of the answer, which a server need not announce; curl reports a failed write. A block
        # has 512 bytes, in some shells 1024.
        trap '' XFSZ
        ulimit -f "$((answer_limit / 512))"
        printf '%s\n%s\nurl = "%s%s"\n' "$3" "$proxy" "$(quoted "$url")" "$2" |
            curl -q --config - --request "$1" --proto "=$protocol" --connect-timeout "$connect_limit" \
                --max-time "$call_limit" --cookie "$work/cookies" --cookie-jar "$work/cookies" --silent --show-error \
                --output "$work/answer" --dump-header "$work/headers" --write-out '%{http_code}' 2>"$work/errors"
    ) || curl_status=$?
    [ "$curl_status" = 0 ] || code='000'
}

# Waits as long as Jamf asks for, within limits.
wait_a_little() {
    seconds=$(tr -d '\r' <"$work/headers" |
        sed -n 's/^[Rr][Ee][Tt][Rr][Yy]-[Aa][Ff][Tt][Ee][Rr]: *\([0-9]\{1,9\}\) *$/\1/p' | tail -n 1)
    seconds=${seconds:-$pause}
    [ "$seconds" -le "$pause_limit" ] || seconds=$pause_limit
    sleep "$seconds"
}

# Sends a request, and tries once more after a failure that may pass: too many requests, a busy server, or a conflict
# while Jamf Pro still stores something else. Without an answer, only GET is tried again, because it changes nothing.
# If the server was busy, $busy becomes yes for upload.sh, because it may have done what it was to do all the same.
# shellcheck disable=SC2034
send() {
    for try in first second; do
        transfer "$1" "$2" "$3"
        case $1,$code,$curl_status in
            GET,000,23) break ;;
            *,429,* | *,503,*) busy='yes' ;;
            POST,409,* | GET,000,*) ;;
            *) break ;;
        esac
        [ "$try" = second ] || wait_a_little
    done
    [ "$code" != 000 ] || no_answer
}

# Converts the answer from JSON to a file with a line for each value: its path, such as results.0.name, a tab, and the
# value. A string keeps its escapes; null is left out. Fails if the answer is not JSON. To take no longer for a
# hostile answer, it refuses long paths and long text between strings, and cuts long strings with quotation marks.
fields() {
    # Some awks and shells would drop NUL, which is not allowed either.
    tr '\000' '\001' <"$work/answer" | awk '
        function give(value,   place, i) {
            if (depth == 0 || (kind[depth] == "{" && !named[depth])) wrong = 1
            place = step[1]
            for (i = 2; i <= depth && length(place) <= 120; i++) place = place "." step[i]
            if (length(place) > 120) wrong = 1
            print place "\t" value
        }
        function give_word() {
            if (word == "") return
            if (word !~ /^(true|false|null|-?[0-9][0-9.eE+-]*)$/) wrong = 1
            else if (word != "null") give(word)
            word = ""
        }
        # The text between two quotation marks is one record, so only a long string makes a long record.
        BEGIN { RS = "\"" }
        # It reads on, because tr would report a closed pipe if SIGPIPE is ignored.
        wrong { next }
        inside {
            if ($0 ~ /[\001-\037]/) wrong = 1
            # A quotation mark after an odd number of backslashes belongs to the string.
            rest = $0
            gsub(/\\\\/, "", rest)
            goes_on = rest ~ /\\$/
            if (length(text) < 1000) text = text $0 (goes_on ? "\"" : "")
            if (goes_on) next
            if (kind[depth] == "{" && !named[depth]) {
                step[depth] = text
                named[depth] = 1
            } else {
                give(text)
            }
            text = ""
            inside = 0
            next
        }
        {
            if (length($0) > 10000) wrong = 1
            for (i = 1; i <= length($0) && !wrong; i++) {
                character = substr($0, i, 1)
                if (character ~ /[^][{},: \t\r\n]/) {
                    word = word character
                    continue
                }
                give_word()
                if (character == "{" || character == "[") {
                    if (depth == 0 ? begun++ : kind[depth] == "{" && !named[depth]) wrong = 1
                    kind[++depth] = character
                    step[depth] = 0
                    named[depth] = 0
                } else if (character == "}" || character == "]") {
                    if (kind[depth] != (character == "}" ? "{" : "[")) wrong = 1
                    kind[depth--] = ""
                } else if (character == ",") {
                    step[depth]++
                    named[depth] = 0
                }
            }
            give_word()
            inside = 1
        }
        END { exit wrong || depth != 0 || !begun }' >"$work/fields"
}

get_token() {
    send POST "$token_path" "data = \"grant_type=client_credentials\"
data-urlencode = \"client_id=$(quoted "$client_id")\"
data-urlencode = \"client_secret=$(quoted "$client_secret")\""
    case $code in
        200) ;;
        400 | 401 | 403) stop "$url: client ID or secret rejected (HTTP $code)" ;;
        *) stop "$url: no token (HTTP $code); check the address" ;;
    esac
    token=''
    ! fields || token=$(awk -F '\t' '$1 == "access_token" { print $2 }' "$work/fields")
    rm -f "$work/answer" "$work/fields"
    case $token in
        '' | *[!!-~]* | *\\*)
            token=''
            stop "$url: no token in the answer; check the address"
            ;;
    esac
}

authorization() {
    printf 'header = "Authorization: Bearer %s"\n%s\nheader = "Accept: %s"\n' "$(quoted "$token")" "$scope" "$1"
}

# Calls the API with method $1 and path $2. $3 is the media type of the answer and of the file $4, which may be empty.
call() {
    for attempt in first second; do
        config=$(authorization "$3")
        if [ -n "$4" ]; then
            config="$config
header = \"Content-Type: $3\"
data-binary = \"@$(quoted "$4")\""
        fi
        send "$1" "$2" "$config"
        # A token is valid only for a few minutes.
        if [ "$code" != 401 ] || [ "$attempt" = second ]; then
            break
        fi
        get_token
    done
    [ "$code" != 401 ] || stop "$url: token rejected, or the client's role lacks a privilege (HTTP 401)"
}

# Prints the message for a missing privilege: $1 is its name in Jamf Pro, and $2 in the Platform API.
missing() {
    if [ "$platform" = yes ]; then
        printf '%s: the integration lacks the permission %s, or %s does not belong to it (HTTP 403)' \
            "$url" "$2" "$scope_name"
    else
        printf "%s: the API client's role lacks the privilege %s (HTTP 403)" "$url" "$1"
    fi
}

need() {
    [ -n "$2" ] || refuse "$1 is not set; see --help"
    printable "$1" "$2"
}

printable() {
    case $2 in *[![:print:]]*) refuse "$1 contains characters that are not allowed" ;; esac
}

leave() {
    # The token would stay valid for a few more minutes. The Platform API has no call that ends it.
    if [ -n "$token" ] && [ "$platform" = no ]; then
        transfer POST /api/v1/auth/invalidate-token "$(authorization application/json)"
    fi
    [ -z "$work" ] || rm -rf "$work"
}

# Reads the settings from the environment, and gets a token from Jamf.
sign_in() {
    need JAMF_URL "${JAMF_URL:-}"
    need JAMF_CLIENT_ID "${JAMF_CLIENT_ID:-}"
    need JAMF_CLIENT_SECRET "${JAMF_CLIENT_SECRET:-}"
    for name in JAMF_ENVIRONMENT_ID JAMF_TENANT_ID JAMF_PROXY; do
        eval "printable $name \"\${$name:-}\""
    done
    # The programs that the script starts from here on do not need them. curl would prefer no_proxy to our proxy.
    client_id=$JAMF_CLIENT_ID
    client_secret=$JAMF_CLIENT_SECRET
    proxy='noproxy = "*"'
    [ -z "${JAMF_PROXY:-}" ] || proxy="proxy = \"$(quoted "$JAMF_PROXY")\""
    unset JAMF_CLIENT_ID JAMF_CLIENT_SECRET JAMF_PROXY no_proxy NO_PROXY
    url=$(printf '%s' "$JAMF_URL" | sed 's:/*$::')
    case $(lower "$url") in
        https://*.api.jamfcloud.com | https://*.api.jamfcloud.com:443) platform='yes' ;;
        https://*.api.jamfcloud.com[:/]*) refuse 'JAMF_URL of the Platform API must end with .api.jamfcloud.com' ;;
        https://*) platform='no' ;;
        # For tests.
        http://127.0.0.1:*)
            platform='no'
            [ -z "${JAMF_ENVIRONMENT_ID:-}${JAMF_TENANT_ID:-}" ] || platform='yes'
            ;;
        *) refuse 'JAMF_URL must begin with https://' ;;
    esac
    protocol=${url%%:*}
    case ${url#*://} in
        *[!A-Za-z0-9.:/_-]*) refuse "JAMF_URL contains characters that are not allowed in an address" ;;
    esac
    # The other scripts put these in front of their paths.
    # shellcheck disable=SC2034
    if [ "$platform" = yes ]; then
        pro='/pro' classic='/proclassic' token_path='/auth/token'
        case ${JAMF_ENVIRONMENT_ID:+environment}${JAMF_TENANT_ID:+tenant} in
            environment) header='X-Environment-Id' scope_name='JAMF_ENVIRONMENT_ID' scope_id=$JAMF_ENVIRONMENT_ID ;;
            tenant) header='X-Tenant-Id' scope_name='JAMF_TENANT_ID' scope_id=$JAMF_TENANT_ID ;;
            *) refuse 'the Platform API needs either JAMF_ENVIRONMENT_ID or JAMF_TENANT_ID; see --help' ;;
        esac
        case $scope_id in *[!0-9A-Fa-f-]*) refuse "$scope_name is not a GUID" ;; esac
        scope="header = \"$header: $scope_id\""
    else
        [ -z "${JAMF_ENVIRONMENT_ID:-}${JAMF_TENANT_ID:-}" ] ||
            refuse 'JAMF_ENVIRONMENT_ID and JAMF_TENANT_ID are for the Platform API, but JAMF_URL is another address'
        pro='/api' classic='/JSSResource' token_path='/api/oauth/token' scope=''
    fi
    command -v curl >/dev/null || refuse 'curl is not installed'
    work=$(mktemp -d "${TMPDIR:-/tmp}/${program%.sh}.XXXXXXXX") || exit 1
    get_token
}

failed=0
token=''
work=''
trap leave EXIT
trap 'exit 1' HUP INT PIPE TERM
