#!/bin/sh
# What the scripts beside this file have in common: Jamf's API, through curl. They set $program, their name, and then
# read this file. By itself it does nothing.

# Settings: limits in seconds, for the connection and for a whole call; how many seconds to wait before one try more if
# Jamf does not say, and how many at most; how many bytes an answer may have
connect_limit='10'
call_limit='60'
pause='5'
pause_limit='60'
answer_limit='33554432'

# A trace would show the secret.
set +x
set -u
: "${program:?this file is read by the scripts beside it}"
LC_ALL='C'
export LC_ALL
umask 077

settings_help() {
    cat <<'END'
  JAMF_URL            Jamf Pro's address, such as https://contoso.jamfcloud.com,
                      or the Platform API's, https://REGION.api.jamfcloud.com,
                      where REGION is us, eu or apac
  JAMF_CLIENT_ID      id of an API client, or of an integration of that API
  JAMF_CLIENT_SECRET  its secret
  JAMF_ENVIRONMENT_ID, JAMF_TENANT_ID
                      for the Platform API alone, one of the two: the id of what
                      the integration was created for
  JAMF_PROXY          a proxy to use, such as http://proxy.contoso.com:8080;
                      http_proxy, https_proxy and the like are not used

The Platform API is used as Jamf documents it. That has not been tried yet.
END
}

say() {
    printf '%s: %s\n' "$program" "$1" >&2
}

refuse() {
    say "$1"
    exit 2
}

# Says $1, and ends, because the rest cannot succeed either.
stop() {
    say "$1; nothing more was done"
    exit 1
}

fail() {
    say "$1"
    failed=$((failed + 1))
}

# Prints the beginning of an answer, without control characters; nothing of it if a server has repeated a secret.
excerpt() {
    {
        printf '%s\n%s\n' "$client_secret" "$token"
        tr -c '[:print:]' ' ' <"$work/answer"
    } | awk '
        # Removes what JSON, a form or an address puts before or in place of a character.
        function bare(text) {
            gsub(/\\/, "", text)
            gsub(/\+/, " ", text)
            return text
        }
        function decoded(text,   parts, count, i, high, low) {
            count = split(text, parts, "%")
            text = parts[1]
            for (i = 2; i <= count; i++) {
                high = index(digits, tolower(substr(parts[i], 1, 1)))
                low = index(digits, tolower(substr(parts[i], 2, 1)))
                if (length(parts[i]) > 1 && high && low) {
                    text = text sprintf("%c", (high - 1) * 16 + low - 1) substr(parts[i], 3)
                } else {
                    text = text "%" parts[i]
                }
            }
            return text
        }
        function repeats(secret) {
            if (secret == "") return 0
            return index($0, secret) || index(bare($0), bare(secret)) || index(bare(decoded(bare($0))), bare(secret))
        }
        BEGIN { digits = "0123456789abcdef" }
        NR <= 2 { secrets[NR] = $0 }
        NR == 3 {
            if (repeats(secrets[1]) || repeats(secrets[2])) print "an answer that repeats a secret"
            else print substr($0, 1, 300)
        }'
}

# Ends without signing out, because nobody would answer that either.
no_answer() {
    token=''
    [ "$curl_status" != 23 ] || stop "$url: its answer is too long, or could not be stored"
    stop "$url: no answer: $(head -c 300 "$work/errors" | tr -c '[:print:]' ' ')"
}

# Prints a text as it has to be between the quotation marks of curl's configuration.
quoted() {
    printf '%s' "$1" | sed 's/["\\]/\\&/g'
}

# Prints all bytes as %XX, which any URL takes.
encoded() {
    printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g'
}

# Sends $1, a method, to $2, a path, with more of curl's configuration in $3. $code is then the HTTP status, or 000 if
# there was no answer; the answer and its headers are in files. Secrets reach curl through its configuration, because
# anybody can read its arguments. Cookies keep a cluster from answering from a member that missed the last change.
transfer() {
    : >"$work/answer"
    : >"$work/headers"
    curl_status=0
    code=$(
        # A server need not say beforehand how long its answer is; curl reports what it could not write. A block is 512
        # bytes, in some shells 1024.
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

# Sends the same, and tries once more after what passes: too many requests, a busy server, a conflict that Jamf Pro
# finds while it still stores something else, and silence, if nothing can be done twice.
send() {
    for try in first second; do
        transfer "$1" "$2" "$3"
        case $1,$code,$curl_status in
            GET,000,23) break ;;
            *,429,* | *,503,* | POST,409,* | GET,000,*) [ "$try" = second ] || wait_a_little ;;
            *) break ;;
        esac
    done
    [ "$code" != 000 ] || no_answer
}

