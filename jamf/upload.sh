#!/bin/sh
# Creates, updates or removes the extension attributes and smart groups of this folder in Jamf Pro; see --help.

program='upload.sh'
case $0 in
    */*) here=${0%/*} ;;
    *) here='.' ;;
esac
[ -f "$here/api.sh" ] || {
    printf '%s: %s/api.sh is missing; keep the folder together\n' "$program" "$here" >&2
    exit 2
}
# shellcheck source=api.sh
. "$here/api.sh"
# One of the folders may be empty.
[ -z "${ZSH_VERSION:-}" ] || setopt no_nomatch

usage() {
    cat <<'END'
Usage: upload.sh [--remove] [--apply]

Creates or updates this folder's extension attributes and smart groups in Jamf
Pro. With --remove it deletes them there, and nothing else. Without --apply it
changes nothing, and shows what it would do.

END
    settings_help
    cat <<'END'

The API client's role needs the privileges Read, Create and Update for Computer
Extension Attributes and for Smart Computer Groups. With --remove it needs Read
and Delete, and without --apply only Read. For the Platform API, the integration
needs the same actions of the permissions extension-attributes and
device-groups. There, too, smart groups go through the Classic API.

The script finds existing extension attributes and smart groups by their exact
names, and replaces them as a whole, with all their settings. It also enables
the extension attributes. Deleting an extension attribute deletes its values.
Jamf Pro 11.9 or later is needed.

Exit status: 0 success; 1 something failed; 2 wrong usage.
END
}

# Reports what failed for $1, an attribute or group, and why. $2 is what failed, such as "not created".
explain() {
    case $2,$code,$busy in
        'not created,409,yes') why='an earlier try may have created it, so run this again' ;;
        'not created,409,no' | 'not updated,409,'*) why='the name may be taken, perhaps with other capitals' ;;
        *)
            fail "$1: $2 (HTTP $code): $(excerpt)"
            return
            ;;
    esac
    fail "$1: $2: Jamf Pro reports a conflict (HTTP 409); $why: $(excerpt)"
}

# Calls the API with method $1, path $2 and file $3, which may be empty. $4 is the verb of the privilege that this
# needs, such as Read. Fails without the privilege, and reports that only once.
request() {
    case $refused in
        *"|$4 $kind|"*)
            failed=$((failed + 1))
            return 1
            ;;
    esac
    busy='no'
    call "$1" "$2" "$type" "$3"
    [ "$code" = 403 ] || return 0
    refused="$refused|$4 $kind|"
    fail "$(missing "$4 $kind" "$permission:$(lower "$4")"); everything that needs it is skipped"
    return 1
}

# Creates, updates or removes $1, an attribute or group. $2 is its path, or empty if it does not exist, $3 the path for
# creating it, and $4 its file.
act() {
    case $remove,$2 in
        yes,)
            printf 'does not exist: %s\n' "$1"
            return
            ;;
        yes,*) method='DELETE' privilege='Delete' done='removed' file='' target=$2 ;;
        no,) method='POST' privilege='Create' done='created' file=$4 target=$3 ;;
        no,*) method='PUT' privilege='Update' done='updated' file=$4 target=$2 ;;
    esac
    if [ "$apply" = no ]; then
        printf 'would be %s: %s\n' "$done" "$1"
        return
    fi
    request "$method" "$target" "$file" "$privilege" || return 0
    case $code,$method,$busy in
        # A busy server may have removed it at an earlier try.
        20[0124],* | 404,DELETE,yes) printf '%s: %s\n' "$done" "$1" ;;
        *) explain "$1" "not $done" ;;
    esac
}

# Reports an answer that does not say whether $1, an attribute or group, exists.
unexpected() {
    fail "$1: could not be looked up: unexpected answer: $(excerpt)"
}

differs_in_case() {
    fail "$1: left as it is: Jamf Pro has one whose name differs only in case: $2; rename or delete that one"
}

# The name is in the file's second line.
extension_attribute() {
    collection="$pro/v1/computer-extension-attributes"
    type='application/json'
    kind='Computer Extension Attributes' permission='extension-attributes'
    name=$(sed -n '2s/^  "name": "\([^"\\]*\)",$/\1/p' "$1")
    [ -n "$name" ] || { fail "$1: no name in its second line"; return; }
    request GET "$collection?filter=$(encoded "name==\"$name\"")" '' Read || return 0
    case $code in
        200) ;;
        404) stop "$url: no API for extension attributes (HTTP 404); Jamf Pro 11.9 or later is needed" ;;
        *)
            explain "$name" 'could not be looked up'
            return
            ;;
    esac
    fields || { unexpected "$name"; return; }
    found=$(awk -F '\t' -v name="$name" '
        { split($1, at, ".") }
        $1 == "totalCount" { total = $2 }
        at[1] == "results" { results[at[2]] = 1 }
        $1 ~ /^results\.[0-9]+\.id$/ { ids[at[2]] = $2 }
        $1 ~ /^results\.[0-9]+\.name$/ { names[at[2]] = $2 }
        END {
            for (i in results) {
                count++
                if (ids[i] !~ /^[0-9]+$/) {
                    strange = 1
                } else if (names[i] == name) {
                    exact++
                    id = ids[i]
                } else if (tolower(names[i]) == tolower(name)) {
                    near = names[i]
                } else {
                    strange = 1
                }
            }
            if (total !~ /^[0-9]+$/ || total != count + 0 || strange) print "strange"
            else if (near != "") print "near " near
            else if (exact > 1) print "several"
            else if (exact == 1) print "one " id
            else print "none"
        }' "$work/fields")
    case $found in
        none) act "$name" '' "$collection" "$1" ;;
        one\ *) act "$name" "$collection/${found#one }" '' "$1" ;;
        near\ *) differs_in_case "$name" "${found#near }" ;;
        several) fail "$name: left as it is: several have this name; delete all but one" ;;
        *) unexpected "$name" ;;
    esac
}

# The name is in the file's third line.
smart_group() {
    collection="$classic/computergroups"
    type='application/xml'
    kind='Smart Computer Groups' permission='device-groups'
    name=$(sed -n '3s/^  <name>\([^<&]*\)<\/name>$/\1/p' "$1")
    [ -n "$name" ] || { fail "$1: no name in its third line"; return; }
    request GET "$collection/name/$(encoded "$name")" '' Read || return 0
    case $code in
        200) ;;
        404)
            act "$name" '' "$collection/id/0" "$1"
            return
            ;;
        *)
            explain "$name" 'could not be looked up'
            return
            ;;
    esac
    # The group's own elements come before its site, criteria and computers, which have names, too.
    head=$(head -c 100000 "$work/answer" | tr -c '[:print:]' ' ' | sed -E 's/<(site|criteria|computers)[ />].*//')
    id=$(element id)
    found=$(element name)
    if [ "$found" != "$name" ] && [ "$(lower "$found")" = "$(lower "$name")" ]; then
        differs_in_case "$name" "$found"
        return
    fi
    case $id in '' | *[!0-9]*) found='' ;; esac
    case $found,$(element is_smart) in
        "$name",true) act "$name" "$collection/id/$id" '' "$1" ;;
        "$name",false) fail "$name: left as it is: there is a group with this name that is not a smart group" ;;
        *) unexpected "$name" ;;
    esac
}

