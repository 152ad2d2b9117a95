#!/bin/sh
# Compares, for each Mac, the device in Microsoft Entra that Jamf has on record with the one that wpj-state reports.
# Changes nothing; see --help.

# Settings: the name of the extension attribute with the device ID, and the number of computers on a page
attribute='AAD Registration State - Device ID'
page_size='100'

program='compare-device-ids.sh'
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
Usage: compare-device-ids.sh >devices.csv

Compares, for each computer in Jamf Pro, the devices in Microsoft Entra that
Jamf has on record with the one in its extension attribute. Prints a table as
CSV with a row for each computer, and changes nothing.

END
    settings_help
    cat <<'END'

The API client's role needs the privileges Read Computers and Read Device
Compliance Information; in the Platform API these are the permissions
devices:read and device-compliance-information:read. The script sends one
request for each computer, so thousands take a while.

Results: same; different: the Mac is registered as another device than Jamf has
on record; only in Jamf: the attribute is blank, because the Mac is not
registered or its device ID is not known; only on the Mac: Jamf has no device on
record; neither; not known: Jamf's answer was an error or not understood.

A cell that a spreadsheet would take for a formula begins with an apostrophe.

Exit status: 0 all computers compared; 1 something failed; 2 wrong usage.
END
}

# Converts a page of the inventory to lines: the number of all computers and whether this page has the attribute, and
# then the ID, name, serial number and device ID of each computer. Fails if the page is not understood. The attribute is
# in the section where Jamf Pro displays it. Very long texts and lists are cut, because joining them takes long, and a
# program gets only short ones from its environment.
computers() {
    fields && awk -F '\t' -v name="$attribute" '
        { split($1, at, ".") }
        $1 == "totalCount" { total = $2 }
        at[1] == "results" && !(at[2] in listed) {
            listed[at[2]] = 1
            order[++count] = at[2]
        }
        $1 ~ /^results\.[0-9]+\.id$/ { id[at[2]] = $2 }
        $1 ~ /^results\.[0-9]+\.general\.name$/ { computer[at[2]] = $2 }
        $1 ~ /^results\.[0-9]+\.hardware\.serialNumber$/ { serial[at[2]] = $2 }
        $1 ~ /\.extensionAttributes\.[0-9]+\.name$/ && $2 == name {
            sub(/name$/, "values", $1)
            wanted[$1] = at[2]
        }
        $1 ~ /\.extensionAttributes\.[0-9]+\.values\.[0-9]+$/ {
            sub(/\.[0-9]+$/, "", $1)
            if (length(values[$1]) < 10000) values[$1] = values[$1] (values[$1] == "" ? "" : " ") $2
        }
        END {
            if (total !~ /^[0-9]+$/) exit 1
            for (place in wanted) {
                seen = 1
                device[wanted[place]] = values[place]
            }
            printf "%s %d\n", total, seen
            for (i = 1; i <= count; i++) {
                if (id[order[i]] !~ /^[0-9A-Za-z-]+$/ || length(id[order[i]]) > 100) exit 1
                printf "%s\037%s", id[order[i]], substr(computer[order[i]], 1, 10000)
                printf "\037%s\037%s\n", substr(serial[order[i]], 1, 10000), substr(device[order[i]], 1, 10000)
            }
        }' "$work/fields" >"$work/page"
}

# Gets page $1 of the inventory, with version $version of this part of the API.
inventory() {
    call GET "$pro/v$version/computers-inventory?section=GENERAL&section=HARDWARE&section=EXTENSION_ATTRIBUTES\
&sort=id%3Aasc&page-size=$page_size&page=$1" application/json ''
}

# Writes all computers to a file.
list_computers() {
    : >"$work/computers"
    page=0
    count=0
    is_there=no
    # Jamf removes an old version some time after it has introduced a new one.
    for version in 4 3 1; do
        inventory 0
        [ "$code" = 404 ] || break
    done
    while :; do
        case $code in
            200) ;;
            403) stop "$(missing 'Read Computers' devices:read)" ;;
            *) stop "$url: cannot read the inventory (HTTP $code): $(excerpt)" ;;
        esac
        computers || stop "$url: cannot read the inventory: unexpected answer: $(excerpt)"
        read -r total seen <"$work/page"
        [ "$seen" = 0 ] || is_there=yes
        more=$(($(wc -l <"$work/page") - 1))
        sed 1d "$work/page" >>"$work/computers" || stop 'the inventory could not be stored'
        count=$((count + more))
        if [ "$more" = 0 ] || [ "$count" -ge "$total" ]; then
            break
        fi
        page=$((page + 1))
        inventory "$page"
    done
    [ "$count" = 0 ] || [ "$is_there" = yes ] ||
        stop "$url: no computer has the extension attribute $attribute; create it with upload.sh, which also has it \
displayed under Extension Attributes"
}

