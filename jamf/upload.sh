#!/bin/sh
# Creates, updates or removes the extension attributes and smart groups of this folder in Jamf Pro; --help says how.

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

usage() {
    cat <<'END'
Usage: upload.sh [--remove] [--apply]

Creates or updates the extension attributes and smart groups of this folder in
Jamf Pro. With --remove it deletes them there, and nothing else. Without
--apply it only looks, and says what it would do.

END
    settings_help
    cat <<'END'

The API client's role needs the privileges Read, Create and Update for Computer
Extension Attributes and for Smart Computer Groups; with --remove, Read and
Delete; without --apply, Read. For the Platform API, the integration needs the
same actions of the permissions extension-attributes and device-groups. Smart
groups go through the Classic API there, too.

What is there already is found by its exact name, and is replaced as a whole: an
extension attribute with its script and where it is displayed, and enabled
again; a smart group with its criteria. A removed extension attribute takes its
values with it. Jamf Pro 11.9 or later is needed.

Exit status: 0 all is done, or would be; 1 something failed; 2 wrong usage.
END
}

# Says of $1, a thing, why what was to be done with it, $2, failed.
explain() {
    case $code in
        409)
            fail "$1: not $2: Jamf Pro finds a conflict, such as a name that is taken, if only in other letters \
(HTTP 409): $(excerpt)"
            ;;
        *) fail "$1: not $2 (HTTP $code): $(excerpt)" ;;
    esac
}

# Sends $1, a method, to $2, a path, with $3, a file, if there is one; $4 is the verb of the privilege that it needs.
# Fails without that privilege, and says so only once.
ask() {
    case $refused in
        *"|$4 $kind|"*)
            failed=$((failed + 1))
            return 1
            ;;
    esac
    call "$1" "$2" "$type" "$3"
    [ "$code" = 403 ] || return 0
    refused="$refused|$4 $kind|"
    fail "$(missing "$4 $kind" "$permission:$(lower "$4")"); nothing that needs it is done"
    return 1
}

# Does with $1, a thing, what is to be done: $2 is its path, or empty if it is not there, $3 the path for a new one, and
# $4 its file.
act() {
    case $remove,$2 in
        yes,)
            printf 'not there: %s\n' "$1"
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
    ask "$method" "$target" "$file" "$privilege" || return 0
    case $code in
        200 | 201 | 202 | 204) printf '%s: %s\n' "$done" "$1" ;;
        *) explain "$1" "$done" ;;
    esac
}

# Reports an answer that does not say whether $1, a thing, is there.
no_sense() {
    fail "$1: not found: the answer makes no sense: $(excerpt)"
}

other_letters() {
    fail "$1: left as it is: Jamf Pro has one whose name differs only in case: $2; rename or delete it"
}

# The name is in the file's second line.
extension_attribute() {
    collection="$pro/v1/computer-extension-attributes"
    type='application/json'
    kind='Computer Extension Attributes' permission='extension-attributes'
    name=$(sed -n '2s/^  "name": "\([^"\\]*\)",$/\1/p' "$1")
    [ -n "$name" ] || { fail "$1: no name in its second line"; return; }
    ask GET "$collection?filter=$(encoded "name==\"$name\"")" '' Read || return 0
    case $code in
        200) ;;
        404) stop "$url: it has no API for extension attributes (HTTP 404); Jamf Pro 11.9 or later has" ;;
        *)
            explain "$name" 'found'
            return
            ;;
    esac
    fields || { no_sense "$name"; return; }
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
        near\ *) other_letters "$name" "${found#near }" ;;
        several) fail "$name: left as it is: there are several of this name; leave one of them" ;;
        *) no_sense "$name" ;;
    esac
}

# The name is in the file's third line.
smart_group() {
    collection="$classic/computergroups"
    type='application/xml'
    kind='Smart Computer Groups' permission='device-groups'
    name=$(sed -n '3s/^  <name>\([^<&]*\)<\/name>$/\1/p' "$1")
    [ -n "$name" ] || { fail "$1: no name in its third line"; return; }
    ask GET "$collection/name/$(encoded "$name")" '' Read || return 0
    case $code in
        200) ;;
        404)
            act "$name" '' "$collection/id/0" "$1"
            return
            ;;
        *)
            explain "$name" 'found'
            return
            ;;
    esac
    # What is about the group comes before its site, criteria and computers, which have names, too.
    head=$(tr -c '[:print:]' ' ' <"$work/answer" | sed -E 's/<(site|criteria|computers)[ />].*//')
    id=$(element id)
    found=$(element name)
    if [ "$found" != "$name" ] && [ "$(lower "$found")" = "$(lower "$name")" ]; then
        other_letters "$name" "$found"
        return
    fi
    case $id in '' | *[!0-9]*) found='' ;; esac
    case $found,$(element is_smart) in
        "$name",true) act "$name" "$collection/id/$id" '' "$1" ;;
        "$name",false) fail "$name: left as it is: a group of this name is there, and is not a smart group" ;;
        *) no_sense "$name" ;;
    esac
}

# Prints the content of the element $1 in the group's head.
element() {
    printf '%s\n' "$head" | sed -nE "s:^.*<$1>([^<]*)</$1>.*\$:\\1:p"
}

lower() {
    printf '%s' "$1" | tr '[:upper:]' '[:lower:]'
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
        *) refuse "$argument: not understood; see --help" ;;
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

refused=''
sign_in
# Groups refer to attributes, so these come first, and go last.
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
[ "$apply" = yes ] || printf 'Nothing was changed; --apply does it.\n'