# Prints the content of the element $1 in the group's head.
element() {
    printf '%s\n' "$head" | sed -nE "s:^.*<$1>([^<]*)</$1>.*\$:\\1:p"
}

apply=no
remove=no
for argument in "$@"; do
    case $argument in
        --apply) apply=yes ;;
        --remove) remove=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) refuse "unknown option $argument; see --help" ;;
    esac
done

extension_attributes() {
    for each in "$here"/extension-attributes/*.json; do
        [ ! -e "$each" ] || extension_attribute "$each"
    done
}

smart_groups() {
    for each in "$here"/smart-groups/*.xml; do
        [ ! -e "$each" ] || smart_group "$each"
    done
}

found=''
for each in "$here"/extension-attributes/*.json "$here"/smart-groups/*.xml; do
    [ ! -e "$each" ] || found='yes'
done
[ -n "$found" ] || refuse "there are no extension-attributes/*.json or smart-groups/*.xml beside this script"
refused=''
sign_in
# Groups refer to attributes, so attributes are created first and removed last.
case $remove in
    no)
        extension_attributes
        smart_groups
        ;;
    yes)
        smart_groups
        extension_attributes
        ;;
esac
[ "$failed" = 0 ] || { say "failed: $failed"; exit 1; }
[ "$apply" = yes ] || printf 'Nothing was changed. Run again with --apply to make these changes.\n'