# Prints a row of the table. The file of fields contains what Jamf has on record, and is empty if that is not known.
row() {
    id=$id name=$name serial=$serial device=$device is_known=$is_known awk -F '\t' '
        # Removes escapes of JSON and control characters. A very long text is cut, because this takes long.
        function plain(text,   out, at, escaped) {
            text = substr(text, 1, 10000)
            while (at = index(text, "\\")) {
                escaped = substr(text, at + 1, 1)
                out = out substr(text, 1, at - 1) (escaped ~ /["\\\/]/ ? escaped : escaped == "u" ? "?" : " ")
                text = substr(text, at + (escaped == "u" ? 6 : 2))
            }
            text = out text
            gsub(/[\001-\037\177]/, " ", text)
            gsub(/\302[\200-\237]/, "?", text)
            return text
        }
        # The full-width forms of =, +, - and @ begin a formula, too.
        function cell(text) {
            text = plain(text)
            sub(/^ +/, "", text)
            if (text ~ /^[^0-9A-Za-z\200-\377]/ || text ~ /^\357\274/) text = "\047" text
            gsub(/"/, "\"\"", text)
            return "\"" text "\""
        }
        # In the schema that Jamf publishes, this is one object; in its example, it is a list of objects.
        $1 ~ /^[0-9]+\.complianceVendorDeviceInformation\.([0-9]+\.)?deviceIds\.[0-9]+$/ {
            if (tolower($2) in recorded) next
            recorded[tolower($2)] = 1
            if (length(jamf) < 10000) jamf = jamf (jamf == "" ? "" : " ") $2
        }
        END {
            device = ENVIRON["device"]
            if (ENVIRON["is_known"] == "no") result = "not known"
            else if (device == "") result = jamf == "" ? "neither" : "only in Jamf"
            else if (jamf == "") result = "only on the Mac"
            else result = tolower(device) in recorded ? "same" : "different"
            printf "%s,%s,%s,%s,%s,\"%s\"\n", cell(ENVIRON["id"]), cell(ENVIRON["name"]), cell(ENVIRON["serial"]), \
                cell(device), cell(jamf), result
        }' "$work/fields"
}

for argument in "$@"; do
    case $argument in
        -h | --help)
            usage
            exit 0
            ;;
        *) refuse "unknown option $argument; see --help" ;;
    esac
done

sign_in
list_computers
printf '"Jamf ID","Name","Serial number","Device ID of the Mac","Device IDs in Jamf","Result"\n' ||
    stop 'the table could not be written'
same=0 different=0 only_jamf=0 only_mac=0 neither=0
separator=$(printf '\037')
while IFS=$separator read -r id name serial device; do
    call GET "$pro/v1/conditional-access/device-compliance-information/computer/$id" application/json ''
    is_known=yes
    case $code in
        200)
            # The answer is a list, which may be empty.
            if ! fields || grep -q '^[^0-9]' "$work/fields"; then
                is_known=no
                say "computer $id: not known: unexpected answer: $(excerpt)"
            fi
            ;;
        404) : >"$work/fields" ;;
        403) stop "$(missing 'Read Device Compliance Information' device-compliance-information:read)" ;;
        *)
            is_known=no
            say "computer $id: not known (HTTP $code): $(excerpt)"
            ;;
    esac
    [ "$is_known" = yes ] || : >"$work/fields"
    row=$(row)
    printf '%s\n' "$row" || stop 'the table could not be written'
    case $row in
        *',"same"') same=$((same + 1)) ;;
        *',"different"') different=$((different + 1)) ;;
        *',"only in Jamf"') only_jamf=$((only_jamf + 1)) ;;
        *',"only on the Mac"') only_mac=$((only_mac + 1)) ;;
        *',"neither"') neither=$((neither + 1)) ;;
        *) failed=$((failed + 1)) ;;
    esac
done <"$work/computers"
say "computers: $count; same: $same; different: $different; only in Jamf: $only_jamf; only on the Mac: $only_mac; \
neither: $neither; not known: $failed"
[ "$count" = "$((only_mac + neither))" ] && [ "$count" != 0 ] &&
    say "Jamf has no device on record for any computer; check that device compliance is set up"
# If a computer is deleted meanwhile, later ones move to the previous page, which has already been read.
[ "$(cut -d "$separator" -f 1 "$work/computers" | sort -u | grep -c .)" = "$total" ] || {
    say "the inventory changed meanwhile, so some of its $total computers are missing; run this again"
    exit 1
}
[ "$failed" = 0 ]
