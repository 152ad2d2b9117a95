#!/bin/sh
# Has Apple notarise a signed package, and staples the ticket to it: notarise.sh PACKAGE
#
# NOTARY_KEY is the file with an App Store Connect API key, which NOTARY_KEY_ID and NOTARY_ISSUER identify. Fails unless
# Apple's status is Accepted.
set -eu

package=$1
set -- --key "$NOTARY_KEY" --key-id "$NOTARY_KEY_ID" --issuer "$NOTARY_ISSUER"

answer=$(xcrun notarytool submit "$package" "$@" --wait --output-format json)
printf '%s\n' "$answer"
value() {
    printf '%s' "$answer" | tr -d ' \n' | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}
if [ "$(value status)" != Accepted ]; then
    echo "$package: not notarised; Apple's status is: $(value status)" >&2
    id=$(value id)
    [ -z "$id" ] || xcrun notarytool log "$id" "$@" >&2 || true
    exit 1
fi
xcrun stapler staple "$package"
xcrun stapler validate "$package"