# Writes the answer, if it is JSON, into a file of lines: where a value is, such as results.0.name, a tab, the value. A
# text keeps its escapes; null counts as nothing.
fields() {
    awk '
        function give(value,   place, i) {
            if (depth == 0 || (kind[depth] == "{" && !named[depth])) wrong = 1
            place = step[1]
            for (i = 2; i <= depth; i++) place = place "." step[i]
            print place "\t" value
        }
        function give_word() {
            if (word == "") return
            if (word !~ /^(true|false|null|-?[0-9][0-9.eE+-]*)$/) wrong = 1
            else if (word != "null") give(word)
            word = ""
        }
        # Whatever stands between two quotation marks is one record, so no record is long but a long text.
        BEGIN { RS = "\"" }
        wrong { exit }
        inside {
            text = text $0
            # A quotation mark after an odd number of backslashes belongs to the text.
            if (match($0, /\\+$/) && RLENGTH % 2) {
                text = text "\""
                next
            }
            if (text ~ /[\001-\037]/) wrong = 1
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
            if (length($0) > 100000) wrong = 1
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
        END { exit wrong || depth != 0 || !begun }' "$work/answer" >"$work/fields"
}

get_token() {
    send POST "$token_path" "data = \"grant_type=client_credentials\"
data-urlencode = \"client_id=$(quoted "$client_id")\"
data-urlencode = \"client_secret=$(quoted "$client_secret")\""
    case $code in
        200) ;;
        400 | 401 | 403) stop "$url: it does not take the client id and secret (HTTP $code)" ;;
        *) stop "$url: no token (HTTP $code); is this the right address?" ;;
    esac
    token=''
    ! fields || token=$(awk -F '\t' '$1 == "access_token" { print $2 }' "$work/fields")
    rm -f "$work/answer" "$work/fields"
    case $token in
        '' | *[!!-~]* | *\\*)
            token=''
            stop "$url: no token in its answer; is this the right address?"
            ;;
    esac
}

authorization() {
    printf 'header = "Authorization: Bearer %s"\n%s\nheader = "Accept: %s"\n' "$(quoted "$token")" "$scope" "$1"
}

# Sends $1, a method, to $2, a path, with $4, a file, if there is one. $3 is the type of the file and of the answer.
call() {
    for attempt in first second; do
        config=$(authorization "$3")
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

# Prints what to say of a missing privilege, whose name in Jamf Pro is $1, and in the Platform API $2.
missing() {
    if [ "$platform" = yes ]; then
        printf '%s: the integration lacks the permission %s, or %s is not what it was created for (HTTP 403)' \
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
    case $2 in *[![:print:]]*) refuse "$1 has characters that it cannot have" ;; esac
}

leave() {
    # The token would be valid for some more minutes. The Platform API has no way to give it back.
    if [ -n "$token" ] && [ "$platform" = no ]; then
        transfer POST /api/v1/auth/invalidate-token "$(authorization application/json)"
    fi
    [ -z "$work" ] || rm -rf "$work"
}

# Takes the settings from the environment, and a token from Jamf.
sign_in() {
    need JAMF_URL "${JAMF_URL:-}"
    need JAMF_CLIENT_ID "${JAMF_CLIENT_ID:-}"
    need JAMF_CLIENT_SECRET "${JAMF_CLIENT_SECRET:-}"
    for name in JAMF_ENVIRONMENT_ID JAMF_TENANT_ID JAMF_PROXY; do
        eval "printable $name \"\${$name:-}\""
    done
    # The programs that are started from here on do not need them.
    client_id=$JAMF_CLIENT_ID
    client_secret=$JAMF_CLIENT_SECRET
    proxy='noproxy = "*"'
    [ -z "${JAMF_PROXY:-}" ] || proxy="proxy = \"$(quoted "$JAMF_PROXY")\""
    unset JAMF_CLIENT_ID JAMF_CLIENT_SECRET JAMF_PROXY
    url=$(printf '%s' "$JAMF_URL" | sed 's:/*$::')
    case $url in
        https://*.api.jamfcloud.com) platform='yes' ;;
        https://*.api.jamfcloud.com/*) refuse 'JAMF_URL of the Platform API has to end with .api.jamfcloud.com' ;;
        https://*) platform='no' ;;
        # For tests.
        http://127.0.0.1:*)
            platform='no'
            [ -z "${JAMF_ENVIRONMENT_ID:-}${JAMF_TENANT_ID:-}" ] || platform='yes'
            ;;
        *) refuse 'JAMF_URL has to begin with https://' ;;
    esac
    protocol=${url%%:*}
    case ${url#*://} in
        *[!A-Za-z0-9.:/_-]*) refuse "JAMF_URL has characters that an address cannot have" ;;
    esac
    # The scripts begin their paths with these.
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
            refuse 'JAMF_ENVIRONMENT_ID and JAMF_TENANT_ID are for the Platform API; JAMF_URL is another address'
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
